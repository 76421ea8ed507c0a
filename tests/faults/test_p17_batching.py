"""P17: scattered registers are read in few requests, and holes cost nobody else."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from connectors.simulated.hostile.modbus import Behaviour, Exchange, HostileModbus
from connectors.simulated.hostile.modbus_frames import telling_registers
from plant.tags import Tag, ValueType
from tests.faults.modbus_witness import config_of, stage_of
from tests.faults.rows import Row

TAGS, HOLES = 200, 3
SPAN = 600
SCAN_S = 0.2
SECONDS = 14.0
LEARNT_S = 2.0
"""Learning is over; known holes are tried again about 4 s and 12 s after the start."""
MOST = 8
MAPS = 5


@pytest.mark.pain(
    "P17",
    "200 registers scattered over 600, 3 of them refused; five such maps",
    "hostile Modbus TCP",
    "≤ 8 requests in every scan after learning, 197 values Good, 0 wrong",
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
        for (name, device), (addresses, holes) in zip(devices.items(), maps, strict=True):
            scans = _scans(device.log, max(set(addresses) - holes))
            begun = device.log[0].asked.at
            learnt = [count for at, count in scans if at - begun > LEARNT_S * 1e9]
            tried = sum(
                exchange.mood == "refused" and exchange.asked.at - begun > LEARNT_S * 1e9
                for exchange in device.log
            )
            good = wrong = 0
            for tag in tags[name]:
                live = evidence.of(tag.name).live_good()
                good += bool(len(live.at))
                wrong += int((live.value != (1 << 12 | int(tag.signal))).sum())
            row.figures[name] = (
                f"{min(learnt)} requests a scan after learning, at most {max(learnt)} in "
                f"{len(learnt)} scans with {tried} trials of holes; {good} Good, {wrong} wrong"
            )
            assert (good, wrong) == (TAGS - HOLES, 0)
            assert tried >= HOLES
            assert max(learnt) <= MOST

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


def _scans(log: Iterable[Exchange], last: int) -> list[tuple[int, int]]:
    """Count the requests of each scan; one ends with the answer that holds the address `last`."""
    scans, count = [], 0
    for exchange in log:
        asked = exchange.asked
        count += 1
        if exchange.mood == "good" and asked.start <= last < asked.start + asked.count:
            scans.append((asked.at, count))
            count = 0
    return scans
