"""Faults of sensors and of machines in generated plants: is each told for what it is.

Every kind is put on a plant of random couplings, noise, drift, levels and rounding that nobody
looked at before. A fault of a sensor is right when its signal is named with its kind; a fault of
the machine is right when the machine is alarmed, and must not be called a sensor's.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation import injections
from analytics.evaluation.plants import healthy_plant
from analytics.watch import Watch, WatchSettings
from plant.alarms import AlarmAction
from plant.instruments import InstrumentFault

Columns = NDArray[np.float64]
Random = np.random.Generator
Change = Callable[[Columns, int, int, Random], None]
"""Rows from the onset on (n, p), the signal and another one, chance: changes the rows in place."""

ROWS, LONG, WARMUP, ONSET = 2400, 7400, 900, 1400
"""Rows of a plant, of one in which something creeps, rows learnt, and row of the onset."""
UNITS = ("bar", "Cel", "A")
ROUNDED = (0.0, 0.05, 0.5)
"""Steps that the signals are rounded to, in standard deviations of their own noise."""
SECOND = 10**9


def _stuck(rows: Columns, j: int, _other: int, _random: Random) -> None:
    """Show the last value for ever."""
    rows[:, j] = rows[0, j]


def _spiking(rows: Columns, j: int, _other: int, random: Random) -> None:
    """Jump by 8 to 16 standard deviations in one row of twenty."""
    hit = random.random(len(rows)) < 1 / 20
    size = random.uniform(8, 16, len(rows)) * random.choice((-1, 1), len(rows))
    rows[:, j] += hit * size * rows[:, j].std()


def _dropped(rows: Columns, j: int, _other: int, _random: Random) -> None:
    """Read zero: a broken wire."""
    rows[:, j] = 0.0


def _loose(rows: Columns, j: int, _other: int, random: Random) -> None:
    """Read zero in a quarter of the rows: a loose contact."""
    rows[random.random(len(rows)) < 1 / 4, j] = 0.0


def _absent(rows: Columns, j: int, _other: int, _random: Random) -> None:
    """Have no Good value any more."""
    rows[:, j] = np.nan


def _saturated(rows: Columns, j: int, _other: int, _random: Random) -> None:
    """Sit at the end of the range, 8 standard deviations above the mean."""
    rows[:, j] = rows[:, j].mean() + 8 * rows[:, j].std()


def _drifting(rows: Columns, j: int, _other: int, _random: Random) -> None:
    """Creep by 12 standard deviations in an hour and a half."""
    rows[:, j] += np.linspace(0, 12 * rows[:1000, j].std(), len(rows))


def _swapped(rows: Columns, j: int, other: int, _random: Random) -> None:
    """Show each other's value."""
    rows[:, [j, other]] = rows[:, [other, j]]


def _lone(kind: str) -> Change:
    """Give a fault of `injections`, in one signal."""

    def change(rows: Columns, j: int, _other: int, random: Random) -> None:
        others = np.delete(rows, j, axis=1)
        rows[:, j] = injections.FAULTS[kind](rows[:, j].copy(), others, random)

    return change


def _three(rows: Columns, _j: int, _other: int, random: Random) -> None:
    """Shift a quarter of the signals by 3 standard deviations."""
    struck = random.choice(rows.shape[1], max(2, rows.shape[1] // 4), replace=False)
    rows[:, struck] += 3 * rows[:, struck].std(axis=0) * random.choice((-1, 1), len(struck))


def _stopped(rows: Columns, _j: int, _other: int, random: Random) -> None:
    """Stop, and no mode says so: a quarter reads zero, a quarter falls, the rest cools down."""
    order = random.permutation(rows.shape[1])
    quarter = max(1, len(order) // 4)
    rows[:, order[:quarter]] = 0.0
    rows[:, order[quarter : 2 * quarter]] *= 0.5
    cooling = 1 - 0.3 * (1 - np.exp(-np.arange(len(rows)) / 200))
    rows[:, order[2 * quarter :]] *= cooling[:, None]


SENSORS: Mapping[str, tuple[InstrumentFault, Change]] = {
    "stuck": (InstrumentFault.STUCK, _stuck),
    "spiking": (InstrumentFault.SPIKING, _spiking),
    "dropped out": (InstrumentFault.DROPPED_OUT, _dropped),
    "loose contact": (InstrumentFault.DROPPED_OUT, _loose),
    "no value": (InstrumentFault.DROPPED_OUT, _absent),
    "saturated": (InstrumentFault.SATURATED, _saturated),
    "drifting": (InstrumentFault.DRIFTING, _drifting),
    "swapped": (InstrumentFault.SWAPPED, _swapped),
}
"""Faults of sensors by name, and what each should be called."""
MACHINES: Mapping[str, Change] = {
    **{kind: _lone(kind) for kind in ("step", "ramp", "variance", "oscillation", "gain")},
    "decoupling": _lone("decoupling"),
    "several signals": _three,
    "stop": _stopped,
}
"""Faults of machines by name; all but the last two in one signal alone."""
KINDS = ("healthy", *SENSORS, *MACHINES)
CREEPING = frozenset({"healthy", "drifting"})
"""Kinds whose plants are watched for so long that a drift shows."""


def instrumented(random: Random, signals: int, rows: int) -> tuple[Columns, tuple[str, ...]]:
    """Make a healthy plant's rows (n, p) with levels, units and rounding, and its units."""
    made = healthy_plant(random, signals, rows)
    units = [UNITS[k % len(UNITS)] for k in range(signals)]
    levels = np.array([40.0 + 30.0 * UNITS.index(unit) for unit in units])
    made += levels + 3.0 * random.standard_normal(signals)
    step = random.choice(ROUNDED, signals)
    rounded = np.where(step > 0, np.rint(made / np.where(step > 0, step, 1.0)) * step, made)
    return np.asarray(rounded, np.float64), tuple(units)


@dataclass(frozen=True, slots=True)
class Told:
    """What was made of one kind of fault.

    Parameters
    ----------
    plants
        Plants that were tried.
    right
        Sensors: the right signal was named first, with the right kind.
    named
        First name on the right signal, whatever the kind, by kind.
    elsewhere
        Another signal was named first, or any where no sensor is at fault.
    alarmed
        The machine was alarmed after the onset.
    standing
        Its alarm stood at the end.
    """

    plants: int
    right: int
    named: Mapping[str, int]
    elsewhere: int
    alarmed: int
    standing: int


@dataclass(frozen=True, slots=True)
class _Course:
    """What one plant's watch said: first kind and signal named, and its alarms."""

    kind: InstrumentFault | None
    signal: str
    alarmed: bool
    standing: bool


def told(kind: str, signals: int, seeds: Iterable[int]) -> Told:
    """Put one kind of fault on a plant for each seed, and look what is made of it."""
    right = elsewhere = alarmed = standing = plants = 0
    named: dict[str, int] = {}
    wanted = SENSORS[kind][0] if kind in SENSORS else None
    for seed in seeds:
        course, culprits = _run(kind, signals, seed)
        plants += 1
        alarmed += course.alarmed
        standing += course.standing
        if course.kind is not None and course.signal in culprits and wanted is not None:
            named[str(course.kind)] = named.get(str(course.kind), 0) + 1
            right += course.kind is wanted
        elif course.kind is not None:
            elsewhere += 1
    return Told(plants, right, named, elsewhere, alarmed, standing)


def _run(kind: str, signals: int, seed: int) -> tuple[_Course, frozenset[str]]:
    random = np.random.default_rng([seed, signals, KINDS.index(kind)])
    rows, units = instrumented(random, signals, LONG if kind in CREEPING else ROWS)
    j = int(random.integers(signals))
    alike = [k for k in range(signals) if units[k] == units[j] and k != j]
    other = int(random.choice(alike)) if alike else j
    names = [f"s{k}" for k in range(signals)]
    if kind in SENSORS:
        SENSORS[kind][1](rows[ONSET:], j, other, random)
    elif kind in MACHINES:
        MACHINES[kind](rows[ONSET:], j, other, random)
    struck = {names[j], names[other]} if kind == "swapped" else {names[j]}
    return _watched(names, units, rows), frozenset(struck)


def _watched(names: Sequence[str], units: Sequence[str], rows: Columns) -> _Course:
    settings = WatchSettings(learn_rows=WARMUP, mode_rows=300, settle_s=0.0)
    watch = Watch(names, units, settings)
    at = np.arange(len(rows), dtype=np.int64) * SECOND
    said = watch.judge(at, rows, np.zeros(len(rows), np.int64))
    onset = ONSET * SECOND
    alarms = [
        one for one in said.transitions if one.action is AlarmAction.RAISE and one.at >= onset
    ]
    doubts = [
        one.doubt for one in said.diagnoses if one.action is AlarmAction.RAISE and one.at >= onset
    ]
    first = doubts[0] if doubts else None
    return _Course(
        first.kind if first else None,
        first.signal if first else "",
        bool(alarms),
        watch.phase == "alarmed",
    )
