"""What is wrong with a configuration: all of it, each with its place and the likely mend."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from plant.errors import Misconfigured


def nearest(word: str, known: Iterable[str]) -> str:
    """Ask ``; did you mean "x"?`` for the known word closest to `word`, or nothing.

    Examples
    --------
    >>> nearest("pubishing_ms", ["publishing_ms", "queue"])
    '; did you mean "publishing_ms"?'
    >>> nearest("colour", ["queue"])
    ''
    """
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1)
    return f'; did you mean "{folded[close[0]]}"?' if close else ""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake: where it stands, which key, and what to do about it."""

    place: str
    line: int
    key: str
    what: str

    def __str__(self) -> str:
        """Render as one line: ``file:line: key: what``; line 0 means the place has no lines."""
        place = f"{self.place}:{self.line}" if self.line else self.place
        what = " ".join(self.what.split())
        return f"{place}: {self.key}: {what}" if self.key else f"{place}: {what}"


@dataclass
class Problems:
    """Collects mistakes, so that a person sees all of them in one go."""

    found: list[Problem] = field(default_factory=list)

    def add(self, place: str, line: int, key: str, what: str) -> None:
        """Note one mistake."""
        self.found.append(Problem(place, line, key, what))

    def stop_if_any(self) -> None:
        """Raise `Misconfigured` with every mistake, one a line, in the order of the files."""
        if self.found:
            raise Misconfigured("\n".join(str(problem) for problem in sorted(set(self.found))))
