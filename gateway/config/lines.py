"""On which line each key of a TOML file stands; tomllib forgets it.

Reads only text that tomllib has accepted, so it follows the grammar (TOML 1.0) without judging it.
"""

import re
import tomllib
from bisect import bisect_left
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY_PART = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|[A-Za-z0-9_-]+")
_LONG_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}', re.DOTALL)
_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'")
_SCALAR = re.compile(r"[^,\]}#\n]*")


@dataclass
class _Scanner:
    text: str
    place: int = 0
    lines: dict[KeyPath, int] = field(default_factory=dict)
    counts: dict[KeyPath, int] = field(default_factory=dict)
    breaks: list[int] = field(init=False)

    def __post_init__(self) -> None:
        """Find the line ends once."""
        self.breaks = [found.start() for found in re.finditer("\n", self.text)]

    def take(self, pattern: re.Pattern[str]) -> str:
        """Step over what `pattern` matches here; the text is known to be valid."""
        found = pattern.match(self.text, self.place)
        if found is None:
            raise ValueError(f"not TOML at character {self.place}")
        self.place = found.end()
        return found.group()

    def sees(self, mark: str) -> bool:
        """Step over `mark` if it stands here."""
        there = self.text.startswith(mark, self.place)
        self.place += len(mark) * there
        return there

    def line(self) -> int:
        """Give the number of the present line, from 1."""
        return bisect_left(self.breaks, self.place) + 1

    def note(self, path: KeyPath) -> None:
        """Remember where `path` and the tables that it opens were first named."""
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], self.line())

    def key(self) -> KeyPath:
        """Read a dotted key."""
        parts = []
        while True:
            self.take(_SPACE)
            parts.append(_plain(self.take(_KEY_PART)))
            self.take(_SPACE)
            if not self.sees("."):
                return tuple(parts)

    def inside(self, names: KeyPath) -> KeyPath:
        """Turn a header's names into a path: an array of tables means its latest table."""
        path: KeyPath = ()
        for name in names:
            path = (*path, name)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def header(self) -> KeyPath:
        """Read ``[table]`` or ``[[array]]`` and give the path that the next keys belong to."""
        if not self.sees("["):
            path = self.inside(self.key())
            self.note(path)
        else:
            *parents, name = self.key()
            array = (*self.inside(tuple(parents)), name)
            self.counts[array] = self.counts.get(array, 0) + 1
            path = (*array, self.counts[array] - 1)
            self.note(path)
            self.sees("]")
        self.sees("]")
        return path

    def pair(self, table: KeyPath) -> None:
        """Read ``key = value``."""
        path = (*table, *self.key())
        self.note(path)
        self.sees("=")
        self.take(_SPACE)
        self.value(path)

    def value(self, path: KeyPath) -> None:
        """Step over a value, noting the keys and elements inside it."""
        if self.sees("["):
            self.array(path)
        elif self.sees("{"):
            self.inline_table(path)
        elif self.text.startswith(('"""', "'''"), self.place):
            self.take(_LONG_STRING)
        elif self.text.startswith(('"', "'"), self.place):
            self.take(_STRING)
        else:
            self.take(_SCALAR)

    def array(self, path: KeyPath) -> None:
        """Read the rest of an array."""
        index = 0
        self.take(_BLANK)
        while not self.sees("]"):
            self.note((*path, index))
            self.value((*path, index))
            index += 1
            self.take(_BLANK)
            self.sees(",")
            self.take(_BLANK)

    def inline_table(self, path: KeyPath) -> None:
        """Read the rest of an inline table."""
        self.take(_BLANK)
        while not self.sees("}"):
            self.pair(path)
            self.take(_BLANK)
            self.sees(",")
            self.take(_BLANK)


def _plain(part: str) -> str:
    if part[0] in "\"'":
        return str(tomllib.loads(f"key = {part}")["key"])
    return part


def key_lines(text: str) -> dict[KeyPath, int]:
    r"""Map every key path of a valid TOML text to its line.

    Parameters
    ----------
    text
        What tomllib accepts.

    Returns
    -------
    dict
        Path (names, and indices within arrays) to the line where it is first named, from 1.

    Examples
    --------
    >>> lines = key_lines('version = 1\n[[source]]\nname = "plc"\n')
    >>> lines["source", 0, "name"]
    3
    """
    scanner = _Scanner(text)
    table: KeyPath = ()
    while True:
        scanner.take(_BLANK)
        if scanner.place == len(text):
            return scanner.lines
        if scanner.sees("["):
            table = scanner.header()
        else:
            scanner.pair(table)
