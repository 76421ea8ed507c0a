"""Detectors of the product behind the interface of the protocol."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.contract import RowDetector
from analytics.rows import row_of
from analytics.watch import Watch, WatchSettings

Columns = NDArray[np.float64]

SECOND = 10**9


class WatchedRows:
    """The watch of an asset, fed row by row; each row counts as one second.

    Scores, alarms and reasons are those that the gateway would give: the watch scores, decides and
    learns in one step when `score_one` is called.

    Parameters
    ----------
    signals
        Names of the columns.
    """

    adaptive = False  # the watch has learnt the row by itself, after judging it

    def __init__(self, signals: Sequence[str]) -> None:
        self._watch = Watch(signals, [""] * len(signals), WatchSettings())
        self._rows = 0
        self.threshold = np.nan
        """Limit of the last score."""

    def learn_one(self, x: dict[str, float]) -> None:
        """Learn a row of the warm-up."""
        self._judge(x)

    def score_one(self, x: dict[str, float]) -> float:
        """Score a row, then learn it; NaN while the watch cannot judge."""
        return self._judge(x)

    def alarm_one(self, _score: float, _x: dict[str, float]) -> bool:
        """Tell whether the watch's alarm stands."""
        return self._watch.phase == "alarmed"

    def explain_one(self, _x: dict[str, float]) -> Mapping[str, float]:
        """Give the contributions to the score that was given last."""
        reason = self._watch.explain()
        return {part.signal: part.share for part in reason.contributions} if reason else {}

    def _judge(self, x: dict[str, float]) -> float:
        row = row_of(self._watch.signals, x)
        at = np.array([self._rows * SECOND], np.int64)
        self._rows += 1
        said = self._watch.judge(at, row[None, :], np.zeros(1, np.int64))
        self.threshold = float(said.threshold[0])
        return float(said.score[0])


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
