"""A source is re-entered after every loss, and the loss is said on every tag."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from connectors.contract import Facts, Source, Ticket
from gateway import supervisor as rules
from gateway.supervisor import Link, Supervisor
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
    assert second <= bad.at[0] < 9 * second, "on the source's own clock"
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
