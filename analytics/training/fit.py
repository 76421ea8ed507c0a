"""A watch that has learnt from rows, or why there is none."""

from collections.abc import Iterable
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
    """Teach a watch the rows, so that it watches at their end.

    Raises
    ------
    NothingTrained
        They are too few, or no mode has enough of them.
    """
    rows = ended(rows)
    if len(rows) < max(FEWEST_ROWS, settings.mode_rows):
        raise NothingTrained(
            "history",
            f"{machine.path}: {len(rows):,} healthy rows are too few to learn from, "
            f"{FEWEST_ROWS:,} are the least; take a longer time with --from",
        )
    # the last row is the first that is judged: it shows in which mode the machine was left
    watch = Watch(machine.signals, machine.units, replace(settings, learn_rows=len(rows) - 1))
    watch.judge(rows.at, rows.value, rows.mode)
    if watch.phase != "watching":
        raise NothingTrained(
            "mode",
            f"{machine.path}: no mode lasted for {settings.mode_rows} healthy rows behind each "
            "change, so none can be judged; take a longer time, or shorter windows with --every",
        )
    return watch


def ended(rows: Rows) -> Rows:
    """Let rows end in the mode of which there are most, for a model is of a machine at work."""
    if not len(rows):
        return rows
    valued = np.isfinite(rows.value).any(axis=1)
    modes, count = np.unique(rows.mode[valued], return_counts=True)
    if not len(modes):
        return rows.first(0)
    last = np.flatnonzero(valued & (rows.mode == modes[count.argmax()]))[-1]
    return rows.first(int(last) + 1)


def judged_modes(watch: Watch, modes: Iterable[int]) -> frozenset[int]:
    """Give those of the modes by which the watch can judge."""
    return frozenset(mode for mode in modes if np.isfinite(watch.band(mode)[2]).any())
