"""Recordings with what somebody marked in them, and all that can be wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.protocol import FEWEST
from analytics.evaluation.segments import Marks
from connectors.replay.config import LateRows
from connectors.replay.recording import Recording, read_recording
from connectors.replay.table import opened
from plant.errors import Misconfigured

Columns = NDArray[np.float64]
Times = NDArray[np.int64]

STATES = ("anomaly", "anomaly_window", "label", "is_anomaly")
"""Columns that are taken for labels by their names: the first one there is the truth."""
CHANGES = "changepoint"
DRAWN = ("anomaly_point",)
"""Marks of single instants, which are drawn and not counted."""
ENDINGS = (".csv", ".csv.gz")
LEAST_WARMUP = 400
"""Rows of warm-up when nothing is said: these or a quarter, whichever is more; half at most."""

_BLOCK = 50
_OTHER_RATE = 1.8


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """One recording on its way through a detector.

    Parameters
    ----------
    path
        Its file.
    signals
        Names of the columns, as they were in the file or renamed.
    at
        Source time of each row (n,), ns.
    rows
        Values (n, p), NaN where there is none.
    warmup
        Rows that are learnt and not scored.
    truth, changes
        Labelled rows and changepoints (n,); None where nothing is labelled.
    notes
        What a person should know about how it was read.
    """

    path: Path
    signals: tuple[str, ...]
    at: Times
    rows: Columns
    warmup: int
    truth: Marks | None
    changes: Marks | None
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the file without its endings."""
        return self.path.name.removesuffix(".gz").removesuffix(".csv")


def files_of(paths: Sequence[Path]) -> list[Path]:
    """List the recordings in files and folders, a folder's in order of their names.

    Raises
    ------
    Misconfigured
        No such path, or a folder without a CSV file.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(each for each in path.iterdir() if each.name.endswith(ENDINGS))
        if not inside:
            raise Misconfigured(
                f"{path}: holds no recording (*.csv, *.csv.gz); name a file, or a folder with some"
            )
        found += inside
    return list(dict.fromkeys(found))


def warmup_of(text: str | None, rows: int, where: Path) -> int:
    """Give the rows of warm-up: a number of rows, a share (``0.3``, ``30%``), or by default.

    Raises
    ------
    Misconfigured
        Neither, or no row would be left to learn from or to judge.

    Examples
    --------
    >>> file = Path("pump.csv")
    >>> warmup_of("500", 2000, file), warmup_of("30%", 2000, file), warmup_of(None, 2000, file)
    (500, 600, 500)
    """
    if text is None:
        warmup = min(max(LEAST_WARMUP, rows // 4), rows // 2)
    else:
        warmup = _counted(text.strip(), rows)
    if warmup < FEWEST:
        raise Misconfigured(
            f"recording {where}: {warmup} of its {rows} rows would be learnt from, which teaches "
            f"nothing; give --warmup {FEWEST} or more, or a longer recording"
        )
    if warmup >= rows:
        raise Misconfigured(
            f"recording {where}: its {rows} rows leave none to judge after a warm-up of {warmup}; "
            "shorten --warmup, or give a longer recording"
        )
    return warmup


def _counted(text: str, rows: int) -> int:
    try:
        if text.endswith("%"):
            share = float(text[:-1]) / 100
        elif text.isdigit():
            return int(text)
        else:
            share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise Misconfigured(
            f"--warmup {text}: is neither a number of rows (400) nor a share (0.3 or 30%)"
        )
    return int(share * rows)


def labels_in(path: Path) -> tuple[str, ...]:
    """Give the columns of a file that are labels by their names."""
    with opened(path) as table:
        return tuple(name for name in (*STATES, CHANGES, *DRAWN) if name in table.header)


def read(
    path: Path,
    labels: Sequence[str] = (),
    warmup: str | None = None,
    time: str = "time",
    late_rows: LateRows = "refuse",
    any_rate: bool = False,
) -> Evaluated:
    """Read a recording and its labels.

    Parameters
    ----------
    path
        CSV, plain or gzipped.
    labels
        Label columns, the first of them the truth; empty takes those with a known name.
    warmup
        As a person wrote it.
    time
        Name of the time column.
    late_rows
        What becomes of a row whose time goes back.
    any_rate
        Go on although the rate of sampling changes.

    Raises
    ------
    Misconfigured
        The file cannot be judged; the message names file, row, column and mend.
    """
    named = labels_in(path)
    recording = read_recording(path, tuple(dict.fromkeys((*labels, *named))), time, late_rows)
    truth = next((name for name in (*labels, *STATES) if name in recording.labels), None)
    if truth in {CHANGES, *DRAWN}:
        truth = None
    learnt = warmup_of(warmup, len(recording), path)
    _demand_values(recording, learnt)
    if not any_rate:
        _demand_one_rate(recording)
    by_name = [name for name in named if name not in labels]
    taken = (f"labels, by their names: {', '.join(by_name)}",) if by_name else ()
    return Evaluated(
        path=path,
        signals=tuple(tag.address for tag in recording.tags),
        at=recording.at,
        rows=recording.values,
        warmup=learnt,
        truth=None if truth is None else _marks(recording, truth),
        changes=_marks(recording, CHANGES) if CHANGES in recording.labels else None,
        notes=(*recording.notes, *taken, *_holes(recording)),
    )


def anonymous(recording: Evaluated, key: int) -> Evaluated:
    """Rename the signals f0, f1 … and reorder them, so that nothing can hang on a name."""
    order = np.random.default_rng(key).permutation(len(recording.signals))
    return Evaluated(
        path=recording.path,
        signals=tuple(f"f{i}" for i in range(len(order))),
        at=recording.at,
        rows=recording.rows[:, order],
        warmup=recording.warmup,
        truth=recording.truth,
        changes=recording.changes,
        notes=recording.notes,
    )


def _marks(recording: Recording, name: str) -> Marks:
    column = recording.labels[name]
    wrong = np.flatnonzero((column != 0) & (column != 1))
    if len(wrong):
        value = column[wrong[0]]
        said = "is empty" if np.isnan(value) else f"holds {value:g}"
        raise Misconfigured(
            f"recording {recording.path}, row {recording.lines[wrong[0]]}, column {name!r}: a "
            f"label is 0 or 1, and this one {said}; mend the cell, or name another column with "
            "--label"
        )
    return np.asarray(column == 1, np.bool_)


def _demand_values(recording: Recording, warmup: int) -> None:
    known = np.isfinite(recording.values)
    if not known[:warmup].any():
        raise Misconfigured(
            f"recording {recording.path}, rows {recording.lines[0]} to "
            f"{recording.lines[warmup - 1]}: no signal has a value in the {warmup} rows of "
            "warm-up; lengthen --warmup, or cut the empty rows off"
        )
    if not known[warmup:].any():
        raise Misconfigured(
            f"recording {recording.path}, rows {recording.lines[warmup]} to "
            f"{recording.lines[-1]}: no signal has a value after the warm-up of {warmup} rows; "
            "shorten --warmup, or give a longer recording"
        )


def _demand_one_rate(recording: Recording) -> None:
    """Refuse a file whose rate changes for good: rows are what a detector counts time in."""
    steps = np.diff(recording.at)
    blocks = len(steps) // _BLOCK
    if blocks < 2:
        return
    medians = np.median(steps[: blocks * _BLOCK].reshape(blocks, _BLOCK), axis=1)
    usual = float(np.median(steps))
    if usual <= 0:
        raise Misconfigured(
            f"recording {recording.path}: most of its rows have the time of the row above; give "
            "each row a time of its own"
        )
    ratio = medians / usual
    other = (ratio > _OTHER_RATE) | (ratio < 1 / _OTHER_RATE)
    lasting = np.flatnonzero(other[1:] & other[:-1])
    if not len(lasting):
        return
    first = int(lasting[0]) * _BLOCK
    raise Misconfigured(
        f"recording {recording.path}, from row {recording.lines[first]}: one row every "
        f"{medians[lasting[0]] / 1e9:g} s, but mostly one every {usual / 1e9:g} s; split the file "
        "where the rate changes or resample it, or go on all the same with --any-rate"
    )


def _holes(recording: Recording) -> list[str]:
    """Say what is missing: rows without any value, signals that never change."""
    notes = []
    known = np.isfinite(recording.values)
    empty = int(np.count_nonzero(~known.any(axis=1)))
    if empty:
        notes.append(f"rows without any value: {empty}")
    with np.errstate(invalid="ignore"):
        spans = np.array([np.ptp(c[k]) for c, k in zip(recording.values.T, known.T, strict=True)])
    still = [t.address for t, span in zip(recording.tags, spans, strict=True) if span == 0]
    if still:
        notes.append(f"signals of one value throughout: {', '.join(still)}")
    return notes
