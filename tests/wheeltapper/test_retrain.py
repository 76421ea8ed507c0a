"""`retrain`: what speaks for training again, and what of it a person decides."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analytics.modelfiles import Header, read_model, write_model
from connectors.registry.registry import Registry
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.sink import SqliteSink
from gateway.alarms import alarm_body
from gateway.journal import EventRecord, Journal
from plant.alarms import Alarm, AlarmState, Feedback, Label
from plant.keys import private_key
from plant.reasons import Reason
from plant.summaries import MINUTE, TEN_SECONDS
from tests import mill
from tests.analytics.training.courses import instant
from wheeltapper.training.stores import Store

pytestmark = pytest.mark.timeout(600)
Command = Callable[..., Any]
SPAN = ("--from", "2026-01-05T12:00Z", "--to", "2026-01-05T15:00Z")
LATER = ("--from", "2026-01-05T12:00Z", "--to", "2026-01-05T17:00Z", "--oldest-days", "0.1")
HELD_OUT = 9600
"""Within the last fifth, s."""


def called(number: int, label: Label, begin: int = HELD_OUT) -> EventRecord:
    onset, ended = instant(begin + 20 * number), instant(begin + 20 * number + 10)
    alarm = Alarm(
        id=number, asset=mill.PATH, priority=3, state=AlarmState.NORMAL, beneath=AlarmState.NORMAL,
        onset=onset, raised=onset, changed=ended, occurrences=1, reason=Reason(6.0, 3.0, ()),
        ended=ended, feedback=Feedback(label, "", "kim", ended),
    )  # fmt: skip
    return EventRecord("alarm", ended, alarm_body(alarm))


class Line:
    """A gateway's folder with three hours of history, and a registry beside it."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.folder, self.command = folder, command
        self.registry, self.keys = folder / "registry", folder / "keys"
        mill.folder(folder)
        records = [mill.summaries(mill.rows(3 * 3600), every) for every in (TEN_SECONDS, MINUTE)]
        with SqliteSink(SqliteConfig(), mill.HANDLES, "line-1", folder / "data") as sink:
            sink.write(records)
        self.say()
        line = mill.PATH.rpartition("/")[0]
        assert (
            command("models", "init", self.registry, "--line", line, "--keys", self.keys).code == 0
        )

    def say(self, *events: EventRecord) -> None:
        journal = Journal.open(self.folder / "data" / "journal.db")
        journal.append(*events)
        journal.close()

    def retrain(self, *options: object, config: str = "gateway.toml") -> Any:
        return self.command(
            "retrain", self.registry, "mill", "--config", self.folder / config, "--keys",
            self.keys, "--data", self.folder / "data", "--backend", "sequential", "--json",
            *options,
        )  # fmt: skip

    def reasons(self, *options: object) -> tuple[list[str], bool]:
        """Look, train nothing, and give causes, and whether a person decides."""
        row = json.loads(self.retrain("--propose", *options).out)
        return [one["cause"] for one in row["reasons"]], row["a_person_decides"]

    def waits_for_a_person(self) -> None:
        """Publish the newest model again as one that drift has proposed."""
        self.publish(2, {"a_person_decides": True, "reasons": [{"cause": "drift"}]})

    def sha256(self, version: int) -> str:
        listed = Registry(self.registry).models()
        return next(one.sha256 for one in listed if one.version == version)

    def publish(self, version: int, proposed: Any, moved: float = 0.0) -> None:
        """Publish the first model again, with other words on its card, or from elsewhere."""
        key = private_key((self.keys / "trainer" / "trainer.pem").read_bytes(), "here")
        old = read_model(Registry(self.registry).read(mill.PATH, 1), [key.public_key()])
        card = {name: told for name, told in old.header.card.items() if name != "proposed"}
        card |= {"proposed": proposed} if proposed else {}
        arrays = {name: array.copy() for name, array in old.arrays.items()}
        arrays[f"modes.{mill.RUN}.home"] += moved
        file = self.folder / f"{version}.wtm"
        file.write_bytes(write_model(replace(old.header, version=version, card=card), arrays, key))
        words = ("models", "publish", self.registry, file, "--keys", self.keys)
        assert self.command(*words).code == 0


@pytest.fixture
def line(tmp_path: Path, command: Command) -> Line:
    return Line(tmp_path, command)


def test_what_follows_a_model_that_waits_for_a_person_waits_too(line: Line) -> None:
    assert line.reasons(*SPAN) == (["first"], False)
    assert line.retrain(*SPAN).code == 0
    assert line.reasons(*SPAN) == ([], False)
    assert line.reasons(*LATER) == (["age"], False)

    line.waits_for_a_person()

    assert line.reasons(*SPAN) == ([], False)
    assert line.reasons(*LATER) == (["age", "undecided"], True)
    assert line.retrain(*LATER).code == 0
    newest = read_model(
        Registry(line.registry).read(mill.PATH, 3), Registry(line.registry).keys_of(mill.PATH)
    )
    proposed: Any = newest.header.card["proposed"]
    assert proposed["a_person_decides"] is True


OTHER = "0" * 64
"""SHA-256 of no file here."""


def decided(action: str, version: int, actor: str, sha256: str) -> EventRecord:
    body: Any = {"asset": mill.PATH, "action": action, "version": version, "sha256": sha256,
                 "why": "", "actor": actor}  # fmt: skip
    return EventRecord("model", instant(3 * 3600), body)


@pytest.mark.parametrize(
    ("events", "causes"),
    [
        ((("promote", 2, "rule"),), ["age", "undecided"]),
        ((("promote", 2, "ana"), ("keep", 2, "rule")), ["age"]),
        ((("promote", 2, "ana"), ("return", 2, "rule")), ["age", "undecided"]),
        ((("promote", 2, ""),), ["age", "undecided"]),
        ((("promote", 2, "ana", OTHER),), ["age", "undecided"]),
    ],
)
def test_what_a_person_has_put_into_force_waits_for_nobody(
    line: Line, events: Sequence[tuple[Any, ...]], causes: list[str]
) -> None:
    """The bytes count, not the number: of a registry that was made anew it is another model."""
    assert line.retrain(*SPAN).code == 0
    line.waits_for_a_person()
    own = line.sha256(2)

    line.say(*(decided(*(*one, own)[:4]) for one in events))

    assert line.reasons(*LATER) == (causes, "undecided" in causes)


def test_what_crept_since_a_person_stood_for_a_model_is_theirs_to_decide(line: Line) -> None:
    by_rule = {"a_person_decides": False, "reasons": [{"cause": "age"}]}
    assert line.retrain(*SPAN).code == 0
    line.publish(2, None, moved=-30.0)
    line.publish(3, by_rule)

    row = json.loads(line.retrain("--propose", *SPAN).out)
    assert {one["cause"] for one in row["reasons"]} == {"creep"}
    assert {one["figures"]["model"] for one in row["reasons"]} == {2}
    assert row["a_person_decides"] is True

    line.say(decided("promote", 3, "ana", line.sha256(3)))
    assert line.reasons(*SPAN) == ([], False)


def test_each_model_is_read_once_a_look(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    assert line.retrain(*SPAN).code == 0
    line.publish(2, {"a_person_decides": False, "reasons": [{"cause": "age"}]})
    read, kept = list[int](), Registry.read

    def seen(registry: Registry, asset: str, version: int) -> bytes:
        read.append(version)
        return kept(registry, asset, version)

    monkeypatch.setattr(Registry, "read", seen)
    assert line.reasons(*SPAN) == ([], False)
    assert sorted(read) == [1, 2]


def test_a_creep_that_waits_for_a_person_is_not_trained_again_and_again(line: Line) -> None:
    assert line.retrain(*SPAN).code == 0
    line.publish(2, None, moved=-30.0)
    line.publish(3, {"a_person_decides": False, "reasons": [{"cause": "age"}]})
    assert line.retrain(*SPAN).code == 0
    assert max(one.version for one in Registry(line.registry).models()) == 4

    assert line.reasons(*SPAN) == ([], False)
    causes, waits = line.reasons(*LATER)
    assert set(causes) == {"age", "creep", "undecided"}
    assert waits


def test_the_model_that_a_person_stands_for_stays_listed(line: Line) -> None:
    assert line.retrain(*SPAN).code == 0
    line.publish(2, None)
    for version in range(3, 10):
        line.publish(version, {"a_person_decides": False, "reasons": []})
    assert line.retrain(*LATER).code == 0
    assert line.retrain(*LATER, "--oldest-days", "0.1").code == 0
    versions = {one.version for one in Registry(line.registry).models()}
    assert 2 in versions
    assert 1 not in versions


@pytest.mark.parametrize(("later", "causes"), [((), []), ((3,), []), ((3, 4), ["feedback"])])
def test_what_people_said_is_heard_once(
    line: Line, later: Sequence[int], causes: list[str]
) -> None:
    line.say(called(1, Label.FALSE), called(2, Label.EXPECTED))
    assert line.retrain(*SPAN).code == 0

    line.say(*(called(number, Label.FALSE) for number in later))

    assert line.reasons(*SPAN) == (causes, False)


def test_what_a_class_has_learnt_is_not_trained_from_one_history(line: Line) -> None:
    key = private_key((line.keys / "trainer" / "trainer.pem").read_bytes(), "here")
    header = Header(
        name=mill.PATH, version=1, kind="consolidated", created=1, signals=("speed",),
        units=("/min",), settings={}, start=0, stop=1, history="0" * 64,
    )  # fmt: skip
    file = line.folder / "class.wtm"
    file.write_bytes(write_model(header, {}, key))
    words = ("models", "publish", line.registry, file, "--keys", line.keys)
    assert line.command(*words).code == 0

    row = json.loads(line.retrain(*SPAN).out)

    assert (row["reasons"], "merged anew" in row["note"]) == ([], True)
    assert [one.version for one in Registry(line.registry).models()] == [1]


def test_a_model_in_another_unit_is_not_taken_for_drift(line: Line) -> None:
    assert line.retrain(*SPAN).code == 0
    other = line.folder / "other.toml"
    other.write_text(mill.config(("/min", "N.m", "kW", "K")))

    ended = line.retrain("--propose", *SPAN, config="other.toml")

    assert ended.code == 1
    assert "units have changed since the model" in json.loads(ended.out)["message"]


@pytest.mark.parametrize(
    ("option", "complaint"),
    [(("--backend", "ray"), "--backend 'ray': one of"), (("--ring", "a b"), "no name of a ring")],
)
def test_what_cannot_be_meant_is_refused_before_the_look(
    line: Line, option: tuple[str, str], complaint: str
) -> None:
    ended = line.retrain(*SPAN, *option)
    assert ended.code != 0
    assert ended.out == ""
    assert complaint in " ".join(ended.err.replace("│", "").split())


def test_alarms_are_known_while_a_gateway_writes_them(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal.db")
    journal.append(*(called(number, Label.REAL, begin=0) for number in range(1, 1102)))
    journal.commit_now()

    found = Store(tmp_path).alarms(instant(0), instant(30_000))

    journal.close()
    assert len(found[mill.PATH]) == 1101
