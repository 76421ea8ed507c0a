"""Model files are believed by their keys, looked for beside the loop, and refused with a reason."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analytics.modelfiles import MOST_BYTES, Header, model_folder, settings_body
from analytics.modelfiles import write_model as written
from gateway.accounts.audit import rows
from gateway.config.plan import ModelsPlan
from gateway.journal import EventRecord
from gateway.models.desk import ModelDesk
from gateway.models.shelf import KEPT, Shelf, person_decides
from gateway.models.watched import Rested, Role, Tenure
from gateway.pipeline import Pipeline
from plant.errors import Rejected
from plant.keys import public_pem
from tests.gateway.models.conftest import (
    NAMES,
    PUMP,
    Line,
    fed,
    learnt_state,
    order,
    settings_of_this_pump,
    signals,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def header(**words: Any) -> Header:
    said: dict[str, Any] = {
        "name": PUMP,
        "version": 1,
        "kind": "watch",
        "created": 1_790_000_000 * 10**9,
        "signals": tuple(f"{PUMP}/{name}" for name in NAMES),
        "units": ("m3/h", "bar", "A"),
        "settings": settings_body(settings_of_this_pump()),
        "start": 0,
        "stop": 1,
        "history": "0" * 64,
        "metrics": {},
    }
    return Header(**(said | words))


def model(key: Ed25519PrivateKey = KEY, seed: int = 1, **words: Any) -> bytes:
    return written(header(**words), dict(learnt_state(seed, 0.0)), key)


@dataclass
class Kept:
    """A gateway's folder of models, and its pump."""

    folder: Path
    key: Path
    pipeline: Pipeline
    shelf: Shelf

    def put(self, data: bytes, name: str = "1.wtm", asset: str = PUMP) -> Path:
        path = self.folder / model_folder(asset) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def look(self) -> tuple[list[Any], list[Any]]:
        states = {state.asset.path: state for state in self.pipeline.assets}
        highest = {path: state.models.highest for path, state in states.items()}
        return self.shelf.look(states, highest)


@pytest.fixture
def kept(line: Line, tmp_path: Path) -> Kept:
    key = tmp_path / "trainer.pub.pem"
    key.write_bytes(public_pem(KEY.public_key()))
    shelf = Shelf(tmp_path / "models", [key], "0.1.0")
    handles, contain = line.handles, line.supervisor.contain
    line.supervisor.benched = {}
    pipeline = Pipeline(line.plan, handles, contain, shelf, line.supervisor.let_off)
    fed(pipeline, line.batches(0, signals(150, 3)))
    return Kept(tmp_path / "models", key, pipeline, shelf)


def test_a_file_that_is_put_there_is_tried(kept: Kept, line: Line) -> None:
    kept.put(model())
    ((found,), refused) = kept.look()
    assert (found.asset, found.version, refused) == (PUMP, 1, [])
    event = order("shadow", 1)
    kept.pipeline.order(replace(event, body=event.body | {"sha256": found.sha256}))
    (state,) = kept.pipeline.assets
    assert state.models.beside is not None
    assert state.models.beside.role is Role.SHADOW
    outcomes = fed(kept.pipeline, line.batches(150, signals(30, 4)))
    assert {one.role for outcome in outcomes for one in outcome.scores} == {"", "shadow"}
    assert kept.look() == ([], [])


def test_the_newest_sound_one_is_tried(kept: Kept) -> None:
    for version in (1, 2, 3):
        kept.put(model(version=version), f"{version}.wtm")
    kept.put(model(OTHER, version=4), "4.wtm")
    ((found,), (refused,)) = kept.look()
    assert (found.version, refused.file, refused.cause) == (3, "4.wtm", "foreign-key")


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda: model(OTHER), "foreign-key"),
        (lambda: model()[:-9], "cut-off"),
        (lambda: b"PK\x03\x04" + bytes(2000), "no-model-file"),
        (lambda: model(units=("m3/h", "kPa", "A")), "other-units"),
        (lambda: model(name="works/hall/line-1/pump-3"), "other-asset"),
        (lambda: model(min_gateway="9.0.0"), "gateway-too-old"),
        (lambda: model(version=7), "malformed"),
    ],
)
def test_what_is_refused_is_told_once_and_looked_at_again_when_it_changes(
    kept: Kept, make: Callable[[], bytes], cause: str
) -> None:
    kept.put(make())
    found, (refused,) = kept.look()
    assert (found, refused.cause) == ([], cause)
    assert kept.look() == ([], [])
    kept.put(model()).touch()
    (found, refused) = kept.look()
    assert ([one.version for one in found], refused) == ([1], [])


def test_old_files_are_removed_but_for_those_in_use_and_that_is_told(kept: Kept) -> None:
    for version in range(1, KEPT + 6):
        kept.put(b"", f"{version}.wtm")
    (state,) = kept.pipeline.assets
    own = state.watch
    state.models.tenure = Tenure(version=2)
    state.models.rested = Rested(Tenure(version=4), own)
    states = {PUMP: state}

    (dropped,) = kept.shelf.thin(states)

    assert dropped.versions == (1, 3, 5)
    left = {int(file.stem) for file in (kept.folder / model_folder(PUMP)).glob("*.wtm")}
    assert left == {2, 4, *range(6, KEPT + 6)}
    event = EventRecord("models-dropped", 10**18, dropped.body)
    (row,) = rows([event])
    assert (row["who"], row["words"]) == (
        "rule", f"{PUMP}, files of models 1, 3, 5: older than the newest 20, and in no use",
    )  # fmt: skip
    assert kept.shelf.thin(states) == []


def test_what_was_refused_takes_no_place_of_a_model(kept: Kept) -> None:
    kept.put(model())
    for version in range(100, 102 + KEPT):
        kept.put(b"", f"{version}.wtm")
    found, refused = kept.look()
    assert ([one.version for one in found], len(refused)) == ([1], KEPT + 2)
    assert kept.shelf.thin({PUMP: kept.pipeline.assets[0]}) == []


def test_what_cannot_be_removed_keeps_nothing_else(kept: Kept) -> None:
    for version in (1, 2, *range(4, KEPT + 4)):
        kept.put(b"", f"{version}.wtm")
    (kept.folder / model_folder(PUMP) / "3.wtm").mkdir()

    (dropped,) = kept.shelf.thin({PUMP: kept.pipeline.assets[0]})

    assert dropped.versions == (1, 2)
    assert "3.wtm cannot be removed" in dropped.trouble


def test_links_and_files_beyond_all_bounds_are_not_read(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "real.wtm").write_bytes(model())
    folder = kept.put(b"", "3.wtm").parent
    with (folder / "3.wtm").open("wb") as huge:
        huge.truncate(MOST_BYTES + 1)  # a hole: nothing is written, and nothing must be read
    (folder / "2.wtm").symlink_to(tmp_path / "real.wtm")
    (folder / "1.wtm").mkdir()
    found, refused = kept.look()
    told = {one.file: one.cause for one in refused}
    assert found == []
    assert told == {"3.wtm": "too-large", "2.wtm": "unreadable", "1.wtm": "no-model-file"}


def test_a_folder_of_nobody_is_told(kept: Kept) -> None:
    kept.put(model(), asset="works/hall/line-1/pump-9")
    _, (refused,) = kept.look()
    assert "watches no asset" in refused.why


def test_without_a_key_nothing_is_looked_at(kept: Kept, tmp_path: Path) -> None:
    kept.put(model())
    shelf = Shelf(tmp_path / "models", [], "0.1.0")
    desk = ModelDesk(kept.pipeline.assets, kept.pipeline.terms, shelf, lambda _: None, no_order)
    assert desk.look() == ([], [])
    assert not desk.rows()["trusts"]


async def no_order(_kind: str, _body: Any) -> None:
    raise AssertionError("nothing is ordered")


def test_at_replay_the_file_is_read_again_and_has_to_be_the_same(kept: Kept) -> None:
    kept.put(model())
    ((found,), _) = kept.look()
    (state,) = kept.pipeline.assets
    again = Shelf(kept.folder, [kept.key], "0.1.0")
    assert again(state, 1, found.sha256).phase == "watching"
    kept.put(model(seed=2))
    with pytest.raises(Rejected, match="another file"):
        again(state, 1, found.sha256)
    kept.put(model(OTHER))
    with pytest.raises(Rejected, match=r"1\.wtm of"):
        again(state, 1, found.sha256)


def test_the_section_of_the_configuration_says_the_terms(line: Line) -> None:
    models = ModelsPlan(promote="rule", shadow_h=2.0, probation_h=5.0)
    pipeline = Pipeline(replace(line.plan, models=models), line.handles, line.supervisor.contain)
    terms = pipeline.terms
    assert (terms.by_rule, terms.shadow_h, terms.probation_h) == (True, 2.0, 5.0)


@pytest.mark.parametrize(
    ("card", "why"),
    [
        ({}, ""),
        ({"proposed": {"a_person_decides": False, "reasons": [{"cause": "age"}]}}, ""),
        (
            {"proposed": {"a_person_decides": True, "reasons": [{"cause": "drift"}] * 2}},
            "trained because of drift",
        ),
        ({"proposed": {"a_person_decides": True, "reasons": "drift"}}, ""),
    ],
)
def test_the_card_says_whether_a_person_decides(card: Any, why: str) -> None:
    assert person_decides(header(card=card)) == why
