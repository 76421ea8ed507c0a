"""What happens to the line in these weeks: the truth, which the gateway never sees.

All times are seconds after row 0, a Monday at 00:00. Everything is drawn from one seed. On one
machine wear, sensor faults and upkeep never overlap, so that each alarm has one cause at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.weeks.timetable import DAY, HOUR, Hours, Story, interrupted, lagged, told
from connectors.simulated.faults import KINDS, Effect
from connectors.simulated.signals import LINE, MODBUS, OPCUA, PRESS, PUMP
from plant.tags import Role

MACHINES = {"pump-1": (PUMP, (0, 2)), "pump-2": (PUMP, (3, 6)), "press-1": (PRESS, (2, 8))}
"""Channels of each machine, and how far it may follow behind the line, s."""
SOURCES = (OPCUA, MODBUS)
_PUMPS, _PRESS = ("pump-1", "pump-2"), ("press-1",)


@dataclass(frozen=True, slots=True)
class Wearing:
    """How one kind of wear goes: what it does at the moment of failure, and how it gets there.

    Parameters
    ----------
    machines
        Which it befalls.
    effects
        At the moment of failure, strongest first.
    life_h
        Hours of running from the onset to the failure, shortest and longest.
    bend
        0: it grows evenly; otherwise ever faster, as ``(exp(bend u) - 1) / (exp(bend) - 1)``.
    """

    machines: tuple[str, ...]
    effects: tuple[Effect, ...]
    life_h: tuple[float, float]
    bend: float = 0.0

    def strength(self, life: Any) -> Any:
        """Give the share of the effects, 0 to 1, after a share of the `life`."""
        if not self.bend:
            return life
        return np.expm1(self.bend * life) / np.expm1(self.bend)


def _known(kind: str, life_h: tuple[float, float], bend: float = 0.0) -> Wearing:
    return Wearing(KINDS[kind].machines, KINDS[kind].effects, life_h, bend)


WEAR = {
    "bearing_wear": _known("bearing_wear", (20, 40), 3.0),
    "coupling_misalignment": _known("coupling_misalignment", (8, 20)),
    "seal_leak": _known("seal_leak", (6, 20)),
    "impeller_wear": _known("impeller_wear", (20, 40)),
    "winding_overheating": _known("winding_overheating", (4, 10)),
    "strainer_clogging": Wearing(
        _PUMPS,
        (Effect("suction_pressure", shift=-0.40), Effect("flow", relative=-0.10)),
        (10, 30),
        1.5,
    ),
    "hydraulic_leak": _known("hydraulic_leak", (6, 20)),
    "cooler_fouling": _known("cooler_fouling", (15, 40)),
    "hydraulic_pump_wear": _known("hydraulic_pump_wear", (15, 30), 3.0),
    "die_heating_loss": Wearing(_PRESS, (Effect("die_temperature", shift=-16.0),), (4, 10)),
}
"""The kinds of wear by name. At the failure the machine trips."""

SENSOR_S = {
    "stuck": (HOUR, 10 * HOUR),
    "spikes": (1200, 2 * HOUR),
    "no quality": (300, 3 * HOUR),
    "reads its lower end": (300, 2 * HOUR),
    "drifts": (DAY // 2, 2 * DAY),
}
"""Kinds of sensor faults, and for how long they last, s."""
SPIKES, SPIKE = 0.02, (0.1, 0.4)
"""Share of the rows with a spike, and its height as a share of the sensor's range."""
DRIFTS_TO = 0.05
"""How far a transmitter has drifted in the end, as a share of its range."""
UPKEEP = {
    "bearing greased": (_PUMPS, (Effect("vibration", relative=-0.15),
                                 Effect("bearing_temperature", shift=-2.5, turning=False))),
    "gauge recalibrated": (_PUMPS, (Effect("discharge_pressure", shift=0.15, turning=False),)),
    "cooler cleaned": (_PRESS, (Effect("cooler_outlet_temperature", shift=-2.5, turning=False),
                                Effect("oil_temperature", shift=-2.0, turning=False))),
    "die aligned": (_PRESS, (Effect("force_left", relative=0.03),)),
}  # fmt: skip
"""Planned work, and the new level that it leaves for good."""
DROPS_A_DAY, DROP_S = 1.5, (3.0, 3600.0)
"""Losses of each link, and for how long it is gone, s."""
MONTH = 28 * DAY
IN_MONTH = {"wear": 3, "sensor": 4, "upkeep": 1}
"""What happens to a machine in four weeks."""
ANNOUNCED = 2 / 3
"""Share of the work that somebody tells the gateway of beforehand."""


@dataclass(frozen=True, slots=True)
class Wear:
    """Wear of a machine from `onset`, which it does not survive beyond `failure`, to `mended`."""

    asset: str
    kind: str
    onset: int
    failure: int
    mended: int
    announced: bool

    @property
    def culprits(self) -> tuple[str, ...]:
        """Names of the tags that it changes, strongest first."""
        return tuple(f"{self.asset}/{effect.signal}" for effect in WEAR[self.kind].effects)


@dataclass(frozen=True, slots=True)
class SensorFault:
    """A sensor that tells something else than what it measures."""

    asset: str
    kind: str
    signal: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Planned work on a machine that stands still for it, and runs on a new level afterwards."""

    asset: str
    kind: str
    begin: int
    end: int
    announced: bool


@dataclass(frozen=True, slots=True)
class Drop:
    """A source that cannot be read."""

    source: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Diary:
    """All that happens, and what each machine does.

    Parameters
    ----------
    seed
        What it was drawn from.
    taught, end
        Until when the watch learns, and when the campaign ends, s.
    stories
        What each machine does, by its path.
    wear, sensors, upkeep, drops
        What befalls them.
    """

    seed: int
    taught: int
    end: int
    stories: dict[str, Story]
    wear: tuple[Wear, ...]
    sensors: tuple[SensorFault, ...]
    upkeep: tuple[Upkeep, ...]
    drops: tuple[Drop, ...]

    def hours(self, asset: str) -> Hours:
        """Give the running time of a machine."""
        return Hours(self.stories[asset])


def written(seed: int, taught_h: float, days: float) -> Diary:
    """Write a diary of `days` after `taught_h` hours in which nothing is wrong."""
    taught = round(taught_h * HOUR)
    end = taught + round(days * DAY)
    line = told(np.random.default_rng([seed, 21]), -(-end // DAY) + 1, taught)
    stories: dict[str, Story] = {}
    wear: list[Wear] = []
    sensors: list[SensorFault] = []
    upkeep: list[Upkeep] = []
    kinds = _dealt(np.random.default_rng([seed, 22]))
    for number, (name, (_, lag_s)) in enumerate(MACHINES.items()):
        random = np.random.default_rng([seed, 23, number])
        asset = f"{LINE}/{name}"
        story = lagged(random, line, lag_s)
        hours, happens = Hours(story), _drawn(random, end - taught)
        broken = random.permutation(list(SENSOR_S)).tolist()
        slot = (end - taught) / max(len(happens), 1)
        for place, what in enumerate(happens):
            span = round(taught + place * slot), round(taught + (place + 1) * slot)
            if what == "wear":
                worn = _wear(random, asset, kinds[name], hours, span)
                if worn:
                    wear.append(worn)
                    story = interrupted(story, worn.failure, worn.mended)
            elif what == "sensor":
                sensors.append(_sensor(random, name, broken[0], span))
                broken.append(broken.pop(0))
            else:
                work = _upkeep(random, name, hours, span)
                upkeep.append(work)
                story = interrupted(story, work.begin, work.end)
        stories[asset] = story
    drops = _drops(np.random.default_rng([seed, 24]), end)
    return Diary(seed, taught, end, stories, tuple(wear), tuple(sensors), tuple(upkeep), drops)


def _dealt(random: np.random.Generator) -> dict[str, list[str]]:
    """Deal the kinds of wear to the machines: none comes twice before all have come."""
    pumps = [kind for kind, each in WEAR.items() if each.machines == _PUMPS]
    press = [kind for kind, each in WEAR.items() if each.machines == _PRESS]
    random.shuffle(pumps)
    random.shuffle(press)
    half = len(pumps) // 2
    return {"pump-1": pumps[:half], "pump-2": pumps[half:], "press-1": press}


def _drawn(random: np.random.Generator, length: int) -> list[str]:
    """Draw what happens to a machine in `length` seconds, in its order."""
    share = length / MONTH
    happens = [
        what
        for what, count in IN_MONTH.items()
        for _ in range(max(round(count * share), what != "upkeep"))
    ]
    random.shuffle(happens)
    return happens


def _wear(
    random: np.random.Generator,
    asset: str,
    kinds: list[str],
    hours: Hours,
    span: tuple[int, int],
) -> Wear | None:
    """Draw a fault in `span`; None if the machine runs too little in it."""
    begin, end = span
    mend = int(random.integers(3 * HOUR, 8 * HOUR))
    mend = min(mend, (end - begin) // 4)
    ran = float(hours.ran(end - mend) - hours.ran(begin))
    if ran < 0.5 * HOUR:
        return None
    kind = kinds[0]
    kinds.append(kinds.pop(0))
    life = min(float(random.uniform(*WEAR[kind].life_h)) * HOUR, 0.9 * ran)
    since = float(hours.ran(begin)) + float(random.uniform(0.02, 1.0)) * (ran - life)
    onset, failure = round(hours.when(since)), round(hours.when(since + life))
    announced = bool(random.random() < ANNOUNCED)
    return Wear(asset, kind, onset, failure, failure + mend, announced)


def _sensor(
    random: np.random.Generator, name: str, kind: str, span: tuple[int, int]
) -> SensorFault:
    begin, end = span
    low, high = np.log(SENSOR_S[kind])
    lasts = min(int(np.exp(random.uniform(low, high))), int(0.8 * (end - begin)))
    at = int(random.integers(begin, end - lasts))
    signals = [c.name for c in MACHINES[name][0] if c.role is Role.SIGNAL]
    return SensorFault(f"{LINE}/{name}", kind, str(random.choice(signals)), at, at + lasts)


def _upkeep(random: np.random.Generator, name: str, hours: Hours, span: tuple[int, int]) -> Upkeep:
    begin, end = span
    kinds = [kind for kind, (machines, _) in UPKEEP.items() if name in machines]
    since, until = float(hours.ran(begin)), float(hours.ran(end))
    at = round(hours.when(since + float(random.uniform(0.1, 0.5)) * (until - since)))
    lasts = int(random.integers(HOUR, 2 * HOUR))
    announced = bool(random.random() < ANNOUNCED)
    return Upkeep(f"{LINE}/{name}", str(random.choice(kinds)), at, at + lasts, announced)


def _drops(random: np.random.Generator, end: int) -> tuple[Drop, ...]:
    drops: list[Drop] = []
    for source in SOURCES:
        at = 0.0
        while True:
            at += float(random.exponential(DAY / DROPS_A_DAY))
            lasts = float(np.exp(random.uniform(*np.log(DROP_S))))
            if at + lasts >= end:
                break
            drops.append(Drop(source, int(at), int(at + lasts) + 1))
            at += lasts + 60
    return tuple(drops)


def entries(diary: Diary, asset: str, source: str) -> Sequence[tuple[str, int, int, str]]:
    """Give what befell a machine as (kind, begin, end, words), for people."""
    rows = [("wear", w.onset, w.failure, w.kind) for w in diary.wear if w.asset == asset]
    rows += [("repair", w.failure, w.mended, w.kind) for w in diary.wear if w.asset == asset]
    rows += [
        ("sensor", s.begin, s.end, f"{s.signal} {s.kind}")
        for s in diary.sensors
        if s.asset == asset
    ]
    rows += [("upkeep", u.begin, u.end, u.kind) for u in diary.upkeep if u.asset == asset]
    rows += [("link", d.begin, d.end, "") for d in diary.drops if d.source == source]
    return sorted(rows, key=lambda row: row[1])
