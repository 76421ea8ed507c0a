"""Patterns of browse paths: ``Line1/*/PV``, ``**/Temperature``."""

import re
from collections.abc import Sequence
from fnmatch import translate

from plant.errors import Misconfigured

_ANY = "**"
_MOST_PARTS = 64


class Pattern:
    """A pattern of paths: ``*``, ``?`` and ``[…]`` within a name, ``**`` for any number of names.

    Upper and lower case differ, as they do for the server. ``&`` takes a special character for
    what it is.

    Examples
    --------
    >>> Pattern("Line1/*/PV").matches(["Line1", "Pump2", "PV"])
    True
    >>> Pattern("Line1/**").may_lead(["Line2"])
    False
    """

    def __init__(self, text: str) -> None:
        parts = _split(text.strip().strip("/"))
        if not all(parts) or len(parts) > _MOST_PARTS:
            raise Misconfigured(
                f"--match '{text}' has an empty name; a pattern looks like 'Line1/*/PV' or '**'"
            )
        self.text = text
        self._parts = [None if part == _ANY else re.compile(translate(part)) for part in parts]

    @property
    def everything(self) -> bool:
        """Whether every path fits."""
        return self._parts == [None]

    def matches(self, names: Sequence[str]) -> bool:
        """Tell whether a whole path fits."""
        return len(self._parts) in self._reached(names)

    def may_lead(self, names: Sequence[str]) -> bool:
        """Tell whether something below this path could fit."""
        return any(state < len(self._parts) for state in self._reached(names))

    def _reached(self, names: Sequence[str]) -> set[int]:
        """Give the parts that may come next after these names."""
        states = self._with_skips({0})
        for name in names:
            following = set()
            for state in states - {len(self._parts)}:
                part = self._parts[state]
                if part is None:
                    following.add(state)
                elif part.fullmatch(name):
                    following.add(state + 1)
            states = self._with_skips(following)
        return states

    def _with_skips(self, states: set[int]) -> set[int]:
        """Add what is reached when a ``**`` stands for no name at all."""
        found = set(states)
        for state in range(len(self._parts)):
            if state in found and self._parts[state] is None:
                found.add(state + 1)
        return found


def _split(text: str) -> list[str]:
    """Cut a pattern into the patterns of names."""
    parts = [""]
    for piece in re.findall(r"&.|.", text, re.DOTALL):
        if piece == "/":
            parts.append("")
        elif len(piece) > 1 and piece[1] in "*?[":
            parts[-1] += f"[{piece[1]}]"
        else:
            parts[-1] += piece[-1]
    return parts
