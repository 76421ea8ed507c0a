"""A model is tried, promoted and kept; a bad one is taken back: over a real Modbus socket."""

import asyncio
import json
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from typer.testing import CliRunner

from analytics.modelfiles import Header, model_folder, settings_body, write_model
from analytics.settings import WatchSettings
from analytics.watch import Watch
from connectors.modbus.config import ModbusConfig
from connectors.simulated.modbus_server import ModbusServer
from gateway import runtime
from gateway.config.plan import ConsolePlan, DetectionPlan, ModelsPlan, Plan
from gateway.journal import Journal, SampleRecord, ScoreRecord
from gateway.models import rule, succession
from gateway.runtime import Gateway
from plant.assets import asset_of
from plant.errors import Rejected
from plant.files import put
from plant.keys import public_pem
from plant.tags import Tag
from wheeltapper.app import app
from wheeltapper.audit import kept
from wheeltapper.running import ask

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]
PUMP = "works/hall/line-1/pump-2"
UNITS = ("m3/h", "bar", "A")
SIGNALS = tuple(f"{PUMP}/{name}" for name in ("flow", "pressure", "current"))
ROW_S = 0.1
"""A step of the grid; the pump moves thrice in it, so that no row stands still when it is busy."""
LOOKED, PROBATION = 60, 150
"""Rows from which the distribution is looked at, fewer than in a plant, and of the probation."""
SETTINGS = WatchSettings(learn_rows=600, mode_rows=200, settle_s=0.4, row_s=ROW_S)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PATIENCE_S = 120


def row(chance: np.random.Generator, number: int) -> NDArray[np.float64]:
    load = np.sin(number * 0.7) + chance.normal(0, 0.1)
    noise = chance.normal(0, 0.05, 3)
    made: NDArray[np.float64] = np.array([40 + 3 * load, 6 - 0.4 * load, 18 + 2 * load]) + noise
    return made


def model(version: int, shift: float) -> bytes:
    """Give a model; one with a shift was learnt at a pump that takes more current."""
    watch = Watch(SIGNALS, UNITS, SETTINGS)
    chance = np.random.default_rng(version)
    rows = np.array([row(chance, number) + np.array([0, 0, shift]) for number in range(1000)])
    at = np.arange(1000) * round(ROW_S * 1e9)
    watch.judge(at, rows, np.zeros(1000, np.int64))
    header = Header(
        name=PUMP, version=version, kind="watch", created=1, signals=SIGNALS, units=UNITS,
        settings=settings_body(SETTINGS), start=0, stop=int(at[-1]), history="0" * 64, metrics={},
    )  # fmt: skip
    return write_model(header, watch.state(), KEY)


class Running:
    """A pump behind a Modbus socket, and a gateway that reads it, in a thread."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        key = folder / "trainer.pub.pem"
        key.write_bytes(public_pem(KEY.public_key()))
        self._tags = tuple(
            Tag(
                name=name,
                source="plc",
                address=f"unit 1, holding {2 * place}, float32 abcd",
                unit=unit,
            )
            for place, (name, unit) in enumerate(zip(SIGNALS, UNITS, strict=True))
        )
        self.plan = Plan(
            name="line-1",
            data=self.data,
            console=ConsolePlan(port=0),
            tags=self._tags,
            assets=(asset_of(PUMP, self._tags),),
            detection=DetectionPlan(learn_s=10, grid_s=ROW_S),
            models=ModelsPlan(keys=(key,), probation_h=PROBATION * ROW_S / 3600),
        )
        self.url = ""
        self.scores: Any = None
        self.last: Any = None
        self.refused: Any = None
        self.news: Any = None
        self.shown = self.promoted = ""
        self.told: list[tuple[str, dict[str, Any]]] = []

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        chance = np.random.default_rng(99)
        async with ModbusServer(self._tags, 0) as server:
            source = ModbusConfig(name="plc", host="127.0.0.1", port=server.port, scan_ms=50)
            gateway = Gateway(replace(self.plan, sources=(source,)), on_event=self._hear)
            running = asyncio.create_task(gateway.run(self._stop))
            number = 0
            while not running.done():
                server.put(row(chance, number))
                number += 1
                await asyncio.sleep(ROW_S / 3)
            await running

    def _hear(self, kind: str, told: dict[str, Any]) -> None:
        self.told.append((kind, told))
        if kind == "console":
            self.url = told["url"]

    def __enter__(self) -> "Running":
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self.until(lambda: self.url)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)

    def until(self, met: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not met():
            assert time.monotonic() < deadline, self.model()
            assert self._thread.is_alive()
            time.sleep(0.1)

    def model(self) -> Any:
        (one,) = ask(self.url, "/api/models")["assets"]
        return one

    def actions(self) -> list[tuple[str, int]]:
        return [(one["action"], one["version"]) for one in reversed(self.model()["history"])]

    def order(self, action: str, version: int, note: str) -> Any:
        said = {"target": "pump-2", "version": version, "actor": "ana", "note": note}
        return ask(self.url, f"/api/models/{action}", said)

    def put(self, version: int, data: bytes) -> None:
        folder = self.data / "models" / model_folder(PUMP)
        folder.mkdir(parents=True, exist_ok=True)
        put(folder / f"{version}.wtm", data)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Running:
    """Walk the whole way once; what it left is looked at after."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "MODELS_S", 0.2)
        patch.setattr(rule, "LOOKED", LOOKED)
        patch.setattr(succession, "EVERY", LOOKED // 6)
        running = Running(tmp_path_factory.mktemp("models"))
        with running:
            running.put(1, model(1, 0.0))
            running.until(lambda: running.model()["tried"])
            running.until(lambda: running.model()["tried"]["hours"] * 3600 > 50 * ROW_S)
            running.order("promote", 1, "trained on the healthy week")
            running.put(2, b"\x00" * 100)
            # Below a sound one it would not be looked at.
            running.until(lambda: ask(running.url, "/api/models")["refused"])
            running.put(3, model(3, 4.0))
            running.until(lambda: ("keep", 1) in running.actions())
            running.until(lambda: ("shadow", 3) in running.actions())
            running.scores = scores_of(running.url)
            running.shown = command(running, "show", "pump-2")
            said = ("--actor", "ana", "--reason", "somebody is in a hurry", "--version", "3")
            running.promoted = command(running, "promote", "pump-2", *said)
            running.until(lambda: ("return", 3) in running.actions())
            running.last = running.model()
            running.news = ask(running.url, "/api/line")["gateway"]["models"]
            running.refused = ask(running.url, "/api/models")["refused"]
    return running


def command(running: Running, *words: str) -> str:
    done = CliRunner().invoke(app, ["model", *words, "--url", running.url])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_tells_and_does_it(walked: Running) -> None:
    assert "model 3 is tried beside it" in walked.shown
    assert "24 h at least" in walked.shown
    assert walked.promoted.startswith(f"{PUMP}: model 3 is in force since")
    assert "model 1 stands by" in walked.promoted


def test_without_a_gateway_the_command_says_where_it_is_told(walked: Running) -> None:
    done = CliRunner().invoke(app, ["model", "show", "--data", str(walked.data)])
    assert isinstance(done.exception, Rejected)
    assert "wheeltapper audit" in str(done.exception)


def scores_of(url: str) -> Any:
    now = time.time() * 1000
    query = f"path={PUMP}&start_ms={now - 600_000}&stop_ms={now + 1000}&points=200"
    with urllib.request.urlopen(f"{url}/api/asset/scores?{query}") as answer:
        return json.load(answer)


def test_it_is_tried_promoted_kept_and_the_bad_one_taken_back(walked: Running) -> None:
    told = [(one["action"], one["version"], one["actor"]) for one in walked.last["history"]]
    assert told[::-1] == [
        ("shadow", 1, "rule"), ("promote", 1, "ana"), ("keep", 1, "rule"), ("shadow", 3, "rule"),
        ("promote", 3, "ana"), ("return", 3, "rule"),
    ]  # fmt: skip
    assert walked.last["in_force"]["version"] == 1
    (blocked,) = walked.last["blocked"]
    assert blocked["version"] == 3
    assert blocked["why"].startswith(("score distribution", "alarm rate"))
    assert "somebody is in a hurry (against the rule: " in walked.last["history"][1]["why"]


def test_every_page_says_that_it_was_taken_back(walked: Running) -> None:
    (words,) = walked.news
    assert words.startswith("pump-2: model 3 was taken back: ")


def test_the_file_that_is_none_is_refused_with_its_reason(walked: Running) -> None:
    assert [(one["file"], one["cause"]) for one in walked.refused] == [("2.wtm", "no-model-file")]
    assert [kind for kind, _ in walked.told].count("model-refused") == 1


def test_both_scores_are_drawn_side_by_side(walked: Running) -> None:
    beside = [(one["role"], one["version"]) for one in walked.scores["beside"]]
    assert beside[:2] == [("shadow", 1), ("former", 0)]
    assert all(len(one["at"]) == len(one["score"]) for one in walked.scores["beside"])


def test_no_row_was_missed_or_judged_twice(walked: Running) -> None:
    journal = Journal.open(walked.data / "journal.db")
    found = [one for _, one in journal.read(kinds=(ScoreRecord, SampleRecord))]
    journal.close()
    at = np.concatenate([one.at for one in found if isinstance(one, ScoreRecord) and not one.role])
    assert len(np.unique(at)) == len(at)
    # One row a step of the grid from the first to the last, whichever model was in force.
    assert set(np.diff(at).tolist()) == {round(ROW_S * 1e9)}


def test_the_audit_says_who_when_and_why(walked: Running) -> None:
    journal = Journal.open(walked.data / "journal.db")
    told = [(one["who"], one["words"]) for one in kept(journal)["audit"]]
    journal.close()
    assert ("ana", f"{PUMP}, model 1: promoted: trained on the healthy week") in [
        (who, words.partition(" (against")[0]) for who, words in told
    ]
    assert any(who == "rule" and "model 3: taken back, and blocked" in words for who, words in told)


def test_a_restart_goes_on_with_the_model_in_force(walked: Running) -> None:
    again = Running(walked.data.parent)
    with again:
        again.until(lambda: again.model())
        assert again.model()["in_force"]["version"] == 1
        assert [one["version"] for one in again.model()["blocked"]] == [3]
