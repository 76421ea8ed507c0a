"""The end of the walk: three gateways that run, and try, promote, refuse and return the model.

Each reads its own pump, faster than it ran; it pulls from one registry, over HTTP. Nothing is
shown here that a person could not have typed.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from analytics.modelfiles import SUFFIX, read_model, write_model
from bench.federation.sites import HOUR_S, LoadedLine, Machine, pump_columns, pump_tags
from plant.errors import Rejected
from plant.keys import private_key, public_key
from wheeltapper.walks.machine import configuration, write_recording
from wheeltapper.walks.models import MODELS
from wheeltapper.walks.stage import Stage, free_port

SPEED = 120.0
LEARN_H, SHADOW_H, PROBATION_H = 1.5, 0.5, 1.0
"""Hours that a gateway learns, by itself and by the class; tries; and keeps the way back warm."""
ENGINEER = "Ada"


def site_of(path: str) -> str:
    """Give the line of an asset."""
    return path.rpartition("/")[0]


class Live:
    """Three gateways and a registry on a stage.

    Parameters
    ----------
    stage
        The folder of the walk, and commands in it.
    machines
        By the name of the gateway, which is that of its folder.
    begin_h
        Hour at which they begin to run.
    """

    def __init__(self, stage: Stage, machines: Mapping[str, Machine], begin_h: int) -> None:
        self._stage, self._machines, self._begin = stage, machines, begin_h
        self._port = free_port()

    def configure(self) -> dict[str, Path]:
        """Make the registry, and the configuration of each gateway."""
        stage = self._stage
        lines = [word for one in self._machines.values() for word in ("--line", site_of(one.path))]
        stage.run("models", "init", "registry", *lines)
        more = MODELS.format(port=self._port, shadow_h=SHADOW_H, probation_h=PROBATION_H)
        found = {}
        for name, machine in self._machines.items():
            folder = stage.folder / name
            folder.mkdir()
            shutil.copytree(stage.folder / "keys" / "kit", folder / "models")
            tags = pump_tags(LoadedLine(machine))
            text = configuration(name, tags, SPEED, LEARN_H, more, asset=machine.path, ends=True)
            found[name] = folder / "gateway.toml"
            found[name].write_text(text, encoding="utf-8")
        return found

    def record(self, hours: int) -> None:
        """Write what the gateways will read: so many hours from the begin on."""
        for name, machine in self._machines.items():
            line = LoadedLine(machine)
            first = self._begin * HOUR_S
            rows = np.concatenate(
                [
                    line.values(first + hour * HOUR_S, HOUR_S)[:, pump_columns(line)]
                    for hour in range(hours)
                ]
            )
            begin = machine.start + first * 10**9
            write_recording(self._stage.folder / name / "pump.csv", begin, pump_tags(line), rows)

    def tell(self, model: Path, trust: Path) -> dict[str, Any]:
        """Tell it to its end; raises what went otherwise than it should."""
        stage = self._stage
        stage.step(
            "Three gateways that run, and a registry",
            f"Each learns {LEARN_H:g} h of its own pump by itself, and watches.",
        )
        stage.start("models", "serve", "registry", "--port", str(self._port), log="serve.log")
        for name in self._machines:
            stage.start("run", f"{name}/gateway.toml", log=f"{name}/gateway.log")
        stage.run("models", "refresh", "registry")
        for name in self._machines:
            self._wait(f"{name} watches", name, lambda row: row["phase"] != "learning")

        stage.step(
            "The consolidated model is published, one file for each pump, and tried",
            "What the signals do together comes from all three; where its own pump lies, each "
            "gateway learns first.",
        )
        stage.run("federation", "publish", str(model), "registry", "--trust", str(trust))
        published = time.monotonic()
        for name in self._machines:
            self._wait(f"{name} tries it", name, lambda row: row["tried"] is not None)
        tried_s = time.monotonic() - published
        for name in self._machines:
            self._wait(f"{name} has tried it for {SHADOW_H:g} h", name, _tried_enough)
        stage.run("model", "show", "pump-1", "--data", "low/data")

        stage.step("A person puts it into force at each of them")
        in_force_s = []
        for name in self._machines:
            words = ("--actor", ENGINEER, "--reason", "compared with its own and with all rows")
            begun = time.monotonic()
            self._order(name, "promote", words)
            self._wait(f"{name} judges by it", name, lambda row: row["in_force"]["version"] == 1)
            in_force_s.append(time.monotonic() - begun)

        stage.step(
            "Two bad ones, well signed",
            "One has a NaN in its relations, one was learnt in kPa instead of bar: both are "
            "refused before anything is built of them.",
        )
        self._publish("low", 2, {}, spoil=True)
        self._publish("high", 2, {"units": _other_units})
        for name in ("low", "high"):
            stage.wait(f"{name} refuses it", partial(self._refused, name))
            stage.run("model", "show", "pump-1", "--data", f"{name}/data")

        stage.step("The way back at one of them")
        words = ("--actor", ENGINEER, "--reason", "its bearing is another one than the others'")
        self._order("middle", "return", words)
        self._wait("middle judges by its own", "middle", lambda row: not row["in_force"]["version"])

        stage.step("What the audits have to show for it")
        for name in self._machines:
            stage.run("audit", "--data", f"{name}/data")
        self._hold()
        return {
            "from_publish_to_tried_by_all_s": round(tried_s, 1),
            "from_promote_to_in_force_s": [round(one, 1) for one in in_force_s],
        }

    def _hold(self) -> None:
        """Hold what came of it to what should have."""
        versions = {name: self._answer(name)["in_force"]["version"] for name in self._machines}
        if versions != {"low": 1, "middle": 0, "high": 1}:
            raise Rejected(f"in force are {versions}")

    def _publish(
        self, name: str, version: int, changed: Mapping[str, Callable[[Any], Any]],
        *, spoil: bool = False,
    ) -> None:  # fmt: skip
        """Publish a spoilt copy of the model of a gateway as a later version, well signed."""
        stage = self._stage
        keys = stage.folder / "keys"
        key = private_key((keys / "trainer" / "trainer.pem").read_bytes(), "the trainer's key")
        public = public_key((keys / "kit" / "trainer.pub.pem").read_bytes(), "its public half")
        good = next((stage.folder / name / "data" / "models").rglob(f"1{SUFFIX}")).read_bytes()
        model = read_model(good, [public])
        arrays = {each: array.copy() for each, array in model.arrays.items()}
        if spoil:
            arrays["0.correlation"][0, 0] = np.nan
        said = {field: change(getattr(model.header, field)) for field, change in changed.items()}
        header = replace(model.header, version=version, created=time.time_ns(), **said)
        file = stage.folder / f"{name}-{version}{SUFFIX}"
        file.write_bytes(write_model(header, arrays, key))
        stage.run("models", "publish", "registry", file.name)

    def _order(self, name: str, what: str, words: tuple[str, ...]) -> None:
        """Order a change; one that was done while its answer was late is not done twice."""
        before = len(self._answer(name)["history"])
        try:
            self._stage.run("model", what, "pump-1", *words, "--data", f"{name}/data")
        except Rejected:
            if len(self._answer(name)["history"]) == before:
                raise

    def _row(self, name: str) -> Any:
        (row,) = self._stage.ask("/api/models", f"{name}/data")["assets"]
        return row

    def _answer(self, name: str) -> Any:
        """Give the row of a gateway that may be too busy to answer at once."""
        return self._stage.wait(f"{name} answers", partial(self._row, name))

    def _refused(self, name: str) -> Any:
        return self._stage.ask("/api/models", f"{name}/data")["refused"]

    def _wait(self, what: str, name: str, met: Callable[[Any], Any]) -> None:
        self._stage.wait(what, lambda: met(self._row(name)))


def _tried_enough(row: Any) -> bool:
    tried = row["tried"]
    return tried is not None and tried["role"] == "shadow" and tried["hours"] >= SHADOW_H


def _other_units(units: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("kPa" if unit == "bar" else unit for unit in units)
