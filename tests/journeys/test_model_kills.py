"""`kill -9` around a change of models: the same model is in force after it, to the bit."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from analytics.modelfiles import Header, model_folder, settings_body, write_model
from analytics.settings import WatchSettings
from analytics.watch import Watch
from gateway.config.loader import load
from gateway.config.plan import Plan
from gateway.journal import Journal, ScoreRecord
from gateway.models.shelf import FOLDER, Shelf
from gateway.models.watched import Action
from gateway.pipeline import Pipeline
from gateway.runtime import SNAPSHOT
from plant.errors import PlantError
from plant.files import put
from plant.keys import public_pem
from tests.patience import FULL
from wheeltapper.running import Console, ask, console_of

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]
ROUNDS = 12 if FULL else 2
ROWS = 900
PATIENCE_S = 90
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MODELS = """
[models]
keys = ["trainer.pub.pem"]
"""


def model(plant: Any, asset: Any, number: int) -> bytes:
    """Give a model that has learnt from the line itself."""
    tags = [tag.name for tag in plant.line.tags]
    column = [tags.index(name) for name in asset.signals]
    units = [plant.line.tags[place].unit for place in column]
    settings = WatchSettings(learn_rows=600, mode_rows=100, find_modes=asset.mode is None)
    watch = Watch(asset.signals, units, settings)
    begin = 10 * number
    rows = plant.line.values(begin, ROWS)
    mode = rows[:, tags.index(asset.mode)] if asset.mode else np.zeros(ROWS)
    at = plant.line.start + (begin + np.arange(ROWS)) * 10**9
    watch.judge(at, rows[:, column], mode.astype(np.int64))
    header = Header(
        name=asset.path, version=number, kind="watch", created=1, signals=asset.signals,
        units=tuple(units), settings=settings_body(settings), start=int(at[0]), stop=int(at[-1]),
        history="0" * 64, metrics={},
    )  # fmt: skip
    return write_model(header, watch.state(), KEY)


@contextmanager
def running(config: Path, data: Path) -> Iterator[Console]:
    """Run a gateway in a process of its own and kill it at the end."""
    command = [sys.executable, "-m", "wheeltapper", "run", str(config), "--json"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not answers(console_of(data)):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            found = console_of(data)
            assert found is not None
            yield found
        finally:
            process.kill()


def answers(console: Console | None) -> bool:
    if console is None:
        return False
    with suppress(PlantError):
        return bool(ask(console, "/api/models"))
    return False


def told(console: Console, asset: str) -> Any:
    return next(one for one in ask(console, "/api/models")["assets"] if one["asset"] == asset)


def states(plan: Plan, journal: Journal) -> list[dict[str, NDArray[Any]]]:
    """Fold the journal from its start, and from the snapshot."""
    shelf = Shelf(plan.data / FOLDER, plan.models.keys, version("wheeltapper"))
    handles = journal.register(plan.tags, 0)
    found = []
    for position, arrays in ((0, None), journal.load_snapshot(SNAPSHOT) or (0, None)):
        pipeline = Pipeline(plan, handles, lambda _name, call: call(), shelf)
        if arrays is not None:
            assert pipeline.restore(arrays) == []
        assert pipeline.replay(journal.read(after=position)) == []
        found.append(pipeline.state())
    return found


def order(console: Console, action: str, asset: str, number: int) -> None:
    said = {"target": asset, "version": number, "actor": "ana", "note": "round"}
    with suppress(PlantError):  # it is killed meanwhile
        ask(console, f"/api/models/{action}", said)


def brought(console: Console, asset: str, number: int, wanted: str) -> None:
    """Wait for a model beside, and do again what a kill came before."""
    deadline = time.monotonic() + PATIENCE_S
    one = told(console, asset)
    while one["tried"] is None or one["tried"]["role"] != wanted:
        assert time.monotonic() < deadline, one
        before = one["in_force"]["version"]
        again = {"shadow": ("return", before), "former": ("promote", number)}[wanted]
        order(console, again[0], asset, again[1])
        time.sleep(0.1)
        one = told(console, asset)


def test_killed_around_a_change_the_same_model_is_in_force(plant: Any, tmp_path: Path) -> None:
    config = plant.configure(tmp_path)
    config.write_text(config.read_text(encoding="utf-8") + MODELS, encoding="utf-8")
    (tmp_path / "trainer.pub.pem").write_bytes(public_pem(KEY.public_key()))
    plan = load(config)
    asset, chance = plan.assets[0], random.Random(7)
    folder = plan.data / FOLDER / model_folder(asset.path)
    folder.mkdir(parents=True)
    for number in range(1, ROUNDS + 1):
        put(folder / f"{number}.wtm", model(plant, asset, number))
        for action, wanted in (("promote", "shadow"), ("return", "former")):
            with running(config, plan.data) as console:
                brought(console, asset.path, number, wanted)
                ordering = threading.Thread(
                    target=order, args=(console, action, asset.path, number)
                )
                ordering.start()
                time.sleep(chance.uniform(0.0, 0.3))
            ordering.join(PATIENCE_S)
            journal = Journal.open(plan.data / "journal.db")
            whole, recovered = states(plan, journal)
            assert whole.keys() == recovered.keys()
            for name, array in whole.items():
                np.testing.assert_array_equal(recovered[name], array, err_msg=name)
            once(journal, asset.path)
            journal.close()
    assert {Action.SHADOW, Action.PROMOTE} <= set(changes(plan))


def once(journal: Journal, asset: str) -> None:
    """No row of an asset was judged twice by whatever was in force."""
    scores = [one for _, one in journal.read(kinds=(ScoreRecord,)) if isinstance(one, ScoreRecord)]
    at = [one.at for one in scores if one.asset == asset and not one.role]
    whole = np.concatenate(at) if at else np.empty(0, np.int64)
    assert len(np.unique(whole)) == len(whole)


def changes(plan: Plan) -> list[str]:
    journal = Journal.open(plan.data / "journal.db")
    events, damaged = journal.events("model")
    journal.close()
    assert damaged == 0
    return [str(event.body["action"]) for event in events]
