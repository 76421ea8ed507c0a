"""All sinks of a gateway: what is told of them, what is forgotten, what is asked of a person."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.config.plan import HistoryPlan, Plan
from gateway.journal import Journal, SampleRecord, marks
from gateway.uplink import Uplinks, courier
from gateway.uplink import uplinks as rules
from gateway.uplink.delivery import DeliveryState
from plant.errors import Misconfigured, Unreachable
from plant.summaries import LENGTHS
from tests.gateway.uplink.conftest import KINDS, Road, numbered, until


def plan(road: Road, *names: str, **history: Any) -> Plan:
    sinks: Any = tuple(SimpleNamespace(name=name, type="file") for name in names)
    return Plan(name="t", data=road.folder, sinks=sinks, history=HistoryPlan(**history))


@pytest.fixture(autouse=True)
def _any_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "kinds_of", lambda _config: KINDS)
    monkeypatch.setattr(rules, "lengths_of", lambda _config: LENGTHS)
    monkeypatch.setattr(rules, "wants_pinned", lambda _config: True)
    monkeypatch.setattr(rules, "place_of", lambda _config: "a file")
    monkeypatch.setattr(courier, "MISCONFIGURED_S", 0.05)


def uplinks_of(road: Road, *names: str, **history: Any) -> Uplinks:
    return Uplinks(plan(road, *names, **history), road.journal, road.handles, lambda _: road.sink)


def test_a_sink_that_takes_everything_is_no_news(road: Road) -> None:
    road.put(*numbered(1, 2))
    uplinks = uplinks_of(road, "file")
    assert uplinks.start() == []
    until(lambda: road.cursor() == 2)
    until(lambda: uplinks.rows()[0]["state"] == "up")
    assert uplinks.look() == []
    asyncio.run(uplinks.stop())
    (row,) = uplinks.rows()
    assert (row["sent"], row["backlog"], row["unsent_s"], row["late"]) == (2, 0, 0.0, False)
    assert uplinks.troubles() == {}


def test_what_a_person_has_to_mend_is_told_at_once_and_its_end_too(road: Road) -> None:
    wrong = True

    def entering() -> None:
        if wrong:
            raise Misconfigured("file: no bucket plant; make it")

    road.sink.entering = entering
    road.put(*numbered(1))
    uplinks = uplinks_of(road, "file")
    uplinks.start()
    until(lambda: uplinks.troubles())
    ((kind, body),) = uplinks.look()
    assert kind == "uplink"
    assert (body["sink"], body["state"]) == ("file", "misconfigured")
    assert body["why"] == uplinks.troubles()["file"] == "no bucket plant; make it"
    assert uplinks.look() == [], "told once"
    wrong = False
    until(lambda: road.cursor() == 1)
    ((_, body),) = uplinks.look()
    assert body["state"] == "up"
    assert uplinks.troubles() == {}
    asyncio.run(uplinks.stop())


def test_records_that_wait_for_too_long_are_told(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    def before(_records: Any) -> None:
        raise Unreachable("file: nobody answers")

    road.sink.before = before
    uplinks = uplinks_of(road, "file", unsent_min=15.0)
    road.put(*numbered(1))
    uplinks.start()
    until(lambda: uplinks.rows()[0]["state"] == "down")
    ((_, body),) = uplinks.look()
    assert (body["state"], body["why"]) == ("down", "nobody answers")
    assert uplinks.troubles() == {}, "an outage of a moment asks nobody"
    later = SimpleNamespace(monotonic=lambda: rules.time.monotonic() + 901)
    monkeypatch.setattr(marks, "time", later)
    ((_, body),) = uplinks._news_of_all()
    assert body["state"] == "late"
    assert body["why"] == "the oldest unsent record has waited for 15 min: nobody answers"
    assert list(uplinks.troubles()) == ["file"]
    asyncio.run(uplinks.stop())


def test_a_late_store_that_gains_is_told_as_being_sent_to() -> None:
    behind = rules._Behind()
    looks = [(100.0, 500), (105.0, 900), (111.0, 400), (122.0, 400), (133.0, 410), (144.0, 5)]
    found = []
    for now, positions in looks:
        behind.look(now, positions, up=True)
        found.append(behind.gains)
    assert found == [True, True, True, False, False, True]
    behind.look(155.0, 7000, up=False)
    behind.look(156.0, 7000, up=True)
    assert behind.gains, "while it was away it could only grow"


@pytest.mark.parametrize(
    ("state", "gains", "words"),
    [
        ("connecting", True, "no answer yet since the start"),
        ("up", True, "it is being sent now, oldest first"),
        ("up", False, "it takes less than comes in"),
    ],
)
def test_a_backlog_that_nothing_hinders(road: Road, state: str, gains: bool, words: str) -> None:
    uplinks = uplinks_of(road, "file")
    uplinks._behind["file"].gains = gains
    uplinks._couriers["file"].delivery.state = DeliveryState(state)
    assert uplinks._sentence(uplinks._couriers["file"], late=True).endswith(f": {words}")


def test_the_place_of_a_sink_that_is_gone_from_the_configuration_is_forgotten(road: Road) -> None:
    last = road.put(*numbered(1, 2, 3))
    road.journal.advance("sink:old", 1)
    road.journal.advance("history-fold", 2)
    road.journal.commit_now()
    uplinks = uplinks_of(road, "file")
    ((kind, body),) = uplinks.start()
    assert (kind, body["sink"], body["state"]) == ("uplink", "old", "forgotten")
    assert "2 records were not sent to it" in str(body["why"])
    until(lambda: road.cursor() == last)
    asyncio.run(uplinks.stop())
    assert road.journal.cursors() == {"history-fold": 2, "pins:file": last, "sink:file": last}
    road.journal.commit_now()
    kept = road.journal._writer.execute("SELECT name FROM cursor ORDER BY name").fetchall()
    assert kept == [("history-fold",), ("pins:file",), ("sink:file",)]


def test_one_sink_that_hangs_holds_up_no_other_and_not_the_end(road: Road, tmp_path: Path) -> None:
    from tests.gateway.uplink.filesink import FileSink

    stuck = FileSink(tmp_path / "stuck.jsonl")
    stuck.before = lambda _records: courier.time.sleep(30)
    sinks = {"stuck": stuck, "file": road.sink}
    uplinks = Uplinks(
        plan(road, "stuck", "file"), road.journal, road.handles, lambda config: sinks[config.name]
    )
    last = road.put(*numbered(1))
    uplinks.start()
    until(lambda: road.cursor() == last)
    begun = courier.time.monotonic()
    asyncio.run(uplinks.stop())
    assert courier.time.monotonic() - begun < 20
    assert road.journal.cursor("sink:stuck") == 0


def test_the_rate_follows_what_comes_in_unless_it_is_set(road: Road) -> None:
    uplinks = uplinks_of(road, "file")
    assert uplinks._most_per_s() == rules.LEAST_PER_S
    uplinks._ingest = 50_000.0
    assert uplinks._most_per_s() == pytest.approx(1_000_000.0)
    assert uplinks_of(road, "file", points_per_s=500.0)._most_per_s() == 500.0


def test_ages_are_known_after_a_restart(road: Road) -> None:
    road.put(*numbered(1))
    with road.journal._writer as connection:
        connection.execute("UPDATE mark SET at = at - ?", (3600 * 10**9,))
    road.put(*numbered(2))
    road.journal.close()
    road.journal = Journal.open(road.folder / "journal.db")
    uplinks = uplinks_of(road, "file")
    assert uplinks.unsent_s() == pytest.approx(3600, abs=5)


def test_pins_that_are_no_longer_wanted_hold_up_nothing(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = road.put(*numbered(1))
    road.journal.advance("pins:file", 0)
    monkeypatch.setattr(rules, "wants_pinned", lambda _config: False)
    monkeypatch.setattr(rules, "kinds_of", lambda _config: (*KINDS, SampleRecord))
    uplinks = uplinks_of(road, "file")
    uplinks.start()
    until(lambda: road.cursor() == last)
    asyncio.run(uplinks.stop())
    assert road.journal.cursors() == {"sink:file": last}
