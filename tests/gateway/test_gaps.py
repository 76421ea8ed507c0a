"""Every interval in which a source could not be read stands in the ledger, with what it cost."""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway import gaps as rules
from gateway.config.plan import Plan
from gateway.gaps import GapLedger, gap_body, gap_from
from gateway.journal import Entry, EventRecord, Record, SampleRecord
from gateway.journal.snapshots import Packing, unpack_arrays
from gateway.pipeline import Outcome, Pipeline, gap_event
from gateway.stages import sieve
from plant.gaps import Gap, GapCause
from plant.quality import Status
from plant.samples import Batch, ContextEvent, Recovery, uniform_batch
from plant.tags import Tag, TagHandle, ValueType

SECOND = 10**9
TAGS = (
    Tag(name="a/p/x", source="plc", address=""),
    Tag(name="a/p/y", source="plc", address="", scale=10.0),
    Tag(name="a/p/recipe", source="plc", address="", type=ValueType.TEXT),
    Tag(name="a/p/z", source="meter", address=""),
)
HANDLES = [TagHandle(number, tag) for number, tag in enumerate(TAGS)]
OVERFLOW = 0x480


def plain(_name: str, call: Callable[[], Any]) -> Any:
    return call()


def batch(
    *samples: tuple[int, float],
    upto: float,
    source: str = "plc",
    received: float | None = None,
    recovered: Recovery = Recovery.NONE,
    status: int = 0,
    context: tuple[ContextEvent, ...] = (),
) -> Batch:
    """Make a batch of (tag, second) samples whose values are their seconds."""
    n = len(samples)
    return Batch(
        source=source,
        tag=np.array([tag for tag, _ in samples], np.int32),
        at=np.array([round(at * SECOND) for _, at in samples], np.int64),
        value=np.array([at for _, at in samples], np.float64),
        status=np.full(n, status, np.uint32),
        upto=round(upto * SECOND),
        received=round((upto if received is None else received) * SECOND),
        heard=1,
        replayed=bool(recovered),
        recovered=recovered,
        context=context,
    )


class Told:
    """A pipeline whose records are kept, as the gateway journals them."""

    def __init__(self, *, polled: bool = False) -> None:
        plc: Any = SimpleNamespace(name="plc", **({"scan_ms": 1000.0} if polled else {}))
        meter: Any = SimpleNamespace(name="meter")
        tape: Any = SimpleNamespace(name="tape", type="replay")
        self.plan = Plan(name="t", data=Path(), sources=(plc, meter, tape), tags=TAGS)
        self.pipeline = Pipeline(self.plan, HANDLES, plain)
        self.records: list[Record] = []

    @property
    def ledger(self) -> GapLedger:
        return self.pipeline.gaps

    def take(self, *batches: Batch) -> None:
        for one in batches:
            self.records.extend(self.pipeline.take(one).records())

    def fill(self, gap: int, one: Batch) -> Outcome | None:
        outcome = self.pipeline.fill(gap, one)
        self.records.extend(outcome.records() if outcome else ())
        return outcome

    def enter(self, gaps: Sequence[Gap]) -> Sequence[Gap]:
        self.records.extend(map(gap_event, gaps))
        return gaps

    def up(self, source: str = "plc") -> None:
        self.records.append(self.pipeline.link(source, "up", "", 0))

    def down(
        self, at: float, source: str = "plc", why: str = "refused", cause: GapCause = GapCause.LINK
    ) -> None:
        now = round(at * SECOND)
        self.records.append(self.pipeline.link(source, "down", why, now))
        self.enter(self.ledger.lose(source, cause, why, now))
        bad = uniform_batch(
            source, [0, 1], Status.BAD_NO_COMMUNICATION, at=now, received=0, heard=0
        )
        self.take(bad)

    def settle(self, gap: int, *, complete: bool, why: str = "") -> None:
        self.enter(self.ledger.settle(gap, complete=complete, why=why))

    def run(self, first: int, last: int) -> None:
        """Deliver both numbers each second."""
        for second in range(first, last + 1):
            self.take(batch((0, second), (1, second), upto=second))

    def replayed(self, cut: int = 0) -> Pipeline:
        """Fold the records again, through a snapshot after the first `cut` of them."""
        pipeline = Pipeline(self.plan, HANDLES, plain)
        entries: list[tuple[int, Entry]] = list(enumerate(self.records, 1))
        assert pipeline.replay(entries[:cut]) == []
        restored = Pipeline(self.plan, HANDLES, plain)
        restored.restore(unpack_arrays(b"".join(Packing(pipeline.state()).pieces())))
        assert restored.replay(entries[cut:]) == []
        return restored

    def only(self) -> Gap:
        (gap,) = self.ledger.gaps()
        return gap


def same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def lost_for_a_minute(*, polled: bool = False) -> Told:
    told = Told(polled=polled)
    told.up()
    told.run(1, 100)
    told.down(101)
    told.up()
    told.take(batch((0, 160), (1, 160), upto=160))
    return told


def test_a_loss_lasts_from_the_last_watermark_to_the_first_batch() -> None:
    told = Told()
    told.up()
    told.run(1, 10)
    told.down(11.5)
    assert told.only().start == 10 * SECOND
    assert told.only().stop is None
    assert told.ledger.open("plc") == told.only()
    told.up()
    told.take(batch((0, 20), upto=20))
    gap = told.only()
    assert (gap.stop, gap.cause, gap.why, gap.lost) == (20 * SECOND, GapCause.LINK, "refused", None)
    assert told.ledger.open("plc") is None


def test_attempts_that_fail_are_one_gap_and_a_person_who_has_to_mend_is_its_cause() -> None:
    told = Told()
    told.up()
    told.run(1, 2)
    told.down(3)
    told.down(4, why="timed out")
    told.down(5, why="the password is refused", cause=GapCause.MISCONFIGURED)
    told.down(6, why="timed out")
    gap = told.only()
    assert (gap.cause, gap.why) == (GapCause.MISCONFIGURED, "the password is refused")


def test_a_source_that_was_never_there_is_missed_since_the_start_of_the_gateway() -> None:
    told = Told()
    told.down(100)
    told.up()
    told.take(batch((0, 130), upto=130))
    gap = told.only()
    assert (gap.start, gap.stop) == (100 * SECOND, 130 * SECOND)


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_the_first_gap_of_a_source_is_told_on_its_own_clock(skew: int) -> None:
    told = Told()
    told.down(7200)
    told.up()
    told.take(batch((0, 7230 + skew), upto=7230 + skew, received=7230))
    gap = told.only()
    assert (gap.start, gap.stop) == ((7200 + skew) * SECOND, (7230 + skew) * SECOND)


def test_a_queue_that_the_server_kept_ends_the_gap_when_it_comes_not_when_it_was_filled() -> None:
    told = Told()
    told.up()
    told.take(batch((0, 10), upto=10, received=10.5), batch((0, 11), upto=11, received=11.5))
    told.down(12)
    told.up()
    told.take(batch((0, 12), upto=12, received=60.5))
    assert told.only().stop == 60 * SECOND


def test_a_recording_and_an_unknown_source_have_no_gaps() -> None:
    told = Told()
    assert told.ledger.lose("tape", GapCause.LINK, "ended", 5) == []
    assert told.ledger.lose("stranger", GapCause.LINK, "ended", 5) == []


def test_of_a_polled_source_the_loss_is_exact() -> None:
    told = lost_for_a_minute(polled=True)
    told.settle(1, complete=False)
    gap = told.only()
    assert (gap.lost, gap.estimated) == (59 * 2, False)


def test_elsewhere_it_follows_from_the_usual_rate() -> None:
    told = lost_for_a_minute()
    told.settle(1, complete=False, why="the server keeps no history")
    gap = told.only()
    assert gap.estimated
    assert gap.lost == pytest.approx(120, abs=4)
    assert gap.why == "refused; the server keeps no history"
    assert told.ledger.rate("plc") == pytest.approx(2.0)


def test_values_sent_on_connecting_do_not_count_as_usual() -> None:
    told = Told()
    told.up()
    told.take(batch(*[(0, n / 1000) for n in range(1000)], upto=1))
    told.take(batch((0, 2), upto=2), batch(upto=4))
    assert told.ledger.rate("plc") == pytest.approx(1 / 3, rel=0.01)


def test_what_was_recovered_whole_lost_nothing() -> None:
    told = lost_for_a_minute()
    told.fill(1, batch((0, 120), (1, 130), upto=0, recovered=Recovery.HISTORY))
    told.fill(1, batch((0, 110), upto=0, recovered=Recovery.REPUBLISH))
    told.settle(1, complete=True)
    gap = told.only()
    assert (gap.history, gap.republished, gap.lost, gap.estimated) == (2, 1, 0, False)
    assert told.ledger.unsettled("plc") == []


def test_only_what_is_new_is_let_through() -> None:
    told = lost_for_a_minute()
    told.take(batch((0, 150), upto=161))  # from the server's queue
    offered = [
        (0, 99),
        (0, 100),
        (0, 120),
        (0, 150),
        (0, 160),
        (0, 161),
        (1, 100),
        (1, 101),
        (3, 120),
    ]
    outcome = told.fill(1, batch(*offered, upto=0, recovered=Recovery.HISTORY))
    assert outcome is not None
    kept = outcome.batch
    assert list(zip(kept.tag.tolist(), (kept.at // SECOND).tolist(), strict=True)) == [
        (0, 120),
        (1, 101),
    ]
    assert kept.value.tolist() == [120, 1010], "in engineering units"
    assert kept.upto == 160 * SECOND, "bound to its gap"


def test_what_was_recovered_once_is_not_counted_again_whatever_way_it_comes() -> None:
    told = lost_for_a_minute()
    republished = batch((0, 120), (1, 120), upto=0, recovered=Recovery.REPUBLISH)
    history = batch((0, 119), (0, 120), (0, 121), upto=0, recovered=Recovery.HISTORY)
    told.fill(1, republished)
    assert told.fill(1, republished) is None
    told.fill(1, history)
    assert told.fill(1, history) is None
    gap = told.only()
    assert (gap.republished, gap.history) == (2, 2)


def lost_again() -> Told:
    """Two losses, of which the first is not recovered yet when the second begins."""
    told = lost_for_a_minute()
    told.down(170)
    told.up()
    told.take(batch((0, 190), upto=190))
    return told


def test_a_message_that_is_republished_is_kept_whichever_gap_it_was_lost_in() -> None:
    told = lost_again()
    lost = batch((0, 175), (1, 180), (1, 195), upto=0, recovered=Recovery.REPUBLISH)
    assert told.fill(1, lost) is not None
    assert told.fill(1, lost) is None, "but not twice"
    first, second = told.ledger.gaps()
    assert (first.republished, second.republished) == (3, 0)
    history = batch((0, 175), (0, 176), (1, 180), upto=0, recovered=Recovery.HISTORY)
    outcome = told.fill(2, history)
    assert outcome is not None
    assert outcome.batch.at.tolist() == [176 * SECOND], "the rest came with the other gap"


def test_a_message_that_was_never_heard_is_new_whatever_times_it_bears() -> None:
    told = lost_for_a_minute()
    old = batch((0, 50), (0, 100), upto=0, recovered=Recovery.REPUBLISH)
    outcome = told.fill(1, old)
    assert outcome is not None
    assert outcome.batch.at.tolist() == [50 * SECOND], "the last value before the gap is known"


def test_behind_a_restart_what_is_republished_may_be_known() -> None:
    told = lost_for_a_minute()
    told.settle(1, complete=True)
    told.enter(told.ledger.begin(200 * SECOND))
    told.up()
    told.take(batch((0, 260), upto=260))
    outcome = told.fill(2, batch((0, 150), (0, 161), upto=0, recovered=Recovery.REPUBLISH))
    assert outcome is not None
    assert outcome.batch.at.tolist() == [161 * SECOND]


def test_what_had_to_be_turned_away_is_not_called_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sieve, "NOTED", 2)
    told = lost_for_a_minute()
    told.take(batch((0, 110), (0, 120), (0, 130), upto=161))
    assert told.fill(1, batch((1, 140), upto=0, recovered=Recovery.HISTORY)) is None
    told.settle(1, complete=True)
    gap = told.only()
    assert gap.estimated
    assert rules.CROWDED in gap.why


def test_nothing_recovered_is_shown_as_the_present_or_judged() -> None:
    told = lost_for_a_minute()
    before = {name: array.copy() for name, array in told.pipeline.latest.state().items()}
    text = ContextEvent(2, 120 * SECOND, "R-12")
    told.fill(1, batch((0, 120), upto=0, recovered=Recovery.HISTORY, context=(text,)))
    same(told.pipeline.latest.state(), before)
    same(told.replayed().latest.state(), before)
    assert told.ledger.gaps()[0].history == 2


def test_a_text_that_is_known_does_not_come_again() -> None:
    told = Told()
    told.up()
    told.take(batch(upto=1, context=(ContextEvent(2, SECOND, "R-1"),)))
    told.down(2)
    told.up()
    told.take(batch(upto=9, context=(ContextEvent(2, 8 * SECOND, "R-3"),)))
    texts = tuple(ContextEvent(2, at * SECOND, f"R-{at}") for at in (1, 5, 8))
    outcome = told.fill(1, batch(upto=0, recovered=Recovery.HISTORY, context=texts))
    assert outcome is not None
    assert [event.text for event in outcome.batch.context] == ["R-5"]


def test_a_restart_is_a_gap_and_killed_or_stopped_is_told_apart() -> None:
    told = Told()
    told.up()
    told.run(1, 5)
    killed = told.replayed()
    (gap,) = killed.gaps.begin(20 * SECOND)
    assert (gap.source, gap.start, gap.cause) == ("plc", 5 * SECOND, GapCause.STOPPED)
    assert gap.why == rules.KILLED
    told.records.append(EventRecord("run", 6 * SECOND, {"state": "ended"}))
    (gap,) = told.replayed().gaps.begin(20 * SECOND)
    assert gap.why == rules.ENDED


def test_a_gap_that_lasts_over_a_restart_stays_one() -> None:
    told = Told()
    told.up()
    told.run(1, 5)
    told.down(6)
    assert told.replayed().gaps.begin(20 * SECOND) == []


def test_a_restart_before_a_source_that_is_gone_tells_both() -> None:
    told = Told()
    told.up()
    told.run(1, 5)
    told.enter(told.ledger.begin(20 * SECOND))
    told.down(21, why="refused")
    told.down(22, why="timed out")
    assert told.only().why == f"{rules.KILLED}; then refused"
    assert told.only().cause is GapCause.STOPPED


def test_gaps_of_a_source_that_is_no_longer_configured_are_closed() -> None:
    told = Told()
    told.up("meter")
    told.take(batch((3, 1), upto=1, source="meter"))
    told.down(2, "meter")
    ledger = GapLedger(HANDLES, {"plc": 0})
    ledger.restore(told.ledger.state())
    (gap,) = ledger.begin(9 * SECOND)
    assert (gap.source, gap.stop, gap.lost) == ("meter", 9 * SECOND, 0)
    assert ledger.begin(10 * SECOND) == []


def test_killed_in_the_midst_of_a_recovery_it_goes_on_without_counting_twice() -> None:
    told = lost_for_a_minute()
    first = batch((0, 110), (0, 111), upto=0, recovered=Recovery.HISTORY)
    told.fill(1, first)
    told.pipeline = told.replayed()
    told.enter(told.ledger.begin(170 * SECOND))
    told.up()
    told.take(batch((0, 180), upto=180))
    assert [gap.id for gap in told.ledger.unsettled("plc")] == [1, 2]
    assert told.fill(1, first) is None
    told.fill(1, batch((0, 111), (0, 112), upto=0, recovered=Recovery.HISTORY))
    told.settle(1, complete=True)
    assert [gap.history for gap in told.ledger.gaps()] == [3, 0]


def test_messages_that_are_missing_make_a_gap_that_waits_for_its_recovery() -> None:
    told = Told()
    told.up()
    told.run(1, 10)
    late = batch((0, 14), upto=14)
    told.enter(told.ledger.miss(late, "3 messages are missing"))
    told.take(late)
    gap = told.only()
    assert (gap.cause, gap.start, gap.stop) == (GapCause.MESSAGES, 10 * SECOND, 14 * SECOND)
    assert told.ledger.unsettled("plc") == [gap]
    assert told.fill(1, batch((0, 12), (0, 14), upto=0, recovered=Recovery.REPUBLISH))
    assert told.only().republished == 1


def test_queues_that_overflow_at_the_server_are_one_gap_while_they_go_on() -> None:
    told = Told()
    told.up()
    told.run(1, 10)
    for second in range(11, 20):
        told.take(batch((0, second), (1, second), upto=second, status=OVERFLOW))
    told.run(20, 22)
    gap = told.only()
    assert (gap.cause, gap.why) == (GapCause.OVERLOAD, rules.OVERFLOWED)
    assert (gap.start, gap.stop) == (10 * SECOND, 19 * SECOND)
    assert (gap.lost, gap.estimated) == (18, True)
    told.run(490, 499)
    told.take(batch((0, 500), upto=500, status=OVERFLOW))
    told.run(501, 503)
    assert [gap.lost for gap in told.ledger.gaps()] == [18, 1]


def test_what_a_queue_dropped_is_reckoned_by_the_usual_rate_of_its_tags() -> None:
    told = Told()
    told.up()
    told.run(1, 100)
    told.take(batch((0, 121), (1, 121), upto=121, status=OVERFLOW))
    told.run(122, 124)
    assert told.only().lost == pytest.approx(2 * 20, abs=6)


def test_an_overload_is_told_while_it_goes_on_and_a_minute_longer() -> None:
    told = Told()
    told.up()
    told.run(1, 10)
    told.take(batch((0, 12), upto=12, status=OVERFLOW))
    told.run(13, 15)
    assert told.ledger.losing("plc", 70 * SECOND) == told.only()
    assert told.ledger.losing("plc", 73 * SECOND) is None


def test_overflow_just_before_a_loss_is_not_forgotten() -> None:
    told = Told()
    told.up()
    told.run(1, 10)
    told.take(batch((0, 11), upto=11, status=OVERFLOW))
    told.down(12)
    assert [gap.cause for gap in told.ledger.gaps()] == [GapCause.OVERLOAD, GapCause.LINK]


def test_a_queue_that_overflowed_in_a_gap_is_part_of_that_gap() -> None:
    told = Told()
    told.up()
    told.run(1, 10)
    told.down(11)
    told.up()
    told.take(batch((0, 40), upto=40, status=OVERFLOW))
    told.run(41, 50)
    assert told.only().cause is GapCause.LINK


def test_other_bits_of_a_status_are_no_overflow() -> None:
    told = Told()
    told.up()
    told.take(*(batch((0, n), upto=n, status=0x400) for n in range(1, 9)))
    told.take(*(batch((0, n), upto=n, status=0x80) for n in range(9, 15)))
    assert told.ledger.gaps() == []


def test_scans_that_were_missed_while_the_link_stood_are_told() -> None:
    told = Told(polled=True)
    told.up()
    told.run(1, 10)
    told.run(15, 20)
    gap = told.only()
    assert (gap.cause, gap.why) == (GapCause.OVERLOAD, rules.SKIPPED)
    assert (gap.start, gap.stop) == (10 * SECOND, 15 * SECOND)
    assert (gap.lost, gap.estimated) == (4 * 2, False)


def test_a_scan_that_is_late_is_not_missed() -> None:
    told = Told(polled=True)
    told.up()
    told.run(1, 10)
    told.run(12, 20)
    assert told.ledger.gaps() == []


def test_gaps_without_end_are_forgotten_oldest_first_and_open_ones_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "KEPT", 3)
    told = Told()
    told.up("meter")
    told.take(batch((3, 1), upto=1, source="meter"))
    told.down(2, "meter")
    for number in range(10):
        told.up()
        told.take(batch((0, 10 * number), upto=10 * number))
        told.down(10 * number + 1)
        told.settle(told.ledger.gaps()[-2].id, complete=True)
    kept = told.ledger.gaps()
    assert len(kept) == 3
    assert kept[0].source == "meter"
    same(told.replayed(5).gaps.state(), told.ledger.state())


def test_a_flapping_source_does_not_pile_up_what_is_to_be_recovered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "UNSETTLED", 3)
    told = Told()
    for number in range(10):
        told.up()
        told.take(batch((0, 10 * number), upto=10 * number))
        told.down(10 * number + 1)
    assert len(told.ledger.unsettled("plc")) == 3
    given_up = [gap for gap in told.ledger.gaps() if gap.lost is not None]
    assert all(rules.GIVEN_UP in gap.why for gap in given_up)
    assert len(given_up) == 6


def test_a_settled_gap_stays_as_it_is() -> None:
    told = lost_for_a_minute()
    told.settle(1, complete=True)
    assert told.ledger.settle(1, complete=False) == []
    assert told.ledger.settle(99, complete=False) == []
    assert told.fill(1, batch((0, 120), upto=0, recovered=Recovery.HISTORY)) is None


def test_a_gap_is_plain_data_and_comes_back() -> None:
    gap = lost_for_a_minute().only()
    assert gap_from(json.loads(json.dumps(gap_body(gap)))) == gap


def test_a_ticket_is_kept_for_the_next_start() -> None:
    told = Told()
    event = EventRecord("ticket", 1, {"source": "plc", "kept": {"subscription": 7}})
    told.pipeline.note(event)
    told.records.append(event)
    assert told.replayed(1).gaps.tickets == {"plc": {"subscription": 7}}


def live(told: Told, clock: int) -> Batch:
    return batch((0, clock), (1, clock - 1), upto=clock)


def recover(told: Told, clock: int, tag: int, kind: Recovery) -> None:
    told.fill(oldest(told), batch((tag, clock - 9), upto=0, recovered=kind))


def oldest(told: Told) -> int:
    return next((gap.id for gap in told.ledger.unsettled("plc")), 0)


ACTIONS: dict[str, Callable[[Told, int], object]] = {
    "up": lambda told, _: told.up(),
    "down": lambda told, clock: told.down(clock),
    "run": lambda told, clock: told.take(live(told, clock)),
    "overflow": lambda told, clock: told.take(batch((0, clock), upto=clock, status=OVERFLOW)),
    "history": lambda told, clock: recover(told, clock, 0, Recovery.HISTORY),
    "republish": lambda told, clock: recover(told, clock, 1, Recovery.REPUBLISH),
    "settle": lambda told, _: told.settle(oldest(told), complete=False),
    "miss": lambda told, clock: (
        told.enter(told.ledger.miss(live(told, clock), "missing")),
        told.take(live(told, clock)),
    ),
}
STEPS = st.lists(st.sampled_from(sorted(ACTIONS)), max_size=30)


def play(told: Told, steps: list[str]) -> None:
    for number, step in enumerate(steps, 1):
        ACTIONS[step](told, 7 * number)


@settings(deadline=None, max_examples=60)
@given(steps=STEPS, share=st.floats(0, 1), polled=st.booleans())
def test_the_ledger_is_the_fold_of_the_journal_from_any_snapshot(
    steps: list[str], share: float, *, polled: bool
) -> None:
    told = Told(polled=polled)
    play(told, steps)
    same(told.replayed(round(share * len(told.records))).state(), told.pipeline.state())


def came(records: Sequence[Record], *, recovered: bool) -> list[tuple[int, int]]:
    """List tag and time of what stands in the journal, in the order in which it came."""
    batches = [one.batch for one in records if isinstance(one, SampleRecord)]
    return [
        pair
        for one in batches
        if bool(one.recovered) is recovered
        and not (one.status == Status.BAD_NO_COMMUNICATION).any()
        for pair in zip(one.tag.tolist(), one.at.tolist(), strict=True)
    ]


@settings(deadline=None, max_examples=60)
@given(steps=STEPS)
def test_nothing_recovered_stands_twice_in_the_journal(steps: list[str]) -> None:
    told = Told()
    play(told, steps)
    filled = came(told.records, recovered=True)
    assert len(set(filled)) == len(filled)
    assert not set(filled) & set(came(told.records, recovered=False))


@settings(deadline=None, max_examples=60)
@given(steps=STEPS)
def test_gaps_of_a_source_do_not_overlap(steps: list[str]) -> None:
    told = Told()
    play(told, steps)
    apart = [gap for gap in told.ledger.gaps() if gap.cause is not GapCause.OVERLOAD]
    for earlier, later in pairwise(apart):
        assert earlier.stop is not None
        assert earlier.stop <= later.start


class Line:
    """A server whose messages are heard, or swallowed and republished later, while links are cut.

    As of a source, messages are known to be missing by the next one that is heard, and whichever
    recovery is under way asks for all of them.
    """

    def __init__(self) -> None:
        self.told = Told()
        self.clock = 0
        self.made: list[tuple[int, int]] = []
        self.swallowed: list[Batch] = []
        self.missed: list[Batch] = []

    def message(self, kind: Recovery = Recovery.NONE) -> Batch:
        """Make the next message; the values of one tag come late."""
        self.clock += 7
        samples = ((0, self.clock), (0, self.clock - 3), (1, self.clock - 8))
        self.made += [(tag, at * SECOND) for tag, at in samples]
        return batch(*sorted(samples), upto=self.clock, recovered=kind)

    def say(self) -> None:
        said = self.message()
        self.told.up()
        for _ in self.swallowed[:1]:
            self.told.enter(self.told.ledger.miss(said, "missing"))
        self.missed += self.swallowed
        self.swallowed.clear()
        self.told.take(said)

    def swallow(self) -> None:
        self.swallowed.append(self.message(Recovery.REPUBLISH))

    def cut(self) -> None:
        self.told.down(self.clock)

    def ask(self) -> None:
        for gap, lost in zip(self.told.ledger.unsettled("plc"), self.missed[:1], strict=False):
            self.told.fill(gap.id, lost)
            self.missed.remove(lost)

    def settle(self) -> None:
        for gap in self.told.ledger.unsettled("plc")[: not self.missed]:
            self.told.settle(gap.id, complete=True)


ORDERS = ("say", "swallow", "cut", "ask", "settle")


@settings(deadline=None, max_examples=100)
@given(orders=st.lists(st.sampled_from(ORDERS), max_size=30))
def test_wherever_it_is_cut_what_is_called_complete_is_in_the_journal(orders: list[str]) -> None:
    line = Line()
    for order in ("say", *orders, "cut", "say", *["ask"] * 30, *["settle"] * 30):
        getattr(line, order)()
    kept = came(line.told.records, recovered=False) + came(line.told.records, recovered=True)
    assert set(line.made) <= set(kept)
    assert len(set(kept)) == len(kept)
    assert all(gap.lost == 0 for gap in line.told.ledger.gaps())
