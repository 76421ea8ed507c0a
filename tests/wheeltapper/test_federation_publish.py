"""`federation publish`: one model of a class, a signed file for each of its machines."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.federation.consolidated import Consolidated
from analytics.federation.messages import write_consolidated
from analytics.federation.statistics import Statistics
from analytics.modelfiles import read_model, write_model
from connectors.registry.registry import Registry
from plant.keys import private_key
from tests.analytics.federation.agreed import CENTRE, RUN, START, healthy, terms
from tests.wheeltapper.federated import Place

Command = Callable[..., Any]
PLAN = terms(modes=((RUN, "run"),))
ASSETS = ("north/hall/line/pump", "south/hall/line/pump")
CARD: Any = {
    "modes": [{"mode": RUN, "name": "run", "sites": {f"g{n}:{a}": 9 for n, a in enumerate(ASSETS)}}]
}


class Centre:
    """A registry of two lines, and a consolidated model."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.place, self.command = Place(folder), command
        self.place.found()
        self.registry, self.keys = folder / "registry", folder / "keys"
        lines = [word for asset in ASSETS for word in ("--line", asset.rpartition("/")[0])]
        made = command("models", "init", self.registry, *lines, "--keys", self.keys)
        assert made.code == 0

    def model(self, limit: float = 3.0, card: Any = CARD) -> Path:
        model = Consolidated.of({RUN: Statistics.of(healthy(1, 0.5))}, PLAN)
        said = {"version": 1, "created": START, "start": START, "stop": START,
                "history": "0" * 64, "card": card}  # fmt: skip
        file = self.place.folder / "pump.wtm"
        whole = Consolidated(model.detectors, {RUN: limit})
        file.write_bytes(write_consolidated(whole, PLAN, said, CENTRE))
        return file

    def publish(self, *more: object) -> Any:
        words = (self.model(), self.registry, "--keys", self.keys, "--json", *more)
        return self.command("federation", "publish", *words)


@pytest.fixture
def centre(tmp_path: Path, command: Command) -> Centre:
    return Centre(tmp_path, command)


def test_each_machine_that_told_has_a_file_of_its_own(centre: Centre) -> None:
    for version in (1, 2):
        ended = centre.publish("--trust", centre.place.trust)
        assert (ended.code, ended.err) == (0, "")
        rows = [json.loads(line) for line in ended.out.splitlines()]
        assert [(row["asset"], row["version"], row["out"]) for row in rows] == [
            (asset, version, True) for asset in ASSETS
        ]
    registry = Registry(centre.registry)
    model = read_model(registry.read(ASSETS[1], 2), registry.keys_of(ASSETS[1]))
    header = model.header
    assert (header.name, header.version, header.kind) == (ASSETS[1], 2, "consolidated")
    assert header.card["class"] == "class/pump"
    assert np.isfinite(model.arrays["limits"]).all()


def test_others_of_the_class_can_have_it_too(centre: Centre) -> None:
    other = "north/hall/line/pump-9"
    ended = centre.publish("--trust", centre.place.trust, "--asset", other)
    assert [json.loads(line)["asset"] for line in ended.out.splitlines()] == [other]


def test_what_no_centre_has_signed_is_not_published(centre: Centre) -> None:
    ended = centre.publish()
    assert ended.code != 0
    assert Registry(centre.registry).models() == []


def test_what_was_not_compared_is_not_published(centre: Centre) -> None:
    model = centre.model(np.inf)
    words = (model, centre.registry, "--keys", centre.keys, "--trust", centre.place.trust)
    ended = centre.command("federation", "publish", *words)
    assert ended.code != 0
    assert "merge the scores of the sites" in " ".join(ended.err.replace("│", "").split())


@pytest.mark.parametrize(
    "card", [{}, {"modes": []}, {"modes": 3}, {"modes": [3, {"sites": 3}, {"sites": {"g": 9}}]}]
)
def test_a_card_that_names_no_machine_is_told(card: Any, centre: Centre) -> None:
    model = centre.model(card=card)
    words = (model, centre.registry, "--keys", centre.keys, "--trust", centre.place.trust)
    ended = centre.command("federation", "publish", *words)
    assert ended.code == 2
    said = " ".join(ended.err.replace("│", "").split())
    assert "names no machine; name them with --asset" in said


def test_what_is_published_is_told_as_by_models_publish(centre: Centre) -> None:
    said = centre.publish("--trust", centre.place.trust).out.splitlines()
    key = private_key((centre.keys / "trainer/trainer.pem").read_bytes(), "here")
    first = read_model(Registry(centre.registry).read(ASSETS[0], 1), [key.public_key()])
    file = centre.place.folder / "2.wtm"
    file.write_bytes(write_model(replace(first.header, version=2), first.arrays, key))

    ended = centre.command(
        "models", "publish", centre.registry, file, "--keys", centre.keys, "--json"
    )

    assert {tuple(json.loads(line)) for line in said} == {tuple(json.loads(ended.out))}
