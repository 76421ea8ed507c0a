"""What is followed of each signal's residual: a quick shift, a slow shift, and its restlessness.

Three channels, each against the signal's own healthy past: the mean over a few rows (a fault that
comes at once), the mean over more rows (one that is small or creeps), and the logarithm of the
variance (one that shakes a signal and leaves its mean). Slow legitimate drift is followed by
baselines; what a signal does alone teaches it its scale, what several do together does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State
from analytics.limits import POOLS, lengthened, pool_limit, unsure, widened
from analytics.relations import (
    CLIPPED,
    Causes,
    Relations,
    means,
    number_of_causes,
    residual_map,
    without_levels,
)
from analytics.scaling import robust_centre, robust_scale
from analytics.thresholds import contiguous, cross_fitted

Columns = NDArray[np.float64]

QUICK, SLOW = 7.0, 20.0
"""Half-lives of the two means, rows."""
FOLLOWS = (110.0, 240.0)
"""Half-lives of their baselines, rows."""
RESTLESS, CALMED = 25.0, 12.0
"""Half-lives of the variance, and of the one by which a fault is seen to be gone, rows."""
LIKE_OTHERS = 0.9
"""A signal's scale is at least this share of what the other signals' would make of its noise:
of many scales from a short history some come out far too small by chance."""
WORTH = 3.0
"""Smallest deviations worth telling that make a limit at least: they are errors of transmitters, of
which averaging takes nothing."""
HIGH, ABOVE = 0.995, 1.2
"""No limit below that quantile of the healthy history's own scores, times this."""
POOLED = 2.5
"""All signals together: medians of the healthy distance that are the limit at least."""
CALMEST = 0.6
"""Least healthy distance, and least noise of a signal in it, in scales: for a machine that stood
still while it was learnt."""
FURTHEST = 4.0
"""Scales as which the furthest deviation counts in what signals do together."""
STRICTER = 1.15
"""The restlessness has the smaller share of the alarm budget."""
LATELY = 3.0
"""Half-lives of the slower baseline from which both begin."""
BEGINS = (8, 25, 20)
"""Rows at the begin of each block that the channels leave out."""
BLURS = tuple(float(np.sqrt(g / (2 - g))) for g in (1 - 0.5 ** (1 / hl) for hl in (QUICK, SLOW)))
"""Spread of the two means of white noise of spread one."""


@dataclass(slots=True, eq=False)
class Channels:
    """Baselines, scales and limits of the channels of one asset in one mode.

    Parameters
    ----------
    base
        Baselines of the two means (2, p), in `Relations.unit`s.
    square
        Squared scales of the deviations from them (2, p).
    variance
        Slow and quick variance (2, p) of the residuals around their quick mean.
    usual, spread
        Usual logarithm of the variance (p,), and its spread.
    least
        Added to a variance (p,) before its logarithm is taken.
    together
        Mean products of the scaled deviations from both baselines (2, p, p).
    limit
        Limits of quick, slow, restless for one signal, in scales, and of the distances of quick
        and slow, all for an endless history, and what no limit of a distance is below (6,).
    rows, visits
        Healthy rows learnt, and times that the mode was entered.
    """

    base: Columns
    square: Columns
    variance: Columns
    usual: Columns
    spread: Columns
    least: Columns
    together: Columns
    limit: Columns
    rows: float
    visits: float

    def limits(self) -> tuple[float, float, float, float, float]:
        """Give the five limits as far as the history supports them."""
        quick, slow, restless, quick_all, slow_all, rare = self.limit.tolist()
        again = widened(0.0, self.rows, self.visits)
        return (
            quick * widened(QUICK, self.rows, self.visits),
            slow * widened(SLOW, self.rows, self.visits),
            restless * widened(RESTLESS, self.rows, self.visits),
            max(quick_all * lengthened(QUICK, self.rows), rare) * again,
            max(slow_all * lengthened(SLOW, self.rows), rare) * again,
        )

    def weights(self) -> Columns:
        """Give what makes the deviations from both baselines independent (2, p, p)."""
        looks = [unsure(half_life, self.rows, self.visits) for half_life in (QUICK, SLOW)]
        return np.stack([weights(*each) for each in zip(self.together, looks, strict=True)])

    def state(self) -> State:
        """Give everything as arrays."""
        return {
            **{name: getattr(self, name).copy() for name in _ARRAYS},
            "learnt": np.array([self.rows, self.visits]),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same channels again."""
        arrays = {name: state[name].copy() for name in _ARRAYS}
        rows, visits = state["learnt"].tolist()
        return cls(**arrays, rows=rows, visits=visits)


_ARRAYS = ("base", "square", "variance", "usual", "spread", "least", "together", "limit")


def products(deviations: Columns) -> Columns:
    """Give the mean products (p, p) of scaled deviations (n, p)."""
    near = np.clip(deviations, -FURTHEST, FURTHEST)
    return np.asarray(near.T @ near / len(near), np.float64)


def weights(together: Columns, uncertain: float) -> Columns:
    """Give the inverse (p, p) of mean products, the less of them the less sure they are.

    With as many independent rows as signals half of what signals do together is believed; with few
    of them each signal counts by itself (shrinkage as Ledoit and Wolf 2004, its intensity from the
    number of rows).

    Parameters
    ----------
    together
        Mean products (p, p) of scaled deviations.
    uncertain
        One over the number of independent rows that they rest on.
    """
    believed = 1 / (1 + len(together) * uncertain)
    square = np.diag(together)
    noise = np.maximum(square, CALMEST**2) - believed * square
    return np.asarray(np.linalg.inv(believed * together + np.diag(noise)), np.float64)


def distances(deviations: Columns, weight: Columns) -> Columns:
    """Give how far each row (n,) of deviations (n, p) is away, over √p (Mahalanobis 1936)."""
    square = np.einsum("ij,ij->i", deviations @ weight, deviations)
    return np.asarray(np.sqrt(square / len(weight)), np.float64)


def learn(
    blocks: Sequence[Columns],
    rows: int,
    visits: int,
    floor: Columns,
    limit: float,
    shared: Relations | None = None,
) -> tuple[Relations, Channels]:
    """Learn relations and channels from healthy rows.

    Parameters
    ----------
    blocks
        Contiguous stretches (n, p) in time order, NaN = not Good.
    rows
        Rows that they stand for; they may be a selection.
    visits
        Times that the mode was entered meanwhile.
    floor
        Smallest deviation of each signal worth telling (p,), in the signals' units.
    limit
        Deviations that chance reaches as often as the plant accepts, see `limits.limit_of`.
    shared
        Relations that machines of the same class have learnt together: taken instead of those of
        these rows, which give centre and units, and all that the channels are.
    """
    whole = np.concatenate(blocks)
    centre = np.nan_to_num(robust_centre(whole))
    away = without_levels(blocks, FOLLOWS[0])
    middle = np.median(np.abs(away - np.median(away, axis=0)), axis=0)
    unit = np.maximum(
        1.4826 * middle, np.maximum(0.5 * robust_scale(away, np.zeros(len(floor))), floor)
    )
    if shared is not None:
        relations = shared.moved(centre, unit)
        shift, rest = _left_over(blocks, relations)
        return relations, _channels(
            relations, whole, shift, rest, floor / unit, limit, rows, visits
        )
    z = np.clip(away / unit, -CLIPPED, CLIPPED)
    causes = number_of_causes(z)
    relations = Relations(centre, unit, Causes(z).correlation(causes))
    shift, rest = _unseen(blocks, centre, unit, z, causes)
    return relations, _channels(relations, whole, shift, rest, floor / unit, limit, rows, visits)


def followed(blocks: Sequence[Columns], relations: Relations, floor: Columns) -> Columns:
    """Give the scale (p,) that the slow mean will have once its baseline follows, in `unit`s.

    What was learnt from whole stretches holds their slow moves, too, and comes down within hours.

    Parameters
    ----------
    blocks, floor
        See `learn`.
    relations
        What the signals are told by.
    """
    away = []
    for block in blocks:
        left = np.nan_to_num(relations.residuals(block))
        away.append((means(left, SLOW) - means(left, FOLLOWS[1]))[BEGINS[1] :])
    rows = np.concatenate(away)
    middle = np.median(np.abs(rows), axis=0)
    return np.maximum(1.4826 * middle, BLURS[1] * floor / relations.unit)


def _unseen(
    blocks: Sequence[Columns], centre: Columns, unit: Columns, z: Columns, causes: int
) -> tuple[list[Columns], Columns]:
    """Give shifts of the two means and rests around the quick one, by relations of other rows.

    In-sample residuals are too small, the more so the more signals there are.
    """
    parts = _shifts(blocks, centre, unit)
    for begin, end in contiguous(len(z)):
        others = Causes(np.concatenate((z[:begin], z[end:]))).correlation(causes)
        turned = residual_map(others).T
        for part in parts:
            part[begin:end] = part[begin:end] @ turned
    return _begun(blocks, parts)


def _left_over(blocks: Sequence[Columns], relations: Relations) -> tuple[list[Columns], Columns]:
    """Give the same by relations that other rows have taught."""
    turned = residual_map(relations.correlation).T
    parts = [part @ turned for part in _shifts(blocks, relations.centre, relations.unit)]
    return _begun(blocks, parts)


def _shifts(blocks: Sequence[Columns], centre: Columns, unit: Columns) -> list[Columns]:
    """Give shifts of the two means, and rests around the quick one, of the signals themselves."""
    deviations = [np.nan_to_num((block - centre) / unit) for block in blocks]
    quick = [means(block, QUICK) for block in deviations]
    level = [np.cumsum(block, axis=0) / _counted(block) for block in deviations]
    return [
        np.concatenate([one - low for one, low in zip(quick, level, strict=True)]),
        np.concatenate(
            [means(block, SLOW) - low for block, low in zip(deviations, level, strict=True)]
        ),
        np.concatenate([block - one for block, one in zip(deviations, quick, strict=True)]),
    ]


def _begun(blocks: Sequence[Columns], parts: list[Columns]) -> tuple[list[Columns], Columns]:
    """Leave the first rows of each block out of the shifts."""
    starts = np.concatenate([np.arange(len(block)) for block in blocks])
    kept = [part[starts >= skip] for part, skip in zip(parts[:2], BEGINS, strict=False)]
    return kept, parts[2]


def _counted(block: Columns) -> Columns:
    return np.arange(1.0, len(block) + 1)[:, None]


def _channels(
    relations: Relations,
    whole: Columns,
    shift: list[Columns],
    rest: Columns,
    floor: Columns,
    limit: float,
    rows: int,
    visits: int,
) -> Channels:
    raw = robust_scale(rest, floor)
    scales, tops, together, pools = [], [], [], []
    for part, blur, half_life in zip(shift, BLURS, (QUICK, SLOW), strict=True):
        scale = robust_scale(part, blur * floor)
        scale = np.maximum(scale, LIKE_OTHERS * np.median(scale / raw) * raw)
        scale = np.maximum(scale, WORTH * floor / limit)
        scales.append(scale)
        deviation = part / scale
        tops.append(np.quantile(np.abs(deviation).max(axis=1), HIGH))
        together.append(products(deviation))
        usual = float(np.median(_unseen_distances(deviation, half_life)))
        pools.append(POOLED * max(usual, CALMEST) / lengthened(half_life, len(whole)))
    least = 0.01 * floor**2 + 1e-12
    variance = means(rest**2, RESTLESS)
    logs = np.log(variance[BEGINS[2] :] + least)
    calm = np.median(logs, axis=0)
    spread = 1.4826 * np.median(np.abs(logs - calm), axis=0)
    spread = np.maximum(spread, np.sqrt(2 / (POOLS * RESTLESS)))
    tops.append(np.quantile(((logs - calm) / spread).max(axis=1), HIGH))
    lives = (QUICK, SLOW, RESTLESS)
    one = [
        max(limit, ABOVE * top / widened(life, len(whole)))
        for top, life in zip(tops, lives, strict=True)
    ]
    lately = np.nan_to_num(relations.residuals(whole[-int(LATELY * FOLLOWS[1]) :]))
    return Channels(
        base=np.stack([means(lately, half_life)[-1] for half_life in FOLLOWS]),
        square=np.stack(scales) ** 2,
        variance=np.stack((variance[-1], variance[-1])),
        usual=calm,
        spread=spread,
        least=least,
        together=np.stack(together),
        limit=np.array([*one[:2], STRICTER * one[2], *pools, pool_limit(len(raw), limit)]),
        rows=float(rows),
        visits=float(visits),
    )


def _unseen_distances(deviations: Columns, half_life: float) -> Columns:
    """Give the distance of each row (n,), by what other rows do together."""
    looks = unsure(half_life, len(deviations))
    return cross_fitted(
        deviations, lambda others, rows: distances(rows, weights(products(others), looks))
    )
