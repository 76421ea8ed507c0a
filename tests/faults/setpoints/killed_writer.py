"""A process that writes a setpoint when it is told, and is killed in the middle of it.

``ours`` writes as the guard does; ``plain`` as a program that knows nothing of late writes.
"""

import asyncio
import socket
import struct
import sys
import time

from connectors.contract import Outlet
from connectors.modbus.actuator import ModbusActuator
from connectors.modbus.config import ModbusConfig
from plant.setpoints import Setpoint
from plant.tags import Tag


def _told() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


async def _ours(host: str, port: int, loop: int) -> None:
    tag = Tag(name="site/speed", source="plc", address=f"unit {loop}, holding 0, int32")
    config = ModbusConfig(name="plc", host=host, port=port)
    async with ModbusActuator(config, [], [Outlet(tag=tag)], 30.0) as actuator:
        await asyncio.to_thread(_told)
        await actuator.write(Setpoint(tag.name, 1030.0, "", time.time_ns() + 10**11, 1))


def _plain(host: str, port: int, loop: int) -> None:
    with socket.create_connection((host, port)) as link:
        _told()
        link.sendall(struct.pack(">HHHBBHHBI", 1, 0, 11, loop, 16, 0, 2, 4, 1030))
        time.sleep(60)


def main() -> None:
    how, host, port, loop = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if how == "ours":
        asyncio.run(_ours(host, port, loop))
    else:
        _plain(host, port, loop)


if __name__ == "__main__":
    main()
