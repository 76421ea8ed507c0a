"""The picture of a training: the score of each judge on the hold-out, and the figures below."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from analytics.training.comparison import Comparison, Course
from wheeltapper.evaluation.drawing import Anchor, Drawing, Path, Rect, Role, Text, envelope
from wheeltapper.training.words import HEADS, figure_rows

Columns = NDArray[np.float64]

WIDTH, LEFT, RIGHT, PANEL = 1040.0, 150.0, 18.0, 120.0
LOWEST, HIGHEST = 0.05, 20.0
TICKS = (0.1, 1.0, 10.0)
POINTS = 1600
CLOCKS = 6
WORD = 15
"""Characters of a card's line that name what the rest says."""
APART_NS = 300 * 10**9
"""Rows further apart than this are not joined by a line."""
COLUMNS = (8.0, 280.0, 430.0, 640.0, 770.0, 900.0)


def picture(path: str, version: int, card: Sequence[str], comparison: Comparison) -> Drawing:
    """Draw a training from top to bottom."""
    sheet = Drawing(WIDTH, 0, f"{path}, version {version}: hold-out")
    y = 20.0
    sheet.add(Text(8, y, f"{path}, version {version}: on hours that were not learnt from", "strong",
                   size=14))  # fmt: skip
    for line in card:
        y += 17
        name, said = line[:WORD].strip(), line[WORD:].strip()
        sheet.add(Text(8, y, name, "soft", size=11), Text(LEFT, y, said, "text", size=11))
    y += 14
    for course in comparison.courses:
        y = _panel(sheet, course, y)
    y = _table(sheet, comparison, y + 22)
    sheet.height = y + 10
    return sheet


def _panel(sheet: Drawing, course: Course, top: float) -> float:
    """Draw the score of a judge in multiples of its limit, and its alarms; give the foot."""
    wide = WIDTH - LEFT - RIGHT
    sheet.add(Rect(LEFT, top, wide, PANEL, "panel"), Text(8, top + 16, course.name, "strong"))
    sheet.add(Text(8, top + 34, "score in multiples", "soft", size=11))
    sheet.add(Text(8, top + 48, "of its limit, log scale", "soft", size=11))
    low, high = np.log10(LOWEST), np.log10(HIGHEST)

    def height(values: Columns) -> Columns:
        share = (np.log10(np.clip(values, LOWEST, HIGHEST)) - low) / (high - low)
        return np.asarray(top + PANEL * (1 - share), np.float64)

    for tick in TICKS:
        role: Role = "limit" if tick == 1 else "grid"
        y = float(height(np.array([tick]))[0])
        sheet.add(Path(np.array([[LEFT, y], [LEFT + wide, y]]), role))
        sheet.add(Text(LEFT - 8, y + 4, f"{tick:g} ×", "soft", "end", 11))
    if len(course.at) < 2:
        return top + PANEL + 30
    begin, end = int(course.at[0]), int(course.at[-1])
    scale = wide / max(end - begin, 1)
    x = np.asarray(LEFT + (course.at - begin) * scale, np.float64)
    score = course.score.copy()
    score[1:][np.diff(course.at) > APART_NS] = np.nan
    sheet.add(Path(envelope(x, height(score), POINTS), "score"))
    for at in course.alarms:
        place = LEFT + (at - begin) * scale
        sheet.add(Rect(place - 1, top, 2.5, PANEL, "alarm", f"alarm at {_clock(at)}"))
    for part in range(CLOCKS):
        at = begin + part * (end - begin) // (CLOCKS - 1)
        anchor: Anchor = "start" if part == 0 else "end" if part == CLOCKS - 1 else "middle"
        sheet.add(Text(LEFT + (at - begin) * scale, top + PANEL + 16, _clock(at), "soft",
                       anchor, 11))  # fmt: skip
    return top + PANEL + 30


def _clock(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9, UTC):%d %b %H:%M}"


def _table(sheet: Drawing, comparison: Comparison, y: float) -> float:
    for cells, role in ((HEADS, "strong"), *((row, "text") for row in figure_rows(comparison))):
        for x, cell in zip(COLUMNS, cells, strict=True):
            sheet.add(Text(x, y, cell, "strong" if role == "strong" else "text"))
        y += 20
    return y
