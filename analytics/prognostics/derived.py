"""Derived columns: what two signals tell together that neither tells alone.

Power is a product, a heat loss a difference, strain a product, slip a ratio. Trees cut one column
at a time and approximate such a boundary by a staircase that few bad parts cannot fill; given the
column, one cut does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected

Columns = NDArray[np.float64]

SIGNS = ("{0} × {1}", "{0} − {1}", "{0} + {1}", "{0} / {1}", "{1} / {0}")
PRODUCT, DIFFERENCE, SUM, RATIO, INVERSE = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """Columns followed by columns derived from pairs of them.

    Parameters
    ----------
    plain
        Positions of the columns taken as they are (p,).
    sign, left, right
        Operation and positions of each derived column (d,).
    """

    plain: NDArray[np.intp]
    sign: NDArray[np.intp]
    left: NDArray[np.intp]
    right: NDArray[np.intp]

    @classmethod
    def pairs(cls, plain: NDArray[np.intp], strong: NDArray[np.intp]) -> Self:
        """Take all columns in `plain`, and all five operations on each pair of `strong`."""
        one, other = np.triu_indices(len(strong), 1)
        sign = np.tile(np.arange(len(SIGNS)), len(one))
        left, right = np.repeat(strong[one], len(SIGNS)), np.repeat(strong[other], len(SIGNS))
        return cls(plain, sign, left, right)

    def of(self, rows: Columns) -> Columns:
        """Give the columns of rows (n, any) → (n, p + d); NaN where it cannot be reckoned.

        Examples
        --------
        >>> both = Derived.pairs(np.array([0, 1]), np.array([0, 1]))
        >>> both.of(np.array([[6.0, 2.0], [1.0, 0.0]])).tolist()
        [[6.0, 2.0, 12.0, 4.0, 8.0, 3.0, 0.3333333333333333], [1.0, 0.0, 0.0, 1.0, 1.0, nan, 0.0]]
        """
        out = np.empty((len(rows), len(self.plain) + len(self.sign)))
        out[:, : len(self.plain)] = rows[:, self.plain]
        a, b = rows[:, self.left], rows[:, self.right]
        made = out[:, len(self.plain) :]
        with np.errstate(all="ignore"):
            for sign, value in (
                (PRODUCT, np.multiply),
                (DIFFERENCE, np.subtract),
                (SUM, np.add),
                (RATIO, np.divide),
            ):
                which = self.sign == sign
                made[:, which] = value(a[:, which], b[:, which])
            which = self.sign == INVERSE
            made[:, which] = b[:, which] / a[:, which]
        out[~np.isfinite(out)] = np.nan
        return out

    def names(self, columns: Sequence[str]) -> list[str]:
        """Name the columns, plain ones first."""
        made = zip(self.sign, self.left, self.right, strict=True)
        plain = [columns[j] for j in self.plain]
        return plain + [SIGNS[s].format(columns[a], columns[b]) for s, a, b in made]

    def only(self, used: NDArray[np.bool_]) -> Self:
        """Leave out what is not used (p + d,)."""
        p = len(self.plain)
        made = used[p:]
        return type(self)(self.plain[used[:p]], self.sign[made], self.left[made], self.right[made])

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the columns as arrays."""
        return {
            "plain": self.plain.astype(np.int64),
            "made": np.vstack([self.sign, self.left, self.right]).astype(np.int64),
        }

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]], width: int) -> Self:
        """Build the same columns again over rows of `width`; Rejected when they do not exist."""
        plain, made = np.asarray(state["plain"], np.intp), np.asarray(state["made"], np.intp)
        fits = (
            plain.ndim == 1
            and made.ndim == 2
            and made.shape[0] == 3
            and bool(((plain >= 0) & (plain < width)).all())
            and bool(((made[0] >= 0) & (made[0] < len(SIGNS))).all())
            and bool(((made[1:] >= 0) & (made[1:] < width)).all())
        )
        if not fits:
            raise Rejected("the model's derived columns do not exist")
        return cls(plain, made[0], made[1], made[2])
