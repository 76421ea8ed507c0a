"""What is wrong with a configuration: all of it, each with its place and the likely mend."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from plant.errors import Misconfigured

MOST_ALIKE = 10
"""Mistakes of one kind that are told one by one; a sheet can hold the same one in every row."""
MOST_KINDS = 50
"""Kinds of mistakes that are told."""
VARIES = re.compile(r'"[^"]*"|\d+')


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
            raise Misconfigured("\n".join(told(sorted(set(self.found)))))


def told(found: list[Problem]) -> Iterator[str]:
    """Give the lines that a person reads: the first few of each kind, then how many more.

    Mistakes are of one kind when they say the same of the same key in the same place, apart from
    what is quoted and from numbers.
    """
    kinds: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in found:
        blotted = VARIES.sub("", problem.what)
        kinds.setdefault((problem.place, VARIES.sub("", problem.key), blotted), []).append(problem)
    shown = list(kinds.values())[:MOST_KINDS]
    yield from map(str, sorted(each for alike in shown for each in alike[:MOST_ALIKE]))
    for alike in shown:
        if len(alike) > MOST_ALIKE:
            last = alike[-1]
            upto = f", the last in line {last.line}" if last.line else ""
            more = f"and {len(alike) - MOST_ALIKE:,} more like this{upto}"
            yield str(Problem(last.place, 0, last.key, more))
    left = sum(len(alike) for alike in list(kinds.values())[MOST_KINDS:])
    if left:
        yield f"and {left:,} of other kinds"
