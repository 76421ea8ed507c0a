"""When a model should be trained again, and what speaks for it: a proposal, never a deed.

Normal moves: a pump is overhauled, a product changes, a sensor ages. Whether what moved is the new
normal or a fault that creeps cannot be told from the data alone, so drift only proposes, and what
it proposed is put into force by a person. Drift is told by ADWIN (Bifet and Gavaldà 2007) on means
over blocks of healthy windows, of each signal's residual and of all together, mode by mode. What
stands out from chance and is small is no reason: a signal has to have moved so far that the model,
as it was trained, would alarm.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import drift

from analytics.drift import BLOCK, RECENT, ScoreDrift
from analytics.watch import Watch
from plant.alarms import DAY_NS
from plant.records import JSON

Columns = NDArray[np.float64]

MOVED = 1.0
"""Shift of a signal's residual, in limits of the slow channel, that is a reason."""
GREW = 1.5
"""Growth of the typical score that is one."""
DELTA = 0.002
"""Chance of a false report in a stretch without drift, of all signals and modes together."""
CALLED_FALSE = 2
"""Alarms that people called false, or expected, that are one."""
CREPT_BLOCKS = 3
"""Blocks of windows in a mode from which on its level tells whether it crept."""
NEW_WINDOWS = 60
"""Healthy windows in a mode that the model does not know that are one."""


class Cause(StrEnum):
    """Why a model should be trained again."""

    DRIFT = "drift"
    SCORE = "score"
    MODE = "new mode"
    FEEDBACK = "feedback"
    AGE = "age"
    FIRST = "first"
    """None has been trained for it."""
    CREEP = "creep"
    """Small moves that each were learnt, and sum up to one."""
    UNDECIDED = "undecided"
    """The one before it is a person's to decide on."""

    @property
    def a_person_decides(self) -> bool:
        """Whether it could be a fault, so that no rule may put into force what it proposed."""
        return self in (Cause.DRIFT, Cause.SCORE, Cause.MODE, Cause.CREEP, Cause.UNDECIDED)


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for it.

    Parameters
    ----------
    cause
        What it is.
    sentence
        For people.
    figures
        What it rests on, for machines.
    """

    cause: Cause
    sentence: str
    figures: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What an asset showed since its model was trained.

    Parameters
    ----------
    at
        Source time of each window (k,), ns, increasing.
    rows
        Means of the windows (k, p), in the signals' units, NaN = not Good.
    mode
        Mode of each window (k,).
    healthy
        Whether a window may be learnt from (k,): whole, of one mode, no fault, no alarm.
    """

    at: NDArray[np.int64]
    rows: Columns
    mode: NDArray[np.int64]
    healthy: NDArray[np.bool_]


def reasons(
    watch: Watch,
    seen: Seen,
    *,
    trained_until: int,
    now: int,
    oldest_days: float,
    called_false: int = 0,
    called_expected: int = 0,
) -> list[Reason]:
    """Give what speaks for training the model of an asset again; nothing if nothing does.

    Parameters
    ----------
    watch
        The model as it was trained.
    seen
        What the asset showed since.
    trained_until
        End of the history it was trained from, ns.
    now
        Present, ns.
    oldest_days
        Age at which a model is trained again in any case, days.
    called_false, called_expected
        Alarms of this model that people called false, or expected.
    """
    return [
        *_moved(watch, seen),
        *_new_modes(watch, seen),
        *_said(called_false, called_expected),
        *_old(trained_until, now, oldest_days),
    ]


def _moved(watch: Watch, seen: Seen) -> Iterator[Reason]:
    """Tell which signals have moved in which mode, and where the score has grown."""
    known = [mode for mode in np.unique(seen.mode).tolist() if watch.knows(mode)]
    trials = max(1, len(known) * seen.rows.shape[1])
    for mode in known:
        chosen = seen.healthy & (seen.mode == mode) & np.isfinite(seen.rows).all(axis=1)
        at, shift = seen.at[chosen], watch.shifts(mode, seen.rows[chosen])
        named = f" in mode {mode}" if len(known) > 1 else ""
        for j, signal in enumerate(watch.signals):
            found = _change(shift[:, j], DELTA / trials)
            if found is None:
                continue
            begin, before, after = found
            if abs(after) < MOVED or abs(after - before) < MOVED / 2:
                continue
            way = "up" if after > 0 else "down"
            yield Reason(
                Cause.DRIFT,
                f"{signal} has moved {way}{named} by {abs(after):.1f} limits against what the "
                f"others make of it, since {_day(int(at[begin]))}",
                {
                    "signal": signal, "mode": mode, "since": int(at[begin]),
                    "before": round(before, 3), "after": round(after, 3),
                },
            )  # fmt: skip
        score = np.sqrt((shift * shift).mean(axis=1))
        for told in ScoreDrift(DELTA / max(1, len(known))).update(at, score):
            if told.after >= GREW * told.before:
                yield Reason(
                    Cause.SCORE,
                    f"the typical score{named} went from {told.before:.2g} to {told.after:.2g}, "
                    f"seen on {_day(told.at)}",
                    {"mode": mode, "at": told.at, "before": told.before, "after": told.after},
                )


def _change(values: Columns, delta: float) -> tuple[int, float, float] | None:
    """Find the last change of the mean of values (k,): where it began, before and after it."""
    blocks = len(values) // BLOCK
    if blocks < 2 * RECENT:
        return None
    means = values[: blocks * BLOCK].reshape(blocks, BLOCK).mean(axis=1)
    kind: Any = drift.ADWIN  # river leaves its calls untyped
    adwin = kind(delta=delta, clock=1)
    begin = 0
    for place, mean in enumerate(means.tolist()):
        adwin.update(mean)
        if adwin.drift_detected:
            # its window ends at a bucket's edge; the sums tell the place (Page 1954)
            part = means[begin : place + 1]
            begin += int(np.abs(np.cumsum(part - part.mean())[:-1]).argmax()) + 1
            adwin = kind(delta=delta, clock=1)
            for later in means[begin : place + 1].tolist():
                adwin.update(later)
    if not begin:
        return None
    return begin * BLOCK, float(means[:begin].mean()), float(means[-RECENT:].mean())


def _new_modes(watch: Watch, seen: Seen) -> Iterator[Reason]:
    if watch.finds_modes:
        return
    for mode in np.unique(seen.mode[seen.healthy]).tolist():
        windows = int(np.count_nonzero(seen.healthy & (seen.mode == mode)))
        if windows >= NEW_WINDOWS and not watch.knows(mode):
            yield Reason(
                Cause.MODE,
                f"mode {mode}, new to the model, was seen in {windows} healthy windows",
                {"mode": mode, "windows": windows},
            )


def _said(called_false: int, called_expected: int) -> Iterator[Reason]:
    if called_false + called_expected >= CALLED_FALSE:
        yield Reason(
            Cause.FEEDBACK,
            f"people called {called_false} of its alarms false and {called_expected} expected",
            {"false": called_false, "expected": called_expected},
        )


def _old(trained_until: int, now: int, oldest_days: float) -> Iterator[Reason]:
    days = (now - trained_until) / DAY_NS
    if days >= oldest_days:
        yield Reason(
            Cause.AGE,
            f"what it was trained from ended {days:.0f} days ago; {oldest_days:g} is the most",
            {"days": round(days, 1), "oldest": oldest_days},
        )


def crept(older: Watch, version: int, seen: Seen) -> list[Reason]:
    """Tell what has moved since an older model: the last that a person stands for, or the oldest.

    A creep of less than a limit from one training to the next is no drift against the newest
    model, which has learnt most of it. Against an older one the steps sum up.

    Parameters
    ----------
    older
        That model, as it was trained.
    version
        Its number.
    seen
        What would be learnt, or the last of it.
    """
    return list(_crept(older, version, seen))


def _crept(older: Watch, version: int, seen: Seen) -> Iterator[Reason]:
    known = [mode for mode in np.unique(seen.mode).tolist() if older.knows(mode)]
    for mode in known:
        chosen = seen.healthy & (seen.mode == mode) & np.isfinite(seen.rows).all(axis=1)
        blocks = min(int(np.count_nonzero(chosen)) // BLOCK, RECENT)
        if blocks < CREPT_BLOCKS:
            continue
        shift = older.shifts(mode, seen.rows[chosen][-blocks * BLOCK :])
        level = np.median(shift.reshape(blocks, BLOCK, -1).mean(axis=1), axis=0)
        named = f" in mode {mode}" if len(known) > 1 else ""
        for signal, moved in zip(older.signals, level.tolist(), strict=True):
            if abs(moved) >= MOVED:
                way = "up" if moved > 0 else "down"
                yield Reason(
                    Cause.CREEP,
                    f"{signal} has moved {way}{named} by {abs(moved):.1f} limits against what the "
                    f"others make of it, step by step since model {version}",
                    {"signal": signal, "mode": mode, "after": round(moved, 3), "model": version},
                )


def follows(version: int) -> Reason:
    """Say that a model comes after one that a person decides on.

    What that one learnt is no drift against it any more, so the next one, whatever speaks for it,
    would bring what may be a fault past that person.
    """
    return Reason(
        Cause.UNDECIDED,
        f"it follows model {version}, which a person decides on, and has learnt from the same",
        {"version": version},
    )


def a_person_decides(found: Sequence[Reason]) -> bool:
    """Tell whether what was proposed may come into force by a person only."""
    return any(reason.cause.a_person_decides for reason in found)


def _day(at: int) -> str:
    return str(np.datetime64(at, "ns").astype("datetime64[m]")).replace("T", " ") + " UTC"
