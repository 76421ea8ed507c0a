"""What healthy parts have in common: how their features deviate, alone and together.

The relations are a few common causes and a noise of its own for each feature (Bishop 1999; the
number of causes by the edge of what pure noise shows, Marchenko & Pastur 1967).
"""

from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.covariance import shrinkage
from analytics.cycles import MEASURES
from analytics.scaling import quantum, robust_scale
from analytics.thresholds import cross_fitted

Columns = NDArray[np.float64]
State = dict[str, NDArray[Any]]

CLIPPED = 5.0
"""A deviation beyond counts as this where something is learnt from it."""
FARTHEST = 1e6
"""The same where it is told."""
OWN = 0.05
"""Least own variance of a feature: near-exact relations hold only nearly."""
CAUSES = 16
CLASS = 0.003
"""Share of what a signal sweeps in a cycle below which no deviation is worth telling: about the
accuracy class of an industrial transmitter (IEC 62828)."""
READING = 5e-4
"""The same for a signal that stands still, as a share of its value."""
CALM = 0.8
"""Share of the parts that are surely healthy."""
CALM_WIDENS = 1.511
"""Makes up for the rest of a normal feature: 1/√(1 − 2·z·φ(z)/0.8) at z = 1.28."""
STRANGE = 7.0
"""So many quarters above the middle a part is none to learn from."""
LEAST_SIZE = 0.2
"""Least usual size of a statistic; of parts that are all alike it would be nothing."""
UPPER = 0.9
"""The share of healthy scores that tells their spread with the middle one."""
UNSURE = 1.5
"""Widening of a limit that rests on one score; it falls with the root of their number."""
HEAVY = 1.3
"""Tails of real parts are heavier than normal by this."""


class Form:
    """How the features of healthy parts deviate from their level, and together.

    Four kinds of statistic are made of a part, each in its usual sizes over healthy parts: its
    largest deviation; the largest of what the others leave unexplained; for each signal all its
    features together, and all of all signals together (Mahalanobis distances, made alike by the
    cube root of Wilson & Hilferty 1931). The score is the largest of them.

    Parameters
    ----------
    scale
        Usual deviation of each feature (d,), in its unit.
    loading
        Common causes, in scales (d, k).
    own
        Variance of each feature beside them (d,), in scales².
    blocks
        Inverse correlation of the features of each signal (p, 8, 8).
    usual
        Middle and usual size of each statistic over healthy parts (2, 3 + p).
    """

    def __init__(
        self, scale: Columns, loading: Columns, own: Columns, blocks: Columns, usual: Columns
    ) -> None:
        self.scale, self.loading, self.own = scale, loading, own
        self.blocks, self.usual = blocks, usual
        self._weighted = loading / own[:, None]
        inner = np.eye(loading.shape[1]) + loading.T @ self._weighted
        self._inner: Columns = np.asarray(np.linalg.inv(inner), np.float64)
        told = np.einsum("jk,kl,jl->j", self._weighted, self._inner, self._weighted)
        self._sharp = np.sqrt(np.maximum(1 / own - told, 1e-12))

    @classmethod
    def learn(cls, away: Columns, floor: Columns) -> Self:
        """Learn from the deviations of healthy parts (n, d) from their level."""
        scale = robust_scale(away, floor)
        z = np.clip(away / scale, -CLIPPED, CLIPPED)
        parts, width = z.shape
        variance, axes = components(z)
        own = (z**2).mean(axis=0)
        edge = (1 + np.sqrt(width / parts)) ** 2 * float(np.median(own))
        causes = min(int((variance > edge).sum()), parts // 5, CAUSES)
        noise = (own.sum() - variance[:causes].sum()) / max(width - causes, 1)
        loading = axes[:, :causes] * np.sqrt(np.maximum(variance[:causes] - noise, 0.0))
        left = np.maximum(own - (loading**2).sum(axis=1), OWN)
        blocks = inverse_blocks(z[:, 1:].reshape(parts, -1, len(MEASURES)))
        usual = np.stack([np.zeros(3 + len(blocks)), np.ones(3 + len(blocks))])
        return cls(scale, np.ascontiguousarray(loading), left, blocks, usual)

    @classmethod
    def calibrated(cls, away: Columns, floor: Columns) -> tuple[Self, Columns]:
        """Learn from (n, d), and how large the statistics are on parts that were not learnt.

        Returns
        -------
        tuple
            The form, and the score of each part by what the others say (n,).
        """
        form = cls.learn(away, floor)
        raw = cross_fitted(away, lambda others, part: cls.learn(others, floor).raw(part))
        middle = np.median(raw, axis=0)
        size = 1.4826 * np.median(np.abs(raw - middle), axis=0)
        form.usual = np.stack([middle, np.maximum(size, LEAST_SIZE)])
        return form, ((raw - form.usual[0]) / form.usual[1]).max(axis=1)

    def solve(self, z: Columns) -> Columns:
        """Give C⁻¹z for deviations z (n, d) in scales."""
        ours = z / self.own
        solved: Columns = ours - (ours @ self.loading) @ self._inner @ self._weighted.T
        return solved

    def standing(self, away: Columns) -> tuple[Columns, Columns]:
        """Give deviations (n, d) → in scales, and what the others leave over, standardised."""
        z = np.clip(away / self.scale, -FARTHEST, FARTHEST)
        return z, self.solve(z) / self._sharp

    def left_over(self) -> Columns:
        """Give the usual size of what the others leave unexplained, in scales (d,)."""
        sizes: Columns = 1 / self._sharp
        return sizes

    def raw(self, away: Columns) -> Columns:
        """Give the statistics of parts (n, d) → (n, 3 + p), not yet in their usual sizes."""
        z, left = self.standing(away)
        by_signal = z[:, 1:].reshape(len(z), -1, len(MEASURES))
        own = np.einsum("npi,pij,npj->np", by_signal, self.blocks, by_signal)
        whole = np.maximum((z * self.solve(z)).sum(axis=1), 0.0)
        largest = np.abs(z).max(axis=1), np.abs(left).max(axis=1)
        both = np.column_stack([evened(whole, z.shape[1]), evened(own, len(MEASURES))])
        told: Columns = np.column_stack([*largest, both])
        return told

    def statistics(self, away: Columns) -> Columns:
        """Give the statistics of parts (n, d) → (n, 3 + p) in their usual sizes."""
        told: Columns = (self.raw(away) - self.usual[0]) / self.usual[1]
        return told

    def state(self) -> State:
        """Give everything learnt, as arrays."""
        names = ("scale", "loading", "own", "blocks", "usual")
        return {name: getattr(self, name).copy() for name in names}


def alike(away: Columns, floor: Columns) -> NDArray[np.bool_]:
    """Tell which parts (n,) are like most of them: the others are not learnt from.

    Deviations (n, d) are held against the smaller four fifths of each feature's, so that a fifth of
    the parts may be defective; a part is unlike the others when its largest one is far beyond what
    the largest ones usually are.
    """
    square = np.sort(away**2, axis=0)[: max(1, round(CALM * len(away)))]
    z = np.abs(away) / np.maximum(CALM_WIDENS * np.sqrt(square.mean(axis=0)), floor)
    largest = z.max(axis=1)
    middle, upper = np.quantile(largest, (0.5, 0.75))
    told: NDArray[np.bool_] = largest <= middle + STRANGE * max(upper - middle, LEAST_SIZE)
    return told


def components(z: Columns) -> tuple[Columns, Columns]:
    """Give the principal variances (k,) of deviations z (n, d), largest first, and axes (d, k)."""
    parts, width = z.shape
    if parts >= width:
        variance, axes = np.linalg.eigh(z.T @ z / parts)
        return variance[::-1], axes[:, ::-1]
    variance, weights = np.linalg.eigh(z @ z.T / parts)
    variance, weights = np.maximum(variance[::-1], 1e-12), weights[:, ::-1]
    return variance, z.T @ weights / np.sqrt(parts * variance)


def inverse_blocks(z: Columns) -> Columns:
    """Invert the shrunk correlation of each signal's features (n, p, 8) → (p, 8, 8)."""
    parts, _, width = z.shape
    weight = shrinkage(width, parts)
    blocks = np.einsum("npi,npj->pij", z, z) / parts
    blocks = (1 - weight) * blocks + weight * np.eye(width)
    return np.ascontiguousarray(np.linalg.inv(blocks).astype(np.float64))


def evened(square: Columns, width: int) -> Columns:
    """Make squared distances of `width` dimensions nearly standard normal (Wilson & Hilferty)."""
    part = 2 / (9 * width)
    told: Columns = (np.cbrt(square / width) - (1 - part)) / np.sqrt(part)
    return told


def limit_of(scores: Columns, false_in_1000: float, heavy: float = HEAVY) -> float:
    """Give the score that so few of a thousand healthy parts reach, from scores that were seen.

    Middle and upper tenth tell where the scores lie and how far they spread, and a normal tail goes
    on from there: a few defects among them do not count. It is the wider the fewer were seen.

    Examples
    --------
    >>> healthy = np.random.default_rng(1).standard_normal(2000)
    >>> bool(3.0 < limit_of(healthy, 1.0, heavy=1.0) < 3.4)
    True
    """
    middle, upper = np.quantile(scores, (0.5, UPPER))
    usual = NormalDist()
    spread = max((upper - middle) / usual.inv_cdf(UPPER), LEAST_SIZE)
    reach = usual.inv_cdf(1 - min(false_in_1000 / 1000, 0.5))
    return float(middle + heavy * reach * spread * (1 + UNSURE / np.sqrt(len(scores))))


def floor_of(rows: Columns) -> Columns:
    """Give the smallest deviation worth telling of each feature (d,) of healthy parts (n, d)."""
    table = rows[:, 1:].reshape(len(rows), -1, len(MEASURES))
    least, greatest = table[:, :, 1].min(axis=0), table[:, :, 2].max(axis=0)
    signal = CLASS * (greatest - least) + READING * np.abs(table[:, :, 0]).mean(axis=0)
    floor = np.concatenate([[1e-4 * rows[:, 0].mean()], np.repeat(signal, len(MEASURES))])
    told: Columns = np.maximum(np.maximum(floor, quantum(rows) / 2), 1e-9)
    return told
