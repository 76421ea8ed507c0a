"""The life of a model on one pump: trained, signed, tried, put into force, replaced, taken back."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analytics.modelfiles import SUFFIX, read_model, write_model
from connectors.sqlite.history import SqliteHistory
from plant.errors import Rejected
from plant.keys import private_key, public_key
from plant.summaries import TEN_SECONDS
from wheeltapper.walks.machine import (
    HOUR_S,
    PUMP,
    SECOND,
    configuration,
    pump_rows,
    write_recording,
)
from wheeltapper.walks.stage import Stage, free_port

SEED = 4
HOURS, SPEED = 96, 600.0
"""Length of the recording, h, and how many times faster than it happened the gateway reads it."""
LEARN_H, FIRST_H, OVERHAUL_H, SECOND_H = 6.0, 11.0, 36.0, 58.0
"""Hours that the gateway learns by itself; when the first model is trained; when the pump gets a
larger impeller; when somebody looks whether models should be trained again."""
SHADOW_H, PROBATION_H = 3.0, 2.0
LINE = PUMP.rpartition("/")[0]
ENGINEER, TECHNICIAN = "Ada", "Tom"

MODELS = """
[console]
port = 0

[models]
url = "http://127.0.0.1:{port}"
root = "models/root.json"
keys = ["models/trainer.pub.pem"]
every_min = 0.1
shadow_h = {shadow_h:g}
probation_h = {probation_h:g}
"""


class ModelWalk:
    """Tells the story on a stage.

    Parameters
    ----------
    stage
        An empty folder, and the commands in it.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._start = (time.time_ns() // SECOND - HOURS * HOUR_S) * SECOND

    def tell(self) -> None:
        """Tell it to its end; raises what went otherwise than it should."""
        self._set_up()
        self._first_model()
        self._new_normal()
        self._second_model()
        self._careless_model()
        self._thief()
        self._way_back()
        self._stage.step("What the audit has to show for it")
        self._stage.run("audit", "--data", "data")

    def _set_up(self) -> None:
        stage = self._stage
        stage.step(
            "A pump, and a registry for its models",
            f"{HOURS} hours of a simulated pump, read {SPEED:g} times faster than they happened.",
        )
        tags, rows = pump_rows(SEED, self._start, HOURS, OVERHAUL_H)
        write_recording(stage.folder / "pump.csv", self._start, tags, rows)
        stage.run("models", "init", "registry", "--line", LINE)
        shutil.copytree(stage.folder / "keys" / "kit", stage.folder / "models")
        port = free_port()
        more = MODELS.format(port=port, shadow_h=SHADOW_H, probation_h=PROBATION_H)
        text = configuration("works", tags, SPEED, LEARN_H, more)
        (stage.folder / "gateway.toml").write_text(text, encoding="utf-8")
        stage.start("models", "serve", "registry", "--port", str(port), log="serve.log")
        stage.start("run", "gateway.toml", log="gateway.log")
        stage.run("models", "refresh", "registry")

    def _first_model(self) -> None:
        stage = self._stage
        stage.step(
            "The first model, from what the history has",
            f"The gateway has learnt {LEARN_H:g} hours by itself and watches. Now a model is "
            "trained centrally, signed and published; the gateway tries it beside its own.",
        )
        self._until(FIRST_H)
        stage.run("retrain", "registry", "pump-2", *self._up_to(FIRST_H))
        self._tried(1)
        self._promoted(1, "does as well, and knows more hours")

    def _new_normal(self) -> None:
        stage = self._stage
        stage.step(
            "The pump gets a larger impeller",
            "Nobody told the gateway, so it alarms, and is right to: flow, pressure and current "
            "are none that it knows. Maintenance says that it was meant, and stays.",
        )
        number = stage.wait("the change is seen", self._alarm)["id"]
        stage.run("alarms", "list")
        stage.run(
            "alarms", "feedback", str(number), "--actor", TECHNICIAN, "--expected",
            "larger impeller", "--new-normal",
        )  # fmt: skip
        stage.step(
            "A day later: should the model be trained again?",
            "The gateway follows what it was told is normal. The model, as it was trained, would "
            "not know it: that is drift, and it is only proposed.",
        )
        self._until(SECOND_H)
        asked = ("retrain", "registry", "pump-2", "--propose", *self._up_to(SECOND_H))
        stage.run(*asked)
        (told,) = stage.record(*asked)
        stage.fact(proposed=told)
        causes = {one["cause"] for one in told["reasons"]}
        if "drift" not in causes or not told["a_person_decides"]:
            raise Rejected(f"no drift was proposed, only {causes or 'nothing'}")

    def _second_model(self) -> None:
        stage = self._stage
        stage.step(
            "Trained again from the change on, published, and tried",
            "What came before the change, and the time of the alarm, are not learnt.",
        )
        stage.run("retrain", "registry", "pump-2", *self._up_to(SECOND_H))
        self._tried(2)
        self._promoted(2, "the impeller is meant to be larger")

    def _careless_model(self) -> None:
        stage = self._stage
        stage.step(
            "A valid but terrible model, well signed",
            "Its limits are a fifth of what they should be. Beside the one in force it shows so, "
            "acts on nothing, and is blocked before anybody could put it into force.",
        )
        self._publish(3, _too_narrow)
        stage.wait("it is blocked", lambda: self._asset()["blocked"])
        stage.run("model", "show", "pump-2")
        stage.step(
            "A model with a NaN in it, well signed", "It is refused before anything is built of it."
        )
        self._publish(4, _not_finite)
        stage.wait("it is refused", lambda: stage.ask("/api/models")["refused"])
        stage.run("model", "show", "pump-2")

    def _thief(self) -> None:
        stage = self._stage
        stage.step(
            "Somebody has the web server, and exchanges a file",
            "They have no trainer's key: the gateway takes nothing of it.",
        )
        target = next((stage.folder / "registry" / "targets").rglob(f"*4{SUFFIX}"))
        content = bytearray(target.read_bytes())
        content[-1] ^= 1
        for file in (stage.folder / "data" / "models").rglob(f"4{SUFFIX}"):
            file.unlink()
        target.write_bytes(bytes(content))
        stage.run("models", "pull", "gateway.toml", code=1)
        if self._in_force() != 2:
            raise Rejected("the model in force is another one")

    def _way_back(self) -> None:
        stage = self._stage
        stage.step(
            "The way back",
            "A model that fails, is late, alarms too often or strays is taken back by the gateway "
            "itself; a person can do it at any time. It is blocked for good then.",
        )
        stage.run(
            "model", "return", "pump-2", "--actor", ENGINEER, "--reason", "the old impeller is back"
        )
        stage.wait("model 1 is in force", lambda: self._in_force() == 1)

    def _publish(self, version: int, spoil: Callable[[dict[str, Any]], None]) -> None:
        """Publish a spoilt copy of the newest good model as a later version, well signed."""
        stage = self._stage
        keys = stage.folder / "keys"
        key = private_key((keys / "trainer" / "trainer.pem").read_bytes(), "the trainer's key")
        public = public_key((keys / "kit" / "trainer.pub.pem").read_bytes(), "its public half")
        place = stage.folder / "data" / "models"
        good = next(place.rglob(f"2{SUFFIX}")).read_bytes()
        model = read_model(good, [public])
        arrays = {name: array.copy() for name, array in model.arrays.items()}
        spoil(arrays)
        header = replace(model.header, version=version, parent=2, created=time.time_ns())
        file = stage.folder / f"careless-{version}{SUFFIX}"
        file.write_bytes(write_model(header, arrays, key))
        stage.run("models", "publish", "registry", file.name)

    def _tried(self, version: int) -> None:
        """Wait until a model has been beside the one in force for as long as the rule demands."""
        stage = self._stage

        def enough() -> Any:
            tried = self._asset()["tried"]
            right = tried is not None and tried["model"]["version"] == version
            return right and tried["role"] == "shadow" and tried["hours"] >= SHADOW_H

        stage.wait(f"model {version} was tried for {SHADOW_H:g} h", enough)
        stage.run("model", "show", "pump-2")

    def _promoted(self, version: int, reason: str) -> None:
        stage = self._stage
        stage.run("model", "promote", "pump-2", "--actor", ENGINEER, "--reason", reason)
        stage.wait(f"model {version} is in force", lambda: self._in_force() == version)
        stage.fact(in_force=version)

    def _asset(self) -> Any:
        (asset,) = self._stage.ask("/api/models")["assets"]
        return asset

    def _in_force(self) -> int:
        return int(self._asset()["in_force"]["version"])

    def _alarm(self) -> Any:
        """Give the alarm that came with the change."""
        since = (self._start // SECOND + round(OVERHAUL_H * HOUR_S)) * 1000
        alarms = self._stage.ask("/api/alarms")["alarms"]
        return next((one for one in alarms if one["raised"] >= since), None)

    def _until(self, hour: float) -> None:
        """Wait until the history has so many hours of the pump."""
        stop = self._start + round(hour * HOUR_S) * SECOND

        def there() -> bool:
            file = self._stage.folder / "data" / "history.db"
            if not file.is_file():
                return False
            with SqliteHistory(file) as history:
                tag, last = [f"{PUMP}/flow"], stop - TEN_SECONDS
                return any(len(one) for one in history.read(tag, last, stop, TEN_SECONDS))

        self._stage.wait(f"the history has hour {hour:g} of the pump", there)

    def _up_to(self, hour: float) -> tuple[str, ...]:
        return "--from", self._hour(0), "--to", self._hour(hour)

    def _hour(self, hour: float) -> str:
        at = self._start + round(hour * HOUR_S) * SECOND
        return f"{np.datetime64(at, 'ns').astype('datetime64[s]')}Z"


def _too_narrow(arrays: dict[str, Any]) -> None:
    for name, array in arrays.items():
        if name.endswith((".channels.square", ".most")):
            array /= 25.0


def _not_finite(arrays: dict[str, Any]) -> None:
    name = next(name for name in arrays if name.endswith(".relations.correlation"))
    arrays[name][0, 0] = np.nan


def walk(folder: Path, *, as_json: bool) -> None:
    """Tell the story in an empty folder."""
    with Stage(folder, as_json=as_json) as stage:
        ModelWalk(stage).tell()
