"""Monitors of single tags: range, rate of change, flat line and shift, for all tags at once.

Every tag is held against its own past: a level (EWMA, Roberts 1959) with a clipped mean absolute
deviation, its usual step, its usual share of changes, and a two-sided CUSUM (Page 1954) held
against the heights that it usually reaches. What is learnt from one sample is clipped, so a spike
leaves the baseline where it was, while a lasting change of level is accepted in the end.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State
from analytics.findings import Finding
from analytics.passes import occurrence_passes
from plant.errors import Misconfigured
from plant.quality import is_good
from plant.tags import Role, TagHandle

WARM = 300
"""Samples of a tag before it is judged: a minute of its life is not its life."""
FIRST = 10
"""Samples that are learnt unclipped, as nothing is known yet."""
MEMORY = 1 / 500
"""Weight of the newest sample in every running mean."""
CLIP = 4.0
"""No sample is learnt as further away than this many usual deviations."""
FAR = 8.0
"""Mean absolute deviations from the level that are a shift at once; 6.4 sd of a normal signal."""
JUMP = 10.0
"""Usual steps that are too fast, if they also leave the usual spread."""
SLACK, CREST = 1.5, 4.0
"""CUSUM: deviations that are not added up; usual crests at which the sum is a shift."""
STILL = 25.0
"""Changes that should have been seen meanwhile; chance e⁻²⁵ for changes that come at random."""
HOLDS = 4.0
"""Usual longest stand-stills that are a flat line."""

_FIELDS = (
    "count", "level", "spread", "step", "changes", "every", "last",
    "up", "down", "crest", "same", "hold", "change",
)  # fmt: skip
_Columns = NDArray[np.float64]
_Flags = NDArray[np.bool_]


class MonitorBank:
    """Judges samples of many tags, each against the tag's own past.

    Parameters
    ----------
    handles
        The tags; only those of role ``signal`` are judged.
    """

    def __init__(self, handles: Sequence[TagHandle]) -> None:
        self._handles = np.empty(0, np.int64)
        self._slot_of = np.empty(0, np.intp)
        self._judged = np.empty(0, np.bool_)
        self._low, self._high, self._deadband = (np.empty(0) for _ in range(3))
        self._memory = np.zeros((len(_FIELDS), 0))
        self._at = np.empty(0, np.int64)
        self._latest = np.empty(0, np.uint8)
        self.add(handles)

    def add(self, handles: Sequence[TagHandle]) -> None:
        """Take in further tags; a handle that is known already must not come again."""
        new = np.array([each.handle for each in handles], np.int64)
        if len(np.unique(np.concatenate((self._handles, new)))) != len(self._handles) + len(new):
            raise Misconfigured("two monitored tags share one handle; each needs its own")
        tags = [each.tag for each in handles]
        self._handles = np.concatenate((self._handles, new))
        self._slot_of = np.full(int(self._handles.max(initial=-1)) + 2, -1, np.intp)
        self._slot_of[self._handles] = np.arange(len(self._handles))
        self._judged = np.append(self._judged, [tag.role is Role.SIGNAL for tag in tags])
        self._judged = self._judged.astype(np.bool_)
        self._low = np.append(self._low, [np.nan if t.low is None else t.low for t in tags])
        self._high = np.append(self._high, [np.nan if t.high is None else t.high for t in tags])
        self._deadband = np.append(self._deadband, [tag.deadband for tag in tags])
        self._memory = np.hstack((self._memory, np.zeros((len(_FIELDS), len(tags)))))
        self._at = np.append(self._at, np.zeros(len(tags), np.int64))
        unheard = [Finding.LEARNING if tag.role is Role.SIGNAL else 0 for tag in tags]
        self._latest = np.append(self._latest, np.array(unheard, np.uint8))

    def judge(
        self,
        tag: NDArray[np.int32],
        at: NDArray[np.int64],
        value: NDArray[np.float64],
        status: NDArray[np.uint32],
    ) -> NDArray[np.uint8]:
        """Give each sample's verdict (n,), bits of `Finding`; then learn from the sample.

        Parameters
        ----------
        tag, at, value, status
            Columns (n,) as in `plant.samples.Batch`, values in engineering units, one tag's
            samples in time order. A tag may come several times.
        """
        slot = self._slots(tag)
        known = slot >= 0
        good = is_good(status) & np.isfinite(value)
        verdict = np.where(good, 0, np.uint8(Finding.NOT_GOOD)).astype(np.uint8)
        verdict[~known] |= np.uint8(Finding.UNSCORED)
        scored = np.flatnonzero(good & known & self._judged[slot])
        slots, times, values = slot[scored], at[scored], value[scored]
        for part in occurrence_passes(slots):
            verdict[scored[part]] = self._advance(slots[part], times[part], values[part])
        self._latest[slot[known]] = verdict[known]
        return verdict

    def latest(self, handles: Sequence[int] | NDArray[np.int32]) -> NDArray[np.uint8]:
        """Give the verdict on the last sample of each handle (n,)."""
        slot = self._slots(np.asarray(handles, np.int32))
        newest = self._latest[slot]
        newest[slot < 0] = Finding.UNSCORED
        return newest

    def state(self) -> State:
        """Give everything learnt, as arrays."""
        return {
            "handles": self._handles.copy(),
            "memory": self._memory.copy(),
            "at": self._at.copy(),
            "latest": self._latest.copy(),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state`; tags that it does not know start to learn."""
        slot = self._slots(state["handles"])
        ours = slot >= 0
        self._memory[:, slot[ours]] = state["memory"][:, ours]
        self._at[slot[ours]] = state["at"][ours]
        self._latest[slot[ours]] = state["latest"][ours]

    def _slots(self, handles: NDArray[Any]) -> NDArray[np.intp]:
        """Find the slot of each handle, −1 for unknown ones."""
        end = len(self._slot_of) - 1
        inside = (handles >= 0) & (handles < end)
        return self._slot_of[np.where(inside, handles, end)]

    def _advance(
        self, slot: NDArray[np.intp], at: NDArray[np.int64], x: _Columns
    ) -> NDArray[np.uint8]:
        """Judge and learn one sample each of distinct slots."""
        # a run of neighbouring slots is reached as a view: gathering costs more than judging
        run = int(slot[-1]) - int(slot[0]) + 1 == len(slot)
        where: Any = slice(int(slot[0]), int(slot[-1]) + 1) if run else slot
        memory = self._memory[:, where]
        tag = _Passing(memory, at - self._at[where], x, self._deadband[where])
        outside = (x < self._low[where]) | (x > self._high[where])
        verdict = tag.judge(outside)
        tag.learn(verdict)
        if not run:
            self._memory[:, where] = memory
        self._at[where] = at
        return verdict


class _Passing:
    """One sample each of several tags, beside what is known of the tags.

    Parameters
    ----------
    memory
        Fields of the tags (len(_FIELDS), k), changed in place by `learn`.
    gap
        Source time since the tag's last sample (k,), ns.
    x, deadband
        Value and smallest change that matters (k,).
    """

    def __init__(
        self, memory: _Columns, gap: NDArray[np.int64], x: _Columns, deadband: _Columns
    ) -> None:
        (
            self.count, self.level, self.spread, self.step, self.changes, self.every, self.last,
            self.up, self.down, self.crest, self.same, self.hold, self.change,
        ) = memory  # fmt: skip
        # a clock that was set back tells nothing about the tag's pace
        self.x, self.gap = x, np.maximum(gap, 0)
        self.first = self.count == 0
        np.copyto(self.level, x, where=self.first)
        np.copyto(self.last, x, where=self.first)
        self.away = x - self.level
        # a signal cannot be known better than half its own step, nor beyond its digits
        floor = np.maximum(0.5 * self.step, deadband)
        np.maximum(floor, 1e-6 * np.abs(self.level) + 1e-12, out=floor)
        self.scale = np.maximum(self.spread, floor)
        self.z = np.clip(self.away / self.scale, -2 * FAR, 2 * FAR)
        self.moved = np.abs(x - self.last)
        self.stands = self.moved <= deadband

    def judge(self, outside: _Flags) -> NDArray[np.uint8]:
        """Give the verdicts (k,)."""
        learning = self.count < WARM
        shift = (np.abs(self.z) > FAR) | (self._sum() > self._sum_limit())
        found = (
            self._too_fast() * np.uint8(Finding.RATE)
            | self._too_still() * np.uint8(Finding.FLATLINE)
            | shift * np.uint8(Finding.SHIFT)
        )
        verdict = np.where(learning, np.uint8(Finding.LEARNING), found)
        verdict |= outside * np.uint8(Finding.RANGE)
        return verdict.astype(np.uint8)

    def learn(self, verdict: NDArray[np.uint8]) -> None:
        """Move the tags' memory by one sample."""
        gain = np.maximum(MEMORY, 1 / (self.count + 1))
        self._learn_level(gain)
        self._learn_sums(verdict)
        self._learn_steps(gain, verdict)
        self.last[:] = self.x
        self.count += 1

    def _too_fast(self) -> _Flags:
        late = np.maximum(1.0, self.gap / np.maximum(self.every, 1.0))
        # a jump back to the level is the end of a fault, not another one
        leaving = np.abs(self.away) > np.abs(self.last - self.level)
        far = np.maximum(JUMP * self.step * late, 0.5 * FAR * self.scale)
        fast: _Flags = (self.moved > far) & leaving & (self.step > 0)
        return fast

    def _too_still(self) -> _Flags:
        still = self.stands & (self.same >= HOLDS * self.hold)
        flat: _Flags = still & (self.same * self.change > STILL)
        return flat

    def _sum(self) -> _Columns:
        summed: _Columns = np.maximum(self.up + self.z, self.down - self.z) - SLACK
        return summed

    def _sum_limit(self) -> _Columns:
        limit: _Columns = CREST * np.maximum(self.crest, 2 * SLACK)
        return limit

    def _learn_level(self, gain: _Columns) -> None:
        reach = np.where(self.count < FIRST, np.inf, CLIP * self.scale)
        learnt = np.clip(self.away, -reach, reach)
        self.level += gain * learnt
        self.spread += gain * (np.abs(learnt) - self.spread)

    def _learn_sums(self, verdict: NDArray[np.uint8]) -> None:
        limit = self._sum_limit()
        # a sample that is strange by itself must not stay in the sums after it has passed
        plain = np.abs(self.z) <= FAR
        for total, z in ((self.up, self.z), (self.down, -self.z)):
            moved = np.clip(total + z - SLACK, 0.0, 1.5 * limit)
            np.copyto(total, moved, where=plain)
        height = np.maximum(self.up, self.down)
        learning = verdict & np.uint8(Finding.LEARNING) != 0
        rise = np.where(learning, 1.0, 10 * MEMORY) * np.maximum(
            np.minimum(height, limit) - self.crest, 0.0
        )
        self.crest += rise - MEMORY / CREST * self.crest

    def _learn_steps(self, gain: _Columns, verdict: NDArray[np.uint8]) -> None:
        moves = ~self.stands
        self.changes += moves
        pace = np.maximum(MEMORY, 1 / np.maximum(self.changes, 1))
        reach = np.where(self.changes <= FIRST, np.inf, CLIP * self.step)
        self.step += np.where(moves, pace * (np.minimum(self.moved, reach) - self.step), 0.0)
        flat = verdict & np.uint8(Finding.FLATLINE) != 0
        self.change += np.where(flat | self.first, 0.0, gain * (moves - self.change))
        longest = np.minimum(self.same, HOLDS * np.maximum(self.hold, FIRST))
        np.copyto(self.hold, np.maximum(self.hold * (1 - MEMORY), longest), where=moves)
        self.same += 1
        np.copyto(self.same, 0.0, where=moves)
        usual = np.where(self.first, 0.0, np.minimum(self.gap, CLIP * self.every + 1e9))
        self.every += np.where(self.first, 0.0, gain * (usual - self.every))
