"""A drawing as shapes with roles; what a role looks like is decided where it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Role = Literal[
    "panel", "grid", "axis", "score", "limit", "signal", "culprit", "alarm", "alarm-band",
    "label", "label-band", "learning", "text", "soft", "strong", "on-alarm", "bar",
]  # fmt: skip
Anchor = Literal["start", "middle", "end"]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle; `hint` is told where a pointer rests on it."""

    x: float
    y: float
    width: float
    height: float
    role: Role
    hint: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A line through points (n, 2); a NaN lifts the pen."""

    points: Points
    role: Role


@dataclass(frozen=True, slots=True)
class Text:
    """Words whose baseline begins, is centred or ends at a point."""

    x: float
    y: float
    words: str
    role: Role = "text"
    anchor: Anchor = "start"
    size: float = 12


Shape = Rect | Path | Text


@dataclass
class Drawing:
    """Shapes on a sheet, first drawn first."""

    width: float
    height: float
    title: str
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Draw on top."""
        self.shapes += shapes


def envelope(x: Points, y: Points, most: int) -> Points:
    """Thin a line to about `most` points that keep every peak: lowest and highest of each part.

    Examples
    --------
    >>> y = np.array([0.0, 0.0, 9.0, 0.0, 0.0, 0.0, -5.0, 0.0])
    >>> envelope(np.arange(8.0), y, 4)[:, 1].tolist()
    [0.0, 9.0, 0.0, -5.0]
    """
    if len(x) <= most:
        return np.column_stack((x, y))
    edges = np.linspace(0, len(x), max(most // 2, 1) + 1).astype(int)
    kept: list[int] = []
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = y[begin:end]
        if np.isnan(part).all():
            kept.append(begin)
            continue
        two = {begin + int(np.nanargmin(part)), begin + int(np.nanargmax(part))}
        kept += sorted(two) if len(two) == 2 else [*two]
    return np.column_stack((x[kept], y[kept]))


def steps(low: float, high: float, most: int) -> Sequence[float]:
    """Give round values between two others, at most so many: 1, 2, 4 or 5 times a power of ten.

    Examples
    --------
    >>> steps(0.0, 10.0, 6), steps(-4.2, 4.2, 3)
    ([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [-4.0, 0.0, 4.0])
    """
    span = high - low
    if not span > 0 or not np.isfinite(span):
        return [low]
    power = 10.0 ** np.floor(np.log10(span / most))
    for times in (1, 2, 4, 5, 10, 20):
        step = times * power
        first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            digits = max(0, -int(np.floor(np.log10(step))))
            return [round(float(k * step), digits) + 0.0 for k in np.arange(first, last + 1)]
    return [low]
