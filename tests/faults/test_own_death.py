"""P1, the other way round: the gateway itself is killed and started again."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.config.loader import load
from tests.faults.evidence import (
    Evidence,
    doubled,
    missing,
    read,
    seconds_to_first_good,
    wrong,
)
from tests.faults.plc import Witness, tags_of
from tests.faults.rows import Row
from tests.faults.stage import trusting
from tests.lacking import need_node_opcua

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
    try:
        async with asyncio.timeout(START_S):
            while b'"first_value"' not in (said := await process.stdout.readline()):
                assert said, "the gateway ended by itself"
        await asyncio.sleep(seconds)
    finally:
        # Also one that was too late: it would be in the way of every row behind this.
        if process.returncode is None:
            process.kill()
        await process.communicate()
    return time.time_ns()


@dataclass(frozen=True)
class Death:
    """A server, and whether it keeps history; the gateway before it is killed again and again."""

    words: str
    policy: str = "none"
    history: bool = False


@dataclass(frozen=True)
class Afterlife:
    """What is left: the witness, the journal, when each process began and died, ns."""

    witness: Witness
    evidence: Evidence
    begun: list[int]
    died: list[int]


DEATHS = (
    Death("the server keeps no history"),
    Death("the server keeps history", history=True),
    Death("secured, with a user", policy="Basic256Sha256"),
)


async def died(death: Death, folder: Path) -> Afterlife:
    settings = {"tags": TAGS, "history": death.history}
    async with Witness(folder, settings) as witness:
        source = await trusting(witness.url, folder, death.policy)
        config = configured(folder, {"url": witness.url, "security": "none", **source})
        begun, ends = [], []
        for _ in range(KILLS):
            begun.append(time.time_ns())
            ends.append(await lived(config, 4.0))
            await asyncio.sleep(OUTAGE_S)
        begun.append(time.time_ns())
        ends.append(await lived(config, 6.0))
    plan = load(config)
    return Afterlife(witness, read(plan.data, plan.tags), begun, ends)


@pytest.fixture(scope="module")
def afterlives(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Afterlife]:
    """What became of the deaths that were selected, side by side."""
    need_node_opcua()
    own = (item for item in request.session.items if item.path == request.path)
    deaths = [item.callspec.params["death"] for item in own]  # type: ignore[attr-defined]
    folders = [tmp_path_factory.mktemp("death") for _ in deaths]

    async def go() -> list[Afterlife]:
        return await asyncio.gather(*map(died, deaths, folders))

    return {d.words: life for d, life in zip(deaths, asyncio.run(go()), strict=True)}


@pytest.mark.parametrize(
    "death",
    [
        pytest.param(
            death,
            id=death.words,
            marks=pytest.mark.pain(
                "P1",
                f"our own gateway killed with -9 for {OUTAGE_S:.0f} s, {KILLS} times in a row; "
                f"{death.words}",
                "node-opcua",
                "first good value ≤ 5 s after the start of the process; 0 wrong; lost "
                + ("0" if death.history else "no more than the ledger tells"),
            ),
        )
        for death in DEATHS
    ],
)
def test_p01_our_own_death(death: Death, afterlives: dict[str, Afterlife], row: Row) -> None:
    life = afterlives[death.words]
    witness, evidence = life.witness, life.evidence
    mine = [(i, evidence.of(f"site/plc/T{i}")) for i in range(TAGS)]
    waits = [w for _, tag in mine for w in seconds_to_first_good(tag, life.begun, life.died)]
    lost = sum(len(missing(tag, witness, i)) for i, tag in mine)
    row.measured(
        first_good_value=f"{max(waits):.1f} s at most",
        lost=lost,
        ledger_says=evidence.lost("plc"),
        gaps=evidence.gaps("plc"),
        recovered=sum(int((tag.recovered > 0).sum()) for _, tag in mine),
        wrong=sum(wrong(tag, witness, i) for i, tag in mine),
        twice=sum(doubled(tag, witness, i) for i, tag in mine),
    )
    assert row.figures["wrong"] == "0"
    assert row.figures["twice"] == "0"
    assert max(waits) <= BAR_S
    assert evidence.gaps("plc") >= KILLS, "a death is not in the ledger"
    assert lost <= (0 if death.history else evidence.lost("plc"))
