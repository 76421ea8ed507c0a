"""The judge of a Modbus row: the device's log beside the gateway's journal."""

import asyncio
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from connectors.modbus.config import ModbusConfig
from connectors.simulated.hostile.modbus import HostileModbus
from connectors.simulated.hostile.modbus_frames import Framing
from plant.tags import Tag, ValueType
from tests.faults.evidence import Evidence
from tests.faults.stage import Stage

FUNCTIONS = {"holding": 3, "input": 4}
REGISTERS = 4
"""Of a telling number."""


@dataclass(frozen=True)
class Verdict:
    """Good values of a journal.

    Parameters
    ----------
    good
        How many there are.
    wrong
        How many are of another unit, table or address.
    stale
        How many answer another request than the last one before their stamp.
    """

    good: int
    wrong: int
    stale: int


def config_of(device: HostileModbus, name: str, **more: Any) -> ModbusConfig:
    """Give the source that reads this device."""
    place: dict[str, Any] = {"host": "127.0.0.1", "port": device.port}
    if device.device:
        place = {"transport": "rtu", "device": device.device, "parity": "none"}
    elif device.framing is Framing.RTU:
        place["transport"] = "rtu-over-tcp"
    return ModbusConfig.model_validate({"name": name, **place, **more})


def tag_of(source: str, unit: int, table: str = "holding", address: int = 0) -> Tag:
    """Give the tag of a telling number."""
    return Tag(
        name=f"site/{source}/u{unit}/{table}-{address}",
        source=source,
        address=f"unit {unit}, {table} {address}, uint64",
        type=ValueType.UINT64,
    )


def stage_of(folder: Path, sources: Sequence[Any], tags: Sequence[Tag]) -> Stage:
    """Give a gateway without assets: what is judged here is what was read."""
    return Stage(folder, sources, tags, assets=())


async def until_asked(devices: Sequence[HostileModbus], requests: int, seconds: float) -> None:
    """Wait until the devices have heard so many requests, or so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            while sum(device.asked for device in devices) < requests:
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass


def judge(device: HostileModbus, tags: Sequence[Tag], evidence: Evidence) -> Verdict:
    """Hold each Good value against the log: its place, and the last request before its stamp."""
    asked = np.array([_columns(exchange.asked) for exchange in device.log], np.int64)
    parts = [_judged(tag, asked, evidence) for tag in tags]
    return Verdict(*(sum(column) for column in zip(*parts, strict=True)))


def _columns(asked: Any) -> tuple[int, ...]:
    return asked.unit, asked.function, asked.start, asked.count, asked.at, asked.number


def _judged(tag: Tag, asked: np.ndarray, evidence: Evidence) -> tuple[int, int, int]:
    words = tag.address.replace(",", "").split()
    unit, function, address = int(words[1]), FUNCTIONS[words[2]], int(words[3])
    covered = (asked[:, 2] <= address) & (asked[:, 2] + asked[:, 3] >= address + REGISTERS)
    own = asked[(asked[:, 0] == unit) & (asked[:, 1] == function) & covered]
    live = evidence.of(tag.name).live_good()
    values = live.value.astype(np.int64)
    right = (values >> 28) == ((unit << 17) | ((function == 4) << 16) | address)
    last = np.searchsorted(own[:, 4], live.at, "right") - 1
    fresh = (last >= 0) & (own[last, 5] == (values & 0xFFF_FFFF))
    return len(values), int(np.count_nonzero(~right)), int(np.count_nonzero(right & ~fresh))


def total(verdicts: Sequence[Verdict]) -> Verdict:
    """Add them up."""
    return Verdict(*(sum(column) for column in zip(*map(astuple, verdicts), strict=True)))
