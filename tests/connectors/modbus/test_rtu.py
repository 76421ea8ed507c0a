"""RTU over a pair of serial lines to libmodbus, through a device server, and to a slow liar."""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.checks import Check, applicable
from connectors.modbus.address import Table
from connectors.modbus.config import ModbusConfig
from connectors.modbus.connection import Connection
from connectors.modbus.lines import line_of
from connectors.modbus.link import Link
from connectors.modbus.source import ModbusSource
from connectors.modbus.wire import Answer
from plant.errors import Misconfigured, Unreachable
from plant.quality import Status
from plant.samples import Batch
from plant.tags import TagHandle

pytestmark = pytest.mark.journey

TIMEOUT_MS, SILENCE_MS = 300, 900
"""Wide enough apart that a busy machine does not blur them."""


@dataclass
class Bench:
    """libmodbus on a serial line, and a line to it; over TCP when there is a `port`."""

    device: Any
    ours: str
    port: int = 0

    def config(self, **more: Any) -> ModbusConfig:
        way = (
            {"transport": "rtu-over-tcp", "host": "127.0.0.1", "port": self.port}
            if self.port
            else {"transport": "rtu", "device": self.ours, "baud": 115200, "parity": "none"}
        )
        settings = {"scan_ms": 50, "timeout_ms": 1000, "silence_ms": 50, **way, **more}
        return ModbusConfig(name="line", **settings)


@pytest.fixture
def on_wire(socat: Any, start_device: Any, tmp_path: Path) -> Callable[..., Bench]:
    def start(*words: str) -> Bench:
        ours, theirs = socat.lines(tmp_path)
        device = start_device(*words, port=theirs)
        device.port = theirs
        return Bench(device, ours)

    return start


@pytest.fixture
def behind_server(socat: Any, on_wire: Any) -> Callable[..., Bench]:
    def start(*words: str) -> Bench:
        bench: Bench = on_wire(*words)
        bench.port = socat.listen("TCP-LISTEN:0", f"FILE:{bench.ours},raw,echo=0")
        return bench

    return start


@pytest.fixture(params=["on_wire", "behind_server"])
def start_bench(request: pytest.FixtureRequest) -> Callable[..., Bench]:
    start: Callable[..., Bench] = request.getfixturevalue(request.param)
    return start


def reading(config: ModbusConfig, tags: list[TagHandle], times: int) -> list[Batch]:
    async def run() -> list[Batch]:
        async with ModbusSource(config, tags) as source:
            return [await source.read() for _ in range(times)]

    return asyncio.run(run())


@pytest.mark.parametrize("check", applicable({}))
def test_source_keeps_the_contract(start_bench: Any, contract: Any, check: Check) -> None:
    bench = start_bench("hole=1,3,40,40")
    asyncio.run(check(contract(bench.config(), bench.device)))


async def read_for_ever(source: ModbusSource) -> None:
    while True:
        await source.read()


def test_reads_what_libmodbus_serves(start_bench: Any, tagged: Any) -> None:
    tags = tagged(
        *(f"unit 1, input {offset}, uint16" for offset in range(300)),
        *(f"unit 1, discrete {offset}" for offset in range(40)),
    )
    for batch in reading(start_bench().config(), tags, 5):
        assert not batch.status.any()
        by_handle = batch.value[np.argsort(batch.tag)]
        assert by_handle[:300].tolist() == [offset ^ 0xA5A5 for offset in range(300)]
        assert by_handle[300:].tolist() == [float(offset % 3 == 0) for offset in range(40)]


def test_a_hole_and_a_silent_unit_cost_the_others_nothing(start_bench: Any, tagged: Any) -> None:
    tags = tagged(
        *(f"unit 1, holding {offset}, uint16" for offset in range(50)), "unit 2, holding 0, uint16"
    )
    batches = reading(start_bench("hole=1,3,40,41").config(timeout_ms=600), tags, 3)
    status = batches[-1].status[np.argsort(batches[-1].tag)]
    assert np.flatnonzero(status).tolist() == [40, 41, 50]
    assert status[50] == Status.BAD_TIMEOUT


def test_a_device_server_that_comes_back_is_read_within_five_seconds(
    socat: Any, behind_server: Any, tagged: Any
) -> None:
    bench = behind_server()
    tags = tagged("unit 1, input 5, uint16")

    async def run() -> float:
        async with ModbusSource(bench.config(), tags) as source:
            await source.read()
            socat.stop_last()
            with pytest.raises(Unreachable):
                await read_for_ever(source)
        socat.listen(f"TCP-LISTEN:{bench.port}", f"FILE:{bench.ours},raw,echo=0")
        returned = time.monotonic()
        async with ModbusSource(bench.config(), tags) as source:
            batch = await source.read()
        assert batch.value.tolist() == [5 ^ 0xA5A5]
        return time.monotonic() - returned

    assert asyncio.run(run()) < 15  # three times what is promised


def test_an_unplugged_line_is_unreachable(socat: Any, on_wire: Any, tagged: Any) -> None:
    bench = on_wire()

    async def run() -> None:
        async with ModbusSource(bench.config(), tagged("unit 1, input 5, uint16")) as source:
            await source.read()
            socat.stop()
            with pytest.raises(Unreachable, match="is the converter plugged in"):
                await read_for_ever(source)

    asyncio.run(run())


def test_a_line_that_is_in_use_is_refused(on_wire: Any, tagged: Any) -> None:
    bench = on_wire()
    tags = tagged("unit 1, input 5, uint16")

    async def run() -> None:
        async with ModbusSource(bench.config(), tags):
            with pytest.raises(Misconfigured, match="is in use; read all units of one line from"):
                await ModbusSource(bench.config(), tags).__aenter__()

    asyncio.run(run())


def test_a_file_is_no_line(tmp_path: Path, tagged: Any) -> None:
    (tmp_path / "file").touch()
    config = Bench(None, str(tmp_path / "file")).config()
    with pytest.raises(Misconfigured, match="cannot be opened with these settings"):
        reading(config, tagged("unit 1, input 5, uint16"), 1)


def test_nobody_answers_for_unit_0(tagged: Any) -> None:
    with pytest.raises(Misconfigured, match=r"tag site/.*/t0: address .*unit 0 means everybody"):
        ModbusSource(Bench(None, "/dev/null").config(), tagged("unit 0, input 5, uint16"))


def asking(
    start_serial_plc: Any,
    reply: Any,
    requests: list[tuple[int, int]],
    timeout_ms: float = 1000,
    silence_ms: float = 50,
) -> list[Answer]:
    """Ask one register at each start of each unit, one after the other, through a device server."""

    async def run() -> list[Answer]:
        async with start_serial_plc(reply) as port:
            settings = {"timeout_ms": timeout_ms, "silence_ms": silence_ms}
            connection = Connection(line_of(Bench(None, "", port).config(**settings)))
            answers = [
                await connection.ask(unit, Table.HOLDING, start, 1) for unit, start in requests
            ]
            connection.reset()
            return answers

    return asyncio.run(run())


def right(start: int) -> Answer:
    return Answer(Status.GOOD, start.to_bytes(2, "big"))


@pytest.mark.parametrize("late_ms", [1.5 * TIMEOUT_MS, TIMEOUT_MS + 0.5 * SILENCE_MS])
def test_an_answer_late_within_the_silence_is_nobodys(
    start_serial_plc: Any, late_ms: float
) -> None:
    """Every other answer is late; all look alike, and none is given to another request."""
    numbers = iter(range(100))

    def reply(heard: Any) -> Any:
        return [(late_ms / 1000 if next(numbers) % 2 else 0.0, heard.registers())]

    requests = [(1, start) for start in range(4)]
    answers = asking(start_serial_plc, reply, requests, TIMEOUT_MS, SILENCE_MS)
    late = Answer(Status.BAD_TIMEOUT)
    assert answers == [right(0), late, right(2), late]


def test_an_answer_that_came_while_we_stood_still_is_nobodys(start_serial_plc: Any) -> None:
    """It lies unread in the system, because this process was held up until after the silence."""
    frames: list[bytes] = []

    def steps(heard: Any) -> Any:
        frames.append(heard.registers())
        return [(0.05, frames[-1])] if len(frames) > 1 else []

    async def run() -> list[Answer]:
        near, far = socket.socketpair()

        async def open_pair() -> Link:
            link = Link()
            await asyncio.get_running_loop().create_connection(lambda: link, sock=near)
            return link

        async with start_serial_plc(steps) as port:
            to_plc = await asyncio.open_connection("127.0.0.1", port)
            far.setblocking(False)
            from_us = await asyncio.open_connection(sock=far)
            pumps = [
                asyncio.create_task(pumped(from_us[0], to_plc[1])),
                asyncio.create_task(pumped(to_plc[0], from_us[1])),
            ]
            line = line_of(Bench(None, "", port).config(timeout_ms=TIMEOUT_MS, silence_ms=0))
            connection = Connection(replace(line, open=open_pair, kept=True))
            answers = [await connection.ask(1, Table.HOLDING, 5, 1)]
            far.send(frames[0])
            answers.append(await connection.ask(1, Table.HOLDING, 6, 1))
            connection.reset()
            for pump in pumps:
                pump.cancel()
            for _, writer in (to_plc, from_us):
                writer.transport.abort()
            await asyncio.sleep(0)
        return answers

    assert asyncio.run(run()) == [Answer(Status.BAD_TIMEOUT), right(6)]


async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)


def test_the_silence_after_a_mute_unit_holds_for_it_alone(start_serial_plc: Any) -> None:
    """Another unit is asked at once, the mute one when its late answer cannot come any more."""
    heard_at: list[tuple[int, float]] = []

    def steps(heard: Any) -> Any:
        heard_at.append((heard.unit, heard.at))
        return [(1.4 * TIMEOUT_MS / 1000 if len(heard_at) == 1 else 0.0, heard.registers())]

    async def run() -> list[Answer]:
        async with start_serial_plc(steps) as port:
            config = Bench(None, "", port).config(timeout_ms=TIMEOUT_MS, silence_ms=SILENCE_MS)
            connection = Connection(line_of(config))
            await connection.open()
            await asyncio.sleep(SILENCE_MS / 1000)
            answers = [
                await connection.ask(unit, Table.HOLDING, start, 1, mute=True)
                for unit, start in [(2, 5), (1, 7), (2, 6)]
            ]
            connection.reset()
            return answers

    answers = asyncio.run(run())
    assert answers == [Answer(Status.BAD_TIMEOUT), right(7), right(6)]
    assert [unit for unit, _ in heard_at] == [2, 1, 2]
    assert heard_at[1][1] - heard_at[0][1] < (TIMEOUT_MS + 0.5 * SILENCE_MS) / 1000
    assert heard_at[2][1] - heard_at[0][1] >= (TIMEOUT_MS + SILENCE_MS) / 1000


@pytest.mark.parametrize(
    ("story", "steps"),
    [
        ("twice at once", lambda heard: [(0.0, heard.registers() * 2)]),
        ("with noise behind it", lambda heard: [(0.0, heard.registers() + b"\0")]),
        ("of another unit", lambda heard: [(0.0, heard.answer(b"\2\0\1", unit=9))]),
        ("noise", lambda heard: [(0.0, bytes(range(40)))]),
    ],
)
def test_what_is_doubtful_is_no_value(start_serial_plc: Any, story: str, steps: Any) -> None:
    answers = asking(start_serial_plc, steps, [(1, 5), (1, 6)], TIMEOUT_MS)
    assert {answer.status for answer in answers}.isdisjoint({Status.GOOD}), story


def test_a_copy_before_the_next_request_is_nobodys(start_serial_plc: Any) -> None:
    def steps(heard: Any) -> Any:
        return [(0.0, heard.registers()), (0.001, heard.registers())]

    answers = asking(start_serial_plc, steps, [(1, start) for start in range(6)])
    read = [answer == right(start) for start, answer in enumerate(answers)]
    assert read == [answer.status is Status.GOOD for answer in answers]


def test_a_unit_that_takes_a_request_for_an_answer_is_asked_again(start_serial_plc: Any) -> None:
    """As libmodbus does: what follows a request to another unit is taken for its answer."""
    waiting: list[bool] = []

    def steps(heard: Any) -> Any:
        ignored = bool(waiting)
        waiting[:] = [True] * (heard.unit == 2)
        return [(0.0, b"" if ignored or waiting else heard.registers())]

    requests = [(1, 5), (2, 5), (1, 6), (1, 7)]
    answers = asking(start_serial_plc, steps, requests, TIMEOUT_MS)
    assert answers == [right(5), Answer(Status.BAD_TIMEOUT), right(6), right(7)]


def test_a_damaged_answer_is_asked_for_again(start_serial_plc: Any) -> None:
    first = [lambda heard: [(0.0, heard.registers()[:-1] + b"\0")]]
    answers = asking(
        start_serial_plc,
        lambda heard: first.pop()(heard) if first else [(0.0, heard.registers())],
        [(1, 0x1234)],
    )
    assert answers == [right(0x1234)]


def test_a_split_answer_is_put_together(start_serial_plc: Any) -> None:
    def steps(heard: Any) -> Any:
        return [(0.005, heard.registers()[i : i + 1]) for i in range(7)]

    assert asking(start_serial_plc, steps, [(1, 5), (1, 6)]) == [right(5), right(6)]


def test_frames_are_a_silence_apart(start_serial_plc: Any) -> None:
    heard_at: list[float] = []
    said_at: list[float] = []

    def steps(heard: Any) -> Any:
        heard_at.append(heard.at)
        said_at.append(asyncio.get_running_loop().time())
        return [(0.0, heard.registers())]

    asking(start_serial_plc, steps, [(1, start) for start in range(20)])
    assert (np.array(heard_at[1:]) - np.array(said_at[:-1])).min() >= 0.00175


def test_a_line_is_listened_to_when_opened_and_after_what_nobody_asked_for(
    start_serial_plc: Any,
) -> None:
    heard_at: list[float] = []
    unasked_at: list[float] = []

    def steps(heard: Any) -> Any:
        heard_at.append(heard.at)
        unasked_at.append(heard.at + 0.05)
        return [(0.0, heard.registers()), (0.05, heard.registers())]

    async def run() -> float:
        async with start_serial_plc(steps) as port:
            config = Bench(None, "", port).config(silence_ms=SILENCE_MS)
            connection = Connection(line_of(config))
            opened = time.monotonic()
            for start in (5, 6):
                assert await connection.ask(1, Table.HOLDING, start, 1) == right(start)
                await asyncio.sleep(0.5)  # what nobody asked for has come by then
            connection.reset()
            return opened

    opened = asyncio.run(run())
    assert heard_at[0] - opened >= SILENCE_MS / 1000
    assert heard_at[1] - unasked_at[0] >= SILENCE_MS / 1000


def test_tasks_wait_for_one_another(start_serial_plc: Any) -> None:
    """Reads of five units at once: every answer goes to who asked."""
    open_now: list[int] = []

    def steps(heard: Any) -> Any:
        open_now.append(heard.start)
        return [(0.002, heard.registers())]

    async def run() -> list[Answer]:
        async with start_serial_plc(steps) as port:
            bench = Bench(None, "", port)
            connection = Connection(line_of(bench.config()))
            answers = await asyncio.gather(
                *(connection.ask(i % 5 + 1, Table.HOLDING, i, 1) for i in range(50))
            )
            connection.reset()
            return answers

    assert asyncio.run(run()) == [right(i) for i in range(50)]
    assert sorted(open_now) == list(range(50))
