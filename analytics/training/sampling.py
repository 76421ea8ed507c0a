"""Which runs of a long time are laid out: enough of every mode, from begin to end.

A watch keeps a few thousand rows of a mode and needs no more, but it should have seen Monday and
Sunday, day and night. So of a long time whole runs are taken, spread evenly over it, each from its
entry on, as long as a watch looks at how a mode is entered; only where a machine hardly ever
changes its mode are pieces taken from within.
"""

from collections.abc import Sequence

import numpy as np

from analytics.arrivals import RUNGS

Piece = tuple[int, int]

MODE_ROWS = 48_000
"""Rows of one mode that are laid out at most, unless said otherwise."""
RUNS = 12
"""With fewer runs of a mode there are pieces taken from within them, so many at least."""
LONGEST = RUNGS[-1] + 80
"""Rows of a run after which it tells nothing more of how it was entered."""


def sample(pieces: Sequence[Piece], rows: int, most: int = MODE_ROWS) -> list[Piece]:
    """Choose pieces (begin, end) of windows of one mode.

    Parameters
    ----------
    pieces
        In time order.
    rows
        Rows of a window.
    most
        Rows that they may come to.

    Examples
    --------
    >>> sample([(0, 5), (7, 9)], 10)
    [(0, 5), (7, 9)]
    >>> pieces = sample([(0, 1000)], 10, 240)
    >>> len(pieces), pieces[0], pieces[-1]
    (12, (0, 2), (998, 1000))
    """
    if sum(end - begin for begin, end in pieces) * rows <= most:
        return list(pieces)
    few = len(pieces) < RUNS
    longest = max(2, (most // RUNS if few else LONGEST) // rows)
    cut = [(begin, min(end, begin + longest)) for begin, end in pieces]
    if few:
        cut = [
            (at, min(at + longest, end))
            for begin, end in pieces
            for at in range(begin, end, longest)
            if min(at + longest, end) - at > 1
        ]
    length = np.array([end - begin for begin, end in cut])
    # the mean length says how many of them fit; they are taken evenly over the time
    fit = int(np.clip(most / rows / length.mean(), 1, len(cut)))
    return [
        cut[place] for place in np.unique(np.linspace(0, len(cut) - 1, fit).round().astype(int))
    ]
