"""Where the commands write: lines and tables for people, JSON lines for programs."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

UNBOUND = 10_000
"""Characters; wider than any table."""


def record(row: Any) -> None:
    """Write one JSON line and hand it over at once: a program may be waiting for it."""
    line = json.dumps(row, ensure_ascii=False)
    # A server's words may steer a terminal, end a line, or be no text at all.
    sys.stdout.write((line if line.isprintable() else json.dumps(row)) + "\n")
    sys.stdout.flush()


def say(line: str) -> None:
    """Write one line for people."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def listing(
    rows: Sequence[Any], show: Callable[[Sequence[Any]], None], nothing: str, *, as_json: bool
) -> None:
    """Write rows: a JSON line each for programs, for people by `show`, or that there is nothing."""
    if as_json:
        for row in rows:
            record(row)
    elif rows:
        show(rows)
    else:
        say(nothing)


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table; off a terminal it is as wide as its content, so that nothing is cut."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for head in heads:
        shown.add_column(head, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=Console(width=UNBOUND).measure(shown).maximum)
    console.print(shown)


def local_time(ms: float) -> str:
    """Write a time in ms since 1970 UTC as the reader's clock shows it."""
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
