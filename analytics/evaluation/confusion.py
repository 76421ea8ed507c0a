"""Rows counted four ways: F1, the false alarm rate beside it, and the share of what was missed."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from analytics.evaluation.segments import Marks


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows alarmed rightly and wrongly, missed, and rightly left alone.

    FAR and MAR as the SKAB leaderboard gives them (Katser & Kozitsin 2020, doi
    10.34740/KAGGLE/DSV/1693952), as shares 0 to 1; F1 after van Rijsbergen 1979.

    Examples
    --------
    >>> one = Confusion.of(np.array([0, 0, 1, 1], bool), np.array([0, 1, 1, 0], bool))
    >>> one.f1, one.far, one.mar
    (0.5, 0.5, 0.5)
    """

    hit: int
    false: int
    missed: int
    quiet: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN when nothing was labelled or alarmed."""
        whole = self.hit + (self.false + self.missed) / 2
        return self.hit / whole if whole else float("nan")

    @property
    def far(self) -> float:
        """Share of the healthy rows that were alarmed; NaN without healthy rows."""
        healthy = self.false + self.quiet
        return self.false / healthy if healthy else float("nan")

    @property
    def mar(self) -> float:
        """Share of the faulty rows that were not alarmed; NaN without faulty rows."""
        faulty = self.hit + self.missed
        return self.missed / faulty if faulty else float("nan")

    @classmethod
    def of(cls, truth: Marks, alarm: Marks) -> "Confusion":
        """Count rows (n,)."""
        counts = np.bincount(2 * truth.astype(int) + alarm.astype(int), minlength=4).tolist()
        quiet, false, missed, hit = counts
        return cls(hit, false, missed, quiet)

    @classmethod
    def total(cls, parts: Iterable["Confusion"]) -> "Confusion":
        """Pool the rows of several recordings."""
        kept = list(parts)
        return cls(
            sum(part.hit for part in kept),
            sum(part.false for part in kept),
            sum(part.missed for part in kept),
            sum(part.quiet for part in kept),
        )
