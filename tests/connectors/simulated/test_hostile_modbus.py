"""The hostile device does what its mood says, and its log tells the truth about it."""

import asyncio
import os
import struct
from collections.abc import Callable
from contextlib import suppress

import pytest

from connectors.modbus.registers import LARGEST_EXACT
from connectors.simulated.hostile.modbus import Behaviour, HostileModbus
from connectors.simulated.hostile.modbus_frames import (
    Framing,
    crc,
    telling,
    telling_registers,
    told,
)
from connectors.simulated.hostile.modbus_moods import MOODS, Mixed, Mood, delayed, good

ASK = struct.pack(">HHHBBHH", 7, 0, 6, 3, 3, 8, 4)
RIGHT = struct.pack(">HHHBBBQ", 7, 0, 11, 3, 3, 8, telling(3, 3, 8, 1))


async def _answers(device: HostileModbus, *requests: bytes, wait_s: float = 0.1) -> bytes:
    async with device:
        reader, writer = await asyncio.open_connection("127.0.0.1", device.port)
        heard = bytearray()
        try:
            for request in requests:
                writer.write(request)
                listening = asyncio.create_task(_all_of(reader, heard))
                await _a_while(listening, wait_s)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
        return bytes(heard)


async def _all_of(reader: asyncio.StreamReader, heard: bytearray) -> None:
    while piece := await reader.read(65_536):
        heard += piece


async def _a_while(listening: "asyncio.Task[None]", seconds: float) -> None:
    """Listen for so long, in turns: the device in this process has had as many by then."""
    for _ in range(round(seconds / 0.005)):
        await asyncio.wait({listening}, timeout=0.005)
    listening.cancel()
    await asyncio.wait({listening})
    if not listening.cancelled():
        await listening


def heard_of(mood: Mood, ask: bytes = ASK, **more: object) -> bytes:
    device = HostileModbus(Behaviour(mood), seed=1, **more)  # type: ignore[arg-type]
    return asyncio.run(_answers(device, ask))


@pytest.mark.parametrize("place", [(0, 3, 0, 1), (247, 4, 65_532, 2**28 - 1), (255, 3, 7, 5)])
def test_a_value_tells_where_and_when_it_was_read(place: tuple[int, int, int, int]) -> None:
    assert told(telling(*place)) == place
    assert telling(*place) < LARGEST_EXACT


@pytest.mark.parametrize("mood", [good, MOODS["split"], delayed(0.01, 0.02)])
def test_good_late_and_split_answers_are_right(mood: Mood) -> None:
    assert heard_of(mood) == RIGHT


def test_an_answer_may_come_twice() -> None:
    assert heard_of(MOODS["doubled"]) == RIGHT + RIGHT


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("wrong transaction", lambda frame: frame[2:8] == RIGHT[2:8] and frame[:2] != RIGHT[:2]),
        ("wrong protocol", lambda frame: frame[2:4] != b"\0\0"),
        ("wrong unit", lambda frame: frame[6] != 3),
        ("wrong function", lambda frame: frame[7] != 3),
        ("wrong count", lambda frame: frame[8] == len(frame) - 9 != 8),
        ("wrong byte count", lambda frame: frame[8] != 8 == len(frame) - 9),
        ("wrong sum", lambda frame: frame != RIGHT and frame[6:] == RIGHT[6:]),
        ("huge length", lambda frame: frame[4:6] == b"\xff\xff"),
        ("zero length", lambda frame: frame[4:6] == b"\0\0"),
        ("truncated", lambda frame: RIGHT.startswith(frame) and frame != RIGHT),
        ("busy", lambda frame: frame[7:] == b"\x83\x06"),
        ("booting", lambda frame: frame[7:] == b"\x83\x02"),
        ("exceptions", lambda frame: frame[7] == 0x83),
        ("silent", lambda frame: frame == b""),
        ("reset", lambda frame: RIGHT.startswith(frame) and frame != RIGHT),
        ("drip", lambda frame: frame == b""),
        ("flood", lambda frame: len(frame) == 201 * len(RIGHT) and frame.endswith(RIGHT)),
        ("garbage", lambda frame: RIGHT not in frame),
    ],
)
def test_moods(name: str, same: Callable[[bytes], bool]) -> None:
    assert same(heard_of(MOODS[name]))


@pytest.mark.parametrize("name", ["swapped", "before"])
def test_answers_to_older_requests_come_too(name: str) -> None:
    second = ASK.replace(b"\0\x07", b"\0\x08", 1)
    device = HostileModbus(Behaviour(MOODS[name]), seed=1)
    heard = asyncio.run(_answers(device, ASK + second))
    assert RIGHT in heard
    assert heard.count(struct.pack(">Q", telling(3, 3, 8, 2))) == 1


def test_rtu_carries_a_check_sum() -> None:
    request = bytes.fromhex("030300080004")
    heard = heard_of(good, request + crc(request), framing=Framing.RTU)
    assert heard == RIGHT[6:] + crc(RIGHT[6:])


def test_a_pseudo_terminal_speaks_rtu() -> None:
    request = bytes.fromhex("030300080004")

    async def story() -> bytes:
        async with HostileModbus(serial=True) as device:
            line = os.open(device.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(line, request + crc(request))
            heard = b""
            async with asyncio.timeout(60):
                while len(heard) < len(RIGHT[6:]) + 2:
                    await asyncio.sleep(0.01)
                    with suppress(BlockingIOError):
                        heard += os.read(line, 100)
            os.close(line)
            return heard

    assert asyncio.run(story()) == RIGHT[6:] + crc(RIGHT[6:])


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (Behaviour(holes={3: {11}}), 2),
        (Behaviour(most=3), 3),
    ],
)
def test_holes_and_limits_are_refused(behaviour: Behaviour, code: int) -> None:
    heard = asyncio.run(_answers(HostileModbus(behaviour), ASK))
    assert heard[7:] == bytes([0x83, code])


def test_an_absent_unit_says_nothing_and_stands_in_the_log() -> None:
    device = HostileModbus(Behaviour(absent={3}))
    assert asyncio.run(_answers(device, ASK)) == b""
    assert device.moods() == {"absent": 1}
    assert (device.log[0].asked.unit, device.log[0].asked.start) == (3, 8)


def test_moods_are_mixed_by_its_dice() -> None:
    device = HostileModbus(Behaviour(Mixed([MOODS["busy"]], 0.5)), seed=3)
    asyncio.run(_answers(device, ASK * 100))
    counts = device.moods()
    assert counts["good"] + counts["refuse"] == 100
    assert 30 < counts["good"] < 70


def test_what_it_owes_to_an_ended_connection_goes_into_the_next() -> None:
    async def story() -> bytes:
        async with HostileModbus(Behaviour(delayed(1.0, 1.0))) as device:
            _, first = await asyncio.open_connection("127.0.0.1", device.port)
            first.write(ASK)
            async with asyncio.timeout(60):
                while not device.log:
                    await asyncio.sleep(0.01)
            first.transport.abort()
            reader, second = await asyncio.open_connection("127.0.0.1", device.port)
            heard = await asyncio.wait_for(reader.readexactly(len(RIGHT)), 60)
            second.transport.abort()
            return heard

    assert asyncio.run(story()) == RIGHT


def test_it_comes_back_at_the_same_port() -> None:
    async def story() -> None:
        async with HostileModbus() as device:
            port = device.port
            await device.stop()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await device.start()
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.transport.abort()

    asyncio.run(story())


def test_bits_and_registers_tell_their_place() -> None:
    device = HostileModbus(Behaviour(registers=telling_registers))
    heard = asyncio.run(_answers(device, ASK))
    assert heard[9:] == struct.pack(">4H", *(3 << 12 | i for i in range(8, 12)))
    coils = asyncio.run(_answers(HostileModbus(), struct.pack(">HHHBBHH", 7, 0, 6, 3, 1, 0, 10)))
    assert len(coils) == 9 + 2
    parities = [(3 << 16 | i).bit_count() & 1 for i in range(10)]
    assert [coils[9 + i // 8] >> i % 8 & 1 for i in range(10)] == parities
