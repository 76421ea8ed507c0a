"""A controller that takes setpoints as a process of its own, telling what it did, line by line.

``python -m connectors.simulated.setpoint_process --loops 4 --modbus 5020 --opcua 4840`` prints one
JSON object a line: first ``{"ready": …}`` with its ports, then each write and each setpoint that
came into force.
"""

import argparse
import asyncio
import json
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict

from connectors.simulated.ports import HOST
from connectors.simulated.setpoint_modbus import SetpointModbus
from connectors.simulated.setpoint_opcua import SetpointOpcua
from connectors.simulated.setpoint_plc import Applied, SetpointPlc, Written


def _tell(what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def _told(what: Written | Applied) -> None:
    _tell({"what": type(what).__name__.lower(), **asdict(what)})


async def _serve(words: argparse.Namespace) -> None:
    plc = SetpointPlc(words.loops, told=_told)
    ports: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        if words.modbus is not None:
            modbus = SetpointModbus(plc, words.modbus, words.host)
            ports["modbus"] = (await stack.enter_async_context(modbus)).port
        if words.opcua is not None:
            opcua = SetpointOpcua(plc, words.opcua, words.host)
            ports["opcua"] = (await stack.enter_async_context(opcua)).port
        await stack.enter_async_context(plc)
        _tell({"ready": ports})
        await asyncio.Event().wait()


def main() -> None:
    """Serve until it is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("--modbus", type=int, help="its port; 0 is any; not served without")
    parser.add_argument("--opcua", type=int, help="its port; 0 is any; not served without")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
