"""The OPC UA load source speaks to a client of another make and sends what the formula says."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from asyncua import Client, Node

from bench.loads.formula import OpcUaSignals
from bench.loads.opcua_load import NAMESPACE
from bench.run import ROOT, Load, load_source

TAGS, TICKS = 100, 12
PERIOD_MS = 50
DEPTH = 600
"""Values that wait in the server for a client: 30 s, more than a busy machine holds one up."""
SIGNALS = OpcUaSignals(TAGS, PERIOD_MS * 1_000_000)

pytestmark = pytest.mark.journey


class Kept:
    """Keeps every notification until there are enough."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, datetime, Any, int]] = []
        self.enough = asyncio.Event()

    def datachange_notification(self, node: Node, value: Any, data: Any) -> None:
        held = data.monitored_item.Value
        number = int(str(node.nodeid.Identifier)[1:])
        self.rows.append((number, held.SourceTimestamp, value, held.StatusCode.value))
        if len(self.rows) >= TAGS * TICKS:
            self.enough.set()


@pytest.fixture
def load() -> Iterator[Load]:
    command = [sys.executable, "-m", "bench.loads.opcua_load", "--tags", str(TAGS)]
    with load_source([*command, "--period-ms", str(PERIOD_MS)]) as started:
        yield started


async def subscribed(port: int) -> Kept:
    kept = Kept()
    async with Client(f"opc.tcp://127.0.0.1:{port}") as client:
        index = await client.get_namespace_index(NAMESPACE)
        nodes = [client.get_node(f"ns={index};s=T{tag:05d}") for tag in range(TAGS)]
        subscription = await client.create_subscription(PERIOD_MS, kept)
        await subscription.subscribe_data_change(nodes, queuesize=DEPTH)
        await asyncio.wait_for(kept.enough.wait(), 60)
        await subscription.delete()
    return kept


def test_what_arrives_is_what_the_formula_says(load: Load) -> None:
    rows = asyncio.run(subscribed(load.port)).rows

    tag = np.array([row[0] for row in rows])
    whole = [row[1].replace(tzinfo=UTC).timestamp() * 1_000 for row in rows]
    at = np.rint(whole).astype(np.int64) * 1_000_000
    bad = np.array([row[3] != 0 for row in rows])
    value = np.array([row[2] for row in rows], np.float64)
    tick = SIGNALS.tick(at)
    assert (at % SIGNALS.period_ns == 0).all()
    assert (bad == SIGNALS.bad(tag, tick)).all()
    assert (value[~bad] == SIGNALS.values(tag, tick)[~bad]).all()


def test_it_counts_what_it_sent() -> None:
    command = [sys.executable, "-m", "bench.loads.opcua_load", "--tags", str(TAGS)]
    with load_source([*command, "--period-ms", str(PERIOD_MS)]) as started:
        rows = asyncio.run(subscribed(started.port)).rows

    assert started.sent["samples"] >= len(rows)
    assert started.sent["dropped"] == 0
    assert started.sent["acknowledged"] > 0


def test_bench_refuses_an_unknown_scenario() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "bench.run", "nonsense"], cwd=ROOT, capture_output=True, text=True
    )

    assert asked.returncode == 2
    assert "headline" in asked.stderr
