"""History in a notebook: the columns that ``wheeltapper export`` writes, as arrays."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.errors import Misconfigured


def windows(
    data: str | Path,
    tags: Sequence[str] = (),
    *,
    every: str = "1m",
    since: str = "7d",
    until: str = "",
    central: str = "",
    token_file: str | Path | None = None,
) -> dict[str, NDArray[Any]]:
    """Read windows, of a gateway's own history or of a central store.

    Parameters
    ----------
    data
        The data folder of a gateway, or its configuration.
    tags
        Patterns of names, as ``*/pump-2/*``; without any all are read.
    every
        Length of the windows: 10s, 1m or 1h.
    since, until
        30m, 12h or 7d back from now, or a time as 2026-11-23T06:00; without `until` up to now.
    central
        Name of a ``[[sink]]`` of the configuration: read from there.
    token_file
        A token that may read there.

    Returns
    -------
    dict
        Columns (n,): time ``datetime64[ns]`` UTC, tag, count, good_ratio, min, max, mean, std,
        first, last; NaN where no sample was Good. ``pandas.DataFrame`` takes it as it is. It is all
        in memory; `connectors.contract.History.read` streams.

    Raises
    ------
    Misconfigured
        There is nothing there, no tag fits, or we are not let; the message says what to do.
    Unreachable
        The store does not answer.
    """
    from wheeltapper.export import LENGTHS, span
    from wheeltapper.exporting.pieces import WINDOWS, Windowed
    from wheeltapper.exporting.places import place

    if every not in LENGTHS:
        raise Misconfigured(f"windows of {every!r}: there are those of {', '.join(LENGTHS)}")
    start, stop = span(since, until)
    path = Path(data)
    with ExitStack() as opened:
        found = place(opened, path, central, Path(token_file) if token_file else None)
        asked = Windowed(found.history, tags, start, stop, LENGTHS[every] * 10**9)
        pieces = [columns for _, _, columns in asked.pieces()]
    if not pieces:
        return {name: np.empty(0) for name in WINDOWS}
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in WINDOWS}
