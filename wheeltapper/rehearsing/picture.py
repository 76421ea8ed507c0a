"""The picture of a rehearsal: a setpoint as the operator had it, and as it would have been."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from plant.setpoints import State
from wheeltapper.evaluation.drawing import Anchor, Drawing, Path, Rect, Role, Text, envelope, steps
from wheeltapper.rehearsing.rehearsal import Outcome, Walk

Columns = NDArray[np.float64]
WIDTH, LEFT, RIGHT = 1040.0, 150.0, 18.0
WIDE = WIDTH - LEFT - RIGHT
PANEL, STRIP = 190.0, 18.0
POINTS, CLOCKS = 1600, 6
REFUSED = (State.REJECTED, State.EXPIRED)
LEGEND: tuple[tuple[Role, str], ...] = (
    ("bar", "as the operator had it"), ("score", "as it would have been"),
    ("label", "band around the operator's value"), ("limit", "signed limits"),
)  # fmt: skip


def picture(walks: Sequence[Walk], heading: Sequence[str]) -> Drawing:
    """Draw a rehearsal from top to bottom."""
    sheet = Drawing(WIDTH, 0, "what the guard would have done")
    y = 22.0
    for number, line in enumerate(heading):
        role: Role = "text" if number else "strong"
        sheet.add(Text(8, y, line, role, size=11 if number else 14))
        y += 17
    x = LEFT
    for role, words in LEGEND:
        sheet.add(Rect(x, y - 6, 18, 3, role), Text(x + 24, y, words, "soft", size=11))
        x += 40 + 6.6 * len(words)
    y += 10
    for walk in walks:
        y = _panel(sheet, walk, y)
    sheet.height = y + 6
    return sheet


@dataclass(frozen=True, slots=True)
class _Panel:
    """Where one setpoint is drawn: its top, and what the axes begin and end with."""

    sheet: Drawing
    walk: Walk
    top: float
    low: float
    high: float

    def x(self, at: int) -> float:
        begin, end = int(self.walk.at[0]), int(self.walk.at[-1])
        return LEFT + (at - begin) * WIDE / max(end - begin, 1)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.top + PANEL * (1 - share)

    def level(self, value: float, role: Role) -> None:
        y = self.y(value)
        self.sheet.add(Path(np.array([[LEFT, y], [LEFT + WIDE, y]]), role))

    def line(self, values: Columns, role: Role) -> None:
        """Draw steps: a setpoint holds until it is set again."""
        at = self.walk.at
        x = np.asarray(LEFT + (at - at[0]) * (WIDE / max(int(at[-1] - at[0]), 1)), np.float64)
        share = (np.clip(values, self.low, self.high) - self.low) / (self.high - self.low)
        y = np.asarray(self.top + PANEL * (1 - share), np.float64)
        drawn = envelope(np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1], POINTS)
        self.sheet.add(Path(drawn, role))

    def outcome(self, one: Outcome, row: float) -> None:
        """Mark a request in its row, and at the value that it asked for."""
        role: Role = "alarm" if one.state in REFUSED else "score"
        hint = f"{_clock(one.at)}: {one.value:g}: {one.code or one.state} {one.why}"
        x = self.x(one.at)
        self.sheet.add(Rect(x - 0.75, row, 1.5, STRIP, role, hint))
        if np.isfinite(one.value):
            self.sheet.add(Rect(x - 1, self.y(one.value) - 1.5, 2, 3, role, hint))

    def clock(self, foot: float) -> None:
        begin, end = int(self.walk.at[0]), int(self.walk.at[-1])
        for part in range(CLOCKS):
            at = begin + part * (end - begin) // (CLOCKS - 1)
            anchor: Anchor = "start" if part == 0 else "end" if part == CLOCKS - 1 else "middle"
            self.sheet.add(Text(self.x(at), foot, _clock(at), "soft", anchor, 11))


def _panel(sheet: Drawing, walk: Walk, top: float) -> float:
    """Draw one setpoint; give the foot."""
    limits = walk.limits
    sheet.add(Rect(LEFT, top, WIDE, PANEL, "panel"))
    for number, name in enumerate(limits.tag.split("/")[-2:]):
        sheet.add(Text(8, top + 16 + 15 * number, name, "strong"))
    sheet.add(Text(8, top + 48, limits.unit, "soft", size=11))
    seen = walk.operator[np.isfinite(walk.operator)]
    if len(seen) < 2:
        sheet.add(Text(LEFT + 10, top + 24, "not in the recording", "soft"))
        return top + PANEL + 20
    room = 0.06 * (limits.high - limits.low)
    low, high = min(limits.low, float(seen.min())), max(limits.high, float(seen.max()))
    panel = _Panel(sheet, walk, top, low - room, high + room)
    for tick in steps(low, high, 6):
        panel.level(tick, "grid")
        sheet.add(Text(LEFT - 8, panel.y(tick) + 4, f"{tick:g}", "soft", "end", 11))
    for bound in (limits.low, limits.high):
        panel.level(bound, "limit")
    for side in (-limits.band, limits.band):
        panel.line(walk.operator + side, "label")
    panel.line(walk.operator, "bar")
    panel.line(walk.force, "score")
    rows = {False: top + PANEL + 6, True: top + PANEL + STRIP + 10}
    for refused, words in ((False, "let through"), (True, "rejected")):
        sheet.add(Rect(LEFT, rows[refused], WIDE, STRIP, "panel"))
        sheet.add(Text(LEFT - 8, rows[refused] + 13, words, "text", "end", 11))
    for one in walk.outcomes:
        panel.outcome(one, rows[one.state in REFUSED])
    panel.clock(rows[True] + STRIP + 16)
    return rows[True] + STRIP + 34


def _clock(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9, UTC):%d %b %H:%M}"
