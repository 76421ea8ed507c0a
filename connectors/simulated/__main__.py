"""The line's servers as a process: ``python -m connectors.simulated --start NS``.

Prints one JSON line with the ports when they are open; ends with its standard input.
"""

import argparse
import json
import sys
from dataclasses import asdict

from connectors.simulated.feed import Hurried
from connectors.simulated.line import SimulatedLine
from connectors.simulated.ports import Ports
from connectors.simulated.server import MODBUS_PORT, OPCUA_PORT, run


def _tell(ports: Ports) -> None:
    sys.stdout.write(json.dumps(asdict(ports)) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve the line that the arguments describe."""
    parser = argparse.ArgumentParser(prog="python -m connectors.simulated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault", default="random", help="random, none or a kind")
    parser.add_argument("--start", type=int, required=True, help="time of row 0, ns since 1970")
    parser.add_argument("--onset", type=float, default=None, help="s after row 0")
    parser.add_argument("--live-from", type=float, default=0.0, help="s after row 0")
    parser.add_argument("--defect-every", type=int, default=0, help="parts; 0: none is defective")
    parser.add_argument("--pace", type=int, default=1, help="times as fast as a real line")
    parser.add_argument("--opcua-port", type=int, default=OPCUA_PORT)
    parser.add_argument("--modbus-port", type=int, default=MODBUS_PORT)
    wish = parser.parse_args()
    line = SimulatedLine(
        wish.seed,
        fault=wish.fault,
        start=wish.start,
        onset_s=wish.onset,
        live_from=wish.live_from,
        defect_every=wish.defect_every,
    )
    feed = Hurried(line, wish.pace)
    run(feed, opcua_port=wish.opcua_port, modbus_port=wish.modbus_port, ready=_tell)


if __name__ == "__main__":
    main()
