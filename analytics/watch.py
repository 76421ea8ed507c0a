"""Watches one asset: learns what is normal in each mode, then judges, alarms and explains.

Rows are smoothed, scored by `TwoStatistic` against the baseline of the mode the asset is in, and
held against a limit from healthy scores that were not learnt. Order is always score, decide, learn;
nothing is learnt while the score is high or the alarm stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from analytics.alarming import AlarmLatch
from analytics.baselines import ModeBaselines, part_of, prefixed
from analytics.contract import State
from analytics.detectors.two_statistic import Deviation
from analytics.explanations import Evidence, explain
from analytics.judgements import Judgement, OpenJudgement, Transition
from analytics.smoothing import Smoother
from plant.alarms import AlarmAction
from plant.errors import Misconfigured
from plant.reasons import Reason

__all__ = ["Judgement", "Transition", "Watch", "WatchSettings"]

Columns = NDArray[np.float64]
Phase = Literal["learning", "watching", "alarmed"]

HALF_LIFE = 7.0
"""Rows after which a row counts half in the smoothed signals."""
POOLED = 2.9 * HALF_LIFE
"""Smoothed rows worth one independent row."""
PAST = 60.0
"""Half-life of the recent past against which a trend is told, rows."""
STEADY_ROWS = 8
"""Rows after a start before the smoothed signals are judged."""
CATCHES_UP = 25.0
"""Half-life of the baseline while the asset settles after an alarm, rows."""
GAP_NS, GAP_ROWS = 60 * 10**9, 10
"""Rows further apart than this, and than so many usual rows, do not belong to one stretch."""
IN_BAND, OUT_OF_BAND = 2.5, 3.0
"""Scales at which a signal is back in its band, and at which it has left it."""
WORSE = 1.5
"""Growth of the score since it was last told at which a standing alarm is told anew."""
_INSIDE = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """How an asset is watched.

    Parameters
    ----------
    learn_rows
        Rows of the asset, whatever its mode, before it is judged. More is better: what happens
        in this time counts as normal.
    mode_rows
        Rows of a single mode before it is judged in that mode.
    settle_s
        Seconds after a change of mode that are neither judged nor learnt.
    on_delay_s
        Seconds that the score must stay above its limit before the alarm is raised.
    off_delay_s
        Seconds that the fault must be gone before the alarm is cleared.
    margin
        Distance of the limit from healthy scores; 1 is usual, more means fewer alarms.
    """

    learn_rows: int = 390
    mode_rows: int = 300
    settle_s: float = 20.0
    on_delay_s: float = 8.0
    off_delay_s: float = 20.0
    margin: float = 1.0

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        if self.learn_rows < 50 or self.mode_rows < 50:
            raise Misconfigured(
                "learn_rows and mode_rows must be 50 or more: fewer rows say nothing about normal"
            )
        if min(self.settle_s, self.on_delay_s, self.off_delay_s) < 0 or self.margin <= 0:
            raise Misconfigured("settle_s, on_delay_s, off_delay_s must be ≥ 0 and margin > 0")


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """The last judged row."""

    at: int
    mode: int
    smooth: Columns
    deviation: Deviation

    def state(self) -> State:
        deviation = self.deviation
        return {
            "row": np.array([self.at, self.mode], np.int64),
            "score": np.array([deviation.score]),
            "columns": np.stack((self.smooth, deviation.z, deviation.pull, deviation.strength)),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        at, mode = state["row"].tolist()
        smooth, z, pull, strength = state["columns"].copy()
        return cls(at, mode, smooth, Deviation(float(state["score"][0]), z, pull, strength))


class Watch:
    """Watches one asset.

    Parameters
    ----------
    signals, units
        Tag name and UCUM code of each column.
    settings
        How it is watched.
    """

    def __init__(
        self, signals: Sequence[str], units: Sequence[str], settings: WatchSettings
    ) -> None:
        if not signals or len(signals) != len(units):
            raise Misconfigured("an asset is watched by one signal or more, each with its unit")
        self.signals, self.units = tuple(signals), tuple(units)
        self.settings = settings
        self._settle = int(settings.settle_s * 1e9)
        needed = min(settings.mode_rows, settings.learn_rows)
        self._modes = ModeBaselines(signals, POOLED, needed, settings.margin)
        self._fast = Smoother(len(signals), HALF_LIFE)
        self._slow = Smoother(len(signals), PAST)
        self._latch = AlarmLatch(
            len(signals), int(settings.on_delay_s * 1e9), int(settings.off_delay_s * 1e9)
        )
        self._told = 0.0
        self._left = np.full(len(signals), _INSIDE, np.int64)
        self._past = np.full(len(signals), np.nan)
        self._seen: _Seen | None = None
        self._rows = 0
        self._mode: int | None = None
        self._entered = self._last = self._apart = 0

    @property
    def phase(self) -> Phase:
        """What the asset's watch is doing."""
        if self._latch.alarmed:
            return "alarmed"
        if not self._learnt:
            return "learning"
        return "learning" if self.progress < 1 else "watching"

    @property
    def settling(self) -> bool:
        """Whether the mode changed so lately that the present is not judged."""
        return self._last - self._entered < self._settle

    @property
    def progress(self) -> float:
        """How much of the learning is done, 0 to 1; of the present mode once the rest is."""
        if not self._learnt:
            return self._rows / self.settings.learn_rows
        return 0.0 if self._mode is None else self._modes.progress(self._mode)

    def judge(self, at: NDArray[np.int64], rows: Columns, mode: NDArray[np.int64]) -> Judgement:
        """Judge rows in time order, then learn from them.

        Parameters
        ----------
        at
            Source time (n,), ns, increasing.
        rows
            Values (n, p) in the signals' units, NaN = not Good.
        mode
            Operating mode (n,); any one number if the asset has none.
        """
        verdict = OpenJudgement(at)
        whole: list[bool] = np.logical_and.reduce(np.isfinite(rows), axis=1).tolist()
        for i, (when, now) in enumerate(zip(at.tolist(), mode.tolist(), strict=True)):
            self._advance(verdict, i, when, now, rows[i], whole[i])
        return verdict.close()

    def band(self, mode: int) -> tuple[Columns, Columns, Columns]:
        """Give low, high and expected (p,) of a mode; NaN while it is not learnt."""
        known = self._modes.get(mode)
        if known is None:
            nothing = np.full(len(self.signals), np.nan)
            return nothing, nothing.copy(), nothing.copy()
        return known.band()

    def explain(self) -> Reason | None:
        """Explain the last judged row; None if there is none."""
        return None if self._seen is None else self._reason(self._seen)

    @property
    def _learnt(self) -> bool:
        return self._rows >= self.settings.learn_rows

    def _advance(
        self, verdict: OpenJudgement, i: int, at: int, mode: int, row: Columns, whole: bool
    ) -> None:
        self._rows += 1
        smooth = self._smooth(row, whole) if self._enter(at, mode) else None
        if not self._learnt:
            if smooth is not None:
                self._modes.gather(mode, row, smooth)
            return
        if self._rows == self.settings.learn_rows:
            self._modes.fit()
        if smooth is None:
            self._latch.hold()
            return
        self._judge_settled(verdict, i, at, mode, row, smooth)

    def _smooth(self, row: Columns, whole: bool) -> Columns | None:
        """Smooth a row (p,); None while the means are too young to be judged."""
        smooth = self._fast.smooth(row, whole)
        self._past = self._slow.smooth(row, whole)
        return smooth if self._fast.rows >= STEADY_ROWS else None

    def _enter(self, at: int, mode: int) -> bool:
        """Take note of time and mode; say whether the asset has settled in it."""
        apart = at - self._last
        gap = apart > max(GAP_NS, GAP_ROWS * self._apart)
        if self._rows > 1:
            self._apart = min(self._apart, apart) if self._apart else apart
        if mode != self._mode or gap:
            self._mode, self._entered = mode, at
            self._fast.start_again()
            self._slow.start_again()
        self._last = at
        return at - self._entered >= self._settle

    def _judge_settled(
        self, verdict: OpenJudgement, i: int, at: int, mode: int, row: Columns, smooth: Columns
    ) -> None:
        baseline = self._modes.get(mode)
        if baseline is None or not baseline.ready:
            self._latch.hold()
            if not self._latch.alarmed:
                self._modes.learn(mode, row, smooth)
            return
        deviation = baseline.detector.deviation(smooth)
        if deviation is None:
            self._latch.hold()
            return
        self._seen = seen = _Seen(at, mode, smooth, deviation)
        verdict.score(i, deviation.score, baseline.limit)
        np.minimum(self._left, at, out=self._left, where=deviation.strength > OUT_OF_BAND)
        self._left[deviation.strength < IN_BAND] = _INSIDE
        action = self._latch.step(at, mode, deviation.score, baseline.limit, deviation.strength)
        if action is None and self._latch.alarmed and deviation.score > WORSE * self._told:
            action = AlarmAction.WORSEN
        if action is not None:
            self._told = deviation.score
            verdict.add(self._transition(seen, action))
        if self._latch.settling(at):
            baseline.detector.catch_up(smooth, CATCHES_UP)
        elif not self._latch.alarmed and deviation.score <= baseline.limit:
            baseline.detector.learn_row(smooth)

    def _transition(self, seen: _Seen, action: AlarmAction) -> Transition:
        reason = self._reason(seen)
        told = reason.contributions
        return Transition(seen.at, told[0].since if told else seen.at, action, reason)

    def _reason(self, seen: _Seen) -> Reason:
        baseline = self._modes[seen.mode]
        deviation = seen.deviation
        low, high, _ = baseline.band()
        doubted = deviation.strength > OUT_OF_BAND
        evidence = Evidence(
            parts=np.maximum(np.nan_to_num(deviation.z) * deviation.pull, 0.0),
            actual=seen.smooth,
            past=self._past,
            expected=baseline.detector.expected_given(seen.smooth, doubted),
            low=low,
            high=high,
            scale=baseline.detector.scale,
            left=np.minimum(self._left, seen.at),
        )
        return explain(deviation.score, baseline.limit, evidence, self.signals, self.units)

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything that decides later verdicts, as arrays."""
        known: dict[str, NDArray[Any]] = {
            "left": self._left.copy(),
            "told": np.array([self._told]),
            "past": self._past.copy(),
            "clock": np.array([self._rows, self._entered, self._last, self._apart], np.int64),
            "mode": np.array([] if self._mode is None else [self._mode], np.int64),
        }
        known |= prefixed("fast.", self._fast.state())
        known |= prefixed("slow.", self._slow.state())
        known |= prefixed("latch.", self._latch.state())
        known |= prefixed("modes.", self._modes.state())
        if self._seen is not None:
            known |= prefixed("seen.", self._seen.state())
        return known

    def restore(self, state: State) -> None:
        """Go on from a `state` of a watch with the same signals."""
        self._left = np.array(state["left"], np.int64)
        self._told = float(state["told"][0])
        self._past = np.array(state["past"], np.float64)
        self._rows, self._entered, self._last, self._apart = state["clock"].tolist()
        self._mode = int(state["mode"][0]) if len(state["mode"]) else None
        self._fast.restore(part_of(state, "fast."))
        self._slow.restore(part_of(state, "slow."))
        self._latch.restore(part_of(state, "latch."))
        self._modes.restore(part_of(state, "modes."))
        self._seen = _Seen.restore(part_of(state, "seen.")) if "seen.row" in state else None
