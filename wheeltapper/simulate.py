"""``wheeltapper simulate``: the plant of the demo, on loopback sockets, in its own process."""

from pathlib import Path
from typing import Annotated

import typer

from wheeltapper.options import DefectOneIn, Fault, Labels, split


def simulate(
    seed: Annotated[int, typer.Option(min=0, help="Decides everything.")] = 8,
    fault: Fault = "random",
    start: Annotated[int, typer.Option(help="Time of row 0, ns since 1970; 0 is now.")] = 0,
    live_from: Annotated[float, typer.Option(help="Where the present begins, s.")] = 0.0,
    defect_every: DefectOneIn = 0,
    recording: Annotated[Path | None, typer.Option(help="Serve this instead.")] = None,
    labels: Labels = "",
    opcua_port: Annotated[int, typer.Option(min=0, max=65535)] = 4840,
    modbus_port: Annotated[int, typer.Option(min=0, max=65535)] = 5020,
) -> None:
    """Serve the line, or a recording, until standard input ends; say last what was injected."""
    import time
    from dataclasses import asdict

    from connectors.replay.recording import read_recording
    from connectors.simulated.feed import Feed
    from connectors.simulated.server import run
    from wheeltapper import terminal
    from wheeltapper.scene import simulated_line

    begin = start or time.time_ns()
    truth = None
    feed: Feed
    if recording is not None:
        feed = read_recording(recording, split(labels)).as_feed(begin)
    else:
        feed = line = simulated_line(seed, fault, begin, live_from, defect_every)
        truth = asdict(line.fault) if line.fault else None
    run(
        feed,
        opcua_port=opcua_port,
        modbus_port=modbus_port,
        ready=lambda ports: terminal.record(asdict(ports)),
    )
    terminal.record({"injected": truth})
