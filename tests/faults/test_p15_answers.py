"""P15: a late or strange answer is never taken for the answer to the request under way."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors.simulated.hostile.modbus import Behaviour, HostileModbus
from connectors.simulated.hostile.modbus_frames import Framing
from connectors.simulated.hostile.modbus_moods import MOODS, UNMARKED, Mixed, Mood, delayed
from tests.faults.modbus_witness import (
    Verdict,
    config_of,
    judge,
    stage_of,
    tag_of,
    total,
    until_asked,
)
from tests.faults.rows import Row

UNITS = (1, 2, 17, 247)
PLACES = (("holding", 0), ("holding", 8), ("holding", 400), ("input", 0))
TIMEOUT_MS = 20.0
SILENCE_MS = 30.0
LIMIT_S = 600.0
UNPROVEN = ("drip", "swapped", "before", "flood", *UNMARKED)
"""What RTU cannot tell from a right answer, for it numbers nothing: answers to older requests."""


async def ask(
    folder: Path, devices: Sequence[HostileModbus], requests: int, seconds: float, **more: float
) -> Verdict:
    """Let a gateway read these devices until they have heard so many requests."""
    named = {f"plc-{i}": device for i, device in enumerate(devices)}
    tags = {
        name: [tag_of(name, unit, *place) for unit in UNITS for place in PLACES] for name in named
    }
    async with AsyncExitStack() as stack:
        for device in devices:
            await stack.enter_async_context(device)
        settings = {"scan_ms": 10.0, "timeout_ms": TIMEOUT_MS, **more}
        sources = [config_of(device, name, **settings) for name, device in named.items()]
        stage = stage_of(folder, sources, [tag for own in tags.values() for tag in own])
        async with stage.running():
            await until_asked(devices, requests, seconds)
    evidence = stage.evidence()
    return total([judge(device, tags[name], evidence) for name, device in named.items()])


def hostile(moods: Sequence[Mood], count: int, **more: object) -> list[HostileModbus]:
    """Give devices that answer half of the requests rightly, the rest in one of these moods."""
    return [
        HostileModbus(Behaviour(Mixed(moods)), seed=seed, **more)  # type: ignore[arg-type]
        for seed in range(count)
    ]


def report(row: Row, devices: Sequence[HostileModbus], verdict: Verdict, requests: int) -> None:
    heard = sum(device.asked for device in devices)
    row.measured(
        requests=heard,
        answered_wrongly=sum(
            count for device in devices for name, count in device.moods().items() if name != "good"
        ),
        good_values=verdict.good,
        wrong=verdict.wrong,
        stale=verdict.stale,
    )
    assert heard >= requests
    assert verdict.good > heard / 10
    assert (verdict.wrong, verdict.stale) == (0, 0)


@pytest.mark.pain(
    "P15",
    "half of the answers late (up to three timeouts, also into the next connection), split, "
    "doubled, swapped, of another transaction, unit, function or length, cut off, cut off and "
    "filled up by the frame before, noise",
    "hostile Modbus TCP",
    "0 wrong values in 100,000 requests",
)
def test_p15_over_tcp(row: Row, tmp_path: Path, full: bool) -> None:
    late = delayed(0.0, 3 * TIMEOUT_MS / 1000)
    strange = [mood for name, mood in MOODS.items() if name not in ("good", "drip")]
    devices = hostile([*strange, *[late] * 6], 30)
    verdict = asyncio.run(ask(tmp_path, devices, 100_000, LIMIT_S))
    report(row, devices, verdict, 100_000)


@pytest.mark.pain(
    "P15",
    "half of the answers late by up to the stated silence, split, doubled, damaged, of another "
    "unit, function or length, cut off, cut off and filled up by the frame before, noise",
    "hostile Modbus RTU over TCP",
    "0 wrong values",
)
def test_p15_rtu_over_tcp(row: Row, tmp_path: Path, full: bool) -> None:
    requests = 100_000 if full else 20_000
    devices = hostile(serial_moods(), 30, framing=Framing.RTU)
    verdict = asyncio.run(ask(tmp_path, devices, requests, LIMIT_S, silence_ms=SILENCE_MS))
    report(row, devices, verdict, requests)


@pytest.mark.pain(
    "P15",
    "half of the answers late by up to the stated silence, split, doubled, damaged, of another "
    "unit, function or length, cut off, cut off and filled up by the frame before, noise",
    "hostile Modbus RTU on pseudo terminals",
    "0 wrong values",
)
def test_p15_rtu(row: Row, tmp_path: Path, full: bool) -> None:
    requests = 100_000 if full else 20_000
    devices = hostile(serial_moods(), 30, serial=True)
    settings = {"silence_ms": SILENCE_MS, "baud": 115_200}
    verdict = asyncio.run(ask(tmp_path, devices, requests, LIMIT_S, **settings))
    report(row, devices, verdict, requests)


def serial_moods() -> list[Mood]:
    late = delayed(0.0, (TIMEOUT_MS + SILENCE_MS) / 1000 - 0.005)
    return [*(mood for name, mood in MOODS.items() if name not in UNPROVEN), *[late] * 6]
