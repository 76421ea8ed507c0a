"""Which signals of an asset cannot be believed: faults of sensors, told apart from the machine's.

Every signal is held against its own healthy past and against the others. It is *stuck* when it
stands still to the last digit for far longer than ever while the others move as usual; it has
*dropped out* or is *saturated* when it jumps to one value and is there again and again, or has no
value, and nothing else has changed; it is *spiking* when single readings jump away and back while
those between are as usual; it *drifts* when it creeps away from what the others, which know it
well, expect, and it alone; two are *swapped* when the rows fit again once they are changed back.
What cannot be told apart from a fault of the machine is not told here. Signals that are stuck,
dropped out, saturated or swapped count as missing until they move as before.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.baselines import ModeBaseline
from analytics.contract import State
from analytics.exchange import FITS, MARGIN, exchanged, swapped_pair
from analytics.habits import Bars, Habits
from analytics.judgements import Diagnosis
from analytics.jumps import SPIKE, SPIKING, Jumps
from analytics.modes import MODES
from analytics.passages import Passage
from analytics.states import part_of, prefixed
from plant.alarms import AlarmAction
from plant.instruments import Doubt, InstrumentFault

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]

RECENT = 32
"""Rows kept as they came, by which an exchange of two signals is proven."""
PROVES = 16
"""Of them that it takes to see that it was undone."""
LOOKS, CREEP_LOOKS = 3, 64
"""Rows between two looks at stand-stills, and at drift."""
LIVELY, LEAST_PACE = 0.5, 0.3
"""Share of their usual moves that the other signals have to show, and moves a row that they have
to have: where everything stands still it is the machine that does."""
CALMER = float(1 - 0.5 ** (1 / 8))
"""Weight of a row in the present number of moves."""
NEAR = 4.0
"""Usual deviations from the quick mean at which a row is looked at closely."""
SPARK = 8.0
"""Usual residuals in one row that are a spike, if no other signal has moved."""
CALM = 8.0
"""Usual variances between the spikes below which a signal is spiking, and not restless."""
STRANGE = 5.0
"""Usual deviations at which a signal that stands still has changed its level as well."""
RAIL, RESTLESS = 8.0, 0.05
"""Readings at one value, where the signal never was, that are no chance; and moves a row that it
has to have: one that stands still for long while healthy may stand anywhere."""
BEYOND = 2.0
"""Usual deviations beyond all that was learnt."""
RETURNS, MOVES_AGAIN = 60, 3
"""Rows in a row away from its value, and moves, after which a signal is believed again."""
ENDED = 0.5
"""Spikes lately below which a signal is not spiking any more."""
DRIFTED, BACK, LEFT = 4.0, 2.4, 2.0
"""Usual widths from what the others expect at which a signal drifts, at which it has stopped to,
and from which on its pace is taken."""
CREEPS = 600
"""Rows at least in which it gets from one to the other: what goes faster may be the machine."""
ALONE, KNOWN = 2.5, 0.75
"""Times as far as any other signal, and share of its variance that the others may leave open."""
PATIENCE = 2.0
"""Times as long as a stand-still that ended by itself the next one has to last."""
_NEVER = int(np.iinfo(np.int64).max)

FAULTS = (
    None,
    InstrumentFault.SPIKING,
    InstrumentFault.DRIFTING,
    InstrumentFault.STUCK,
    InstrumentFault.DROPPED_OUT,
    InstrumentFault.SATURATED,
    InstrumentFault.SWAPPED,
)
"""By the numbers in a state, which are never changed."""
NUMBERS = {fault: number for number, fault in enumerate(FAULTS)}
MISSING = NUMBERS[InstrumentFault.STUCK]
"""From this number on a signal counts as missing."""
_ARRAYS = (
    "recent", "reach", "moved_at", "missing_at", "crept", "stepped",
    "kind", "since", "partner", "evidence", "rail", "back", "patience",
)  # fmt: skip


class Instruments:
    """The instruments of one asset.

    Parameters
    ----------
    signals, units
        Tag name and UCUM code of each column; two or more, for one alone tells nothing.
    """

    def __init__(self, signals: Sequence[str], units: Sequence[str]) -> None:
        count = len(signals)
        self._signals, self._units = tuple(signals), tuple(units)
        self._habits: dict[int, Habits] = {}
        self._jumps = Jumps(count)
        self._pooled: Habits | None = None
        self._known: dict[int, Columns] = {}
        self._near: dict[int, Columns] = {}
        self._recent = np.full((RECENT, count), np.nan)
        self._reach = np.stack((np.full(count, np.inf), np.full(count, -np.inf)))
        self._moved = np.zeros(count, np.bool_)
        self._moved_at = np.zeros(count, np.int64)
        self._missing_at = np.full(count, _NEVER, np.int64)
        self._crept = np.full(count, _NEVER, np.int64)
        self._stepped = np.zeros(count, np.bool_)
        self._kind = np.zeros(count, np.int64)
        self._since = np.zeros(count, np.int64)
        self._partner = np.full(count, -1, np.int64)
        self._evidence = np.full((3, count), np.nan)  # value, expected, measure
        self._rail = np.full(count, np.nan)
        self._back = np.zeros(count, np.int64)
        self._patience = np.zeros(count)
        self._rows = self._kept = self._turn = self._before = self._step = 0
        self._lively = 0.0
        self._gappy = self._standing = self._all_moved = False
        self._settle()
        self.told: list[Diagnosis] = []
        """What was found in the present row; whoever reads it empties it."""

    def _settle(self) -> None:
        """Work out what follows from the standing faults."""
        self.faulty = bool(self._kind.any())
        """Whether any instrument is at fault."""
        out = self._kind >= MISSING
        self.out: Flags | None = out if out.any() else None
        """Signals (p,) that count as missing; None if there are none."""

    @property
    def doubts(self) -> list[Doubt]:
        """Every instrument at fault, and why."""
        if not self.faulty:
            return []
        return [self._doubt(j) for j in np.flatnonzero(self._kind).tolist()]

    @property
    def since(self) -> NDArray[np.int64]:
        """Source time from which on each signal (p,) misleads, ns; far ahead if it does not.

        One that drifts is believed all the same: it is followed, and may be right.
        """
        misleads = (self._kind > 0) & (self._kind != NUMBERS[InstrumentFault.DRIFTING])
        return np.where(misleads, self._since, _NEVER)

    def start_again(self, at: int) -> None:
        """Begin a new stretch of rows: after a change of mode or a gap nobody stood still."""
        self._recent[-1] = self._recent[(self._kept - 1) % RECENT]
        self._kept = 0
        self._before = at
        self._moved_at[:] = at

    def take(self, at: int, row: Columns, whole: bool) -> None:
        """Take note of a settled row (p,) as it came."""
        last = self._recent[(self._kept - 1) % RECENT]
        if self._gappy or not whole:
            row = self._completed(at, row, last)
        moved = self._moved = row != last
        # bytes are looked through in a fifth of the time that flags are counted in
        self._all_moved = False not in moved.tobytes()
        if self._all_moved:
            count = len(moved)
            self._moved_at.fill(at)
        else:
            count = int(np.count_nonzero(moved))
            self._moved_at[moved] = at
        self._lively += CALMER * (count - self._lively)
        self._recent[self._kept % RECENT] = row
        self._kept += 1
        self._rows += 1
        self._step, self._before = at - self._before, at

    def _completed(self, at: int, row: Columns, last: Columns) -> Columns:
        """Put the last value in the place of a missing one, which does not stand still either."""
        missing = ~np.isfinite(row)
        self._missing_at = np.where(missing, np.minimum(self._missing_at, at), _NEVER)
        self._moved_at[missing] = at
        self._gappy = bool(missing.any())
        return np.where(missing, last, row)

    def learn(self, mode: int, at: int, row: Columns) -> None:
        """Learn from the row that was taken last, if it is healthy."""
        if mode not in self._habits:
            if len(self._habits) >= MODES:
                return
            self._habits[mode] = Habits(len(self._kind))
        self._pooled = None
        np.fmin(self._reach[0], row, out=self._reach[0])
        np.fmax(self._reach[1], row, out=self._reach[1])
        if self._kept > 1:
            missing = ~np.isfinite(row)
            absent = np.where(missing, at - self._missing_at, 0).astype(np.float64)
            self._habits[mode].learn(self._step, self._moved, missing, at - self._moved_at, absent)

    def doubt(
        self, at: int, mode: int, row: Columns, mean: Columns, baseline: ModeBaseline, steady: int
    ) -> Flags | None:
        """Say which signals (p,) of the row that was taken last not to believe; None if all are.

        Parameters
        ----------
        at, mode, row
            Source time, ns, mode, and the row as it came.
        mean
            Quick means (p,), in which signals that are left out show what the others expect.
        baseline
            What is known of the mode.
        steady
            Source time, ns, from which on the machine has not changed, as far as it is judged.
        """
        far = row - mean
        np.abs(far, far)
        near: Flags = np.greater(far, self._bar(mode, baseline))
        doubted = None
        self._turn = (self._turn + 1) % LOOKS
        if (not self._turn or self._standing) and self._habits:
            doubted = self._still(at, mode, row, mean, far, baseline, steady)
        if True in near.tobytes():
            jumped = self._jumped(at, mode, row, mean, far, near, baseline, steady)
            doubted = jumped if doubted is None else doubted | jumped
        elif self._jumps.away:
            self._jumps.rest()
        if self._gappy and self._habits:
            self._find_absent(at, mode)
        if self.faulty:
            self._look_for_return(at, row, baseline)
        if not self._rows % CREEP_LOOKS:
            self._find_drift(at, mode, mean, baseline)
        if self.out is None:
            return doubted
        return self.out if doubted is None else doubted | self.out

    @property
    def quiet(self) -> bool:
        """Whether nothing is looked at more closely than usual."""
        return not (self.faulty or self._gappy or self._standing or self._jumps.away)

    @property
    def rows_ahead(self) -> int:
        """Rows before the next that is due for the look at drift, which is taken alone."""
        return -(self._rows + 1) % CREEP_LOOKS

    def foresee(
        self,
        at: NDArray[np.int64],
        mode: int,
        rows: Columns,
        means: Columns,
        baseline: ModeBaseline,
    ) -> Passage:
        """See, while it is `quiet`, how many of the next whole rows (n, p) are nothing to doubt.

        They are `rows_ahead` at most.

        Parameters
        ----------
        at, mode
            Source times of the rows (n,), ns, increasing, and their mode.
        means
            Quick means (n, p) before each row.
        baseline
            What is known of the mode.
        """
        count = len(rows)
        moved = rows != np.concatenate((self._last(1), rows[:-1]))
        far = rows - means
        np.abs(far, far)
        near = far > self._bar(mode, baseline)
        odd = near.any(axis=1) if np.count_nonzero(near) else np.zeros(count, np.bool_)
        moved_at = None
        if np.count_nonzero(moved) < moved.size:
            moved_at = np.where(moved, at[:, None], self._moved_at)
            np.maximum.accumulate(moved_at, axis=0, out=moved_at)
            if self._habits:
                still = (at[:, None] - moved_at > self._bars(mode).doubt).any(axis=1)
                still &= (self._turn + 1 + np.arange(count)) % LOOKS == 0
                odd |= still
        return Passage(at, rows, moved, moved_at, int(odd.argmax()) if odd.any() else count)

    def take_many(self, passage: Passage, count: int) -> None:
        """Take note of the first rows of a passage, which were nothing to doubt."""
        at, moved = passage.at[:count].tolist(), passage.moved[:count]
        all_moved = passage.moved_at is None
        counts = [moved.shape[1]] * count if all_moved else moved.sum(axis=1).tolist()
        for many in counts:
            self._lively += CALMER * (many - self._lively)
        self._moved = moved[-1]
        if passage.moved_at is None:
            self._moved_at.fill(at[-1])
        else:
            self._moved_at[:] = passage.moved_at[count - 1]
        kept = min(count, RECENT)
        places = np.arange(self._kept + count - kept, self._kept + count) % RECENT
        self._recent[places] = passage.rows[count - kept : count]
        self._kept += count
        self._rows += count
        self._turn = (self._turn + count) % LOOKS
        self._step = at[-1] - (at[-2] if count > 1 else self._before)
        self._before = at[-1]

    def _bar(self, mode: int, baseline: ModeBaseline) -> Columns:
        """Give the distance from the quick mean (p,) at which a row is looked at closely."""
        if mode not in self._near:
            self._near[mode] = NEAR * baseline.relations.unit
        return self._near[mode]

    def _still(
        self,
        at: int,
        mode: int,
        row: Columns,
        mean: Columns,
        far: Columns,
        baseline: ModeBaseline,
        steady: int,
    ) -> Flags | None:
        """Find signals that stand still while the others move."""
        if self._all_moved:
            self._standing = False
            return None
        bars = self._bars(mode)
        idle = at - self._moved_at
        still = (idle > bars.doubt) & (self._kind < MISSING)
        self._standing = bool(still.any())
        if not self._standing or self._kept < PROVES:
            return None
        others = ~still & (self._kind < MISSING)
        usual = float(bars.pace[others].sum())
        lively = usual >= LEAST_PACE and self._lively >= LIVELY * usual
        if not lively or not self._few(still):
            return None
        stuck = still & (idle > np.maximum(bars.stuck, self._patience))
        if stuck.any():
            strange = far > STRANGE * baseline.relations.unit
            for j in np.flatnonzero(stuck & (~strange | (self._moved_at >= steady))).tolist():
                kind = self._place(j, float(row[j]), baseline) if strange[j] else None
                self._tell(
                    at, j, kind or InstrumentFault.STUCK, int(self._moved_at[j]), float(row[j]),
                    float(mean[j]), float(bars.interval[j]) / 1e9,
                )  # fmt: skip
        return still

    def _bars(self, mode: int) -> Bars:
        """Give what follows from the habits in a mode; of one that has none, from all of them."""
        known = self._habits.get(mode) or self._pooled
        if known is None:
            known = self._pooled = Habits.of_all(self._habits.values())
        return known.bars

    def _few(self, also: Flags) -> bool:
        """Tell whether no more than half of the signals are doubted: of more none can be."""
        doubted = also if self.out is None else also | self.out
        return 2 * int(np.count_nonzero(doubted)) <= len(doubted)

    def _place(self, j: int, value: float, baseline: ModeBaseline) -> InstrumentFault | None:
        """Name the end of the range at which signal j stands; None if it is within."""
        low, high = self._reach[:, j].tolist()
        margin = BEYOND * float(baseline.relations.unit[j])
        if value > high + margin:
            return InstrumentFault.SATURATED
        return InstrumentFault.DROPPED_OUT if value < low - margin or value == 0.0 else None

    def _jumped(
        self,
        at: int,
        mode: int,
        row: Columns,
        mean: Columns,
        far: Columns,
        near: Flags,
        baseline: ModeBaseline,
        steady: int,
    ) -> Flags:
        """Look closely at a row of which something lies far from its mean."""
        unit = baseline.relations.unit
        alone = self._alone(row, mean, near, baseline)
        tells = np.zeros(len(row), np.bool_)
        if self._habits and self._few((far > SPIKE * unit) | alone):
            tells = self._bars(mode).pace >= RESTLESS
        jumped = self._jumps.look(self._rows, at, row, unit, far, alone, tells, steady)
        if jumped.hits.max() >= RAIL:
            self._find_rails(at, mode, row, mean, jumped.hits, baseline)
        if jumped.spiked.max() >= SPIKING and at >= steady:
            j = int(jumped.spiked.argmax())
            if not self._kind[j] and baseline.restlessness[j] <= CALM:
                count = float(jumped.spiked[j])
                self._tell(at, j, InstrumentFault.SPIKING, at, float(row[j]), float(mean[j]), count)
        return jumped.doubted

    def _alone(self, row: Columns, mean: Columns, near: Flags, baseline: ModeBaseline) -> Flags:
        """Find the one signal (p,) that has left what the others expect, if it is one."""
        found = np.zeros(len(near), np.bool_)
        if self.out is not None:
            near = near & ~self.out
        if np.count_nonzero(near) == 1:
            j = int(near.argmax())
            found[j] = baseline.suddenness(np.nan_to_num(row - mean))[j] > SPARK
        return found

    def _find_rails(
        self,
        at: int,
        mode: int,
        row: Columns,
        mean: Columns,
        hits: Columns,
        baseline: ModeBaseline,
    ) -> None:
        """Find signals that are at one value again and again, where they do not belong."""
        longest = self._bars(mode).longest
        for j in np.flatnonzero((hits >= RAIL) & (self._kind < MISSING)).tolist():
            value = float(row[j])
            kind = self._place(j, value, baseline)
            # one that has been there before has to stay for longer than it ever did
            before = self._reach[0, j] <= value <= self._reach[1, j]
            if kind is not None and not (before and hits[j] <= 2 * longest[j]):
                since = int(self._jumps.since[j])
                self._tell(at, j, kind, since, value, float(mean[j]))

    def _find_absent(self, at: int, mode: int) -> None:
        """Find single signals that have no value any more; of a lost link the link is told."""
        absent = at - self._missing_at
        gone = (absent > self._bars(mode).absent) & (self._kind < MISSING)
        gone &= np.isfinite(self._reach[0])
        for j in np.flatnonzero(gone).tolist():
            together = np.abs(self._missing_at - self._missing_at[j]) <= 2 * self._step
            if np.count_nonzero(together) == 1 and self._few(gone):
                since = int(self._missing_at[j])
                self._tell(at, j, InstrumentFault.DROPPED_OUT, since, np.nan, np.nan)

    def _find_drift(self, at: int, mode: int, mean: Columns, baseline: ModeBaseline) -> None:
        """Find a signal that creeps away from what the others expect, and alone."""
        shift, spread = baseline.shift, baseline.width / baseline.relations.unit
        if self.out is not None:
            shift[self.out] = 0.0
        gone = np.abs(shift) / spread
        left = gone >= LEFT
        self._crept = np.where(left, np.minimum(self._crept, at), _NEVER)
        self._stepped &= left
        far = gone >= DRIFTED
        self._stepped |= far & (at - self._crept < CREEPS * self._step) & (self._kind == 0)
        drifts = self._kind == NUMBERS[InstrumentFault.DRIFTING]
        for j in np.flatnonzero(drifts & (gone < BACK)).tolist():
            self._clear(at, j)
        for j in np.flatnonzero(far & ~self._stepped & (self._kind == 0)).tolist():
            # one signal that moves moves what is expected of the others as well
            unit = baseline.relations.unit
            others = np.abs(shift - baseline.relations.operator[j] * unit[j] * shift[j]) / spread
            others[j] = 0.0
            alone = gone[j] >= ALONE * others.max()
            if alone and self._unknown(mode, baseline)[j] <= KNOWN:
                self._tell(
                    at, j, InstrumentFault.DRIFTING, int(self._crept[j]), float(mean[j]),
                    float(mean[j] - shift[j] * unit[j]), float(gone[j]),
                )  # fmt: skip

    def _unknown(self, mode: int, baseline: ModeBaseline) -> Columns:
        """Give the share of each signal's variance (p,) that the others leave unexplained."""
        if mode not in self._known:
            correlation = baseline.relations.correlation
            self._known[mode] = 1 / np.diag(np.linalg.inv(correlation)) / np.diag(correlation)
        return self._known[mode]

    def find_swapped(
        self, at: int, onset: int, strength: Columns, mean: Columns, baseline: ModeBaseline
    ) -> bool:
        """Look whether what deviates since `onset`, ns, are two signals that were exchanged."""
        rows = min(self._kept, RECENT, (at - onset) // max(self._step, 1) + 1)
        if rows < 2 or len(self._kind) < 4:
            return False
        pair = swapped_pair(baseline, self._last(rows), strength, self._units)
        if pair is None or (self._kind[list(pair)] >= MISSING).any():
            return False
        for j, other in (pair, pair[::-1]):
            self._tell(
                at, j, InstrumentFault.SWAPPED, onset, float(mean[j]), float(mean[other]),
                partner=other,
            )  # fmt: skip
        return True

    def _last(self, rows: int) -> Columns:
        """Give the last rows (n, p) as they came, oldest first."""
        return self._recent[np.arange(self._kept - rows, self._kept) % RECENT]

    def _look_for_return(self, at: int, row: Columns, baseline: ModeBaseline) -> None:
        """Look which instruments work again."""
        elsewhere = np.isfinite(row) & ~(np.abs(row - self._rail) <= baseline.relations.unit)
        stuck = self._kind == NUMBERS[InstrumentFault.STUCK]
        self._back = np.where(stuck, self._back + self._moved, (self._back + 1) * elsewhere)
        works = self._back >= np.where(stuck, MOVES_AGAIN, RETURNS)
        works &= self._kind >= MISSING
        works &= self._kind != NUMBERS[InstrumentFault.SWAPPED]
        works |= self._spiked_no_more()
        for j in np.flatnonzero(works).tolist():
            self._clear(at, j)
        if not self._rows % 8 and self._kept >= PROVES:
            self._look_for_exchange(at, baseline)

    def _spiked_no_more(self) -> Flags:
        spiking = self._kind == NUMBERS[InstrumentFault.SPIKING]
        ended: Flags = spiking & (self._jumps.spikes(self._rows) < ENDED)
        return ended

    def _look_for_exchange(self, at: int, baseline: ModeBaseline) -> None:
        """Look which swapped signals have been changed back."""
        swapped = self._kind == NUMBERS[InstrumentFault.SWAPPED]
        for j in np.flatnonzero(swapped & (self._partner > np.arange(len(swapped)))).tolist():
            other = int(self._partner[j])
            rows = self._last(min(self._kept, RECENT))
            fit = float(baseline.misfit(rows)[[j, other]].max())
            wrong = float(baseline.misfit(exchanged(rows, j, other))[[j, other]].max())
            if fit < FITS and wrong > MARGIN * max(fit, 1.0):
                self._clear(at, j)
                self._clear(at, other)

    def trust(self, signal: str, at: int) -> bool:
        """Believe a signal again because a person says that it is right; False if it was."""
        j = self._signals.index(signal)
        if not self._kind[j]:
            return False
        pair = [j, int(self._partner[j])] if self._partner[j] >= 0 else [j]
        for each in pair:
            self._clear(at, each)
            self._moved_at[each] = at
            self._crept[each] = _NEVER
            self._jumps.forget(each)
        return True

    def _tell(
        self,
        at: int,
        j: int,
        kind: InstrumentFault,
        since: int,
        value: float,
        expected: float,
        measure: float = 0.0,
        partner: int = -1,
    ) -> None:
        if self._kind[j]:
            self._clear(at, j)
        self._kind[j], self._since[j], self._partner[j] = NUMBERS[kind], since, partner
        self._evidence[:, j] = value, expected, measure
        # a stuck signal is back when it moves, the others when they have left their value
        self._rail[j] = value if kind is not InstrumentFault.STUCK else np.nan
        self._back[j] = 0
        self._settle()
        self.told.append(Diagnosis(at, AlarmAction.RAISE, self._doubt(j)))

    def _clear(self, at: int, j: int) -> None:
        self.told.append(Diagnosis(at, AlarmAction.CLEAR, self._doubt(j)))
        if self._kind[j] == NUMBERS[InstrumentFault.STUCK]:
            self._patience[j] = max(self._patience[j], PATIENCE * (at - self._since[j]))
        self._kind[j], self._partner[j], self._back[j] = 0, -1, 0
        self._settle()

    def _doubt(self, j: int) -> Doubt:
        fault = FAULTS[int(self._kind[j])]
        if fault is None:
            raise RuntimeError("only an instrument at fault is doubted")
        value, expected, measure = self._evidence[:, j].tolist()
        partner = int(self._partner[j])
        return Doubt(
            signal=self._signals[j],
            unit=self._units[j],
            kind=fault,
            since=int(self._since[j]),
            value=value if np.isfinite(value) else None,
            expected=expected if np.isfinite(expected) else None,
            measure=measure if np.isfinite(measure) else 0.0,
            partner=self._signals[partner] if partner >= 0 else "",
        )

    def state(self) -> State:
        """Give everything as arrays."""
        known: dict[str, NDArray[Any]] = {
            name: getattr(self, f"_{name}").copy() for name in _ARRAYS
        }
        known["clock"] = np.array(
            [self._rows, self._kept, self._turn, self._before, self._step, self._gappy,
             self._standing], np.int64,
        )  # fmt: skip
        known["lively"] = np.array([self._lively])
        known["modes"] = np.array(list(self._habits), np.int64)
        known |= prefixed("jumps.", self._jumps.state())
        for mode, habits in self._habits.items():
            known |= prefixed(f"habits.{mode}.", habits.state())
        return known

    def restore(self, state: State) -> None:
        """Go on from a `state` of the instruments of the same signals."""
        for name in _ARRAYS:
            setattr(self, f"_{name}", state[name].copy())
        clock = state["clock"].tolist()
        self._rows, self._kept, self._turn, self._before, self._step, *flags = clock
        self._gappy, self._standing = map(bool, flags)
        self._lively = float(state["lively"][0])
        self._jumps.restore(part_of(state, "jumps."))
        self._habits = {
            mode: Habits.restore(part_of(state, f"habits.{mode}."))
            for mode in state["modes"].tolist()
        }
        self._known.clear()
        self._near.clear()
        self._pooled = None
        self._settle()
