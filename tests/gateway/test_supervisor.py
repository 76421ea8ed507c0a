"""A source is re-entered after every loss, and the loss is said on every tag."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from connectors.contract import Facts, Source, Ticket
from gateway import link as links
from gateway import supervisor as rules
from gateway.link import Link
from gateway.supervisor import Supervisor
from plant.errors import Exhausted, Misconfigured, Rejected, Unreachable
from plant.gaps import Gap, GapCause
from plant.quality import Status, is_good
from plant.samples import Batch

Step = Batch | Exception


def good(value: float, at: int) -> Batch:
    return Batch(
        source="plc",
        tag=np.array([4], np.int32),
        at=np.array([at], np.int64),
        value=np.array([value], np.float64),
        status=np.zeros(1, np.uint32),
        upto=at,
        received=at,
        heard=time.monotonic_ns(),
    )


class Scripted:
    """A source that plays one list of steps an entry."""

    name = "plc"

    def __init__(self, steps: list[Step]) -> None:
        self._steps: Iterator[Step] = iter(steps)
        self.closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closed = True

    async def read(self) -> Batch:
        step = next(self._steps)
        match step:
            case Exception():
                raise step
            case _:
                return step


class Recorder:
    """Takes what the supervisor delivers."""

    def __init__(self, *, shared: bool = False) -> None:
        self.batches: list[Batch] = []
        self.states: list[str] = []
        self.filled: list[tuple[int, Batch]] = []
        self.tickets: list[Ticket | None] = []
        self.missing: list[str] = []
        self.waiting: dict[int, Gap] = {}
        self.settled: list[tuple[int, bool, str]] = []
        self._shared = shared

    async def take(self, batch: Batch, source: Source | None) -> None:
        self.batches.append(batch)

    def link_changed(self, link: Link) -> None:
        self.states.append(str(link.state))

    def shares(self, source: str) -> bool:
        return self._shared

    async def fill(self, gap: int, batch: Batch, source: Source) -> None:
        self.filled.append((gap, batch))

    def ticket_changed(self, link: Link) -> None:
        self.tickets.append(link.ticket)

    def missed(self, batch: Batch, why: str) -> None:
        self.missing.append(why)

    def unsettled(self, source: str) -> Sequence[Gap]:
        return list(self.waiting.values())

    def settle(self, gap: int, *, complete: bool, why: str) -> None:
        del self.waiting[gap]
        self.settled.append((gap, complete, why))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "BACKOFF_S", (0.01,))
    monkeypatch.setattr(rules, "MISCONFIGURED_S", 0.01)
    monkeypatch.setattr(rules, "HEARTBEAT_S", 0.004)
    monkeypatch.setattr(rules, "STAMPED_NS", 0)


def run(entries: list[list[Step]], *, shared: bool = False) -> tuple[Recorder, Link]:
    recorder = Recorder(shared=shared)
    link = Link("plc", (4, 7))
    plays = iter(entries)
    build: Callable[[], Source] = lambda: Scripted(next(plays))  # noqa: E731
    asyncio.run(Supervisor(recorder).keep(link, build))
    return recorder, link


def test_a_lost_link_is_bad_on_every_tag_and_heals_without_a_restart() -> None:
    second = 1_000_000_000
    recorder, link = run(
        [
            [good(1, second), Unreachable("reset by peer")],
            [good(2, 9 * second), Exhausted()],
        ]
    )
    first, bad, healed = recorder.batches
    assert (first.value[0], healed.value[0]) == (1, 2)
    assert bad.tag.tolist() == [4, 7]
    assert not is_good(bad.status).any()
    assert bad.at.tolist() == [first.upto + 1] * 2, "from where delivery ended"
    assert recorder.states == ["up", "down", "up", "ended"]
    assert link.losses == 1


def test_a_source_off_at_start_is_said_once_and_tried_again() -> None:
    recorder, link = run([[Unreachable("refused")], [Unreachable("refused")], [Exhausted()]])
    assert len(recorder.batches) == 1
    assert recorder.batches[0].status.tolist() == [Status.BAD_NO_COMMUNICATION] * 2
    assert link.why == "the recording has ended"


def test_a_misconfigured_source_says_so_and_heals_when_mended() -> None:
    recorder, _ = run([[Misconfigured("trust the certificate")], [good(3, 5), Exhausted()]])
    assert recorder.states == ["misconfigured", "up", "ended"]


def test_one_rejected_answer_does_not_lose_the_link() -> None:
    recorder, link = run([[good(1, 5), Rejected("short answer"), good(2, 6), Exhausted()]])
    assert [b.value[0] for b in recorder.batches] == [1, 2]
    assert link.rejected == 1


def test_a_link_that_only_brings_what_cannot_be_used_is_not_up() -> None:
    unusable = [Rejected(f"short answer {n}") for n in range(rules.UNUSABLE)]
    recorder, link = run([[good(1, 5), *unusable], [good(2, 6), Exhausted()]])
    assert [is_good(b.status).all() for b in recorder.batches] == [True, False, True]
    assert link.losses == 1
    assert recorder.states[-3:] == ["down", "up", "ended"]


def test_the_same_complaint_is_journalled_once() -> None:
    recorder, link = run([[good(1, 5), Rejected("a"), Rejected("a"), good(2, 6), Exhausted()]])
    assert recorder.states == ["up", "up", "ended"]
    assert link.rejected == 2


def test_an_unforeseen_failure_is_named_with_its_place_and_tried_again() -> None:
    recorder = Recorder()
    link = Link("plc", (4,))
    whys: list[str] = []
    recorder.link_changed = lambda changed: whys.append(changed.why)  # type: ignore[method-assign]
    plays = iter([[ZeroDivisionError("by zero")], [Exhausted()]])
    asyncio.run(Supervisor(recorder).keep(link, lambda: Scripted(next(plays))))
    assert "ZeroDivisionError" in whys[0]
    assert "test_supervisor.py" in whys[0]


def test_time_goes_on_for_assets_that_another_source_feeds_too() -> None:
    recorder, _ = run([[good(1, 5), Unreachable("cut")], [Exhausted()]], shared=True)
    beats = [b for b in recorder.batches if not len(b)]
    assert beats
    assert all(b.upto > 5 for b in beats)


def test_a_failing_detector_is_benched_with_its_reason() -> None:
    watched = Supervisor(Recorder())
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise FloatingPointError("no spread")

    assert watched.contain("pump-2", fail) is None
    assert watched.contain("pump-2", fail) is None
    assert len(calls) == 1
    assert "no spread" in watched.benched["pump-2"]
    assert watched.contain("pump-1", lambda: 5) == 5


def due(number: int, stop: int = 9) -> Gap:
    return Gap(id=number, source="plc", start=1, stop=stop, cause=GapCause.LINK, why="cut")


class Lasting(Scripted):
    """A source with every ability, which the tests set; it reads until told otherwise."""

    def __init__(self, steps: list[Step], *, held: bool = False, asked: bool = True) -> None:
        super().__init__(steps)
        self.resumed: list[Ticket] = []
        self.asked: list[tuple[int, int]] = []
        self.offered: Ticket | None = Ticket({"subscription": 7}, held="token")
        self.gaps = 0
        self.answer: bool | Exception = True
        self.recovered: list[Batch] = []
        self.cancelled = False
        self._hold = asyncio.Event()
        self._asked = asyncio.Event()
        self._waits = held
        if not asked:
            self._asked.set()

    async def read(self) -> Batch:
        try:
            batch = await super().read()
        except (Unreachable, Exhausted):
            await asyncio.wait_for(self._asked.wait(), 60)
            raise
        await asyncio.sleep(0)
        return batch

    def ticket(self) -> Ticket | None:
        return self.offered

    def resume(self, ticket: Ticket) -> None:
        self.resumed.append(ticket)

    def facts(self) -> Facts:
        return Facts(endpoint="opc.tcp://plc", security="Basic256Sha256", secured=True)

    async def recover(
        self, start: int, stop: int, deliver: Callable[[Batch], Awaitable[None]], /
    ) -> bool:
        self.asked.append((start, stop))
        self._asked.set()
        try:
            for batch in self.recovered:
                await deliver(batch)
            await asyncio.sleep(60 if self._waits else 0)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def keep(*sources: Source, waiting: tuple[Gap, ...] = ()) -> tuple[Recorder, Link, Supervisor]:
    recorder = Recorder()
    recorder.waiting = {gap.id: gap for gap in waiting}
    link, plays = Link("plc", (4,)), iter(sources)
    watched = Supervisor(recorder)
    asyncio.run(watched.keep(link, lambda: next(plays, Scripted([Exhausted()]))))
    return recorder, link, watched


def test_what_was_missed_is_fetched_beside_reading_gap_by_gap() -> None:
    source = Lasting([good(n, 20 + n) for n in range(1, 400)] + [Exhausted()])
    source.recovered = [good(9, 5)]
    recorder, _, _ = keep(source, waiting=(due(1), due(2, stop=12)))
    assert source.asked == [(1, 9), (1, 12)]
    assert [gap for gap, _ in recorder.filled] == [1, 2]
    assert recorder.settled == [(1, True, ""), (2, True, "")]
    assert len(recorder.batches) == 399


def test_recovery_goes_on_at_the_next_entering_after_a_loss() -> None:
    first = Lasting([good(1, 20), Unreachable("cut")], held=True)
    second = Lasting([*(good(2, 30) for _ in range(20)), Unreachable("cut")])
    second.answer = Unreachable("cut again")
    third = Lasting([good(3, 40), *(good(4, 41 + n) for n in range(99)), Unreachable("cut")])
    last = Scripted([good(4, 200), Exhausted()])
    recorder, link, _ = keep(first, second, third, last, waiting=(due(1),))
    assert first.cancelled
    assert (first.asked, second.asked, third.asked) == ([(1, 9)], [(1, 9)], [(1, 9)])
    assert [(gap, why) for gap, _, why in recorder.settled] == [(1, "")]
    assert link.faults == 1


def test_a_failure_of_recovery_is_told_and_reading_goes_on() -> None:
    source = Lasting([good(n, 20 + n) for n in range(400)] + [Exhausted()])
    source.answer = ZeroDivisionError("history")
    recorder, link, _ = keep(source, waiting=(due(1),))
    ((gap, complete, why),) = recorder.settled
    assert (gap, complete) == (1, False)
    assert "ZeroDivisionError" in why
    assert link.faults == 1
    assert len(recorder.batches) == 400
    assert link.losses == 0


def test_a_recovery_that_is_cut_off_while_the_link_stands_is_tried_again_and_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "FETCH_AGAIN_S", 0.0)
    source = Lasting([good(n, 20 + n) for n in range(400)] + [Exhausted()])
    source.answer = Unreachable("the server refuses")
    recorder, link, _ = keep(source, waiting=(due(1),))
    assert recorder.settled == [(1, False, "recovery failed: the server refuses")]
    assert len(source.asked) == rules.FETCHES
    assert link.faults == rules.FETCHES
    assert link.losses == 0


def test_a_source_that_cannot_recover_has_its_losses_reckoned_at_once() -> None:
    async def story() -> Recorder:
        recorder = Recorder()
        recorder.waiting = {1: due(1)}
        steps = [good(n, 20 + n) for n in range(3)]

        class Slow(Scripted):
            async def read(self) -> Batch:
                await asyncio.sleep(0.005)
                return await super().read()

        await Supervisor(recorder).keep(Link("plc", (4,)), lambda: Slow([*steps, Exhausted()]))
        return recorder

    assert asyncio.run(story()).settled == [(1, False, "")]


@pytest.mark.parametrize("late", [0, 10])
def test_what_is_missing_is_asked_for_when_the_queue_of_the_server_has_been_read(
    monkeypatch: pytest.MonkeyPatch, late: int
) -> None:
    """A value that bears a time of before the end of the gap may come after its end was told."""
    monkeypatch.setattr(rules, "STAMPED_NS", late)
    source = Lasting([good(n, n) for n in range(1, 60)] + [Exhausted()])
    link = Link("plc", (4,))
    seen: list[int] = []
    recover = source.recover

    async def note(start: int, stop: int, deliver: Callable[[Batch], Awaitable[None]], /) -> bool:
        seen.append(link.upto)
        return await recover(start, stop, deliver)

    source.recover = note  # type: ignore[method-assign]
    recorder = Recorder()
    recorder.waiting = {1: due(1, stop=30)}
    asyncio.run(Supervisor(recorder).keep(link, lambda: source))
    assert len(seen) == 1
    assert 30 + late <= seen[0] < 59


def test_the_ticket_of_a_lost_connection_is_handed_to_the_next() -> None:
    first = Lasting([good(1, 20), Unreachable("cut")])
    second = Lasting([good(2, 30), Exhausted()], asked=False)
    recorder, link, _ = keep(first, second, waiting=(due(1),))
    assert first.resumed == []
    assert [(one.kept, one.held) for one in second.resumed] == [({"subscription": 7}, "token")]
    assert len(recorder.tickets) == 4, "after each entering, and when each was lost"
    assert link.ticket is second.offered


def test_what_a_source_cut_while_entering_has_left_is_handed_on_too() -> None:
    class Cut(Lasting):
        async def __aenter__(self) -> Self:
            raise Unreachable("cut while entering")

    second = Lasting([good(1, 20), Exhausted()], asked=False)
    keep(Cut([]), second)
    assert [one.held for one in second.resumed] == ["token"]


def test_a_ticket_that_cannot_be_had_costs_no_values() -> None:
    source = Lasting([good(1, 20), Exhausted()])
    source.ticket = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    recorder, link, _ = keep(source, waiting=(due(1),))
    assert len(recorder.batches) == 1
    assert (link.ticket, link.faults) == (None, 2)


def test_messages_that_are_missing_are_entered_before_the_batch_that_shows_it() -> None:
    class Counting(Lasting):
        async def read(self) -> Batch:
            batch = await super().read()
            self.gaps += int(batch.value[0]) * 3
            return batch

    recorder, link, _ = keep(Counting([good(0, 20), good(1, 21), Exhausted()]), waiting=(due(1),))
    assert recorder.missing == ["3 messages are missing"]
    assert link.cause is GapCause.LINK


def test_messages_that_go_missing_with_an_answer_set_aside_are_entered_with_the_next() -> None:
    class Counting(Lasting):
        async def read(self) -> Batch:
            try:
                return await super().read()
            except Rejected:
                self.gaps += 2
                raise

    plays = [good(0, 20), Rejected("a handle of nobody"), good(1, 21), good(2, 22), Exhausted()]
    recorder, _, _ = keep(Counting(plays), waiting=(due(1),))
    assert recorder.missing == ["2 messages are missing"]


def test_a_link_lost_for_missing_messages_says_so() -> None:
    class Counting(Lasting):
        async def read(self) -> Batch:
            try:
                return await super().read()
            except Unreachable:
                self.gaps += 1
                raise

    causes: list[GapCause] = []
    recorder = Recorder()
    recorder.waiting = {1: due(1), 2: due(2)}
    recorder.link_changed = lambda changed: causes.append(changed.cause)  # type: ignore[method-assign]
    plays = iter([Counting([good(0, 20), Unreachable("9 expected")]), Scripted([Exhausted()])])
    asyncio.run(Supervisor(recorder).keep(Link("plc", (4,)), lambda: next(plays)))
    assert causes == [GapCause.LINK, GapCause.MESSAGES, GapCause.LINK]


def test_what_a_source_says_of_itself_outlasts_its_link() -> None:
    source = Lasting([good(1, 20), Exhausted()])
    _, _, watched = keep(source, waiting=(due(1),))
    facts = watched.facts("plc")
    assert facts is not None
    assert facts.endpoint == "opc.tcp://plc"
    assert watched.facts("nobody") is None


def test_a_source_that_fails_to_describe_itself_is_shown_as_it_was() -> None:
    source = Lasting([good(1, 20), Exhausted()])
    source.facts = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    _, link, watched = keep(source, waiting=(due(1),))
    assert watched.facts("plc") is None
    assert link.faults


class Waits(Supervisor):
    """Notes what it would have waited, and does not."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self.waits: list[float] = []

    async def _wait(self, link: Link, seconds: float) -> None:
        self.waits.append(seconds)


def waits(entries: list[list[Step]], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    monkeypatch.setattr(rules, "BACKOFF_S", (1.0, 2.0, 3.0))
    monkeypatch.setattr(rules, "JITTER", 0.0)
    supervisor = Waits(Recorder())
    plays = iter(entries)
    asyncio.run(supervisor.keep(Link("plc", (4,)), lambda: Scripted(next(plays))))
    return supervisor.waits


FLAP: list[Step] = [good(1, 5), Unreachable("cut")]


def test_a_flapping_link_does_not_shorten_the_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waits([FLAP, FLAP, FLAP, FLAP, [Exhausted()]], monkeypatch) == [1, 2, 3, 3]


def test_a_link_that_stood_is_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "STEADY_S", 0.0)
    assert waits([FLAP, FLAP, FLAP, [Exhausted()]], monkeypatch) == [1, 1, 1]


def test_attempts_that_fail_wait_longer_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[Step] = [Unreachable("refused")]
    assert waits([refused] * 5 + [[Exhausted()]], monkeypatch) == [1, 2, 3, 3, 3]


def lagging(upto: int, lag_s: float, heard_s: float) -> Batch:
    return replace(good(1, upto), received=upto + round(lag_s * 1e9), heard=round(heard_s * 1e9))


def test_a_clock_that_is_wrong_makes_no_data_late_and_a_queue_does() -> None:
    link = Link("plc", (4,))
    link.hear(lagging(5, 3600.2, 1))
    link.come_up()
    link.hear(lagging(6, 3600.1, 2))
    assert link.delay_s() == pytest.approx(0.0, abs=0.01)
    link.hear(lagging(7, 3608.1, 3))
    assert link.delay_s() == pytest.approx(8.0, abs=0.01)
    link.facts = Facts(endpoint="", clock_offset_s=-3600.0)
    assert link.delay_s() == pytest.approx(8.1, abs=0.01)


def test_clocks_that_drift_apart_make_no_data_late() -> None:
    link = Link("plc", (4,))
    link.hear(lagging(5, 0.0, 1))
    link.come_up()
    for hour in range(1, 24 * 365):
        link.hear(lagging(5, hour * 3600 * 5e-5, hour * 3600))
    assert link.delay_s() < 1


def test_a_batch_that_waits_here_is_late_as_well() -> None:
    link = Link("plc", (4,))
    link.hear(good(1, 5))
    link.come_up()
    assert link.overdue_s() < 1
    before = time.monotonic_ns()
    link.taking = before - 7 * 10**9
    overdue_s = link.overdue_s()
    assert 7 <= overdue_s <= 7 + (time.monotonic_ns() - before) / 1e9
