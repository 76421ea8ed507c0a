"""Panels in rows of 24 columns, from top to bottom."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.panels import Panel

COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side; their widths add up to 24."""

    height: int
    panels: tuple[Panel, ...]

    def __post_init__(self) -> None:
        """Refuse a row with a hole, or one that is too wide."""
        taken = sum(panel.width for panel in self.panels)
        if taken != COLUMNS:
            raise ValueError(f"{self.panels[0].title}: a row of {taken} columns; it has {COLUMNS}")


def row(height: int, *panels: Panel) -> Row:
    """Put panels side by side, `height` units of 30 pixels high."""
    return Row(height, panels)


def placed(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Write the panels with numbers and places."""
    number, y = 0, 0
    for one in rows:
        x = 0
        for panel in one.panels:
            number += 1
            place = {"x": x, "y": y, "w": panel.width, "h": one.height}
            yield panel.written(number, place)
            x += panel.width
        y += one.height
