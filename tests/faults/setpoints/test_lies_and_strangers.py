"""P25: controllers that lie about a write, and others who write too; the rows repeat it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from connectors.checks.demands import a_while
from connectors.simulated.setpoint_block import Code
from connectors.simulated.setpoint_modbus import SetpointModbus
from connectors.simulated.setpoint_opcua import SetpointOpcua
from connectors.simulated.setpoint_plc import BLOCK_AT, SCAN_S, SetpointPlc
from plant.errors import PlantError, Rejected, Unreachable
from plant.setpoints import BLOCK_OK, Doubtful
from tests.faults.rows import Row
from tests.faults.setpoints.controller import FIRST, WANTED, Controller, Writer, writer

FRONTS: dict[str, Any] = {"modbus": SetpointModbus, "opcua": SetpointOpcua}
TIMES, TIMES_FULL = 20, 200


def results(*names: str) -> list[ua.StatusCode]:
    return [ua.StatusCode(ua.UInt32(getattr(StatusCodes, name))) for name in names]


LIES: dict[str, tuple[str, Any]] = {
    "echo of another value": ("modbus", lambda f, b: (f, b[:2] + b"\0\x55")),
    "echo of another address": ("modbus", lambda f, b: (f, b"\0\x77" + b[2:])),
    "another function": ("modbus", lambda f, b: (3, b"\x02\0\0")),
    "the write of one for the write of many": ("modbus", lambda f, b: (6, b)),
    "an answer cut short": ("modbus", lambda f, b: (f, b[:2])),
    "an answer too long": ("modbus", lambda f, b: (f, b + b"\0")),
    "device failure": ("modbus", lambda f, b: (f | 0x80, b"\x04")),
    "taken, and still at it": ("modbus", lambda f, b: (f | 0x80, b"\x05")),
    "device behind a gateway silent": ("modbus", lambda f, b: (f | 0x80, b"\x0b")),
    "an exception that does not exist": ("modbus", lambda f, b: (f | 0x80, b"\x63")),
    "no result": ("opcua", lambda given: []),
    "two results": ("opcua", lambda given: given * 2),
    "unexpected error": ("opcua", lambda given: results("BadUnexpectedError")),
    "device failure, OPC UA": ("opcua", lambda given: results("BadDeviceFailure")),
    "good, later": ("opcua", lambda given: results("GoodCompletesAsynchronously")),
    "uncertain": ("opcua", lambda given: results("Uncertain")),
}
REFUSALS: dict[str, tuple[str, Any]] = {
    **{
        f"exception {n}": ("modbus", lambda f, b, n=n: (f | 0x80, bytes([n])))
        for n in (1, 2, 3, 6, 10)
    },
    **{
        name: ("opcua", lambda given, name=name: results(name))
        for name in ("BadNotWritable", "BadUserAccessDenied", "BadOutOfRange")
    },
}


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


@pytest.fixture(scope="module")
def fronts(runner: asyncio.Runner) -> Iterator[dict[str, Any]]:
    """Both servers, for all tests of this module."""
    made = {name: kind(SetpointPlc()) for name, kind in FRONTS.items()}
    for front in made.values():
        runner.run(front.__aenter__())
    yield made
    for front in made.values():
        runner.run(front.__aexit__(None, None, None))


@asynccontextmanager
async def armed(front: Any, protocol: str, place: str, lie: Any = None) -> AsyncIterator[Writer]:
    """Give a writer to a fresh controller behind this server, which then begins to lie."""
    front.plc, front.lie = SetpointPlc(), None
    async with front.plc:
        known = Controller(1, ports={protocol: front.port})
        one = writer(known, protocol, place, 1, patience_s=5.0)
        await one.arm()
        await a_while(3 * SCAN_S)
        front.lie = lie
        try:
            yield one
        finally:
            front.lie = None
            await one.leave()
            front.drop()


async def kind_of(one: Writer) -> type[PlantError] | None:
    """Write, and give what was raised."""
    await one.write()
    names = {"written": None, "doubtful": Doubtful, "unreachable": Unreachable}
    return names.get(one.outcome, Rejected)


async def lied(front: Any, protocol: str, place: str, lie: Any) -> tuple[bool, bool, int]:
    """Tell whether a lie ended in doubt, whether the connection is cut, and the writes it took."""
    async with armed(front, protocol, place, lie) as one:
        before = len(front.plc.written)
        doubt = await kind_of(one) is Doubtful
        cut = await kind_of(one) is Unreachable
        await a_while(2 * SCAN_S)
        return doubt, cut, len(front.plc.written) - before


@pytest.mark.parametrize("place", ["plain", "block"])
@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_a_doubt(
    name: str, place: str, runner: asyncio.Runner, fronts: dict[str, Any]
) -> None:
    protocol, lie = LIES[name]
    assert runner.run(lied(fronts[protocol], protocol, place, lie)) == (True, True, 1)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_no_doubt(name: str, runner: asyncio.Runner, fronts: dict[str, Any]) -> None:
    protocol, refusal = REFUSALS[name]

    async def run() -> None:
        async with armed(fronts[protocol], protocol, "plain", refusal) as one:
            assert await kind_of(one) is Rejected
            assert len(await one.actuator.read([one.tag])) == 1

    runner.run(run())


async def ignored(front: Any, protocol: str, place: str) -> tuple[str, bool, bool]:
    """Tell what a write came to that is acknowledged and not taken, and what reading back shows."""
    async with armed(front, protocol, place) as one:
        front.plc.ignoring = True
        await one.write()
        await a_while(3 * SCAN_S)
        await one.read_back()
        assert one.said
        taken = one.said.accepted == one.sequence and one.said.code == BLOCK_OK
        return one.outcome, one.changed, place == "block" and taken


@pytest.mark.parametrize("place", ["plain", "block"])
@pytest.mark.parametrize("protocol", FRONTS)
def test_acknowledged_and_not_taken_shows_in_reading_back(
    protocol: str, place: str, runner: asyncio.Runner, fronts: dict[str, Any]
) -> None:
    assert runner.run(ignored(fronts[protocol], protocol, place)) == ("written", False, False)


async def beside_another(front: Any, protocol: str, place: str) -> tuple[float, int, int | None]:
    """Have two write to one setpoint; give what is read back, what was applied, the code."""
    async with armed(front, protocol, place) as one:
        known = Controller(1, ports={protocol: front.port})
        other = writer(known, protocol, place, 1, patience_s=5.0)
        await other.arm()
        await one.write()
        await a_while(3 * SCAN_S)
        words = front.plc.written[-1].words
        await other.write()
        await a_while(3 * SCAN_S)
        at = BLOCK_AT if place == "block" else 0
        changed = [*words[:1], words[1] + 20, *words[2:]]
        front.plc.write(1, at, changed if place == "plain" else words, "stranger")
        await a_while(3 * SCAN_S)
        await one.read_back()
        await other.leave()
        assert one.said
        return one.said.setpoint.value, len(front.plc.applied), one.said.code


@pytest.mark.parametrize("protocol", FRONTS)
def test_a_second_writer_of_a_register_shows(
    protocol: str, runner: asyncio.Runner, fronts: dict[str, Any]
) -> None:
    value, applied, _ = runner.run(beside_another(fronts[protocol], protocol, "plain"))
    assert value == pytest.approx(WANTED + 2.0)
    assert applied == 3


@pytest.mark.parametrize("protocol", FRONTS)
def test_a_second_writer_of_a_block_is_refused(
    protocol: str, runner: asyncio.Runner, fronts: dict[str, Any]
) -> None:
    value, applied, code = runner.run(beside_another(fronts[protocol], protocol, "block"))
    assert value == pytest.approx(WANTED)
    assert applied == 1
    assert code == Code.WRONG_SEQUENCE


@pytest.mark.parametrize("protocol", FRONTS)
def test_a_frame_that_comes_again_is_applied_once(
    protocol: str, runner: asyncio.Runner, fronts: dict[str, Any]
) -> None:
    async def run() -> int:
        front = fronts[protocol]
        async with armed(front, protocol, "block") as one:
            await one.write()
            words = front.plc.written[-1].words
            for number in range(20):
                await a_while(SCAN_S)
                again = words if number % 2 else (*words[:6], *words[6:8], 0)
                front.plc.write(1, BLOCK_AT, (0,) * 9 if number % 3 == 0 else again, "echo")
            return len(front.plc.applied)

    assert runner.run(run()) == 1


@pytest.mark.pain(
    "P25",
    "controllers that lie about a write: 16 kinds of answers, and one that keeps nothing",
    "a controller of ours, Modbus and OPC UA, plain and block",
    "each lie a doubt with its connection cut, written once; what is not kept is read back so",
)
def test_p25_lies(row: Row, full: bool, runner: asyncio.Runner, fronts: dict[str, Any]) -> None:
    times = TIMES_FULL if full else TIMES

    async def run() -> tuple[list[tuple[bool, bool, int]], list[tuple[str, bool, bool]]]:
        lies, kept = [], []
        for place in ("plain", "block"):
            for _ in range(times):
                for protocol, lie in LIES.values():
                    lies.append(await lied(fronts[protocol], protocol, place, lie))
                for protocol in FRONTS:
                    kept.append(await ignored(fronts[protocol], protocol, place))
        return lies, kept

    lies, kept = runner.run(run())
    honest = sum(one == (True, True, 1) for one in lies)
    seen = sum(one == ("written", False, False) for one in kept)
    row.measured(
        in_doubt_and_cut=f"{honest} of {len(lies)}", not_kept_and_seen=f"{seen} of {len(kept)}"
    )
    assert honest == len(lies)
    assert seen == len(kept)


@pytest.mark.pain(
    "P25",
    "a second writer at the same setpoint, and the last frame sent again",
    "a controller of ours, Modbus and OPC UA, plain and block",
    "block: applied once, the others refused by number; plain register: reading back shows it",
)
def test_p25_second_writer(
    row: Row, full: bool, runner: asyncio.Runner, fronts: dict[str, Any]
) -> None:
    times = TIMES_FULL if full else TIMES

    async def run() -> list[tuple[str, tuple[float, int, int | None]]]:
        return [
            (place, await beside_another(fronts[protocol], protocol, place))
            for place in ("plain", "block")
            for protocol in FRONTS
            for _ in range(times)
        ]

    found = runner.run(run())
    blocks = [said for place, said in found if place == "block"]
    plain = [said for place, said in found if place == "plain"]
    once = sum(applied == 1 and code == Code.WRONG_SEQUENCE for _, applied, code in blocks)
    seen = sum(abs(value - WANTED) > 1.0 and value != FIRST for value, *_ in plain)
    row.measured(
        block_applied_once=f"{once} of {len(blocks)}", plain_seen=f"{seen} of {len(plain)}"
    )
    assert once == len(blocks)
    assert seen == len(plain)
