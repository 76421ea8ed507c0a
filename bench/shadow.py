"""What a model beside the one in force costs: CPU time of a row, memory, bytes of the journal.

Run with ``python -m bench.shadow``. Ten pumps of six signals, row by row through the pipeline; then
the same with a shadow beside one of them.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.watch import Watch
from bench.machine import machine
from gateway.config.plan import DetectionPlan, Plan
from gateway.journal import EventRecord
from gateway.journal.bodies import encode, index
from gateway.models.watched import WatchedAsset
from gateway.pipeline import Pipeline
from gateway.supervisor import Supervisor
from plant.assets import asset_of
from plant.samples import Batch
from plant.tags import Tag, TagHandle

ASSETS, SIGNALS, LEARN_S, SECOND = 10, 6, 300, 10**9
START = 1_700_000_000 * SECOND


def rows(count: int, seed: int) -> NDArray[np.float64]:
    """Give rows (n, assets, signals) of pumps under a changing load."""
    chance = np.random.default_rng(seed)
    load = np.sin(np.arange(count) / 5)[:, None, None] + chance.normal(0, 0.1, (count, ASSETS, 1))
    made: NDArray[np.float64] = load * np.arange(1, SIGNALS + 1)
    return made + 20 + chance.normal(0, 0.1, made.shape)


def plan() -> Plan:
    """Plan a gateway that reads them all at once."""
    tags = tuple(
        Tag(name=f"works/hall/line/pump-{one}/signal-{two}", source="plc", address="", unit="bar")
        for one in range(ASSETS)
        for two in range(SIGNALS)
    )
    paths = dict.fromkeys(tag.asset for tag in tags)
    assets = tuple(asset_of(path, tags) for path in paths)
    detection = DetectionPlan(learn_s=LEARN_S)
    return Plan(name="bench", data=Path(), tags=tags, assets=assets, detection=detection)


def feed(pipeline: Pipeline, begin: int, values: NDArray[np.float64]) -> tuple[float, int]:
    """Give the median CPU time of a batch, µs, and the bytes of scores that it made."""
    taken, size = [], 0
    for second, row in enumerate(values, begin):
        at = START + second * SECOND
        batch = Batch(
            source="plc",
            tag=np.arange(row.size, dtype=np.int32),
            at=np.full(row.size, at),
            value=row.ravel(),
            status=np.zeros(row.size, np.uint32),
            upto=at,
            received=at,
            heard=second,
            stamped=True,
        )
        begun = time.thread_time_ns()
        outcome = pipeline.take(batch)
        taken.append((time.thread_time_ns() - begun) / 1e3)
        size += sum(len(encode(one, index(one, 1, 1))) for one in outcome.scores)
    return float(np.median(taken)), size


def measured(seconds: int) -> dict[str, Any]:
    """Measure both."""
    whole, supervisor = plan(), Supervisor.__new__(Supervisor)
    supervisor.benched = {}
    handles = [TagHandle(number, tag) for number, tag in enumerate(whole.tags)]
    known: list[Watch] = []

    def library(_state: WatchedAsset, _version: int, _sha256: str) -> Watch:
        return known[0]

    pipeline = Pipeline(whole, handles, supervisor.contain, library, supervisor.let_off)
    feed(pipeline, 0, rows(LEARN_S + 120, 1))
    own = pipeline.assets[0].watch
    copy = Watch(own.signals, own.units, own.settings)
    copy.restore(own.state())
    known.append(copy)
    begin = LEARN_S + 120
    alone, alone_bytes = feed(pipeline, begin, rows(seconds, 2))
    state = sum(array.nbytes for array in pipeline.state().values())
    body: dict[str, Any] = {"asset": whole.assets[0].path, "action": "shadow", "version": 1}
    pipeline.order(EventRecord("model", 1, body | {"sha256": "", "why": "", "actor": "bench"}))
    beside, beside_bytes = feed(pipeline, begin + seconds, rows(seconds, 2))
    grown = sum(array.nbytes for array in pipeline.state().values()) - state
    own_costs = pipeline.assets[0].models.beside
    ordered = body | {"action": "promote", "sha256": "", "why": "", "actor": "bench"}
    begun = time.perf_counter_ns()
    pipeline.order(EventRecord("model", 2, ordered))
    promoted = (time.perf_counter_ns() - begun) / 1e3
    return {
        "assets": ASSETS,
        "signals": SIGNALS,
        "rows": seconds,
        "us_a_row_of_all": round(alone, 1),
        "us_a_row_of_all_with_one_shadow": round(beside, 1),
        "us_more": round(beside - alone, 1),
        "us_in_force": None if own_costs is None else own_costs.stopwatch.costs().in_force,
        "us_beside": None if own_costs is None else own_costs.stopwatch.costs().beside,
        "us_to_promote": round(promoted, 1),
        "snapshot_bytes_more": grown,
        "journal_bytes_a_row_more": round((beside_bytes - alone_bytes) / seconds, 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.shadow", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=1000)
    wish = parser.parse_args(arguments)
    print(json.dumps({**measured(wish.seconds), "machine": machine()}, indent=1))


if __name__ == "__main__":
    main()
