"""Measures what logins cost and how long they hold up the event loop; prints one JSON document.

As many people as wait at most log in at once, while the loop is asked once a millisecond whether it
still runs. Memory is that of the process at its highest, before and after the first hash.

    python -m bench.logins [--goes 3]
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.machine import machine
from gateway.accounts.access import QUEUE, Access
from gateway.accounts.audit import Audit
from gateway.accounts.passwords import Cost, hashed
from gateway.accounts.register import Account, Accounts, write_accounts
from gateway.accounts.roles import Role

PASSWORD = "oil pump by the north door"
LOOK_S = 0.001


async def watched(gaps: list[float]) -> None:
    """Note by how much the loop comes late, s."""
    last = time.perf_counter()
    while True:
        await asyncio.sleep(LOOK_S)
        now = time.perf_counter()
        gaps.append(now - last - LOOK_S)
        last = now


async def measured(access: Access) -> dict[str, float]:
    """Log in as many as wait at most, all at once."""
    gaps: list[float] = []
    watching = asyncio.create_task(watched(gaps))
    await asyncio.sleep(1.0)
    idle = max(gaps)
    gaps.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(access.login("ana", PASSWORD, "10.0.0.5") for _ in range(QUEUE)))
    found = {
        "cpu_s_each": round((time.process_time() - cpu) / QUEUE, 3),
        "wall_s_all": round(time.perf_counter() - wall, 2),
        "loop_late_ms": round(1000 * max(gaps), 1),
        "loop_late_idle_ms": round(1000 * idle, 1),
    }
    watching.cancel()
    return found


def peak_mb() -> float:
    """Give the most memory that the process has had, MB of 2^20 bytes."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--goes", type=int, default=3)
    asked = parser.parse_args()
    before = peak_mb()
    ana = Account(name="ana", role=Role.ADMIN, password=hashed(PASSWORD))
    after = peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "accounts.toml"
        write_accounts(file, Accounts({"ana": ana}))
        goes = [  # each with a loop and a door of its own
            asyncio.run(measured(Access(file, Audit(lambda _: None)))) for _ in range(asked.goes)
        ]
    told: dict[str, Any] = {
        "machine": machine(),
        "hash": {"memory_kib": Cost().memory, "passes": Cost().passes, "lanes": Cost().lanes},
        "logins_at_once": QUEUE,
        "goes": goes,
        "peak_mb": {"before": before, "after": after},
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
