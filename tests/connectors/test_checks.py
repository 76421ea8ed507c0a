"""Every source against every check, and every check against a source that breaks it."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest

from connectors import checks
from connectors.checks import ALL_CHECKS, Check, SourceUnderTest, applicable
from connectors.contract import Facts, Source, Ticket
from connectors.modbus.config import ModbusConfig
from connectors.modbus.source import ModbusSource
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.source import OpcUaSource
from connectors.replay.config import ReplayConfig
from connectors.replay.source import ReplaySource
from connectors.simulated.line import SimulatedLine
from connectors.simulated.opcua_server import OpcuaServer
from connectors.simulated.source import SimulatedSource
from plant.errors import Exhausted, Rejected, Unreachable
from plant.quality import Status
from plant.samples import Batch, ContextEvent, Recovery
from plant.tags import Tag, TagHandle
from tests.ports import free_port

SECOND = 1_000_000_000


def given(make: Callable[[], Source]) -> Callable[[], Awaitable[Source]]:
    async def made() -> Source:
        return make()

    return made


def handles(source: str, *addresses: str) -> list[TagHandle]:
    return [
        TagHandle(i, Tag(name=f"site/area/line/asset/t{i}", source=source, address=address))
        for i, address in enumerate(addresses)
    ]


@pytest.fixture
def modbus(start_device: Any, unused_port: int) -> SourceUnderTest:
    device = start_device("refuse=2,4")
    healthy = handles("plc", "unit 1, holding 4, float32", "unit 1, coil 3", "unit 3, input 9.1")

    def source(port: int, tags: list[TagHandle]) -> Callable[[], Source]:
        config = ModbusConfig(name="plc", host="127.0.0.1", port=port, scan_ms=20, timeout_ms=500)
        return lambda: ModbusSource(config, tags)

    async def restart() -> None:
        await asyncio.to_thread(device.stop)
        await asyncio.to_thread(device.start)

    return SourceUnderTest(
        make=given(source(device.port, healthy)),
        handles=range(3),
        unreachable=given(source(unused_port, healthy)),
        restart=restart,
        spoiled=given(
            source(device.port, handles("plc", "unit 1, coil 3", "unit 2, input 0, int16"))
        ),
    )


@pytest.fixture
def replay(tmp_path: Path) -> SourceUnderTest:
    recording = tmp_path / "recording.csv"
    rows = "".join(f"2024-01-01 00:00:{second:02},{second},1.5\n" for second in range(60))
    recording.write_text("time,flow,pressure\n" + rows + "2024-01-01 00:01:00,,1.5\n")
    tags = handles("tape", "flow", "pressure")

    def source(file: Path) -> Callable[[], Source]:
        return lambda: ReplaySource(ReplayConfig(name="tape", file=file, speed=0), tags)

    return SourceUnderTest(
        make=given(source(recording)),
        handles=range(2),
        unreachable=given(source(tmp_path / "missing.csv")),
        spoiled=given(source(recording)),
    )


@pytest.fixture
def simulated() -> SourceUnderTest:
    line = SimulatedLine(7, fault="none", start=1_700_000_000 * SECOND)
    tags = [TagHandle(i, tag) for i, tag in enumerate(line.tags)]
    name = line.tags[0].source
    return SourceUnderTest(
        make=given(lambda: SimulatedSource(line, tags, name=name, rows=range(6000))),
        handles=range(len(tags)),
    )


class LoopbackServer:
    """An OPC UA server in a thread and a loop of its own: its tasks are not the source's."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self.tags = [one.tag for one in handles("ua", *addresses)]
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self.up, self.down = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)
        self.thread.start()
        assert self.up.wait(60)

    def stop(self) -> None:
        self.down.set()
        self.thread.join(60)

    async def _serve(self) -> None:
        async with OpcuaServer(self.tags, self.port) as server:
            while not self.down.is_set():
                now = time.time_ns()
                await server.put(np.array([now % SECOND, now % 7, np.nan]), now)
                self.up.set()
                await asyncio.sleep(0.02)


OPCUA = tuple(f"nsu=urn:plant;asset/{name}" for name in ("flow", "pressure", "broken"))


@pytest.fixture(scope="module")
def opcua_server() -> Iterator[LoopbackServer]:
    server = LoopbackServer(OPCUA)
    yield server
    server.stop()


@pytest.fixture
def opcua(opcua_server: LoopbackServer, unused_port: int) -> SourceUnderTest:
    server = opcua_server

    def source(port: int, tags: list[TagHandle]) -> Callable[[], Source]:
        url = f"opc.tcp://127.0.0.1:{port}/"
        config = OpcUaConfig(name="ua", url=url, security="none", publishing_ms=20)
        return lambda: OpcUaSource(config, tags)

    async def restart() -> None:
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)

    return SourceUnderTest(
        make=given(source(server.port, handles("ua", *OPCUA[:2]))),
        handles=range(3),
        unreachable=given(source(unused_port, handles("ua", *OPCUA[:2]))),
        restart=restart,
        spoiled=given(source(server.port, handles("ua", *OPCUA))),
    )


NO_PEER = "the line is made in the process: nothing can be off or restart"
EXEMPT: dict[str, dict[Check, str]] = {
    "modbus": {},
    "opcua": {},
    "replay": {checks.check_reconnects: "a file does not restart"},
    "simulated": {
        checks.check_reconnects: NO_PEER,
        checks.check_close_after_failed_open: NO_PEER,
        checks.check_bad_quality_passed_on: "its values are all Good; the servers can spoil them",
    },
}


@pytest.mark.journey
@pytest.mark.parametrize(
    ("source", "check"),
    [
        pytest.param(source, check, id=f"{source}-{check.__name__}")
        for source, exempt in EXEMPT.items()
        for check in applicable(exempt)
    ],
)
def test_source_keeps_the_contract(
    request: pytest.FixtureRequest, source: str, check: Check
) -> None:
    asyncio.run(check(request.getfixturevalue(source)))


class Ticking:
    """A source that keeps the contract; what stands below breaks it in one place each."""

    name = "ticking"
    restarted = 0

    def __init__(self) -> None:
        self.open = False
        self.number = 0
        self.born = Ticking.restarted

    async def __aenter__(self) -> Self:
        self.open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open = False

    async def read(self) -> Batch:
        if not self.open or self.born != Ticking.restarted:
            raise Unreachable("not open, or the peer is gone")
        await asyncio.sleep(0.001)
        self.number += 1
        return self.batch(self.number * SECOND)

    async def acknowledge(self, batch: Batch) -> None:
        return

    def facts(self) -> Facts:
        return Facts(endpoint="here", round_trip_ms=0.5)

    def ticket(self) -> Ticket | None:
        return Ticket({"number": self.number})

    def resume(self, ticket: Ticket) -> None:
        self.number = int(ticket.kept.get("number") or 0)

    async def recover(
        self, start: int, stop: int, deliver: Callable[[Batch], Awaitable[None]], /
    ) -> bool:
        await deliver(replace(self.batch(stop), recovered=Recovery.HISTORY, replayed=True))
        return True

    def batch(self, at: int, value: float = 1.0, status: int = Status.GOOD) -> Batch:
        return Batch(
            source=self.name,
            tag=np.array([1, 2], np.int32),
            at=np.full(2, at, np.int64),
            value=np.full(2, value),
            status=np.array([Status.GOOD, status], np.uint32),
            upto=at,
            received=time.time_ns(),
            heard=time.monotonic_ns(),
        )


class Unplugged(Ticking):
    async def __aenter__(self) -> Self:
        raise Unreachable("nobody listens")


class Spoiled(Ticking):
    async def read(self) -> Batch:
        await super().read()
        return self.batch(self.number * SECOND, status=Status.BAD_SENSOR_FAILURE)


class Nameless(Ticking):
    name = ""


class LeavesTasks(Ticking):
    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(asyncio.sleep(3600), name="left over")
        return await super().__aenter__()


LEFT: list[socket.socket] = []


class LeavesSockets(Ticking):
    async def read(self) -> Batch:
        LEFT.append(socket.socket())
        return await super().read()


class FailsToClose(Ticking):
    async def __aexit__(self, *raised: object) -> None:
        assert self.open, "not open"
        self.open = False


class LeavesSlowly(Ticking):
    async def __aexit__(self, *raised: object) -> None:
        await asyncio.sleep(checks.LEAVING_S + 0.1)


class FailsSilently(Ticking):
    async def __aenter__(self) -> Self:
        return self


class LeavesAfterFailure(Unplugged):
    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(asyncio.sleep(3600), name="left over")
        return await super().__aenter__()


class ReadsClosed(Ticking):
    async def read(self) -> Batch:
        return self.batch(SECOND)


class HangsClosed(Ticking):
    async def read(self) -> Batch:
        await asyncio.sleep(3600)
        raise Unreachable("late")


class SwallowsCancel(Ticking):
    async def read(self) -> Batch:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise Rejected("half a batch") from None
        return self.batch(SECOND)


class Strange(Ticking):
    def batch(self, at: int, value: float = 1.0, status: int = Status.GOOD) -> Batch:
        return replace(super().batch(at), tag=np.array([1, 3], np.int32))


class StrangeText(Ticking):
    def batch(self, at: int, value: float = 1.0, status: int = Status.GOOD) -> Batch:
        return replace(super().batch(at), context=(ContextEvent(3, at, "recipe"),))


class AnotherName(Ticking):
    def batch(self, at: int, value: float = 1.0, status: int = Status.GOOD) -> Batch:
        return replace(super().batch(at), source="another")


class Ahead(Ticking):
    def batch(self, at: int, value: float = 1.0, status: int = Status.GOOD) -> Batch:
        return replace(super().batch(at), upto=at - 1)


class BackInTime(Ticking):
    def batch(self, at: int, value: float = 1.0, status: int = Status.GOOD) -> Batch:
        return replace(super().batch(10 * SECOND - at), upto=at + 10 * SECOND)


class WatermarkBack(Ticking):
    def batch(self, at: int, value: float = 1.0, status: int = Status.GOOD) -> Batch:
        return replace(super().batch(SECOND), upto=100 * SECOND - at)


class WrongClock(Ticking):
    def batch(self, at: int, value: float = 1.0, status: int = Status.GOOD) -> Batch:
        return replace(super().batch(at), heard=time.time_ns())


class Mute(Ticking):
    async def read(self) -> Batch:
        await asyncio.sleep(3600)
        return self.batch(SECOND)


class EndsAtOnce(Ticking):
    async def read(self) -> Batch:
        raise Exhausted("nothing")


class GoodWithoutValue(Ticking):
    def batch(self, at: int, value: float = 1.0, status: int = Status.GOOD) -> Batch:
        return super().batch(at, value=float("nan"))


class SpawnsWhileUnread(Ticking):
    async def __aenter__(self) -> Self:
        self.spawning = asyncio.create_task(self._spawn())
        return await super().__aenter__()

    async def _spawn(self) -> None:
        self.spawned = []
        while True:
            await asyncio.sleep(0.02)
            self.spawned.append(asyncio.create_task(asyncio.sleep(60)))


class AcknowledgesSlowly(Ticking):
    async def acknowledge(self, batch: Batch) -> None:
        await asyncio.sleep(3600)


class NeverBack(Ticking):
    async def __aenter__(self) -> Self:
        if Ticking.restarted:
            raise Unreachable("still off")
        return await super().__aenter__()


class Nowhere(Ticking):
    def facts(self) -> Facts:
        return Facts(endpoint="")


class TakesForEver(Ticking):
    def facts(self) -> Facts:
        return Facts(endpoint="here", round_trip_ms=1e9)


class SaysNothing(Ticking):
    def facts(self) -> Facts:
        return Facts(endpoint="here", notes=(" ",))


class Ticketless(Ticking):
    def ticket(self) -> Ticket | None:
        return None


class Unwritable(Ticking):
    def ticket(self) -> Ticket | None:
        return Ticket({"token": b"secret"})  # type: ignore[dict-item]


class DryAfterResuming(Ticking):
    def resume(self, ticket: Ticket) -> None:
        self.dry = True

    def batch(self, at: int, value: float = 1.0, status: int = Status.GOOD) -> Batch:
        whole = super().batch(at)
        left = slice(0 if hasattr(self, "dry") else 2)
        columns = {name: getattr(whole, name)[left] for name in ("tag", "at", "value", "status")}
        return replace(whole, **columns)


class Recovers(Ticking):
    """Recovers one batch that is not marked as it should be."""

    told: object = True
    more: dict[str, Any] = {}  # noqa: RUF012 - read only

    async def recover(
        self, start: int, stop: int, deliver: Callable[[Batch], Awaitable[None]], /
    ) -> bool:
        await deliver(replace(self.batch(stop), **self.more))
        return self.told  # type: ignore[return-value]


class RecoversAsPresent(Recovers):
    more = {"replayed": True}  # noqa: RUF012


class RecoversAsLive(Recovers):
    more = {"recovered": Recovery.HISTORY}  # noqa: RUF012


class RecoversStrangers(Recovers):
    more = {  # noqa: RUF012
        "recovered": Recovery.REPUBLISH,
        "replayed": True,
        "tag": np.array([1, 3], np.int32),
    }


class RecoversWithoutAWord(Recovers):
    told = None


async def restart_ticking() -> None:
    Ticking.restarted += 1


def in_memory(kind: type[Ticking], patience: float = 1.0) -> SourceUnderTest:
    off = kind if issubclass(kind, Unplugged | FailsSilently) else Unplugged
    return SourceUnderTest(
        make=given(kind),
        handles=(1, 2),
        unreachable=given(off),
        restart=restart_ticking,
        spoiled=given(Spoiled if kind is Ticking else kind),
        patience=patience,
    )


@pytest.fixture
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Ticking, "restarted", 0)
    monkeypatch.setattr(checks, "SILENCE_S", 0.3)
    yield
    for one in LEFT:
        one.close()


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait shortly for those who never leave."""
    monkeypatch.setattr(checks, "LEAVING_S", 0.6)


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.__name__)
def test_a_source_that_keeps_the_contract_passes(check: Check) -> None:
    asyncio.run(check(in_memory(Ticking, patience=60.0)))


@pytest.mark.usefixtures("_fresh", "_hasty")
@pytest.mark.parametrize(
    ("check", "kind", "sentence"),
    [
        (checks.check_fits_protocol, Nameless, "a source has a name"),
        (checks.check_fits_protocol, object, "object is not a Source"),
        (checks.check_open_close_twice, LeavesTasks, "left behind: left over"),
        (checks.check_open_close_twice, LeavesSlowly, "leaving takes at most"),
        (checks.check_open_close_twice, FailsToClose, "not open"),
        (checks.check_close_without_open, FailsToClose, "not open"),
        (checks.check_close_after_failed_open, FailsSilently, "raises Unreachable or"),
        (checks.check_close_after_failed_open, LeavesAfterFailure, "left behind: left over"),
        (checks.check_read_after_close_raises, ReadsClosed, "read after leaving raises"),
        (checks.check_read_after_close_raises, HangsClosed, "read gave nothing"),
        (checks.check_cancelled_read_leaves_nothing_open, LeavesTasks, "left over"),
        (checks.check_cancelled_read_leaves_nothing_open, LeavesSockets, "socket or file"),
        (checks.check_cancelled_read_leaves_nothing_open, SwallowsCancel, "CancelledError"),
        (checks.check_reads_on_after_cancel, Mute, "read gave nothing"),
        (checks.check_batches_fit, Strange, r"not its tags: \[3\]"),
        (checks.check_batches_fit, StrangeText, r"not its tags: \[3\]"),
        (checks.check_batches_fit, AnotherName, "the source's name, ticking"),
        (checks.check_batches_fit, Ahead, "newer than upto"),
        (checks.check_batches_fit, BackInTime, "goes back"),
        (checks.check_batches_fit, WatermarkBack, "upto never goes back"),
        (checks.check_batches_fit, WrongClock, "time.monotonic_ns"),
        (checks.check_batches_fit, Mute, "read gave nothing"),
        (checks.check_batches_fit, EndsAtOnce, "delivers something"),
        (checks.check_good_is_a_number, GoodWithoutValue, "Good without a value"),
        (checks.check_bad_quality_passed_on, NeverBack, "none of 5 batches"),
        (checks.check_unread_is_bounded, SpawnsWhileUnread, "while nobody reads"),
        (checks.check_acknowledges_without_waiting, AcknowledgesSlowly, "does not wait"),
        (checks.check_tells_facts, Nowhere, "name the endpoint"),
        (checks.check_tells_facts, TakesForEver, "no round trip takes"),
        (checks.check_tells_facts, SaysNothing, "a note is a sentence"),
        (checks.check_resumes, Ticketless, "has a ticket while it is entered"),
        (checks.check_resumes, Unwritable, "can be written down"),
        (checks.check_resumes, DryAfterResuming, "taken up delivers samples"),
        (checks.check_stale_ticket_does_no_harm, DryAfterResuming, "delivers samples"),
        (checks.check_recovers, RecoversAsPresent, "say how they came"),
        (checks.check_recovers, RecoversAsLive, "are replayed"),
        (checks.check_recovers, RecoversStrangers, r"not its tags: \[3\]"),
        (checks.check_recovers, RecoversWithoutAWord, "tells whether nothing is missing"),
        (checks.check_reconnects, NeverBack, "after a restart"),
    ],
)
def test_a_source_that_breaks_it_is_caught(
    check: Check, kind: type[Ticking], sentence: str
) -> None:
    with pytest.raises(AssertionError, match=sentence):
        asyncio.run(check(in_memory(kind, patience=0.3)))


@pytest.mark.parametrize(
    ("check", "hook"),
    [
        (checks.check_close_after_failed_open, "unreachable"),
        (checks.check_bad_quality_passed_on, "spoiled"),
        (checks.check_reconnects, "restart"),
    ],
)
def test_a_check_that_lacks_its_hook_says_so(check: Check, hook: str) -> None:
    bare = SourceUnderTest(make=given(Ticking), handles=(1, 2))
    with pytest.raises(AssertionError, match=f"give SourceUnderTest.{hook}, or exempt"):
        asyncio.run(check(bare))


def test_an_exemption_needs_a_reason() -> None:
    with pytest.raises(AssertionError, match="an exemption has a reason"):
        applicable({checks.check_reconnects: " "})


def test_every_check_of_the_module_is_in_the_suite() -> None:
    assert {check.__name__ for check in ALL_CHECKS} == {
        name for name in dir(checks) if name.startswith("check_")
    }
