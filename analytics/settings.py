"""How an asset is watched: the few knobs, in the words of the plant."""

from dataclasses import dataclass
from math import log

from analytics.limits import WEEK_S
from plant.errors import Misconfigured

EVENTS_AT, EVENT_RATE, EVENT_TAIL = 6.5, 8.6e-4, 0.55
"""Lone signals: events a row at that bar, and how fast they get fewer above it, as measured on
seventeen public series (docs/detection.md)."""


def event_bar(budget: float, row_s: float) -> float:
    """Give the surprise at which a lone signal makes an event, from an alarm budget.

    Examples
    --------
    >>> round(event_bar(1.0, 300.0), 1), round(event_bar(1.0, 1.0), 1)
    (7.5, 17.9)
    """
    rows = WEEK_S / row_s
    return max(EVENTS_AT, EVENTS_AT + log(EVENT_RATE * rows / budget) / EVENT_TAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """How an asset is watched.

    Parameters
    ----------
    learn_rows
        Rows of the asset, whatever its mode, before it is judged. More is better: what happens
        in this time counts as normal.
    mode_rows
        Rows of a single mode before it is judged in that mode.
    settle_s
        Seconds after a change of mode that are neither judged nor learnt.
    on_delay_s
        Seconds that the score must stay above its limit before the alarm is raised.
    off_delay_s
        Seconds that the fault must be gone before the alarm is cleared.
    budget
        False alarms an asset-week that the plant accepts; the limits follow from it.
    row_s
        Seconds a row.
    quiet
        Modes in which the plant wants to hear nothing: an alarm raised in one ends with it.
    bar
        Surprise at which an asset of one signal makes an event; None: from the budget.
    """

    learn_rows: int = 390
    mode_rows: int = 300
    settle_s: float = 20.0
    on_delay_s: float = 5.0
    off_delay_s: float = 8.0
    budget: float = 1.0
    row_s: float = 1.0
    quiet: frozenset[int] = frozenset()
    bar: float | None = None
    find_modes: bool = True

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        if self.learn_rows < 50 or self.mode_rows < 50:
            raise Misconfigured(
                "learn_rows and mode_rows must be 50 or more: fewer rows say nothing about normal"
            )
        if min(self.settle_s, self.on_delay_s, self.off_delay_s) < 0:
            raise Misconfigured("settle_s, on_delay_s and off_delay_s must be ≥ 0")
        if self.budget <= 0 or self.row_s <= 0:
            raise Misconfigured("budget and row_s must be > 0")
