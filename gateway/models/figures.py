"""What the model in force and the one beside it said of the same rows, counted.

Counts only, of one size whatever the time: a fold over the rows, so that a snapshot and the rows
after it give the same again. Nothing here is a clock.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.judgements import Judgement, Transition
from plant.alarms import AlarmAction

IN_FORCE, BESIDE = 0, 1
"""Places in every pair of counts."""
EDGES = np.exp2(np.arange(-40, 41) / 4)
"""Bounds of the buckets of score over limit: four an octave, a thousandth to a thousandfold."""
_EDGES = EDGES.tolist()
SAME_NS = 60 * 10**9
"""Two alarms no further apart than this are one and the same, seen by both."""
SPANS = 64
"""Alarms of the one beside whose times are kept, the newest."""
MODES = 64
"""Modes that are counted on their own."""

Counts = NDArray[np.int64]


class Figures:
    """How two models compare since they stand side by side.

    Attributes
    ----------
    rows
        Rows that both were given.
    judged
        Rows that each judged (2,): the one in force, the one beside.
    verdicts
        Rows that both judged while no alarm of the trusted one stood (2, 2): whether the one in
        force called them anomalous, whether the one beside did. Trusted is the one in force, but
        on probation the one before.
    scores
        Judged rows of each by score over limit (2, 82), buckets as `EDGES` bounds them.
    raised
        Alarms of each (2,); `shared`: those of both.
    modes
        Rows of each mode that each judged.
    begun
        Source time of the first row, ns.
    """

    def __init__(self) -> None:
        self.rows = self.shared = 0
        self.judged = np.zeros(2, np.int64)
        self.verdicts = np.zeros((2, 2), np.int64)
        self.scores = np.zeros((2, len(EDGES) + 1), np.int64)
        self.raised = np.zeros(2, np.int64)
        self.modes: dict[int, list[int]] = {}
        self.begun = 0
        self._spans: list[list[int]] = []
        self._lone: tuple[list[int], list[int]] = ([], [])

    def take(
        self,
        at: NDArray[np.int64],
        mode: NDArray[np.int64],
        said: tuple[Judgement, Judgement],
        *,
        standing: bool,
    ) -> None:
        """Count rows (n,) that both judged; `standing`: an alarm of the trusted one stood."""
        if not self.rows:
            self.begun = int(at[0])
        self.rows += len(at)
        if len(at) == 1:  # as rows come live
            self._take_one(int(mode[0]), said, standing=standing)
        else:
            self._take_many(mode, said, standing=standing)
        self._pair(int(at[-1]), said)

    def _take_one(self, mode: int, said: tuple[Judgement, Judgement], *, standing: bool) -> None:
        for side, one in enumerate(said):
            if one.judged[0]:
                self.judged[side] += 1
                place = bisect_left(_EDGES, float(one.score[0]) / float(one.threshold[0]))
                self.scores[side, place] += 1
                self._visit(side, mode, 1)
        first, second = said
        if not standing and first.judged[0] and second.judged[0]:
            self.verdicts[int(first.anomalous[0]), int(second.anomalous[0])] += 1

    def _take_many(
        self, mode: NDArray[np.int64], said: tuple[Judgement, Judgement], *, standing: bool
    ) -> None:
        for side, one in enumerate(said):
            if one.judged.any():
                rows = one.judged
                self.judged[side] += np.count_nonzero(rows)
                place = np.searchsorted(EDGES, one.score[rows] / one.threshold[rows])
                self.scores[side] += np.bincount(place, minlength=len(EDGES) + 1)
                for each, count in zip(*np.unique(mode[rows], return_counts=True), strict=True):
                    self._visit(side, int(each), int(count))
        first, second = said
        both = first.judged & second.judged
        if not standing and both.any():
            kinds = 2 * first.anomalous[both] + second.anomalous[both]
            self.verdicts += np.bincount(kinds, minlength=4).reshape(2, 2)

    def _visit(self, side: int, mode: int, count: int) -> None:
        known = self.modes.get(mode)
        if known is None and len(self.modes) < MODES:
            known = self.modes[mode] = [0, 0]
        if known is not None:
            known[side] += count

    def _pair(self, now: int, said: tuple[Judgement, Judgement]) -> None:
        for side, one in enumerate(said):
            for told in one.transitions:
                if told.action is AlarmAction.RAISE:
                    self._raise(side, told.at)
                if side == BESIDE:
                    self._stand(told)
        for lone in self._lone:
            lone[:] = [at for at in lone if now - at <= SAME_NS]

    def _raise(self, side: int, at: int) -> None:
        self.raised[side] += 1
        others = self._lone[1 - side]
        near = next((other for other in others if abs(at - other) <= SAME_NS), None)
        if near is None:
            self._lone[side].append(at)
        else:
            others.remove(near)
            self.shared += 1

    def _stand(self, told: Transition) -> None:
        """Keep from when to when an alarm of the one beside stood; 0: it does."""
        if told.action is AlarmAction.RAISE:
            self._spans = [*self._spans, [told.onset, 0]][-SPANS:]
        elif told.action is AlarmAction.CLEAR and self._spans:
            self._spans[-1][1] = told.at

    def saw(self, begin: int, end: int) -> bool:
        """Tell whether the one beside alarmed while something lasted, or within a minute of it."""
        return any(
            onset <= end + SAME_NS and (not gone or gone >= begin - SAME_NS)
            for onset, gone in self._spans
        )

    def own(self, side: int) -> int:
        """Count the alarms that one raised and the other, for a minute, did not."""
        return int(self.raised[side]) - self.shared - len(self._lone[side])

    def over(self, side: int) -> float:
        """Give the share of the rows outside alarms that it called anomalous."""
        rows = int(self.verdicts.sum())
        return float(self.verdicts.sum(axis=1 - side)[1] / rows) if rows else 0.0

    def alone(self, side: int) -> tuple[int, int]:
        """Count the rows outside alarms that only this one called anomalous, and all of them."""
        only = self.verdicts[1, 0] if side == IN_FORCE else self.verdicts[0, 1]
        return int(only), int(self.verdicts.sum())

    @property
    def agreement(self) -> float | None:
        """Share of the rows outside alarms of which both said the same; None of none."""
        rows = int(self.verdicts.sum())
        return int(self.verdicts.trace()) / rows if rows else None

    def level(self, side: int, share: float = 0.5) -> float | None:
        """Give the score over limit that this share of its rows does not exceed; None of none.

        It is the upper bound of a bucket, so it is right to a quarter of an octave.
        """
        counted = np.cumsum(self.scores[side])
        if not counted[-1]:
            return None
        place = int(np.searchsorted(counted, share * counted[-1]))
        return float(EDGES[min(place, len(EDGES) - 1)])

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything counted, as arrays."""
        modes = [(mode, *counts) for mode, counts in self.modes.items()]
        return {
            "counts": np.array([self.rows, self.shared], np.int64),
            "judged": self.judged.copy(),
            "verdicts": self.verdicts.copy(),
            "scores": self.scores.copy(),
            "raised": self.raised.copy(),
            "modes": np.array(modes, np.int64).reshape(-1, 3),
            "lone": np.array([at for lone in self._lone for at in lone], np.int64),
            "split": np.array([len(self._lone[IN_FORCE])], np.int64),
            "begun": np.array([self.begun], np.int64),
            "spans": np.array(self._spans, np.int64).reshape(-1, 2),
        }

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> "Figures":
        """Go on from a `state`."""
        known = cls()
        known.rows, known.shared = state["counts"].tolist()
        known.judged, known.verdicts = state["judged"], state["verdicts"]
        known.scores, known.raised = state["scores"], state["raised"]
        known.modes = {mode: counts for mode, *counts in state["modes"].tolist()}
        lone, split = state["lone"].tolist(), int(state["split"][0])
        known._lone = lone[:split], lone[split:]
        if "spans" in state:  # what was kept by an earlier version has none
            known.begun, known._spans = int(state["begun"][0]), state["spans"].tolist()
        return known
