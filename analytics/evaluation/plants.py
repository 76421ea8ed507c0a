"""Generated plants: a machine that nobody tuned for, healthy or with a known fault.

Latent causes with memory drive all signals through random couplings; each signal has noise of its
own and drifts slowly and legitimately. From one row on three signals are at fault, for good.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.protocol import Factory, Progress, run

Columns = NDArray[np.float64]
Kind = Literal["none", "step", "ramp", "variance"]

ROWS, WARMUP, ONSET = 7500, 500, 1500
KINDS: tuple[Kind, ...] = ("none", "step", "ramp", "variance")
SIZES = (8, 40, 200)
FIRST, STANDING = 600, 500
"""Rows after the onset, and rows at the end, whose alarms are counted."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of rows alarmed (0 to 1) on generated plants of one size.

    Parameters
    ----------
    healthy
        On plants without a fault.
    step, ramp, variance
        Within `FIRST` rows after the onset: a step of 2 standard deviations; a ramp to 3 over 300
        rows; noise of 1.5 added without a shift of the mean.
    standing
        In the last `STANDING` of the 6,000 rows of a step that never goes back: a detector that
        lets go of a standing fault by the clock shows here.
    """

    healthy: float
    step: float
    ramp: float
    variance: float
    standing: float


def healthy_plant(random: np.random.Generator, signals: int, rows: int) -> Columns:
    """Make rows (n, p): (p // 6, at least 2) causes with memory, own noise, slow drift."""
    causes = max(2, signals // 6)
    couplings = random.standard_normal((causes, signals))
    memory = random.uniform(0, 0.9, signals)
    latent, own = np.zeros((rows, causes)), np.zeros((rows, signals))
    push = 0.25 * random.standard_normal((rows, causes))
    noise = np.sqrt(1 - memory**2) * random.standard_normal((rows, signals))
    for t in range(1, rows):
        latent[t] = 0.97 * latent[t - 1] + push[t]
        own[t] = memory * own[t - 1] + noise[t]
    drift = np.linspace(0, rows / 1700, rows)[:, None] * random.normal(0, 1, signals)
    made: Columns = latent @ couplings + own + drift
    return made


def plant(signals: int, seed: int, kind: Kind) -> tuple[Columns, NDArray[np.intp]]:
    """Make a plant's rows (`ROWS`, p) and tell the three signals that are at fault from `ONSET`."""
    random = np.random.default_rng([seed, signals])
    rows = healthy_plant(random, signals, ROWS)
    culprits = random.choice(signals, 3, replace=False)
    scale, after = rows[:WARMUP, culprits].std(0), ROWS - ONSET
    if kind == "step":
        rows[ONSET:, culprits] += 2 * scale
    elif kind == "ramp":
        rows[ONSET:, culprits] += 3 * scale * np.minimum(1, np.arange(after) / 300)[:, None]
    elif kind == "variance":
        rows[ONSET:, culprits] += 1.5 * scale * random.standard_normal((after, 3))
    return rows, culprits


def shares_alarmed(
    factory: Factory,
    signals: int,
    seed: int = 0,
    repeats: int = 3,
    progress: Progress | None = None,
) -> Shares:
    """Run a detector over plants of one size; `progress` hears of every finished row."""
    found: dict[str, list[float]] = {}
    names = [f"f{i}" for i in range(signals)]
    begin = ONSET - WARMUP
    for repeat in range(repeats):
        for kind in KINDS:
            rows, _ = plant(signals, 1000 * seed + repeat, kind)
            alarm = run(factory, names, rows, WARMUP, seed, progress).alarm
            seen = alarm if kind == "none" else alarm[begin : begin + FIRST]
            found.setdefault(kind, []).append(float(seen.mean()))
            if kind == "step":
                found.setdefault("standing", []).append(float(alarm[-STANDING:].mean()))
    mean = {kind: float(np.mean(values)) for kind, values in found.items()}
    return Shares(mean["none"], mean["step"], mean["ramp"], mean["variance"], mean["standing"])
