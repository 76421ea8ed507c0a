"""Watches one asset: learns what is normal in each mode, then judges, alarms and explains.

What the other signals do not explain of each signal is followed in three channels against the
baseline of the mode the asset is in, and held against limits from an alarm budget. Slow drift is
followed and told as drift. Order is always score, decide, learn; nothing is learnt while the score
is high, and of an alarmed asset only what has no part in the alarm. An asset of one signal gives
events, one row each, for nothing beside it can say that a state lasts.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.alarming import ALARMED, GATHERS, HEALTHY, SETTLING, AlarmLatch
from analytics.baselines import LONE, ModeBaseline
from analytics.channels import QUICK, SLOW
from analytics.contract import State
from analytics.departures import OUT_OF_BAND, Departures
from analytics.deviations import Deviation
from analytics.exchange import SHARE
from analytics.explanations import Evidence, explain
from analytics.instruments import Instruments
from analytics.judgements import Diagnosis, Judgement, OneRow, OpenJudgement, Transition, Verdict
from analytics.limits import limit_of
from analytics.modes import ModeBaselines
from analytics.novelty import Novelty
from analytics.regimes import Regimes
from analytics.relations import Relations
from analytics.settings import EVENTS_AT, WatchSettings, event_bar
from analytics.sightings import Sighting, parts
from analytics.smoothing import Smoother
from analytics.states import part_of, prefixed
from analytics.stretches import Ahead, Stretch
from plant.alarms import AlarmAction
from plant.errors import Misconfigured
from plant.instruments import Doubt
from plant.reasons import Reason

__all__ = ["EVENTS_AT", "Judgement", "Transition", "Watch", "WatchSettings", "event_bar"]

Columns = NDArray[np.float64]
State_ = Literal["learning", "watching", "alarmed"]

PAST = 60.0
"""Half-life of the recent past against which a trend is told, rows."""
STEADY_ROWS = 20
"""Rows after a start before the quick means are as quiet as they will be, and are judged."""
GAP_NS, GAP_ROWS = 60 * 10**9, 10
"""Rows further apart than this, and than so many usual rows, do not belong to one stretch."""
WORSE = 1.5
"""Growth of the score since it was last told at which a standing alarm is told anew."""
LESS = 1.5
"""Without an instrument that is left out the others explain less of each other, and their levels
are none that were seen: a score counts so much less meanwhile."""
LOOKS = 5
"""Rows between two looks, as long as the culprits gather, whether two signals were exchanged."""
EXCUSED, SLACK = 5, 3
"""Rows in which the machine fits without the instruments at fault that made its alarm, before that
is taken back; and rows by which their fault may have begun later."""
MANY, FEW, ALONE = 64, 6, 16
"""Rows that are taken in together at most and at least, and rows that are taken alone after a try
at it has failed."""
_NEVER = int(np.iinfo(np.int64).max)


class Watch:
    """Watches one asset.

    Parameters
    ----------
    signals, units
        Tag name and UCUM code of each column.
    settings
        How it is watched.
    shared
        Relations of a mode that were learnt by machines of the same class: what the signals do
        together need not be learnt then, only how restless this machine is beside that, and where
        its levels lie. Modes are not found then.
    """

    def __init__(
        self,
        signals: Sequence[str],
        units: Sequence[str],
        settings: WatchSettings,
        shared: Mapping[int, Relations] | None = None,
    ) -> None:
        if not signals or len(signals) != len(units):
            raise Misconfigured("an asset is watched by one signal or more, each with its unit")
        self.signals, self.units = tuple(signals), tuple(units)
        self.settings = settings
        self._settle = int(settings.settle_s * 1e9)
        needed = min(settings.mode_rows, settings.learn_rows)
        limit = limit_of(len(signals), settings.budget, settings.row_s)
        self._modes = ModeBaselines(signals, needed, limit, shared)
        self._means = Smoother(len(signals), (QUICK, SLOW, PAST))
        self._latch = AlarmLatch(int(settings.on_delay_s * 1e9), int(settings.off_delay_s * 1e9))
        bar = settings.bar or event_bar(settings.budget, settings.row_s)
        self._novelty = Novelty(bar) if len(signals) == 1 else None
        self._regimes: Regimes | None = None
        self._event = self._accepted = False
        self._instruments = Instruments(signals, units) if len(signals) > 1 else None
        self._told = 0.0
        self._onset = self._fits = 0
        self._departures = Departures(len(signals))
        self._seen: Sighting | None = None
        self._rows = 0
        self._mode: int | None = None
        self._entered = self._last = self._apart = 0

    @property
    def phase(self) -> State_:
        """What the asset's watch is doing."""
        if self.alarmed:
            return "alarmed"
        if not self._learnt:
            return "learning"
        return "learning" if self.progress < 1 else "watching"

    @property
    def learnt(self) -> bool:
        """Whether it has had the rows that it learns from before it judges, and knows a mode."""
        return self._learnt and self._modes.any_learnt

    @property
    def alarmed(self) -> bool:
        """Whether the machine's alarm stands."""
        return self._latch.alarmed or self._event

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

    @property
    def strangeness(self) -> float:
        """Pooled strangeness of an asset of one signal over the last while; else the last score."""
        if self._novelty is not None:
            return self._novelty.pooled
        return self._seen.score if self._seen is not None else 0.0

    def judge(
        self,
        at: NDArray[np.int64],
        rows: Columns,
        mode: NDArray[np.int64],
        *,
        explained: bool = False,
    ) -> Judgement:
        """Judge rows in time order, then learn from them.

        Parameters
        ----------
        at
            Source time (n,), ns, increasing.
        rows
            Values (n, p) in the signals' units, NaN = not Good.
        mode
            Operating mode (n,); any one number if the asset has none.
        explained
            Whether the judgement gives the contributions to every score.
        """
        verdict = OpenJudgement(at, len(self.signals) if explained else 0)
        times, modes = at.tolist(), mode.tolist()
        begin = alone = 0
        while begin < len(times):
            if not alone and len(times) - begin >= FEW:
                calm = self._take_calm(verdict, begin, at, rows, mode)
                begin, alone = begin + calm, ALONE if calm < FEW else 1
            else:
                self._take(verdict, begin, times[begin], modes[begin], rows[begin])
                begin, alone = begin + 1, max(0, alone - 1)
        return verdict.close()

    def judge_one(self, at: int, row: Columns, mode: int) -> tuple[float, float] | None:
        """Judge one row (p,) as `judge` does; give its score and limit, None if not judged."""
        verdict = OneRow()
        self._take(verdict, 0, at, mode, row)
        return verdict.said

    @property
    def now(self) -> int:
        """Source time of the last row, ns."""
        return self._last

    @property
    def doubts(self) -> list[Doubt]:
        """Instruments at fault now, and why; the machine is judged without them."""
        return [] if self._instruments is None else self._instruments.doubts

    def trust(self, signal: str) -> tuple[Diagnosis, ...]:
        """Believe a signal again, because a person says that its sensor is right."""
        if self._instruments is None:
            return ()
        self._instruments.trust(signal, self._last)
        cleared = tuple(self._instruments.told)
        self._instruments.told.clear()
        return cleared

    def contributions(self) -> Columns:
        """Split the last judged score over the signals (p,), summing to it; 0 before the first."""
        return np.zeros(len(self.signals)) if self._seen is None else self._seen.contributions

    def accept(self) -> None:
        """Take the present for the new normal, because a person says so.

        An alarm that stands is let go; the next judged row says that it has cleared.
        """
        if self._latch.alarmed and self._seen is not None:
            self._latch.let_go()
            self._calm(self._modes[self._seen.mode])
            self._modes[self._seen.mode].accept(self._means.rows)
            self._accepted = True

    def band(self, mode: int) -> tuple[Columns, Columns, Columns]:
        """Give low, high and expected (p,) of a mode; NaN while it is not learnt."""
        known = self._modes.get(self._own(mode))
        if known is None:
            nothing = np.full(len(self.signals), np.nan)
            return nothing, nothing.copy(), nothing.copy()
        return known.band()

    def drift(self, mode: int) -> Columns:
        """Give how far each signal (p,) has moved since a mode was learnt, in its own spreads.

        Slow legitimate change is followed; this is where it went. NaN while not learnt.
        """
        known = self._modes.get(self._own(mode))
        return np.full(len(self.signals), np.nan) if known is None else known.drift

    def knows(self, mode: int) -> bool:
        """Tell whether a mode has been learnt."""
        return self._modes.get(mode) is not None

    @property
    def finds_modes(self) -> bool:
        """Whether modes were found by what the signals show, so that no tag tells them."""
        return self._regimes is not None

    def shifts(self, mode: int, rows: Columns) -> Columns:
        """Give how far rows (n, p) lie from where a mode was learnt, in limits of the slow channel.

        Of each signal what the others do not explain. A mode that is not known gives NaN.
        """
        known = self._modes.get(mode)
        return np.full(rows.shape, np.nan) if known is None else known.shifts(rows)

    def explain(self) -> Reason | None:
        """Explain the last judged row; None if there is none."""
        return None if self._seen is None else self._reason(self._seen)

    @property
    def found_mode(self) -> str | None:
        """What tells the present mode of those that were found; None if none were."""
        return None if self._regimes is None else self._regimes.words(self.signals, self.units)

    def _own(self, mode: int) -> int:
        return mode if self._regimes is None else self._regimes.mode

    @property
    def _learnt(self) -> bool:
        return self._rows >= self.settings.learn_rows

    def _take(self, verdict: Verdict, i: int, at: int, mode: int, row: Columns) -> None:
        """Take in a row (p,): score, decide, learn."""
        stays = True  # a change between found modes belongs to none
        if self._regimes is not None:
            stays = self._regimes.now(row)
            mode = self._regimes.mode
        self._rows += 1
        learnt = self._rows >= self.settings.learn_rows
        row, whole = _finite(row)
        if mode != self._mode and self.alarmed:
            self._leave(verdict)
        settled = self._enter(at, mode) and stays
        instruments, believed = self._instruments, row
        if settled and instruments is not None:
            instruments.take(at, row, whole)
            if learnt:
                row, whole, believed = self._believe(instruments, at, mode, row, whole)
        means = self._means.smooth(believed, whole or believed is not row) if settled else None
        if self._means.rows == 1 and settled and not self._latch.alarmed:
            self._modes.visit(mode)
        if not learnt:
            self._learn_history(at, mode, row, means, whole)
            return
        if self._rows == self.settings.learn_rows:
            self._end_learning()
        if means is None or self._means.rows < STEADY_ROWS:
            self._latch.hold()
        else:
            self._judge_settled(verdict, i, at, mode, row, means, whole)
        if instruments is not None and instruments.told:
            self._take_note(instruments, verdict, mode)

    def _take_calm(
        self,
        verdict: OpenJudgement,
        begin: int,
        at: NDArray[np.int64],
        rows: Columns,
        mode: NDArray[np.int64],
    ) -> int:
        """Take in together the calm rows, `MANY` at most, from `begin` on; give their number.

        To the bit it is what `_take` does row by row as long as nothing happens: whole rows of one
        mode, in each of which every signal and the score are healthy.
        """
        instruments, means, baseline = self._instruments, self._means, self._calm_baseline()
        if baseline is None or instruments is None or self._mode is None:
            return 0
        most = min(MANY, instruments.rows_ahead)
        if most < FEW or int(at[begin]) - self._entered < self._settle:
            return 0
        part = slice(begin, begin + most)
        alike, gap = mode[part] == self._mode, max(GAP_NS, GAP_ROWS * self._apart)
        stretch = Stretch.of(at[part], rows[part], alike, self._last, gap)
        if len(stretch) < FEW:
            return 0
        usual = min(self._apart or _NEVER, int(stretch.apart.min()))
        if int(stretch.apart.max()) > max(GAP_NS, GAP_ROWS * usual):
            return 0  # the usual distance of two rows shrinks on the way: row by row
        ahead = Ahead(stretch.rows, means, baseline)
        passage = instruments.foresee(
            stretch.at, self._mode, stretch.rows, ahead.quick_before, baseline
        )
        calm, bars = slice(passage.calm), self._latch.bars(passage.calm)
        healthy = baseline.judge_calm(ahead.means[calm, 0], ahead.followed[calm], bars)
        done, last = len(healthy.scores), healthy.last
        if last is None:
            return 0
        verdict.scores(begin, healthy.scores, bars[:done], healthy.strength)
        instruments.take_many(passage, done)
        self._latch.pass_over(done)
        self._departures.note_many(stretch.at[:done], healthy.scales)
        means.go_to(ahead.means[done - 1], done)
        self._rows += done
        self._last = int(stretch.at[done - 1])
        self._apart = min(self._apart or _NEVER, int(stretch.apart[:done].min()))
        self._seen = Sighting(
            self._last, self._mode, last.score, bars[done - 1], means.mean[0], means.mean[2],
            last.strength, last.in_limits, last.limits,
        )  # fmt: skip
        return done

    def _calm_baseline(self) -> ModeBaseline | None:
        """Give the baseline by which rows may be taken together; None if something is going on."""
        instruments, means = self._instruments, self._means
        if self._mode is None or not self._learnt or self._regimes is not None:
            return None
        if self._accepted or self._latch.phase is not HEALTHY:
            return None
        if instruments is None or not instruments.quiet or not means.ripe:
            return None
        baseline = self._modes.get(self._mode)
        return baseline if baseline is not None and baseline.in_step(means.rows) else None

    def _take_note(self, instruments: Instruments, verdict: Verdict, mode: int) -> None:
        """Tell which instruments are at fault, or no longer."""
        for each in instruments.told:
            verdict.diagnose(each)
            baseline = self._modes.get(mode)
            if baseline is not None and each.doubt.kind.misleads:
                baseline.calm()
        instruments.told.clear()

    def _end_learning(self) -> None:
        """Begin to judge by what was learnt, mode by mode if there are several."""
        if self._novelty is not None:
            self._modes.fit()
            self._novelty.fit()
            return
        if self.settings.find_modes and not self._modes.shared:
            self._regimes = self._modes.part()
            if self._regimes is not None:
                self._mode = None  # the means are a mixture: they begin anew
        self._modes.fit()

    def _believe(
        self, instruments: Instruments, at: int, mode: int, row: Columns, whole: bool
    ) -> tuple[Columns, bool, Columns]:
        """Leave out what a row (p,) has of instruments at fault, and give what the means may take.

        A signal that is left out or missing goes on where the others expect it: a mean that stood
        still meanwhile would fit them no more.

        Returns
        -------
        The row, NaN where it is not believed; whether it is whole; the same completed.
        """
        baseline, doubted, means = self._modes.get(mode), instruments.out, self._means
        if means.rows < STEADY_ROWS:
            baseline = None  # the quick means tell nothing yet
        if baseline is not None:
            doubted = instruments.doubt(at, mode, row, means.shortest, baseline, self._steady())
        if doubted is not None:
            row, whole = np.where(doubted, np.nan, row), False
        if whole or baseline is None:
            return row, whole, row
        present = np.isfinite(row)
        if not present.any():
            return row, False, row
        return row, False, baseline.complete(row, present)

    def _steady(self) -> int:
        """Give the source time, ns, from which on the machine has not changed, as far as judged."""
        seen, latch = self._seen, self._latch
        if seen is None or seen.score <= seen.limit:
            return 0
        if latch.alarmed and latch.age > GATHERS and seen.score <= WORSE * self._told:
            return self._onset + GATHERS * self._apart
        return _NEVER

    def _learn_history(
        self, at: int, mode: int, row: Columns, means: Columns | None, whole: bool
    ) -> None:
        steady = self._means.rows >= STEADY_ROWS or self._modes.first(mode)
        if means is None or not steady:
            return
        self._modes.gather(mode, row, self._means.rows, means[1])
        if self._instruments is not None:
            self._instruments.learn(mode, at, row)
        if self._novelty is not None and whole:
            self._novelty.learn(float(row[0]))

    def _leave(self, verdict: Verdict) -> None:
        """End an alarm that was raised in a quiet mode with that mode: what lasts is seen again."""
        latch, seen = self._latch, self._seen
        if seen is None:
            return
        raised_in = latch.mode if latch.alarmed else seen.mode
        if raised_in in self.settings.quiet:
            latch.dismiss()
            self._event = False
            self._modes[raised_in].restart_slow()
            verdict.add(self._transition(seen, AlarmAction.CLEAR))

    def _enter(self, at: int, mode: int) -> bool:
        """Take note of time and mode; say whether the asset has settled in it."""
        apart, usual = at - self._last, self._apart
        gap = apart < 0 or (apart > GAP_NS and apart > GAP_ROWS * usual)
        if self._rows > 1 and apart > 0 and (apart < usual or not usual):
            self._apart = apart
        if mode != self._mode or gap:
            self._mode, self._entered = mode, at
            self._means.start_again()
            if self._instruments is not None:
                self._instruments.start_again(at)
        self._last = at
        return at - self._entered >= self._settle

    def _judge_settled(
        self,
        verdict: Verdict,
        i: int,
        at: int,
        mode: int,
        row: Columns,
        means: Columns,
        whole: bool,
    ) -> None:
        baseline = self._modes.get(mode)
        if baseline is None:
            self._latch.hold()
            if not self._latch.alarmed:
                self._modes.learn(mode, row, self._means.rows, means[1])
                if self._instruments is not None:
                    self._instruments.learn(mode, at, row)
            return
        present = None if whole else np.isfinite(row)
        if present is not None and not present.any():
            self._latch.hold()
            return
        if self._novelty is not None:
            self._judge_lone(verdict, i, at, mode, row, means, baseline, self._novelty)
        else:
            self._judge_row(verdict, i, at, mode, row, means, baseline, present)

    def _judge_row(
        self,
        verdict: Verdict,
        i: int,
        at: int,
        mode: int,
        row: Columns,
        means: Columns,
        baseline: ModeBaseline,
        present: NDArray[np.bool_] | None,
    ) -> None:
        latch, age = self._latch, self._means.rows
        alarmed = latch.phase is ALARMED
        counts = not alarmed or mode == latch.mode
        arrives = not alarmed or baseline.knows_entries
        deviation = baseline.deviation(row, means, age, present, counts, arrives)
        bar = latch.bar
        score = deviation.score
        if self._instruments is not None and self._instruments.out is not None:
            score /= LESS
        self._seen = seen = Sighting(
            at, mode, score, bar, means[0], means[2],
            deviation.strength, deviation.in_limits, deviation.limits,
        )  # fmt: skip
        verdict.score(i, score, bar, seen.strength)
        if deviation.far or self._departures.any:
            self._departures.note(at, baseline.scales(), alarmed)
        if self._accepted:
            self._accepted = False
            verdict.add(self._transition(seen, AlarmAction.CLEAR))
        if alarmed:
            action = self._stand(seen, deviation, baseline, present, counts)
        else:
            sudden = score * LONE > bar and deviation.quick > bar  # quick is never more
            action = latch.watch(at, mode, score / bar, deviation.strength, sudden=sudden)
            if latch.phase is SETTLING:
                baseline.settle(means[0])
            elif latch.phase is HEALTHY and score <= bar:
                baseline.learn(means[0], age)
            if action is not None and self._exchanged(seen, baseline):
                latch.dismiss()
                action = None
        if action is not None:
            self._told = score
            told = self._transition(seen, action)
            verdict.add(told)
            self._turned(told, baseline)

    def _stand(
        self,
        seen: Sighting,
        deviation: Deviation,
        baseline: ModeBaseline,
        present: NDArray[np.bool_] | None,
        counts: bool,
    ) -> AlarmAction | None:
        """Take in a row while the alarm stands."""
        latch = self._latch
        if self._excused(seen, baseline):
            latch.dismiss()
            return AlarmAction.CLEAR
        if present is not None and (latch.culprits & ~present).any():
            latch.hold()  # without its culprit nobody knows whether a fault has gone
            return None
        standing = baseline.standing(deviation)
        action = latch.stand(seen.at, seen.mode, seen.score / seen.limit, standing)
        if latch.alarmed and counts:
            baseline.follow(standing.now, latch.culprits, latch.age)
        # what a quiet mode shows is nobody's news, of no alarm
        higher = seen.score > WORSE * self._told and seen.mode not in self.settings.quiet
        if latch.worse(seen.at, higher) and action is None:
            return AlarmAction.WORSEN
        return action

    def _excused(self, seen: Sighting, baseline: ModeBaseline) -> bool:
        """Tell whether the standing alarm was an instrument's: the machine fits without it."""
        instruments, latch = self._instruments, self._latch
        if instruments is None or seen.mode != latch.mode:
            return False
        looks = latch.age <= GATHERS and not latch.age % LOOKS
        if looks and self._exchanged(seen, baseline):
            return True
        if not instruments.faulty:
            return False
        late = self._onset + SLACK * self._apart
        blamed = latch.culprits & (instruments.since <= late)
        # one that spikes is judged on: the alarm is its own only if nobody deviated more
        out = instruments.out is not None and (blamed & instruments.out).any()
        if not out and not blamed[latch.peak.argmax()]:
            return False
        self._fits = self._fits + 1 if seen.score <= seen.limit else 0
        return self._fits >= EXCUSED

    def _exchanged(self, seen: Sighting, baseline: ModeBaseline) -> bool:
        """Tell whether what deviates are two signals that were exchanged."""
        if self._instruments is None:
            return False
        strong = seen.strength >= SHARE * seen.strength.max()
        onset = min(int(self._departures.left[strong].min()), seen.at)
        return self._instruments.find_swapped(seen.at, onset, seen.strength, seen.quick, baseline)

    def _judge_lone(
        self,
        verdict: Verdict,
        i: int,
        at: int,
        mode: int,
        row: Columns,
        means: Columns,
        baseline: ModeBaseline,
        novelty: Novelty,
    ) -> None:
        """Judge a row of a lone signal: an event is raised, and cleared by the next row."""
        deviation = baseline.deviation(row, means, self._means.rows, None, True)
        bar = novelty.bar
        score, event = novelty.surprise(float(row[0]))
        told = Sighting(
            at, mode, score, bar, row, means[2], np.ones(1), deviation.in_limits, deviation.limits
        )
        verdict.score(i, score, bar, told.strength)
        if deviation.far or self._departures.any:
            self._departures.note(at, baseline.scales(), self._latch.alarmed)
        if self._event:
            verdict.add(self._transition(told, AlarmAction.CLEAR))
        if event:
            verdict.add(self._transition(told, AlarmAction.RAISE))
        self._event = event
        self._seen = told
        baseline.learn(means[0], self._means.rows)

    def _turned(self, told: Transition, baseline: ModeBaseline) -> None:
        """Follow an alarm that came or went."""
        if told.action is AlarmAction.CLEAR:
            self._calm(baseline)
        elif told.action is AlarmAction.RAISE:
            self._onset, self._fits = told.onset, 0
            baseline.go_home()

    def _calm(self, baseline: ModeBaseline) -> None:
        """Let the slow channels go on from the quick ones: what they saw of the fault is over."""
        baseline.restart_slow()
        self._means.start_from(1, 0)

    def _transition(self, seen: Sighting, action: AlarmAction) -> Transition:
        reason = self._reason(seen)
        told = reason.contributions
        return Transition(seen.at, told[0].since if told else seen.at, action, reason)

    def _reason(self, seen: Sighting) -> Reason:
        baseline = self._modes[seen.mode]
        low, high, _ = baseline.band()
        doubted = seen.scales > OUT_OF_BAND
        evidence = Evidence(
            parts=parts(seen.strength),
            actual=seen.quick,
            past=seen.past,
            expected=baseline.relations.expected(seen.quick, baseline.centre, doubted),
            low=low,
            high=high,
            scale=baseline.relations.unit,
            left=np.minimum(self._departures.left, seen.at),
        )
        return explain(seen.score, seen.limit, evidence, self.signals, self.units)

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything that decides later verdicts, as arrays."""
        known: dict[str, NDArray[Any]] = {
            **self._departures.state(),
            "told": np.array([self._told]),
            "clock": np.array(
                [
                    self._rows,
                    self._entered,
                    self._last,
                    self._apart,
                    self._onset,
                    self._fits,
                    self._event,
                    self._accepted,
                ],
                np.int64,
            ),
            "mode": np.array([] if self._mode is None else [self._mode], np.int64),
        }
        known |= prefixed("means.", self._means.state())
        known |= prefixed("latch.", self._latch.state())
        known |= prefixed("modes.", self._modes.state())
        for mode, relations in self._modes.shared.items():
            known |= prefixed(f"shared.{mode}.", relations.state())
        if self._instruments is not None:
            known |= prefixed("instruments.", self._instruments.state())
        if self._novelty is not None:
            known |= prefixed("novelty.", self._novelty.state())
        if self._regimes is not None:
            known |= prefixed("regimes.", self._regimes.state())
        if self._seen is not None:
            known |= prefixed("seen.", self._seen.state())
        return known

    def restore(self, state: State) -> None:
        """Go on from a `state` of a watch with the same signals."""
        self._departures.restore(state)
        self._told = float(state["told"][0])
        clock = state["clock"].tolist()
        self._rows, self._entered, self._last, self._apart, self._onset, self._fits, *flags = clock
        self._event, self._accepted = map(bool, flags)
        self._mode = int(state["mode"][0]) if len(state["mode"]) else None
        self._means.restore(part_of(state, "means."))
        self._latch.restore(part_of(state, "latch."))
        self._modes.restore(part_of(state, "modes."))
        shared = part_of(state, "shared.")
        self._modes.shared = {
            int(mode): Relations.restore(part_of(shared, f"{mode}."))
            for mode in sorted({name.partition(".")[0] for name in shared}, key=int)
        }
        if self._instruments is not None:
            self._instruments.restore(part_of(state, "instruments."))
        if self._novelty is not None:
            self._novelty.restore(part_of(state, "novelty."))
        regimes = part_of(state, "regimes.")
        self._regimes = Regimes.restore(regimes) if regimes else None
        seen = part_of(state, "seen.")
        self._seen = Sighting.restore(seen) if seen else None


def _finite(row: Columns) -> tuple[Columns, bool]:
    """Give a row (p,) with NaN for what is no number, and whether all are numbers."""
    if isfinite(row.dot(row)):  # what is no number, or far too large, is looked at closely
        return row, True
    finite = np.isfinite(row)
    return (row, True) if finite.all() else (np.where(finite, row, np.nan), False)
