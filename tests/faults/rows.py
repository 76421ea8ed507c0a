"""Rows of the fault table: what is done to which server, the bar, and what was measured."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
HEAD = ("pain", "what is done", "against", "bar", "measured", "verdict")


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

    def measured(self, **figures: object) -> None:
        """Note figures; underscores in their names become spaces."""
        for name, figure in figures.items():
            words = f"{figure:.3g}" if isinstance(figure, float) else str(figure)
            self.figures[name.replace("_", " ")] = words

    def cells(self) -> tuple[str, ...]:
        """Give the columns of the table."""
        figures = "; ".join(f"{name} {figure}" for name, figure in self.figures.items())
        return self.pain, self.done, self.server, self.bar, figures or "–", self.verdict

    def order(self) -> tuple[int, str]:
        """Sort by number of the pain, then by text."""
        return int(re.sub(r"\D", "", self.pain) or 0), self.done


def table(rows: Iterable[Row]) -> str:
    """Write the rows as a Markdown table."""
    lines = [HEAD, ("---",) * len(HEAD), *(row.cells() for row in sorted(rows, key=Row.order))]
    return "\n".join(f"| {' | '.join(cell.replace('|', '∣') for cell in line)} |" for line in lines)


def written(text: str, rows: Iterable[Row], when: str) -> str:
    """Put the table between the marks of a document, leaving the rest as it is."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{when}\n\n{table(rows)}\n\n{END}{after}"


def write(path: Path, rows: Iterable[Row], when: str) -> None:
    """Renew the table in the document at `path`."""
    path.write_text(written(path.read_text("utf-8"), rows, when), "utf-8")
