"""A watch that has learnt from rows, or why there is none."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from analytics.settings import WatchSettings
from analytics.training.course import Machine
from analytics.training.rows import Rows
from analytics.watch import Watch
from plant.errors import Rejected

FEWEST_ROWS = 1800
"""Rows below which nothing is trained: half an hour says little about what is normal."""


class NothingTrained(Rejected):
    """There is no model, for a reason that a person can mend.

    Parameters
    ----------
    reason
        A short code: ``history``, ``faults``, ``tag``, ``mode``, ``units``, ``windows``.
    message
        What is the matter, and the mend.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def fit(machine: Machine, rows: Rows, settings: WatchSettings) -> Watch:
    """Teach a watch all of the rows.

    Raises
    ------
    NothingTrained
        They are too few.
    """
    if len(rows) < max(FEWEST_ROWS, settings.mode_rows):
        raise NothingTrained(
            "history",
            f"{machine.path}: {len(rows):,} healthy rows are too few to learn from, "
            f"{FEWEST_ROWS:,} are the least; take a longer time with --from",
        )
    watch = Watch(machine.signals, machine.units, taught(settings, len(rows)))
    watch.judge(rows.at, rows.value, rows.mode)
    return watch


def taught(settings: WatchSettings, rows: int) -> WatchSettings:
    """Give settings by which a watch learns from exactly so many rows."""
    return replace(settings, learn_rows=rows)


def modes_learnt(watch: Watch, rows: Rows) -> Mapping[int, int]:
    """Give the modes that can be judged, each with the rows that were laid out of it."""
    present, count = np.unique(rows.mode, return_counts=True)
    return {
        int(mode): int(n)
        for mode, n in zip(present.tolist(), count.tolist(), strict=True)
        if np.isfinite(watch.band(int(mode))[2]).any()
    }
