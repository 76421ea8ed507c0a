"""A whole gateway over hostile Modbus devices, in small; `make faults` does it in large."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.simulated.hostile.modbus import Behaviour, HostileModbus
from connectors.simulated.hostile.modbus_frames import Framing
from connectors.simulated.hostile.modbus_moods import MOODS, UNMARKED, Mixed, Mood, delayed
from plant.quality import Status
from tests.faults.modbus_witness import config_of, judge, stage_of, tag_of, until_asked

pytestmark = pytest.mark.journey
LIMIT_S = 60.0
TIMEOUT_MS, SILENCE_MS = 20.0, 30.0
STRANGE = [mood for name, mood in MOODS.items() if name not in ("good", "drip")]
PROVABLE = [
    mood
    for name, mood in MOODS.items()
    if name not in ("good", "drip", "swapped", "before", "flood", *UNMARKED)
]
"""What RTU, which numbers nothing, can tell from a right answer."""


async def _read(
    folder: Path, devices: Sequence[HostileModbus], requests: int, **more: Any
) -> list[tuple[int, int, int]]:
    """Give for each device how many values are Good, wrong and stale."""
    tags = [[tag_of(f"plc-{i}", unit) for unit in (1, 2, 3)] for i in range(len(devices))]
    async with AsyncExitStack() as stack:
        for device in devices:
            await stack.enter_async_context(device)
        sources = [config_of(device, f"plc-{i}", **more) for i, device in enumerate(devices)]
        stage = stage_of(folder, sources, [tag for own in tags for tag in own])
        async with stage.running():
            await until_asked(devices, requests, LIMIT_S)
    evidence = stage.evidence()
    verdicts = [judge(device, own, evidence) for device, own in zip(devices, tags, strict=True)]
    return [(verdict.good, verdict.wrong, verdict.stale) for verdict in verdicts]


@pytest.mark.parametrize(
    ("framing", "moods", "more"),
    [
        (Framing.TCP, [*STRANGE, *[delayed(0.0, 0.06)] * 6], {}),
        (Framing.RTU, [*PROVABLE, *[delayed(0.0, 0.04)] * 6], {"silence_ms": SILENCE_MS}),
    ],
)
def test_late_and_strange_answers_become_no_values(
    framing: Framing, moods: Sequence[Mood], more: dict[str, Any], tmp_path: Path
) -> None:
    devices = [
        HostileModbus(Behaviour(Mixed(moods)), framing=framing, seed=seed) for seed in range(6)
    ]
    settings = {"scan_ms": 10.0, "timeout_ms": TIMEOUT_MS, **more}
    verdicts = asyncio.run(_read(tmp_path, devices, 300, **settings))
    assert sum(good for good, _, _ in verdicts) > 50
    assert {(wrong, stale) for _, wrong, stale in verdicts} == {(0, 0)}


def test_the_judge_sees_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes whatever comes is found out."""
    from connectors.modbus.wire import Answer, TcpFraming

    async def careless(_self: object, exactly: Any, request: Any, _transaction: int) -> Answer:
        head = await exactly(9)
        return Answer(Status.GOOD, (await exactly(head[8]))[: request.size].ljust(request.size))

    monkeypatch.setattr(TcpFraming, "answer", careless)
    monkeypatch.setattr(Answer, "doubled", lambda _answer, _rest: True)
    devices = [HostileModbus(Behaviour(Mixed([MOODS["before"], MOODS["wrong unit"]])))]
    ((_, wrong, stale),) = asyncio.run(_read(tmp_path, devices, 100, scan_ms=10.0))
    assert wrong + stale > 0


def test_a_dead_unit_takes_nothing_from_the_others(tmp_path: Path) -> None:
    device = HostileModbus(Behaviour(absent={2}))
    settings = {"scan_ms": 50.0, "timeout_ms": 1000.0}
    asyncio.run(_read(tmp_path, [device], 60, **settings))
    units = [exchange.asked.unit for exchange in device.log]
    assert units.count(2) <= 3
    assert abs(units.count(1) - units.count(3)) <= 1
