"""An InfluxDB 1.6 that a gateway has filled: an hour of a simulated line, a fault, a person."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.influx.config import InfluxConfig
from connectors.influx.events import AROUND_MS
from connectors.influx.sink import InfluxSink
from gateway import downsampling, runtime, vitals
from gateway.journal import Journal
from gateway.runtime import Gateway
from plant.summaries import MINUTE, TEN_SECONDS
from tests.dashboards.elsewhere import Elsewhere
from tests.dashboards.grafana import Viewer, rows
from tests.parts.stores.servers import Store, asked, fetched, influx1
from wheeltapper.scene import SimulatedScene, plan_of
from wheeltapper.simulator import Simulator

DATABASE = "plant"
HOURS = 0.75
HEALTHY_S = 1600.0
"""Of this history; then a fault begins, so that it is over with its raw window before now."""
SEED = 8
PATIENCE_S = 60.0


class EarlyFault(SimulatedScene):
    """The simulated line of the demo, whose fault begins within its history."""

    def __init__(self) -> None:
        super().__init__(SEED, "random", HOURS)
        from wheeltapper.scene import simulated_line

        self._live_from = HEALTHY_S
        self._line = simulated_line(SEED, "random", self._start, HEALTHY_S)
        self.feed = self._line
        self.learn_s = 1200.0

    def arguments(self) -> tuple[str, ...]:
        return tuple(
            f"--live-from={HEALTHY_S}" if one.startswith("--live-from") else one
            for one in super().arguments()
        )


@dataclass
class Filled:
    """The store, and what the gateway itself said."""

    store: Store
    elsewhere: Elsewhere
    told: list[tuple[str, dict[str, Any]]]
    journal: Path

    def ask(self, query: str) -> list[dict[str, Any]]:
        return rows(asked(self.store.url, DATABASE, query))

    def viewer(self, step: str = "1m", **chosen: Any) -> Viewer:
        now = self.elsewhere.now // 1_000_000
        return Viewer(chosen, now - 3_700_000, now + 600_000, step)

    def events(self, kind: str, **which: str) -> list[dict[str, Any]]:
        """Give the bodies of events as the gateway's journal holds them."""
        journal = Journal.open(self.journal)
        found = [event.body for event in journal.events(kind)[0]]
        journal.close()
        return [body for body in found if which.items() <= body.items()]

    @property
    def standing(self) -> dict[str, dict[str, Any]]:
        """Give the last word on each asset of the gateway, by name, so far as it was sent."""
        (sent,) = self.ask('SELECT last("ne107") FROM "state" WHERE "site" = \'demo\'')
        journal = Journal.open(self.journal)
        events = [event for event in journal.events("state")[0] if event.at <= sent["time"]]
        journal.close()
        return {event.body["asset"].rpartition("/")[2]: event.body for event in events}

    @property
    def alarm(self) -> dict[str, Any]:
        """The alarm as the gateway told it last."""
        return [row for kind, row in self.told if kind == "alarm"][-1]


async def _until(what: Any, seconds: float = PATIENCE_S) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.2)


def _said(url: str, body: Mapping[str, Any]) -> None:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as page:
        assert page.status == 200


async def _fill(store: Store, folder: Path) -> Filled:
    told: list[tuple[str, dict[str, Any]]] = []
    scene = EarlyFault()
    stop = asyncio.Event()
    sink = InfluxConfig(name="central", url=store.url, api="v1", bucket=DATABASE)
    async with Simulator(scene.arguments()) as simulator:
        plan = replace(plan_of(scene, simulator.ports, data=folder, port=0), sinks=(sink,))
        gateway = Gateway(
            plan, prelude=scene.prelude(), on_event=lambda *said: told.append((said[0], said[1]))
        )
        running = asyncio.create_task(gateway.run(stop))
        try:
            await _until(lambda: any(kind == "alarm" for kind, _ in told))
            await _until(lambda: sum(kind == "first_value" for kind, _ in told) >= 1)
            raised = next(row for kind, row in told if kind == "alarm")
            number, machine = raised["id"], raised["asset"].rpartition("/")[2]
            late = round(raised["raised"]) + AROUND_MS - 20_000
            said = {"actor": "Meier", "note": "bearing looked at"}
            ack = f"{gateway.url}/api/alarms/{number}/acknowledge"
            await asyncio.to_thread(_said, ack, said)
            named = {**said, "label": "real", "new_normal": False}
            name = f"{gateway.url}/api/alarms/{number}/feedback"
            await asyncio.to_thread(_said, name, named)
            wanted = (
                # Raw samples come in their order: with the last of a window it is there.
                f'SELECT count("v") FROM "signal" WHERE "asset" = \'{machine}\' '
                f"AND time > {late}ms",
                'SELECT count("priority") FROM "state" WHERE "alarm_state" = 2',
                'SELECT count("realised") FROM "rate"',
                'SELECT count("drift") FROM "normal" WHERE "asset" = \'pump-2\'',
                'SELECT count("mean") FROM "signal_1m" WHERE "asset" = \'pump-2\'',
                'SELECT count("mean") FROM "signal_1m" WHERE "asset" = \'press-1\'',
                'SELECT count("feedback") FROM "alarm"',
                'SELECT count("cpu_ratio") FROM "gateway"',
            )
            for query in wanted:
                await _until(lambda query=query: asked(store.url, DATABASE, query))
        finally:
            stop.set()
            await running
    events = Elsewhere(time.time_ns())
    with InfluxSink(sink, (), "edge-2") as other:
        assert other.write(events.records()) == []
    return Filled(store, events, told, folder / "journal.db")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """What a gateway has sent within its first minute, telling of itself more often than usual.

    What happens seldom (gaps, sensors at fault, chattering alarms) a second gateway tells, of
    which only the sink is there.
    """
    store = influx1(tmp_path_factory.mktemp("influx16"))
    store.start()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(vitals, "EVERY_S", 3.0)
        patched.setattr(vitals, "CHANGES_S", 1.0)
        patched.setattr(runtime, "RATES_FIRST_S", 0.5)
        patched.setattr(runtime, "RATES_S", 2.0)
        patched.setitem(downsampling.REST_S, TEN_SECONDS, 1.0)
        patched.setitem(downsampling.REST_S, MINUTE, 2.0)
        try:
            fetched(f"{store.url}/query", {"q": f'CREATE DATABASE "{DATABASE}"'})
            yield asyncio.run(_fill(store, tmp_path_factory.mktemp("gateway")))
        finally:
            store.stop()
