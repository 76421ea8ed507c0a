"""Detectors of the product behind the interface of the protocol."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from analytics.contract import RowDetector
from analytics.rows import row_of
from analytics.watch import EVENTS_AT, Watch, WatchSettings

Columns = NDArray[np.float64]

SECOND = 10**9
FEWEST = 50
"""Rows that a watch learns at least."""


class WatchedRows:
    """The watch of an asset, fed row by row; each row counts as one second.

    Scores, alarms and reasons are those that the gateway would give: the watch scores, decides and
    learns in one step when `score_one` is called. The score is the watch's in limits; of a lone
    signal, whose alarms are single rows, it is the strangeness of the last while.

    Parameters
    ----------
    signals
        Names of the columns.
    bar
        Surprise at which a lone signal makes an event.
    """

    adaptive = False  # the watch has learnt the row by itself, after judging it

    def __init__(self, signals: Sequence[str], bar: float = EVENTS_AT) -> None:
        self._signals, self._bar = tuple(signals), bar
        self._values = itemgetter(*self._signals)
        self._history: list[Columns] = []
        self._watch: Watch | None = None
        self._rows = 0
        self.threshold = np.nan
        """Limit of the last score."""

    def learn_one(self, x: dict[str, float]) -> None:
        """Keep a row of the warm-up."""
        self._history.append(row_of(self._signals, x))

    def end_warmup(self) -> None:
        """Make a watch for which the warm-up is the healthy history."""
        rows = np.array(self._history).reshape(-1, len(self._signals))
        settings = WatchSettings(
            learn_rows=max(FEWEST, len(rows)),
            mode_rows=FEWEST,
            settle_s=0.0,
            bar=self._bar,
        )
        self._watch = Watch(self._signals, [""] * len(self._signals), settings)
        self._history.clear()
        at = np.arange(len(rows), dtype=np.int64) * SECOND
        self._rows = len(rows)
        self._watch.judge(at, rows, np.zeros(len(rows), np.int64))

    def score_one(self, x: dict[str, float]) -> float:
        """Score a row, then learn it; NaN while the watch cannot judge."""
        watch = self._made
        said = watch.judge_one(self._rows * SECOND, self._row(x), 0)
        self._rows += 1
        if said is None:
            return float("nan")
        score, limit = said
        lone = len(self._signals) == 1
        self.threshold = limit if lone else 1.0
        return watch.strangeness if lone else score / limit

    def _row(self, x: dict[str, float]) -> Columns:
        try:
            return np.array(self._values(x), np.float64).reshape(-1)
        except KeyError:  # a signal is missing
            return row_of(self._signals, x)

    def alarm_one(self, _score: float, _x: dict[str, float]) -> bool:
        """Tell whether the watch's alarm stands, or a sensor is told to be at fault."""
        return self._made.alarmed or bool(self._made.doubts)

    def explain_one(self, _x: dict[str, float]) -> Mapping[str, float]:
        """Give the contributions to the score that was given last.

        Where no alarm of the machine stands but sensors are at fault, those are the reason.
        """
        watch = self._made
        parts = dict(zip(self._signals, watch.contributions().tolist(), strict=True))
        doubts = [doubt.signal for doubt in watch.doubts]
        if not doubts or watch.alarmed:
            return parts
        whole = sum(parts.values()) / len(doubts)
        return {signal: whole * (signal in doubts) for signal in self._signals}

    @property
    def _made(self) -> Watch:
        if self._watch is None:
            raise RuntimeError("end_warmup comes before the first score")
        return self._watch


class LearnsAtOnce:
    """A detector over arrays that is made once the length of its history is known.

    Parameters
    ----------
    signals
        Names of the columns.
    build
        Names and number of healthy rows → the detector.
    """

    adaptive = True

    def __init__(
        self, signals: Sequence[str], build: Callable[[Sequence[str], int], RowDetector]
    ) -> None:
        self._signals = tuple(signals)
        self._build = build
        self._history: list[Columns] = []
        self._detector: RowDetector | None = None

    def learn_one(self, x: dict[str, float]) -> None:
        """Keep a row of the warm-up; learn a later one."""
        row = row_of(self._signals, x)
        if self._detector is None:
            self._history.append(row)
        else:
            self._detector.learn_rows(row[None, :])

    def end_warmup(self) -> None:
        """Make the detector and let it learn the warm-up."""
        self._detector = self._build(self._signals, len(self._history))
        self._detector.learn_rows(np.array(self._history))
        self._history.clear()

    def score_one(self, x: dict[str, float]) -> float:
        """Score a row."""
        return float(self._made.score_rows(row_of(self._signals, x)[None, :])[0])

    def explain_one(self, x: dict[str, float]) -> Mapping[str, float]:
        """Split the score of a row over the signals."""
        parts = self._made.contributions(row_of(self._signals, x)[None, :])[0]
        return dict(zip(self._signals, parts.tolist(), strict=True))

    @property
    def _made(self) -> RowDetector:
        if self._detector is None:
            raise RuntimeError("end_warmup comes before the first score")
        return self._detector
