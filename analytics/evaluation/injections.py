"""Faults with known culprits in generated plants: does the reason name the right signal.

Twelve kinds, those of machines and those of sensors. Each is put on a plant of random couplings,
noise and drift; the detector is asked for its reason when its first alarm after the onset comes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.plants import healthy_plant
from analytics.evaluation.protocol import Factory, Progress, Run, run

Columns = NDArray[np.float64]
Random = np.random.Generator
Fault = Callable[[Columns, Columns, Random], Columns]
"""A signal from the onset on (m,), the others then (m, p - 1), chance → what it shows (m,)."""

ROWS, WARMUP, ONSET = 2100, 700, 1200
TOP = 3


def _scaled(values: Columns) -> float:
    return float(values.std())


def step(values: Columns, _others: Columns, _random: Random) -> Columns:
    """Shift by 4 standard deviations, for good."""
    return values + 4 * _scaled(values)


def ramp(values: Columns, _others: Columns, _random: Random) -> Columns:
    """Wander off to 6 standard deviations over 300 rows."""
    return values + 6 * _scaled(values) * np.minimum(1, np.arange(len(values)) / 300)


def variance(values: Columns, _others: Columns, random: Random) -> Columns:
    """Shake with 3 standard deviations, the mean as before."""
    return values + 3 * _scaled(values) * random.standard_normal(len(values))


def oscillation(values: Columns, _others: Columns, _random: Random) -> Columns:
    """Swing by 3 standard deviations with a period of 12 rows."""
    return values + 3 * _scaled(values) * np.sin(2 * np.pi * np.arange(len(values)) / 12)


def gain(values: Columns, _others: Columns, _random: Random) -> Columns:
    """Amplify the distance from the mean threefold."""
    middle = values.mean()
    return np.asarray(middle + 3 * (values - middle), np.float64)


def decoupling(values: Columns, _others: Columns, random: Random) -> Columns:
    """Keep level, width and memory, but no longer follow the others: the own past, reversed."""
    shift = int(random.integers(len(values) // 4, len(values) // 2))
    return np.asarray(np.roll(values[::-1], shift), np.float64)


def stuck(values: Columns, _others: Columns, _random: Random) -> Columns:
    """Show the last value for ever: a frozen sensor."""
    return np.full(len(values), values[0])


def spikes(values: Columns, _others: Columns, random: Random) -> Columns:
    """Jump by 8 standard deviations in a tenth of the rows: a loose contact."""
    hit = random.random(len(values)) < 0.1
    way = 2.0 * random.integers(2, size=len(values)) - 1.0
    return values + 8 * _scaled(values) * hit * way


def sensor_drift(values: Columns, _others: Columns, _random: Random) -> Columns:
    """Creep by 8 standard deviations until the end, in a straight line."""
    return values + np.linspace(0, 8 * _scaled(values), len(values))


def dropout(values: Columns, _others: Columns, random: Random) -> Columns:
    """Fall to a raw 0 far below the range in a third of the rows: a broken wire."""
    low = values.min() - 6 * _scaled(values)
    return np.where(random.random(len(values)) < 1 / 3, low, values)


def saturated(values: Columns, _others: Columns, _random: Random) -> Columns:
    """Sit at the end of the measuring range, 5 standard deviations above the mean."""
    return np.full(len(values), values.mean() + 5 * _scaled(values))


def swapped(values: Columns, others: Columns, _random: Random) -> Columns:
    """Show another signal, the least alike one, scaled to the own range: two wires exchanged."""
    unlike = int(np.argmin(np.abs(np.corrcoef(values, others, rowvar=False)[0, 1:])))
    other = others[:, unlike]
    scaled = values.mean() + (other - other.mean()) * _scaled(values) / _scaled(other)
    return np.asarray(scaled, np.float64)


FAULTS: Mapping[str, Fault] = {
    "step": step,
    "ramp": ramp,
    "variance": variance,
    "oscillation": oscillation,
    "gain": gain,
    "decoupling": decoupling,
    "stuck": stuck,
    "spikes": spikes,
    "sensor drift": sensor_drift,
    "dropout": dropout,
    "saturated": saturated,
    "swapped": swapped,
}


@dataclass(frozen=True, slots=True, eq=False)
class Injected:
    """A plant with one fault.

    Parameters
    ----------
    rows
        Values (`ROWS`, p).
    culprit
        Column of the signal at fault, from row `ONSET` on.
    """

    rows: Columns
    culprit: int


def inject(kind: str, signals: int, seed: int) -> Injected:
    """Make a plant with a fault of one kind in a signal chosen by the seed."""
    random = np.random.default_rng([seed, signals, list(FAULTS).index(kind)])
    rows = healthy_plant(random, signals, ROWS)
    culprit = int(random.integers(signals))
    others = np.delete(rows[ONSET:], culprit, axis=1)
    rows[ONSET:, culprit] = FAULTS[kind](rows[ONSET:, culprit].copy(), others, random)
    return Injected(rows, culprit)


@dataclass(frozen=True, slots=True)
class Blame:
    """How often the reason named the true culprit.

    Parameters
    ----------
    faults
        Plants with a fault that were tried.
    seen
        Those that were alarmed after the onset, by an alarm that did not stand before it.
    first, top
        Of the seen ones, how many had the culprit in the first place, and in the first `TOP`.
    """

    faults: int
    seen: int
    first: int
    top: int

    @classmethod
    def total(cls, parts: Iterable["Blame"]) -> "Blame":
        """Pool several kinds."""
        kept = list(parts)
        return cls(
            sum(part.faults for part in kept),
            sum(part.seen for part in kept),
            sum(part.first for part in kept),
            sum(part.top for part in kept),
        )


def rank_of_culprit(done: Run, culprit: str) -> int | None:
    """Give the place, from 1, of the culprit in the first reason after the onset; None if unseen.

    A culprit that is not named at all takes the place after the last.
    """
    onset = ONSET - done.warmup
    rows = [row for row in done.reasons if row >= onset]
    if not rows:
        return None
    named = list(done.reasons[min(rows)])
    return named.index(culprit) + 1 if culprit in named else len(done.signals) + 1


def blame(
    factory: Factory,
    kind: str,
    signals: int,
    seeds: Iterable[int],
    progress: Progress | None = None,
) -> Blame:
    """Inject one kind of fault into a plant for each seed and look whom the reasons blame."""
    names = [f"s{i}" for i in range(signals)]
    ranks = []
    for seed in seeds:
        made = inject(kind, signals, seed)
        done = run(factory, names, made.rows, WARMUP, seed, progress)
        ranks.append(rank_of_culprit(done, names[made.culprit]))
    seen = [rank for rank in ranks if rank is not None]
    return Blame(
        len(ranks), len(seen), sum(rank == 1 for rank in seen), sum(rank <= TOP for rank in seen)
    )
