"""P1, the other way round: the gateway itself is killed and started again."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.config.loader import load
from tests.faults.evidence import doubled, missing, read, seconds_to_first_good, wrong
from tests.faults.plc import Witness, need_node, tags_of
from tests.faults.rows import Row
from tests.faults.stage import trusting

BAR_S = 5.0
START_S = 20.0
KILLS = 5
OUTAGE_S = 3.0
TAGS = 5
CONFIG = """\
version = 1
tags = "tags.csv"
[gateway]
name = "faults"
[console]
port = 0
[[source]]
type = "opcua"
name = "plc"
publishing_ms = 100
sampling_ms = 0
queue = 1000
"""


def configured(folder: Path, settings: dict[str, Any]) -> Path:
    """Write a configuration that reads one witness."""
    lines = [f"{name} = {json.dumps(str(value))}" for name, value in settings.items()]
    config = folder / "line.toml"
    config.write_text(CONFIG + "\n".join(lines) + "\n", "utf-8")
    rows = [f"{tag.name},plc,{tag.address}" for tag in tags_of("plc", TAGS)]
    (folder / "tags.csv").write_text("\n".join(["tag,source,address", *rows]) + "\n", "utf-8")
    return config


async def lived(config: Path, seconds: float) -> int:
    """Run the gateway until it has a value and `seconds` more, kill it; give that moment, ns."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wheeltapper", "run", str(config), "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout
    async with asyncio.timeout(START_S):
        while b'"first_value"' not in (said := await process.stdout.readline()):
            assert said, "the gateway ended by itself"
    await asyncio.sleep(seconds)
    process.kill()
    await process.communicate()
    return time.time_ns()


@pytest.mark.parametrize(
    ("policy", "history"),
    [
        pytest.param(
            policy,
            history,
            id=words,
            marks=pytest.mark.pain(
                "P1",
                f"our own gateway killed with -9 for {OUTAGE_S:.0f} s, {KILLS} times in a row; "
                f"{words}",
                "node-opcua",
                "first good value ≤ 5 s after the start of the process; 0 wrong; lost "
                + ("0" if history else "no more than the ledger tells"),
            ),
        )
        for policy, history, words in [
            ("none", False, "the server keeps nothing for strangers"),
            ("none", True, "the server keeps history"),
            (
                "Basic256Sha256",
                False,
                "secured and with a user: the subscription may be taken over",
            ),
        ]
    ],
)
def test_p01_our_own_death(policy: str, history: bool, tmp_path: Path, row: Row) -> None:
    need_node()

    async def go() -> tuple[Witness, list[int], list[int]]:
        async with Witness(tmp_path, {"tags": TAGS, "history": history}) as witness:
            source = await trusting(witness.url, tmp_path, policy)
            config = configured(tmp_path, {"url": witness.url, "security": "none", **source})
            begun, died = [], []
            for _ in range(KILLS):
                begun.append(time.time_ns())
                died.append(await lived(config, 4.0))
                await asyncio.sleep(OUTAGE_S)
            begun.append(time.time_ns())
            died.append(await lived(config, 6.0))
            return witness, begun, died

    witness, begun, died = asyncio.run(go())
    plan = load(tmp_path / "line.toml")
    evidence = read(plan.data, plan.tags)
    mine = [(i, evidence.of(f"site/plc/T{i}")) for i in range(TAGS)]
    waits = [wait for _, tag in mine for wait in seconds_to_first_good(tag, begun, died)]
    lost = sum(len(missing(tag, witness, i)) for i, tag in mine)
    row.measured(
        first_good_value=f"{max(waits):.1f} s at most",
        lost=lost,
        ledger_says=evidence.lost("plc"),
        gaps=evidence.gaps("plc"),
        recovered=sum(int((tag.recovered > 0).sum()) for _, tag in mine),
        wrong=sum(wrong(tag, witness, i) for i, tag in mine),
        twice=sum(doubled(tag, witness, i) for i, tag in mine),
        sessions_at_most=witness.live_at_most,
    )
    assert row.figures["wrong"] == "0"
    assert row.figures["twice"] == "0"
    assert max(waits) <= BAR_S
    assert evidence.gaps("plc") >= KILLS, "a death is not in the ledger"
    assert lost <= (0 if history else evidence.lost("plc"))
