"""Rows of the fault table: what is done to which server, the bar, and what was measured."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
HEAD = ("pain", "what is done", "against", "bar", "measured", "verdict", "day, commit")


@dataclass
class Row:
    """One row; a test of the campaign fills `measured`, its outcome gives the verdict.

    Parameters
    ----------
    pain
        Number of the pain, as in ``P3``.
    done
        What is done to the source.
    server
        What plays the source.
    bar
        What has to hold.
    """

    pain: str
    done: str
    server: str
    bar: str
    figures: dict[str, str] = field(default_factory=dict)
    verdict: str = "not run"
    when: str = "–"

    def measured(self, **figures: object) -> None:
        """Note figures; underscores in their names become spaces."""
        for name, figure in figures.items():
            words = f"{figure:.3g}" if isinstance(figure, float) else str(figure)
            self.figures[name.replace("_", " ")] = words

    def cells(self) -> tuple[str, ...]:
        """Give the columns of the table."""
        figures = "; ".join(f"{name} {figure}" for name, figure in self.figures.items())
        return self.pain, self.done, self.server, self.bar, figures or "–", self.verdict, self.when


def table(rows: Iterable[Row]) -> str:
    """Write the rows as a Markdown table."""
    return _lines(row.cells() for row in rows)


def _lines(rows: Iterable[Sequence[str]]) -> str:
    lines = [HEAD, ("---",) * len(HEAD), *sorted(rows, key=_order)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '∣') for cell in line)} |" for line in lines)


def _order(cells: Sequence[str]) -> tuple[int, str, str]:
    """Sort by number of the pain, then by text."""
    return int(re.sub(r"\D", "", cells[0]) or 0), cells[1], cells[2]


def written(text: str, rows: Iterable[Row], where: str, *, whole: bool = True) -> str:
    """Put the table between the marks of a document, leaving the rest as it is.

    Of a run that was not `whole` the rows that it did not have stay as they were.
    """
    before, _, rest = text.partition(BEGIN)
    inside, _, after = rest.partition(END)
    known = {} if whole else {cells[:4]: cells for cells in _read(inside)}
    known |= {_shown(row.cells())[:4]: row.cells() for row in rows}
    return f"{before}{BEGIN}\n\n{where}\n\n{_lines(known.values())}\n\n{END}{after}"


def _shown(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell.replace("|", "∣") for cell in cells)


def _read(text: str) -> Iterator[tuple[str, ...]]:
    for line in text.splitlines():
        cells = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        if len(cells) == len(HEAD) and cells != HEAD and set(cells[0]) != {"-"}:
            yield cells


def write(path: Path, rows: Iterable[Row], where: str, *, whole: bool) -> None:
    """Renew the table in the document at `path`."""
    path.write_text(written(path.read_text("utf-8"), rows, where, whole=whole), "utf-8")
