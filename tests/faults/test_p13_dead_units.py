"""P13: dead units on a line do not slow the healthy ones."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from connectors.simulated.hostile.modbus import Behaviour, HostileModbus
from connectors.simulated.hostile.modbus_frames import Framing
from tests.faults.modbus_witness import config_of, judge, stage_of, tag_of
from tests.faults.rows import Row

UNITS = tuple(range(1, 31))
DEAD = (4, 17, 30)
SECONDS = 60.0
LONG_S = 600.0
SETTLE_S = 12.0
"""To find out which units are dead: a timeout each, on RTU the silence after it."""
SHARE = 0.9


@pytest.mark.pain(
    "P13",
    "3 of 30 units of a line silent; scan and timeout 1 s",
    "hostile Modbus TCP, RTU over TCP and RTU on a pseudo terminal, side by side",
    "every healthy unit ≥ 90 % of one value a second, in the first minute, in which the dead are "
    "found out, and in the 60 s after 12 s",
)
def test_p13_dead_units(row: Row, tmp_path: Path, full: bool) -> None:
    devices = {
        "tcp": HostileModbus(Behaviour(absent=set(DEAD))),
        "rtu-over-tcp": HostileModbus(Behaviour(absent=set(DEAD)), framing=Framing.RTU),
        "rtu": HostileModbus(Behaviour(absent=set(DEAD), pace_s=0.005), serial=True),
    }
    tags = {name: [tag_of(name, unit) for unit in UNITS] for name in devices}
    seconds = LONG_S if full else SECONDS

    async def story() -> None:
        begun = time.time_ns()
        async with devices["tcp"], devices["rtu-over-tcp"], devices["rtu"]:
            sources = [config_of(device, name) for name, device in devices.items()]
            stage = stage_of(tmp_path, sources, [tag for own in tags.values() for tag in own])
            async with stage.running():
                await asyncio.sleep(SETTLE_S + seconds)
        evidence = stage.evidence()
        for name, device in devices.items():
            verdict = judge(device, tags[name], evidence)
            times = [
                evidence.of(tag.name).live_good().at - begun
                for unit, tag in zip(UNITS, tags[name], strict=True)
                if unit not in DEAD
            ]
            first = min(int(np.count_nonzero(at < SECONDS * 1e9)) for at in times) / SECONDS
            share = min(int(np.count_nonzero(at >= SETTLE_S * 1e9)) for at in times) / seconds
            vain = sum(exchange.mood == "absent" for exchange in device.log)
            row.figures[name] = (
                f"first minute {first:.0%}, known {share:.0%}, asked {vain} times in vain, "
                f"{verdict.wrong} wrong"
            )
            assert (verdict.wrong, verdict.stale) == (0, 0)
            assert share >= SHARE
            assert first >= SHARE

    asyncio.run(story())
