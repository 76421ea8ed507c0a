"""What a watch does on hours that it has not learnt from: false alarms, delays, agreement, cost.

Few weeks say little about how seldom something is: every rate stands beside the interval in which
it lies with 95 % (of a Poisson mean, Garwood 1936).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2  # type: ignore[import-untyped]

from analytics.judgements import Judgement
from analytics.training.baseline import Plain
from analytics.training.rows import Rows
from analytics.training.selection import Event
from analytics.watch import Watch
from plant.alarms import WEEK_NS, AlarmAction

BEFORE_NS = 3600 * 10**9
"""Rows of so long before an event are judged first, so that a watch is settled when it begins."""
NAMED = 3
"""Signals of an alarm that are told, those with the largest shares."""

Timer = Callable[[], float]
"""Gives seconds; analytics has no clock of its own."""


@dataclass(frozen=True, slots=True)
class Spotted:
    """What became of a labelled event: seconds from its begin to the alarm; None: not found."""

    event: Event
    delay_s: float | None
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """What one judge came to on the hold-out.

    Parameters
    ----------
    name
        Who judged.
    rows, judged
        Rows of healthy hold-out, and those of them that were judged.
    weeks
        Time of the judged ones, weeks.
    false_alarms
        Alarms in them.
    low, high
        95 % interval of the false alarms a week.
    spotted
        The labelled events.
    us_a_row
        Time to judge a row, µs; NaN where nobody took it.
    """

    name: str
    rows: int
    judged: int
    weeks: float
    false_alarms: int
    low: float
    high: float
    spotted: tuple[Spotted, ...] = ()
    us_a_row: float = float("nan")

    @property
    def rate(self) -> float:
        """False alarms an asset-week; NaN where nothing was judged."""
        return self.false_alarms / self.weeks if self.weeks else float("nan")

    @property
    def found(self) -> int:
        """Labelled events that were found."""
        return sum(one.delay_s is not None for one in self.spotted)

    @property
    def median_delay_s(self) -> float:
        """Median delay of those found, s; NaN where there are none."""
        delays = [one.delay_s for one in self.spotted if one.delay_s is not None]
        return float(np.median(delays)) if delays else float("nan")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two judges say the same of rows that both judged.

    Parameters
    ----------
    rows
        Rows that both judged.
    share
        Share of them of which both say the same: within the limit or beyond.
    only_first, only_second
        Rows beyond the limit of one of them only.
    """

    rows: int
    share: float
    only_first: int
    only_second: int


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Scores over limits (n,) of a judge on the hold-out, NaN where not judged; for pictures."""

    name: str
    at: NDArray[np.int64]
    score: NDArray[np.float64]
    alarms: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A candidate beside what is in force and a plain detector."""

    figures: tuple[Figures, ...]
    agreement: Agreement | None
    courses: tuple[Course, ...] = field(default=())


def poisson(count: int) -> tuple[float, float]:
    """Give the 95 % interval of a mean of which `count` was seen.

    Examples
    --------
    >>> [round(bound, 2) for bound in poisson(0)], [round(bound, 2) for bound in poisson(3)]
    ([0.0, 3.69], [0.62, 8.77])
    """
    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(0.975, 2 * count + 2)) / 2


def compare(
    watches: Mapping[str, Watch],
    plain: Plain | None,
    healthy: Rows,
    events: Sequence[tuple[Event, Rows]],
    grid_s: float,
    timer: Timer | None = None,
) -> Comparison:
    """Judge healthy hold-out and labelled events with every watch; the watches stay as they are.

    Parameters
    ----------
    watches
        By name, the candidate first, the one in force behind it.
    plain
        What stands beside them.
    healthy
        Rows of the hold-out in which nothing was wrong.
    events
        Labelled events, each with rows from before its begin to its end.
    grid_s
        Seconds a row.
    """
    figures, courses, judgements = [], [], []
    for name, watch in watches.items():
        judgement, seconds = _judged(watch, healthy, timer)
        judgements.append(judgement)
        told = _raised(judgement, healthy, watch.settings.quiet)
        spotted = tuple(_spot(watch, event, rows) for event, rows in events)
        cost = seconds / max(len(healthy), 1) * 1e6
        figures.append(_figures(name, healthy, judgement.judged, told, grid_s, spotted, cost))
        ratio = np.divide(
            judgement.score, judgement.threshold,
            out=np.full(len(healthy), np.nan), where=judgement.judged,
        )  # fmt: skip
        courses.append(Course(name, healthy.at, ratio, tuple(told)))
    if plain is not None:
        figures.append(_plainly(plain, healthy, events, grid_s, timer))
    agreement = _agreement(*judgements[:2]) if len(judgements) > 1 else None
    return Comparison(tuple(figures), agreement, tuple(courses))


def _copy(watch: Watch) -> Watch:
    again = Watch(watch.signals, watch.units, watch.settings)
    again.restore({name: each.copy() for name, each in watch.state().items()})
    return again


def _judged(watch: Watch, rows: Rows, timer: Timer | None) -> tuple[Judgement, float]:
    own = _copy(watch)
    begin = timer() if timer else float("nan")
    judgement = own.judge(rows.at, rows.value, rows.mode)
    return judgement, (timer() if timer else float("nan")) - begin


def _raised(judgement: Judgement, rows: Rows, quiet: frozenset[int]) -> list[int]:
    """Give when alarms were raised, but for modes in which the plant wants to hear nothing."""
    raised = [one.at for one in judgement.transitions if one.action is AlarmAction.RAISE]
    places = np.searchsorted(rows.at, np.array(raised, np.int64))
    modes = rows.mode[places].tolist()
    return [at for at, mode in zip(raised, modes, strict=True) if mode not in quiet]


def _figures(
    name: str,
    rows: Rows,
    judged: NDArray[np.bool_],
    told: Sequence[int],
    grid_s: float,
    spotted: tuple[Spotted, ...],
    cost: float,
) -> Figures:
    weeks = float(judged.sum()) * grid_s * 1e9 / WEEK_NS
    low, high = (bound / weeks if weeks else float("nan") for bound in poisson(len(told)))
    return Figures(name, len(rows), int(judged.sum()), weeks, len(told), low, high, spotted, cost)


def _spot(watch: Watch, event: Event, rows: Rows) -> Spotted:
    """Look for the first alarm from the begin of an event to its end."""
    judgement = _copy(watch).judge(rows.at, rows.value, rows.mode)
    for one in judgement.transitions:
        if one.action is AlarmAction.RAISE and event.start <= one.at < event.stop:
            named = tuple(part.signal for part in one.reason.contributions[:NAMED])
            return Spotted(event, (one.at - event.start) / 1e9, named)
    return Spotted(event, None)


def _plainly(
    plain: Plain,
    healthy: Rows,
    events: Sequence[tuple[Event, Rows]],
    grid_s: float,
    timer: Timer | None,
) -> Figures:
    begin = timer() if timer else float("nan")
    told = plain.alarms(healthy)
    seconds = (timer() if timer else float("nan")) - begin
    spotted = []
    for event, rows in events:
        hits = [at for at in plain.alarms(rows) if event.start <= at < event.stop]
        spotted.append(Spotted(event, (hits[0] - event.start) / 1e9 if hits else None))
    judged = np.asarray(np.isfinite(healthy.value).any(axis=1), np.bool_)
    cost = seconds / max(len(healthy), 1) * 1e6
    return _figures(plain.name, healthy, judged, told, grid_s, tuple(spotted), cost)


def _agreement(first: Judgement, second: Judgement) -> Agreement:
    both = first.judged & second.judged
    one, other = first.anomalous[both], second.anomalous[both]
    rows = int(both.sum())
    share = float((one == other).mean()) if rows else float("nan")
    return Agreement(rows, share, int((one & ~other).sum()), int((other & ~one).sum()))
