"""`kill -9` at any moment loses nothing that was on disk, and nobody could tell from the state."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.config.loader import load
from gateway.config.plan import Plan
from gateway.journal import EventRecord, Journal, SampleRecord, ScoreRecord
from gateway.pipeline import Pipeline
from gateway.runtime import SNAPSHOT
from plant.quality import is_good
from plant.samples import Batch
from tests.patience import FULL

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]
KILLS = 20 if FULL else 5


def killed_after(config: Path, seconds: float) -> None:
    """Run the gateway until a value came in and `seconds` more, then kill it."""
    with subprocess.Popen(
        [sys.executable, "-m", "wheeltapper", "run", str(config), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        said = ""
        while '"first_value"' not in said:
            said = process.stdout.readline()
            assert said, "the gateway ended by itself"
        time.sleep(seconds)
        process.kill()


def fingerprints(journal: Journal) -> list[tuple[int, str]]:
    """Name every record by its position and everything it holds."""
    return [(position, fingerprint(entry)) for position, entry in journal.read()]


def fingerprint(entry: Any) -> str:
    match entry:
        case SampleRecord():
            batch = entry.batch
            columns = (batch.tag, batch.at, batch.value, batch.status, entry.verdict)
            return f"{batch.source} {batch.upto} {[c.tobytes().hex() for c in columns]}"
        case ScoreRecord():
            return f"{entry.asset} {entry.at.tobytes().hex()} {entry.score.tobytes().hex()}"
        case EventRecord():
            return f"{entry.kind} {entry.at} {json.dumps(entry.body)}"
        case _:
            return f"damaged: {entry}"


def plain(_name: str, call: Callable[[], Any]) -> Any:
    return call()


def from_the_start(plan: Plan, journal: Journal) -> dict[str, NDArray[Any]]:
    handles = journal.register(plan.tags, 0)
    pipeline = Pipeline(plan, handles, plain)
    assert pipeline.replay(journal.read()) == []
    return pipeline.state()


def as_recovered(plan: Plan, journal: Journal) -> dict[str, NDArray[Any]]:
    handles = journal.register(plan.tags, 0)
    pipeline = Pipeline(plan, handles, plain)
    # Killed before the first one was on disk it begins anew.
    position, arrays = journal.load_snapshot(SNAPSHOT) or (0, pipeline.state())
    assert pipeline.restore(arrays) == []
    assert pipeline.replay(journal.read(after=position)) == []
    return pipeline.state()


def test_killed_at_any_moment_nothing_is_lost_invented_or_forgotten(
    plant: Any, tmp_path: Path
) -> None:
    config = plant.configure(tmp_path)
    plan = load(config)
    chance = random.Random(20)
    before: list[tuple[int, str]] = []
    kills = 0
    # More, where a busy machine brought little to the disk before each.
    while kills < KILLS or compared(plan) <= 100:
        kills += 1
        killed_after(config, chance.uniform(0.0, 1.2))
        journal = Journal.open(plan.data / "journal.db")
        now = fingerprints(journal)
        assert now[: len(before)] == before, "what was on disk is there, unchanged, in order"
        assert not [text for _, text in now if text.startswith("damaged")]
        never_stopped, recovered = from_the_start(plan, journal), as_recovered(plan, journal)
        assert never_stopped.keys() == recovered.keys()
        for name, array in never_stopped.items():
            np.testing.assert_array_equal(recovered[name], array, err_msg=name)
        before = now
        journal.close()
    assert wrong_values(plant, plan) == 0


def wrong_values(plant: Any, plan: Plan) -> int:
    """Count Good samples with a source clock that differ from what the line showed then."""
    journal = Journal.open(plan.data / "journal.db")
    handles = {h.handle: h.tag.name for h in journal.register(plan.tags, 0)}
    column = {tag.name: index for index, tag in enumerate(plant.line.tags)}
    wrong = 0
    for _, entry in journal.read(kinds=[SampleRecord]):
        assert isinstance(entry, SampleRecord)
        batch = entry.batch
        good = of_a_clock(batch)
        row = (batch.at[good] - plant.line.start) // 10**9
        at = [column[handles[handle]] for handle in batch.tag[good].tolist()]
        shown = [plant.line.values(int(r), 1)[0, c] for r, c in zip(row, at, strict=True)]
        wrong += int((~np.isclose(batch.value[good], shown, rtol=1e-6, atol=1e-9)).sum())
    journal.close()
    return wrong


def of_a_clock(batch: Batch) -> NDArray[np.bool_]:
    """Mark the Good samples that bear the source's own time."""
    return is_good(batch.status) & (batch.source == "line-opcua")


def compared(plan: Plan) -> int:
    """Count the samples on disk that can be compared with what the line showed."""
    journal = Journal.open(plan.data / "journal.db")
    found = [entry for _, entry in journal.read(kinds=[SampleRecord])]
    journal.close()
    return sum(int(of_a_clock(one.batch).sum()) for one in found if isinstance(one, SampleRecord))
