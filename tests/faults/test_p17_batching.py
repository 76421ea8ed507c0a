"""P17: scattered registers are read in few requests, and holes cost nobody else."""

import asyncio
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from connectors.simulated.hostile.modbus import Behaviour, HostileModbus
from connectors.simulated.hostile.modbus_frames import telling_registers
from plant.tags import Tag, ValueType
from tests.faults.modbus_witness import config_of, stage_of
from tests.faults.rows import Row

TAGS, HOLES = 200, 3
SPAN = 600
SCAN_S = 0.2
SECONDS = 12.0
MOST = 8
MAPS = 5


@pytest.mark.pain(
    "P17",
    "200 registers scattered over 600, 3 of them refused; five such maps",
    "hostile Modbus TCP",
    "≤ 8 requests a scan after learning, 197 values Good, 0 wrong",
)
def test_p17_batching(row: Row, tmp_path: Path) -> None:
    maps = [_map(seed) for seed in range(MAPS)]
    devices = {
        f"plc-{seed}": HostileModbus(Behaviour(holes={1: holes}, registers=telling_registers))
        for seed, (_, holes) in enumerate(maps)
    }
    tags = {
        name: [_tag(name, address) for address in addresses]
        for name, (addresses, _) in zip(devices, maps, strict=True)
    }

    async def story() -> None:
        stage = None
        for device in devices.values():
            await device.start()
        sources = [config_of(d, name, scan_ms=1000 * SCAN_S) for name, d in devices.items()]
        stage = stage_of(tmp_path, sources, [tag for own in tags.values() for tag in own])
        async with stage.running():
            await asyncio.sleep(SECONDS)
        for device in devices.values():
            await device.stop()
        evidence = stage.evidence()
        for name, device in devices.items():
            scans = _scans([exchange.asked.at for exchange in device.log])
            good = wrong = 0
            for tag in tags[name]:
                live = evidence.of(tag.name).live_good()
                good += bool(len(live.at))
                wrong += int((live.value != (1 << 12 | int(tag.signal))).sum())
            usual = sorted(scans[1:])[len(scans) // 2]
            longer = sum(count > usual for count in scans[1:])
            row.figures[name] = (
                f"first scan {scans[0]} requests, then {usual}, at most {max(scans[1:])} in the "
                f"{longer} of {len(scans)} scans that try a hole; {good} Good, {wrong} wrong"
            )
            assert (good, wrong) == (TAGS - HOLES, 0)
            assert usual <= MOST

    asyncio.run(story())


def _map(seed: int) -> tuple[list[int], set[int]]:
    random = Random(seed)
    addresses = sorted(random.sample(range(SPAN), TAGS))
    return addresses, set(random.sample(addresses, HOLES))


def _tag(source: str, address: int) -> Tag:
    return Tag(
        name=f"site/{source}/{address}",
        source=source,
        address=f"unit 1, holding {address}, uint16",
        type=ValueType.UINT16,
    )


def _scans(asked: list[int]) -> list[int]:
    """Count the requests between pauses of half a scan."""
    counts = [1]
    for before, after in pairwise(asked):
        if after - before > SCAN_S / 2 * 1e9:
            counts.append(0)
        counts[-1] += 1
    return counts[:-1]
