"""Guards that are killed with -9 at a moment around their write, one after the other.

Each line on the standard input is one of them, as JSON: a new process is forked off for it, and how
that ended is said on the standard output. Nothing is imported anew, so hundreds take minutes.
"""

import asyncio
import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from gateway.guard.lifecycle import Event
from tests.faults.setpoints.controller import Controller
from tests.faults.setpoints.guarded import Guarded
from tests.gateway.guard.rig import WORD

MOMENTS = ("in flight", "answered", "written down", "read back")
FLIGHT_S = 0.02
"""Within it the frame leaves, arrives, or is answered."""


def kill() -> None:
    """End this process as nothing in it can foresee."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def arrange(one: Guarded, moment: str, seed: int) -> None:
    """Have it killed at a moment."""
    devices: Any = one.guard._devices
    write, look, move = devices.write, devices.read_back, one.guard.book.move

    async def written(*said: Any) -> None:
        if moment == "in flight":
            threading.Timer(random.Random(seed).uniform(0.0, FLIGHT_S), kill).start()
        await write(*said)
        if moment == "answered":
            kill()

    async def looked(*said: Any, **more: Any) -> Any:
        found = await look(*said, **more)
        if moment in ("read back", "in flight"):
            kill()
        return found

    def moved(ticket: Any, event: Event, **facts: Any) -> None:
        move(ticket, event, **facts)
        if (moment, event) == ("written down", Event.SENT):
            kill()

    devices.write, devices.read_back = written, looked
    one.guard.book.move = moved  # type: ignore[method-assign]


async def live(job: dict[str, Any]) -> None:
    """Be a guard that writes once, and is killed."""
    controller = Controller(0, host=job["host"], ports=job["ports"])
    one = Guarded(
        Path(job["folder"]), controller, job["protocol"], job["place"], job["loop"], settle_s=1
    )
    ticket = await one.pending()
    arrange(one, job["moment"], job["seed"])
    await one.guard.approve(ticket.request.id, "ana", WORD)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(live(json.loads(line)))
            os._exit(7)  # it was not killed
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
