"""Two signals that were exchanged: each shows what the others expect of the other one.

Wires are exchanged between instruments of a kind, so only signals of one unit are tried. The proof
is that the rows fit the learnt relations again once the two columns are changed back, by a wide
margin: a fault of the machine fits neither way.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]

SUSPECTS = 4
"""Signals that deviate most, of which pairs are tried."""
SHARE = 0.3
"""Share of the largest deviation that makes a signal one of them."""
FITS, MARGIN = 4.0, 5.0
"""Mean square, in usual ones, below which rows fit, and how many times better they have to."""


class Fits(Protocol):
    """Says how rows fit what was learnt."""

    def misfit(self, rows: Columns) -> Columns:
        """Give the mean square (p,) of the residuals of rows (n, p), in usual ones."""
        ...


def swapped_pair(
    known: Fits, rows: Columns, strength: Columns, units: Sequence[str]
) -> tuple[int, int] | None:
    """Find the two signals that were exchanged in rows (n, p), if two were.

    Parameters
    ----------
    known
        What was learnt.
    rows
        The last rows as they came, all from after the deviation began.
    strength
        Deviation of each signal (p,).
    units
        UCUM code of each signal.
    """
    order = np.argsort(-strength, kind="stable")[:SUSPECTS].tolist()
    suspects = sorted(j for j in order if strength[j] >= SHARE * strength[order[0]])
    worst = known.misfit(rows)
    best: tuple[float, tuple[int, int]] | None = None
    for i, j in combinations(suspects, 2):
        if units[i] != units[j]:
            continue
        fit = float(known.misfit(exchanged(rows, i, j)).max())
        margin = min(float(worst[[i, j]].max()), float(worst.max()))
        if fit < FITS and margin > MARGIN * max(fit, 1.0) and (best is None or fit < best[0]):
            best = fit, (i, j)
    return None if best is None else best[1]


def exchanged(rows: Columns, i: int, j: int) -> Columns:
    """Give rows (n, p) with two columns exchanged.

    Examples
    --------
    >>> exchanged(np.array([[1.0, 2.0, 3.0]]), 0, 2).tolist()
    [[3.0, 2.0, 1.0]]
    """
    back = rows.copy()
    back[:, i], back[:, j] = rows[:, j], rows[:, i]
    return back
