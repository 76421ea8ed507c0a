"""What a run of a detector over one recording comes to, in figures and alarms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.changepoints import Changepoints, changepoint_score, switches
from analytics.evaluation.confusion import Confusion
from analytics.evaluation.protocol import Run
from analytics.evaluation.ranking import average_precision
from analytics.evaluation.rates import a_week, a_week_at_most
from analytics.evaluation.segments import Events, Marks, stretches
from analytics.evaluation.volumes import volumes
from plant.errors import Misconfigured

Columns = NDArray[np.float64]
Times = NDArray[np.int64]

GAP, GAP_ALONE = 30, 10
"""Rows between alarms that an operator sees as one; of a lone signal, which gives events."""
QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)
TOLD = 3
"""Signals named with an alarm."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One alarm, as an operator counts them.

    Parameters
    ----------
    first, last
        Rows after the warm-up, both inside.
    begin, end
        Source times of these rows, ns.
    peak
        Highest score in it, as a multiple of the threshold at that row; NaN if none is told.
    reasons
        Signals and their shares of the score when it was raised, largest first.
    touches
        Whether it overlaps a labelled row; None without labels.
    """

    first: int
    last: int
    begin: int
    end: int
    peak: float
    reasons: tuple[tuple[str, float], ...]
    touches: bool | None


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures that need labels.

    Parameters
    ----------
    confusion
        Rows.
    events
        Labelled stretches seen, delays in rows, false episodes.
    delay_s
        Median time from the start of a seen stretch to the first alarm in it, s.
    false_an_hour
        False episodes an hour of healthy time.
    pr_auc, vus_pr
        How well the score ranks rows, whatever the threshold; NaN without a labelled row.
    changepoints
        SKAB's changepoint score; NaN without changepoints.
    """

    confusion: Confusion
    events: Events
    delay_s: float
    false_an_hour: float
    pr_auc: float
    vus_pr: float
    changepoints: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one recording.

    Parameters
    ----------
    rows, unjudged
        Rows after the warm-up, and those of them that the detector could not judge.
    step_s, hours
        Usual time between rows, and time covered by the rows after the warm-up, pauses left out.
    alarms
        Every episode.
    share_alarmed
        Share of the rows after the warm-up at which the alarm stood.
    a_week, a_week_at_most
        Episodes a week at this rate, and its upper 95 % limit: a short recording proves little.
    quantiles
        Score at `QUANTILES`, as a multiple of the threshold where that is told.
    judged
        Figures that need labels; None without.
    """

    rows: int
    unjudged: int
    step_s: float
    hours: float
    alarms: tuple[Episode, ...]
    share_alarmed: float
    a_week: float
    a_week_at_most: float
    quantiles: tuple[float, ...]
    judged: Judged | None


def strength(done: Run) -> Columns:
    """Give the score (n,) as a multiple of its threshold, or as it is where none is told."""
    if np.isnan(done.threshold).all():
        return done.score
    usual = np.nanmedian(done.threshold)
    limit = np.where(done.threshold > 0, done.threshold, usual if usual > 0 else 1.0)
    return np.asarray(done.score / limit, np.float64)


def summarise(
    done: Run, at: Times, truth: Marks | None = None, changes: Marks | None = None
) -> Summary:
    """Sum up a run.

    Parameters
    ----------
    done
        The run over n rows after the warm-up.
    at
        Source time of all rows, warm-up included (n + warm-up,), ns, ascending.
    truth
        Whether each row is labelled faulty (n + warm-up,).
    changes
        Rows that are labelled as changepoints (n + warm-up,).

    Raises
    ------
    Misconfigured
        Times or labels of another length than the rows.
    """
    rows = len(done.score)
    whole = rows + done.warmup
    for name, marks in (("times", at), ("labels", truth), ("changepoints", changes)):
        if marks is not None and len(marks) != whole:
            raise Misconfigured(
                f"{len(marks)} {name} for {whole} rows: give one for every row, warm-up included"
            )
    steps = np.diff(at) / 1e9
    step_s = float(np.median(steps)) if len(steps) else 0.0
    seconds = max(rows * step_s, 1e-9)
    gap = GAP if len(done.signals) > 1 else GAP_ALONE
    after = None if truth is None else truth[done.warmup :]
    episodes = _episodes(done, at[done.warmup :], after, gap)
    judged_score = strength(done)[done.judged]
    return Summary(
        rows=rows,
        unjudged=rows - int(done.judged.sum()),
        step_s=step_s,
        hours=seconds / 3600,
        alarms=tuple(episodes),
        share_alarmed=float(done.alarm.mean()),
        a_week=a_week(len(episodes), seconds),
        a_week_at_most=a_week_at_most(len(episodes), seconds),
        quantiles=tuple(np.quantile(judged_score, QUANTILES).tolist()) if len(judged_score) else (),
        judged=None if after is None else _judge(done, at, after, changes, gap, step_s),
    )


def _judge(
    done: Run, at: Times, truth: Marks, changes: Marks | None, gap: int, step_s: float
) -> Judged:
    events = Events.of(truth, done.alarm, gap)
    healthy_h = float(np.count_nonzero(~truth)) * step_s / 3600
    return Judged(
        confusion=Confusion.of(truth, done.alarm),
        events=events,
        delay_s=events.delay * step_s,
        false_an_hour=events.false / healthy_h if healthy_h else float("nan"),
        pr_auc=average_precision(truth, done.score),
        vus_pr=volumes(truth, done.score)[1],
        changepoints=float("nan")
        if changes is None
        else changepoint_score([matched(done, at, changes)]),
    )


def matched(done: Run, at: Times, changes: Marks) -> Changepoints:
    """Match labelled changepoints (n + warm-up,) with the switches of the alarm."""
    after = at[done.warmup :]
    return Changepoints.of(after[changes[done.warmup :]], after[switches(done.alarm)])


def _episodes(done: Run, at: Times, truth: Marks | None, gap: int) -> Sequence[Episode]:
    high = strength(done)
    known = not np.isnan(done.threshold).all()
    found = []
    for first, last in stretches(done.alarm, gap):
        named = done.reasons.get(first, {})
        found.append(
            Episode(
                first=first,
                last=last,
                begin=int(at[first]),
                end=int(at[last]),
                peak=float(high[first : last + 1].max()) if known else float("nan"),
                reasons=tuple(list(named.items())[:TOLD]),
                touches=None if truth is None else bool(truth[first : last + 1].any()),
            )
        )
    return found
