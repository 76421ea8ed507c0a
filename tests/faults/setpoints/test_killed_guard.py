"""P25: a guard that is killed between its write and reading it back, and the one after it."""

import asyncio
import json
import sys
from itertools import cycle, product
from pathlib import Path
from typing import Any

import pytest

from gateway.guard.audit import records_of, verify
from tests.faults.rows import Row
from tests.faults.setpoints.controller import Controller
from tests.faults.setpoints.guarded import Guarded
from tests.faults.setpoints.killed_guard import MOMENTS
from tests.gateway.guard.rig import KEY

LOOPS, LOOPS_FULL = 2, 50
"""Of each protocol; each has a plain setpoint and a block."""
AT_ONCE = 4
KILLED = -9


async def ended(jobs: list[dict[str, Any]], log: Path) -> list[int]:
    """Have a part of the guards live and die, one after the other; give how each ended."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.setpoints.killed_guard"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
        out, _ = await process.communicate("".join(f"{json.dumps(job)}\n" for job in jobs).encode())
    return [int(line) for line in out.split()]


async def taken_up(job: dict[str, Any], controller: Controller) -> tuple[bool, Guarded]:
    """Start a guard where one was killed, and go on until nothing is unknown."""
    folder = Path(job["folder"])
    after = Guarded(folder, controller, job["protocol"], job["place"], job["loop"], settle_s=1)
    known = after.doubted
    await after.settled()
    await after.guard.close()
    return known, after


@pytest.mark.pain(
    "P25",
    "the guard killed with -9 as it writes: in flight, answered, written down, read back once",
    "the guard with a controller of ours, Modbus and OPC UA, plain and block",
    "each write 0 or 1 times and told by the audit before; the next guard locks, alarms, writes "
    "nothing, and finds what the controller did",
)
def test_p25_guard_killed_around_its_write(row: Row, full: bool, tmp_path: Path) -> None:
    each = LOOPS_FULL if full else LOOPS
    loops = {"modbus": range(1, each + 1), "opcua": range(each + 1, 2 * each + 1)}

    async def run() -> tuple[list[dict[str, Any]], list[int], list[Any], Controller]:
        async with Controller(2 * each) as controller:
            ways = [
                (protocol, place, loop)
                for protocol, place in product(loops, ("plain", "block"))
                for loop in loops[protocol]
            ]
            jobs = [
                {
                    "folder": str(tmp_path / f"{protocol}-{place}-{loop}"), "protocol": protocol,
                    "place": place, "loop": loop, "moment": moment, "seed": loop,
                    "host": controller.host, "ports": controller.ports,
                }
                for (protocol, place, loop), moment in zip(ways, cycle(MOMENTS), strict=False)
            ]  # fmt: skip
            parts = [jobs[first::AT_ONCE] for first in range(AT_ONCE)]
            logs = [tmp_path / f"errors-{number}" for number in range(AT_ONCE)]
            ends = await asyncio.gather(*map(ended, parts, logs))
            jobs = [job for part in parts for job in part]
            after = []
            for first in range(0, len(jobs), 20):
                some = jobs[first : first + 20]
                after += await asyncio.gather(*(taken_up(job, controller) for job in some))
        return jobs, [code for part in ends for code in part], after, controller

    jobs, codes, after, controller = asyncio.run(run())
    count = len(jobs)
    applied = [controller.of("applied", job["loop"], job["place"]) for job in jobs]
    armed = [
        [one for one in records_of(guard.file) if one["event"] == "armed"] for _, guard in after
    ]
    explained = sum(
        bool(records) and (not rows or records[0]["wall"] <= rows[0]["at"])
        for records, rows in zip(armed, applied, strict=True)
    )
    truth = sum(
        guard.found() == [bool(rows)] for (_, guard), rows in zip(after, applied, strict=True)
    )
    whole = sum(not verify(guard.file, [KEY.public_key()]).bad for _, guard in after)
    row.measured(
        killed=f"{codes.count(KILLED)} of {count}",
        applied=f"{sum(map(bool, applied))} of {count}",
        twice=sum(len(rows) > 1 for rows in applied),
        locked_and_alarmed_at_the_next_start=f"{sum(known for known, _ in after)} of {count}",
        truth_found=f"{truth} of {count}",
        audit_before_the_write=f"{explained} of {count}",
        audit_whole=f"{whole} of {count}",
    )
    assert codes == [KILLED] * count
    assert all(known for known, _ in after)
    assert max(map(len, applied)) <= 1
    assert [len(one) for one in armed] == [1] * count
    assert (truth, explained, whole) == (count, count, count)
