"""The Modbus source alone, in a process of its own, scanning as fast as it is answered.

``whole`` reads 50 units of 100 registers; ``scattered`` every fourth register of eight units, 200
in all, and ``single`` the same with one request a tag. Prints one JSON line.

    python -m bench.modbus_reader whole --port 5020
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass

from bench.loads.formula import MODBUS_REGISTERS, MODBUS_UNITS
from connectors.modbus.config import ModbusConfig
from connectors.modbus.source import ModbusSource
from plant.tags import Tag, TagHandle

WARM_S, MEASURE_S = 3.0, 8.0


@dataclass(frozen=True, slots=True)
class Map:
    """Which registers are asked, and how far a request may read along."""

    units: int
    stride: int
    gap: int


MAPS = {
    "whole": Map(MODBUS_UNITS, 1, 16),
    "scattered": Map(8, 4, 16),
    "single": Map(8, 4, 0),
}


def tags(chosen: Map) -> list[TagHandle]:
    """Name every register of the map."""
    places = [
        (unit, register)
        for unit in range(1, chosen.units + 1)
        for register in range(0, MODBUS_REGISTERS, chosen.stride)
    ]
    return [
        TagHandle(
            number,
            Tag(
                name=f"bench/u{unit}/r{register}",
                source="load",
                address=f"unit {unit}, holding {register}, uint16",
            ),
        )
        for number, (unit, register) in enumerate(places)
    ]


async def measure(chosen: Map, port: int) -> dict[str, object]:
    """Read for a while, then tell the cost."""
    config = ModbusConfig(
        name="load", host="127.0.0.1", port=port, scan_ms=10.0, max_gap=chosen.gap
    )
    registers = 0
    async with ModbusSource(config, tags(chosen)) as source:
        warm = time.monotonic() + WARM_S
        while time.monotonic() < warm:
            await source.read()
        cpu_s, begun = time.process_time(), time.monotonic()
        while time.monotonic() < begun + MEASURE_S:
            registers += len(await source.read())
        cpu_s, took_s = time.process_time() - cpu_s, time.monotonic() - begun
        notes = source.facts().notes
    return {
        "registers_per_s": round(registers / took_s),
        "registers_per_s_a_core": round(registers / cpu_s),
        "us_per_register": round(1e6 * cpu_s / registers, 3),
        "notes": list(notes),
    }


def main() -> None:
    """Read one map."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("map", choices=MAPS)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measure(MAPS[given.map], given.port))))


if __name__ == "__main__":
    main()
