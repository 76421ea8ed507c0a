"""Generated machines that run until they fail."""

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]


def worn(left: NDArray[np.float64], decay: float) -> NDArray[np.float64]:
    """Wear that grows exponentially towards the failure, 1 at the end."""
    return np.exp(-left / decay)


def plain_runs(
    seed: int, runs: int = 24, usual: int = 90, signals: int = 5, noise: float = 0.15
) -> list[Columns]:
    """One operating condition; the last column never changes, the first counts."""
    rng = np.random.default_rng(seed)
    gain = rng.normal(0, 1, signals)
    made = []
    for _ in range(runs):
        n = int(usual * rng.uniform(0.7, 1.4))
        left = np.arange(n)[::-1].astype(float)
        wear = worn(left, usual / 4 * rng.uniform(0.85, 1.15))
        seen = 5 + wear[:, None] * gain + rng.normal(0, noise, (n, signals))
        made.append(np.column_stack([np.arange(n) + 1.0, seen, np.full(n, 518.67)]))
    return made


def regime_runs(seed: int, runs: int = 24, usual: int = 90, regimes: int = 6) -> list[Columns]:
    """Each row in one of several regimes that move the signals far more than wear does.

    Columns 0 and 1 tell the regime, column 2 is noise that nothing follows, 3 to 6 wear.
    """
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 40, (regimes, 2))
    level = rng.normal(0, 30, (regimes, 4))
    gain = rng.choice([-1.0, 1.0], 4) * rng.uniform(0.8, 1.2, 4)
    made = []
    for _ in range(runs):
        n = int(usual * rng.uniform(0.7, 1.4))
        regime = rng.integers(0, regimes, n)
        wear = worn(np.arange(n)[::-1].astype(float), usual / 4)
        seen = level[regime] + wear[:, None] * gain + rng.normal(0, 0.15, (n, 4))
        told = points[regime] + rng.normal(0, 0.01, (n, 2))
        made.append(np.column_stack([told, rng.normal(size=n), seen]))
    return made


def loaded_runs(seed: int, runs: int = 24, usual: int = 90) -> list[Columns]:
    """A load that varies continuously (column 0) moves the signals far more than wear does."""
    rng = np.random.default_rng(seed)
    slope, gain = rng.normal(0, 10, 4), rng.choice([-1.0, 1.0], 4)
    made = []
    for _ in range(runs):
        n = int(usual * rng.uniform(0.7, 1.4))
        load = rng.uniform(0.3, 1.0, n)
        wear = worn(np.arange(n)[::-1].astype(float), usual / 4)
        seen = load[:, None] * slope + wear[:, None] * gain + rng.normal(0, 0.15, (n, 4))
        made.append(np.column_stack([load, seen]))
    return made
