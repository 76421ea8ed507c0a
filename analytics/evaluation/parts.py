"""Generated machines that make parts, some with a defect, and how well a judge tells them apart.

Each machine has random signals, curves, common causes, noise with a memory, slow drift, stops after
which it warms up, and its own rate of sampling. A defect befalls one part and one signal.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analytics.cycles import Cycle, features
from analytics.parts import PartJudge, PartSettings
from plant.parts import PartLabel, PartVerdict

Columns = NDArray[np.float64]

KINDS = ("level", "peak", "dent", "late", "rattle", "slow")
"""The whole curve moved; its top cut; a brief dip; shifted in time; noise on it; a longer cycle."""
SIZES = (0.03, 0.15)
"""Least and greatest size of a defect, as a share of what the signal sweeps in a cycle."""
LARGE = 0.06
DEFECT_EVERY = 25
STOP_EVERY = 120
"""Parts between two stops, about."""
WARM = 20.0
"""Parts after which a machine that stood has come within a third of its warmth."""


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong with one part: kind, signal and size, with the sign of its effect."""

    kind: str
    signal: int
    size: float


class PartMachine:
    """A machine that makes parts, drawn from a seed.

    Parameters
    ----------
    seed
        Decides everything.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng([seed, 31])
        draw = self._random
        self.signals = int(draw.integers(3, 17))
        shape = (self.signals, 3)
        self._base = draw.uniform(20, 200, self.signals)
        self.sweep = draw.uniform(5, 100, self.signals)
        self._place = draw.uniform(0.15, 0.85, shape)
        self._width = draw.uniform(0.05, 0.25, shape)
        self._height = draw.uniform(0.2, 1.0, shape)
        self._load = draw.normal(0, 0.02, (self.signals, 2))
        self._own = draw.uniform(0.003, 0.012, self.signals)
        self._noise = draw.uniform(0.005, 0.02, self.signals)
        self._drift = draw.uniform(0, 0.004, self.signals)
        self._warmth = draw.uniform(0, 0.05, self.signals) * (draw.random(self.signals) < 0.3)
        self._seconds = float(draw.uniform(0.8, 20))
        self._jitter = float(draw.uniform(0.002, 0.02))
        self._step = float(self._seconds / draw.integers(8, 80))
        self._now = 0
        self._wander = np.zeros(self.signals)
        self._cold = 1.0
        self.rested = False
        """Before the last part it stood still."""

    def defect(self, kind: str | None = None) -> Defect:
        """Draw a defect."""
        draw = self._random
        kind = kind or str(draw.choice(KINDS))
        size = float(np.exp(draw.uniform(*np.log(SIZES)))) * float(draw.choice((-1, 1)))
        return Defect(kind, int(draw.integers(self.signals)), size)

    def make(self, defect: Defect | None = None) -> Cycle:
        """Make the next part."""
        draw = self._random
        self.rested = bool(draw.random() < 1 / STOP_EVERY)
        if self.rested:
            self._cold = 1.0
        self._cold *= np.exp(-1 / WARM)
        self._wander += self._drift * draw.standard_normal(self.signals)
        self._wander *= 0.999
        seconds = self._seconds * (1 + self._jitter * draw.standard_normal())
        if defect is not None and defect.kind == "slow":
            seconds *= 1 + 2 * abs(defect.size)
        start, span = self._now, round(seconds * 1e9)
        self._now += span + round(0.3 * self._seconds * 1e9)
        at = start + np.arange(
            round(draw.random() * self._step * 1e9), span, round(self._step * 1e9)
        )
        # What the signals showed last before the part began is what is held when it does.
        phase = np.append(-0.5 * self._step / seconds, (at - start) / span)
        value = self._curves(phase, defect)
        n = len(at)
        return Cycle(
            start=start,
            stop=start + span,
            held=value[:, 0],
            column=np.repeat(np.arange(self.signals), n),
            at=np.tile(at, self.signals).astype(np.int64),
            value=value[:, 1:].ravel(),
        )

    def _curves(self, phase: Columns, defect: Defect | None) -> Columns:
        draw = self._random
        shifted = np.tile(phase, (self.signals, 1))
        if defect is not None and defect.kind == "late":
            shifted[defect.signal] -= defect.size / 2
        away = (shifted[:, None, :] - self._place[:, :, None]) / self._width[:, :, None]
        shape = (self._height[:, :, None] * np.exp(-0.5 * away**2)).sum(axis=1)
        cause = self._load @ draw.standard_normal(2) + self._own * draw.standard_normal(
            self.signals
        )
        noise = draw.standard_normal(shifted.shape)
        noise[:, 1:] = 0.7 * noise[:, 1:] + 0.7 * noise[:, :-1]
        curve = shape * (1 + cause[:, None]) + (self._wander + self._warmth * self._cold)[:, None]
        curve += self._noise[:, None] * noise
        if defect is not None:
            self._spoil(curve[defect.signal], phase, defect)
        value: Columns = self._base[:, None] + self.sweep[:, None] * curve
        return value

    def _spoil(self, curve: Columns, phase: Columns, defect: Defect) -> None:
        match defect.kind:
            case "level":
                curve += defect.size
            case "peak":
                top = float(curve.max()) - abs(defect.size)
                np.minimum(curve, top, out=curve)
            case "dent":
                where = 0.2 + 0.6 * self._random.random()
                curve += 2 * defect.size * np.exp(-0.5 * ((phase - where) / 0.06) ** 2)
            case "rattle":
                curve += abs(defect.size) * self._random.standard_normal(len(curve))


@dataclass(slots=True)
class Tally:
    """Counts of verdicts over healthy and defective parts that were judged."""

    healthy: int = 0
    false: int = 0
    made: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    large: int = 0
    large_found: int = 0
    first: int = 0
    """Found, with the signal of the defect (the duration of a slow cycle) named first."""

    def add(self, other: "Tally") -> None:
        """Add the counts of another machine."""
        self.healthy += other.healthy
        self.false += other.false
        self.large += other.large
        self.large_found += other.large_found
        self.first += other.first
        for kind in KINDS:
            self.made[kind] += other.made[kind]
            self.found[kind] += other.found[kind]

    @property
    def false_in_1000(self) -> float:
        """Healthy parts of a thousand that were called suspect."""
        return 1000 * self.false / max(self.healthy, 1)

    @property
    def recall(self) -> float:
        """Share of the defective parts that were called suspect."""
        return sum(self.found.values()) / max(sum(self.made.values()), 1)


def tallied(seed: int, parts: int, settings: PartSettings | None = None) -> Tally:
    """Judge the parts of one machine, one in `DEFECT_EVERY` with a defect, also while learning."""
    machine = PartMachine(seed)
    judge = judge_of(machine, settings)
    tally = Tally()
    chance = np.random.default_rng([seed, 32])
    for number in range(1, parts + 1):
        defect = machine.defect() if chance.random() < 1 / DEFECT_EVERY else None
        row = features(machine.make(defect))
        said = judge.judge(number, row, 0, rested=machine.rested)
        if said.verdict is PartVerdict.LEARNING:
            continue
        suspect = said.verdict is PartVerdict.SUSPECT
        if defect is None:
            tally.healthy += 1
            tally.false += suspect
            continue
        tally.made[defect.kind] += 1
        tally.found[defect.kind] += suspect
        large = abs(defect.size) >= LARGE
        tally.large += large
        tally.large_found += large and suspect
        if suspect:
            meant = "" if defect.kind == "slow" else f"s{defect.signal}"
            tally.first += said.deviations[0].signal == meant
    return tally


def taught(seed: int, parts: int, labels: int) -> tuple[float, float, float]:
    """Tell what labels are worth where a machine has a usual defect, too small to be seen well.

    Parameters
    ----------
    seed
        Draws the machine and its defect: one kind, one signal, one direction, sizes of 3 to 6 %.
    parts
        Parts made after `labels` defects have been labelled, one in `DEFECT_EVERY` with the defect.
    labels
        Defective parts that people have labelled.

    Returns
    -------
    tuple[float, float, float]
        Recall without and with labels, and healthy parts of a thousand called suspect with them.
    """
    shares = []
    for known in (0, labels):
        machine = PartMachine(seed)
        judge = judge_of(machine, None)
        usual = machine.defect(str(np.random.default_rng([seed, 33]).choice(KINDS)))
        chance = np.random.default_rng([seed, 34])
        made = found = healthy = false = told = 0
        for number in range(1, 300 + parts):
            spoilt = chance.random() < 1 / DEFECT_EVERY
            size = float(chance.uniform(SIZES[0], LARGE)) * np.sign(usual.size)
            defect = Defect(usual.kind, usual.signal, float(size)) if spoilt else None
            row = features(machine.make(defect))
            said = judge.judge(number, row, 0, rested=machine.rested)
            suspect = said.verdict is PartVerdict.SUSPECT
            if defect is not None and number > 100 and told < known:
                told += judge.label(number, str(number), PartLabel.DEFECT)
            if number >= 300:
                made, found = made + spoilt, found + (spoilt and suspect)
                healthy, false = healthy + (not spoilt), false + (not spoilt and suspect)
        shares.append((found / max(made, 1), 1000 * false / max(healthy, 1)))
    return shares[0][0], shares[1][0], shares[1][1]


def judge_of(machine: PartMachine, settings: PartSettings | None) -> PartJudge:
    """Build the judge of a generated machine."""
    names = [f"s{k}" for k in range(machine.signals)]
    return PartJudge(names, [""] * machine.signals, settings)
