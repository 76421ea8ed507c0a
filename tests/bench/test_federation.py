"""The whole way of a federation on the simulated line: three unlike machines, one signed model."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.federation.consolidated import Consolidated
from analytics.federation.messages import read_consolidated, read_plan
from analytics.federation.statistics import Statistics
from bench.federation.figures import LOADS, RUN
from bench.federation.sites import ASSET, HOUR_NS, START, Machine, Struck, settle
from bench.federation.walk import Walk, when
from gateway.config.loader import load
from plant.keys import public_key
from tests.wheeltapper.conftest import command as command_fixture
from wheeltapper.federating.own import members

command = command_fixture
LEARNT_H, SCORED_H, JUDGED_H = 8.3, 16.6, 18.0
FAULT = Struck("cavitation", 17.0, 17.5, 0.5)


@pytest.fixture
def walk(tmp_path: Path, command: Callable[..., Any]) -> Walk:
    configs = {
        name: settle(tmp_path / name, Machine(name, seed, loads, None, (FAULT,) * (seed == 2)), 18)
        for seed, (name, loads) in enumerate(LOADS.items(), 1)
    }

    def run(*arguments: object) -> Any:
        ended = command(*arguments)
        assert (ended.code, ended.err) == (0, "")
        return ended.out

    return Walk(tmp_path, configs, run)


@pytest.mark.timeout(600)
def test_from_three_gateways_to_a_model_that_judges(walk: Walk) -> None:
    walk.agree()
    walk.contribute(0, LEARNT_H)
    walk.merge()
    walk.contribute(LEARNT_H, SCORED_H, "--scores", walk.moments)
    walk.limit()

    centre = [public_key(walk.trust.read_bytes(), "centre")]
    model, file = read_consolidated(walk.model.read_bytes(), centre)
    assert file.header.name == "class/pump"
    assert math.isfinite(model.limits[RUN])

    plan = read_plan(walk.plan.read_bytes(), centre)
    pooled = []
    for config in walk.configs.values():
        loaded = load(config)
        (member,) = members(loaded, plan)
        stop = START + round(LEARNT_H * HOUR_NS)
        pooled.append(member.rows(loaded.data, plan, START, stop, []).of(RUN))
    rows = np.concatenate(pooled)
    central = Consolidated.of({RUN: Statistics.of(rows)}, plan)
    mode = np.full(len(rows), RUN)
    assert np.allclose(model.scores(rows, mode), central.scores(rows, mode), rtol=1e-9)

    faults = walk.folder / "faults.csv"
    span = f"{when(FAULT.start_h)},{when(FAULT.stop_h)}"
    faults.write_text(f"gateway,asset,from,to\nmiddle,{ASSET},{span}\n")
    told = walk.compare(JUDGED_H, "--faults", faults, "--json")
    assert isinstance(told, str)
    found = [json.loads(line) for line in told.splitlines()]
    federated = [row for row in found if row["model"] == "federated"]
    assert [(row["faults"], row["found"]) for row in federated] == [(0, 0), (1, 1), (0, 0)]
    assert max(row["beyond"] for row in federated) <= 0.02
    centralised = [row for row in found if row["model"] == "centralised"]
    assert [row | {"model": ""} for row in federated] == [
        row | {"model": ""} for row in centralised
    ]
