"""A courier loses nothing, sends the oldest first, and is never in anybody's way."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gateway.uplink import courier as rules
from gateway.uplink import pace, parcels, quarantine
from gateway.uplink.courier import Courier
from gateway.uplink.quarantine import kept
from plant.errors import Misconfigured, Rejected, Unreachable
from plant.files import put
from plant.records import EventRecord, Record, SampleRecord
from plant.tags import Tag
from tests.gateway.uplink.conftest import (
    TAGS,
    Road,
    S,
    numbered,
    samples,
    scores,
    until,
    windows,
)


@contextmanager
def running(road: Road) -> Iterator[Courier]:
    courier = road.courier()
    courier.start()
    try:
        yield courier
    finally:
        courier.leave()
        assert courier.gone(), "the courier has not ended"


def test_records_arrive_in_their_order_and_the_cursor_follows(road: Road) -> None:
    last = road.put(*numbered(*range(2500)), windows(0), scores(0))
    with running(road) as courier:
        until(lambda: road.cursor() == last)
        assert courier.delivery.state == "up"
    assert road.sink.numbers() == list(range(2500))
    kinds = [row[0] for row in road.sink.rows()[2500:]]
    assert kinds == ["window"] * 3 + ["score"] * 10
    assert courier.delivery.sent == 2513
    assert courier.delivery.sent_bytes == road.sink.path.stat().st_size


def test_samples_are_sent_only_where_they_are_asked_for(road: Road) -> None:
    last = road.put(samples(S), *numbered(1), samples(2 * S))
    with running(road):
        until(lambda: road.cursor() == last)
    assert [row[0] for row in road.sink.rows()] == ["event"]
    road.raw = True
    last = road.put(samples(3 * S))
    with running(road):
        until(lambda: road.cursor() == last)
    assert [row[0] for row in road.sink.rows()] == ["event"] + ["sample"] * 3


def test_what_comes_in_later_is_sent_too(road: Road) -> None:
    with running(road):
        for number in range(5):
            last = road.put(*numbered(number))
            until(lambda last=last: road.cursor() == last)
    assert road.sink.numbers() == list(range(5))


def test_the_cursor_stays_until_the_store_says_yes(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "WAITS_S", (0.02,))
    fails = 3

    def before(_records: Sequence[Record]) -> None:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            assert road.cursor() == 0
            raise Unreachable("file: the store is busy")

    road.sink.before = before
    last = road.put(*numbered(1, 2, 3))
    with running(road) as courier:
        until(lambda: courier.delivery.state == "down")
        assert courier.delivery.why == "the store is busy"
        until(lambda: road.cursor() == last)
        assert (courier.delivery.state, courier.delivery.why) == ("up", "")
    assert road.sink.numbers() == [1, 2, 3]
    assert road.sink.entered == 4


def test_a_store_that_does_not_let_us_in_keeps_the_data_and_is_tried_again(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MISCONFIGURED_S", 0.05)
    wrong = True

    def entering() -> None:
        if wrong:
            raise Misconfigured("file: the token is not known; give it another")

    road.sink.entering = entering
    last = road.put(*numbered(1))
    with running(road) as courier:
        until(lambda: courier.delivery.state == "misconfigured")
        assert courier.delivery.why == "the token is not known; give it another"
        time.sleep(0.1)
        assert road.cursor() == 0
        wrong = False
        until(lambda: road.cursor() == last)
    assert road.sink.numbers() == [1]


@pytest.mark.parametrize("there", [["token"], ["old", "token"]], ids=["comes", "changes"])
def test_a_token_that_comes_is_seen_within_seconds(
    road: Road, monkeypatch: pytest.MonkeyPatch, there: list[str]
) -> None:
    monkeypatch.setattr(rules, "MISCONFIGURED_S", 3600.0)
    monkeypatch.setattr(rules, "LOOK_S", 0.05)
    token = road.folder / "token"
    road.files = (token, road.folder / "ca.pem")
    *before, last_one = (word.encode() for word in there)
    for word in before:
        put(token, word)

    tried = 0

    def entering() -> None:
        nonlocal tried
        tried += 1
        if not token.exists() or token.read_bytes() != last_one:
            raise Misconfigured("file: the token is not known; give it another")

    road.sink.entering = entering
    last = road.put(*numbered(1))
    with running(road) as courier:
        until(lambda: courier.delivery.state == "misconfigured")
        put(token, last_one)
        until(lambda: road.cursor() == last)
        assert (courier.delivery.state, courier.delivery.why) == ("up", "")
    assert tried == 2, "nothing changed meanwhile, so nothing was tried"


def test_one_that_waits_for_a_person_ends_when_told(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MISCONFIGURED_S", 3600.0)

    def entering() -> None:
        raise Misconfigured("file: the token is not known; give it another")

    road.sink.entering = entering
    road.files = (road.folder / "token",)
    with running(road) as courier:
        until(lambda: courier.delivery.state == "misconfigured")


def test_what_nobody_foresaw_is_tried_again(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "WAITS_S", (0.02,))
    broken = True

    def before(_records: Sequence[Record]) -> None:
        if broken:
            raise ZeroDivisionError("somewhere")

    road.sink.before = before
    last = road.put(*numbered(1))
    with running(road) as courier:
        until(lambda: "ZeroDivisionError" in courier.delivery.why)
        broken = False
        until(lambda: road.cursor() == last)
    assert road.sink.numbers() == [1]


def test_one_bad_row_is_set_aside_and_its_neighbours_arrive(road: Road) -> None:
    road.sink.refuse = lambda row: row[:2] == ["event", "n"] and row[2] == 7
    last = road.put(*numbered(*range(20)))
    with running(road) as courier:
        until(lambda: road.cursor() == last)
    assert road.sink.numbers() == [n for n in range(20) if n != 7]
    (row,) = kept(courier.quarantine.path)
    assert row["reason"] == "no such column"
    assert '"n": 7' in row["what"]
    assert (courier.delivery.refused, courier.quarantine.count) == (1, 1)


def test_a_record_that_no_call_may_hold_is_found_by_halving(road: Road) -> None:
    def before(records: Sequence[Record]) -> None:
        if any(isinstance(r, EventRecord) and r.at == 700 for r in records):
            raise Rejected("a record of this kind cannot be written")

    road.sink.before = before
    last = road.put(*numbered(*range(1500)))
    with running(road) as courier:
        until(lambda: road.cursor() == last)
    assert road.sink.numbers() == [n for n in range(1500) if n != 700]
    (row,) = kept(courier.quarantine.path)
    assert "at=700" in row["what"]
    assert row["reason"] == "a record of this kind cannot be written"


def test_a_quarantine_that_is_full_stops_the_sink_and_nothing_is_lost(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MOST_BYTES", 200)
    monkeypatch.setattr(rules, "MISCONFIGURED_S", 0.05)
    road.sink.refuse = lambda row: True
    last = road.put(*numbered(*range(50)))
    with running(road) as courier:
        until(lambda: courier.delivery.state == "misconfigured")
        assert "is full" in courier.delivery.why
        assert "move the file away" in courier.delivery.why
        assert road.cursor() == 0
        road.sink.refuse = lambda row: False
        until(lambda: road.cursor() == last)
    assert road.sink.numbers() == list(range(50))


def test_a_courier_that_hangs_is_left_behind_in_time(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    road.sink.before = lambda _records: released.wait(20) and None
    road.put(*numbered(1))
    courier = road.courier()
    courier.start()
    until(lambda: courier.delivery.calling_s() > 0.05)
    begun = time.monotonic()
    courier.leave()
    assert not courier.gone(0.2)
    assert time.monotonic() - begun < 10
    assert road.cursor() == 0
    released.set()
    assert courier.gone()


def test_the_newest_go_beside_a_long_backlog_which_comes_whole_and_in_order(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FRESH_S", 0.0)
    monkeypatch.setattr(rules, "FRESH_EVERY_S", 0.0)
    monkeypatch.setattr(parcels, "MOST_POINTS", 10)
    road.most_per_s = 20.0  # it lasts for five seconds, if nobody sees to it
    road.put(*numbered(*range(100)), *numbered(555, kind="alarm"))
    with running(road) as courier:
        until(lambda: road.cursor() > 0)
        assert courier.delivery.catching_up
        late = road.put(*numbered(1000))
        until(lambda: 1000 in road.sink.numbers())
        assert road.cursor() < 90, "the backlog was not waited for"
        road.most_per_s = 1e9
        until(lambda: road.cursor() == late)
    alarms = [place for place, row in enumerate(road.sink.rows()) if row[1] == "alarm"]
    assert alarms[0] == 0, "what stands is told before all else"
    numbers = road.sink.numbers()
    first = list(dict.fromkeys(n for n in numbers if n != 1000))
    assert first == list(range(100))
    assert numbers[-1] == 1000, "what went ahead comes again in its turn"


def test_a_backlog_keeps_to_its_rate(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "MOST_POINTS", 50)
    road.most_per_s = 1000.0
    last = road.put(*numbered(*range(501)))
    begun = time.monotonic()
    with running(road):
        until(lambda: road.cursor() == last)
    assert 0.45 < time.monotonic() - begun < 20


def pin(alarm: int, start: int, stop: int, asset: str = "a/p") -> EventRecord:
    body: dict[str, Any] = {"alarm": alarm, "asset": asset, "start": start * S, "stop": stop * S}
    return EventRecord("pin", start * S, body)


def sent_samples(road: Road) -> list[list[int]]:
    return [row[1:3] for row in road.sink.rows() if row[0] == "sample"]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "PINNED_EVERY_S", 0.0)


@pytest.mark.usefixtures("often")
def test_pinned_samples_are_sent_once_the_source_has_passed_their_stop(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.uplink.pins.MOST_POINTS", 1)
    road.put(*(samples(second * S) for second in range(4)), pin(1, 2, 5), *numbered(1))
    with running(road):
        until(lambda: road.cursor() == 6)
        time.sleep(0.1)
        assert sent_samples(road) == []
        road.put(samples(4 * S), samples(5 * S))
        until(lambda: road.journal.cursor("pins:file") >= 5)
    assert sent_samples(road) == [[tag, second * S] for second in (2, 3, 4, 5) for tag in (1, 2)]


@pytest.mark.usefixtures("often")
def test_the_last_word_on_an_alarm_is_what_is_sent_of_it(road: Road) -> None:
    road.put(
        *(samples(second * S) for second in range(8)), pin(1, 0, 3), pin(1, 0, 6), pin(2, 7, 7)
    )
    with running(road):
        until(lambda: road.journal.cursor("pins:file") >= 11)
    assert [at // S for tag, at in sent_samples(road) if tag == 1] == [*range(7), 7]


@pytest.mark.usefixtures("often")
def test_a_source_that_does_not_come_back_holds_up_its_pin_for_a_while_only(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.uplink.pins.PATIENCE_S", -2.9)
    road.put(samples(0), samples(S), pin(1, 0, 4))
    with running(road):
        until(lambda: road.journal.cursor("pins:file") >= 3)
    assert len(sent_samples(road)) == 4


@pytest.mark.usefixtures("often")
def test_a_pin_that_is_cut_off_is_sent_again(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "WAITS_S", (0.02,))
    monkeypatch.setattr("gateway.uplink.pins.MOST_POINTS", 1)
    cuts = 2

    def before(records: Sequence[Record]) -> None:
        nonlocal cuts
        if not isinstance(records[0], EventRecord) and records[0].batch.at[0] == S and cuts:
            cuts -= 1
            raise Unreachable("file: gone")

    road.sink.before = before
    road.put(samples(0), samples(S), pin(1, 0, 1, asset="a/q"))
    with running(road):
        until(lambda: road.journal.cursor("pins:file") >= 3)
    assert {tuple(row) for row in sent_samples(road)} == {(3, 0), (3, S)}


def test_a_damaged_record_is_counted_and_passed(road: Road) -> None:
    last = road.put(*numbered(1, 2, 3))
    road.journal._writer.execute("UPDATE record SET body = x'00' WHERE position = 2")
    with running(road) as courier:
        until(lambda: road.cursor() == last)
    assert road.sink.numbers() == [1, 3]
    assert courier.delivery.damaged == 1


def test_after_a_death_what_was_not_noted_comes_again_and_nothing_is_missing(road: Road) -> None:
    last = road.put(*numbered(*range(30)))
    with running(road):
        until(lambda: road.cursor() == last)
    # Never committed: as after kill -9.
    road.journal._cursors.clear()
    with running(road):
        until(lambda: road.cursor() == last)
    assert road.sink.numbers() == [*range(30), *range(30)]


@pytest.mark.usefixtures("often")
def test_a_pin_waits_for_no_source_that_was_taken_out(road: Road) -> None:
    old = Tag(name="a/p/old", source="old-plc", address="")
    road.handles = road.journal.register([*TAGS, old], 2)
    road.handles[-1] = replace(road.handles[-1], retired=True)
    last = samples(S)
    had = SampleRecord(
        replace(last.batch, source="old-plc", tag=np.full(3, road.handles[-1].handle, np.int32)),
        last.verdict,
    )
    road.put(had, samples(3 * S), pin(1, 0, 3))
    with running(road):
        until(lambda: road.journal.cursor("pins:file") >= 3)
    assert {tag for tag, _ in sent_samples(road)} == {1, 2, 4}


def test_what_nobody_waits_for_is_gathered_until_it_is_due(road: Road) -> None:
    road.calm_s = 2.0  # an age is known to the second
    road.put(scores(0, rows=1))
    with running(road):
        until(lambda: len(road.sink.calls) == 1)  # what is there at the start goes at once
        begun = time.monotonic()
        for number in range(1, 6):
            road.put(scores(number * S, rows=1))
            time.sleep(0.02)
        until(lambda: road.cursor() == 6)
        assert time.monotonic() - begun >= 0.9
    assert sum(map(len, road.sink.calls)) == 6
    assert len(road.sink.calls) <= 3


def test_with_what_is_waited_for_all_that_has_gathered_goes(road: Road) -> None:
    road.calm_s = 60.0
    road.put(scores(0, rows=1))
    with running(road):
        until(lambda: road.cursor() == 1)
        time.sleep(0.1)
        road.put(scores(S, rows=1), windows(0))
        time.sleep(0.1)
        assert road.cursor() == 1
        road.put(*numbered(1, kind="alarm"))
        until(lambda: road.cursor() == 4)
        time.sleep(0.1)
        road.put(*numbered(2))
        time.sleep(0.1)
    assert [len(call) for call in road.sink.calls] == [1, 5]


def test_a_state_that_is_told_again_is_gathered_and_one_that_is_new_goes(road: Road) -> None:
    road.calm_s = 60.0
    road.put(scores(0, rows=1))
    with running(road):
        until(lambda: road.cursor() == 1)
        road.put(EventRecord("state", S, {"asset": "a", "again": True}))
        time.sleep(0.2)
        assert road.cursor() == 1
        road.put(EventRecord("state", 2 * S, {"asset": "a"}))
        until(lambda: road.cursor() == 3)
    assert [len(call) for call in road.sink.calls] == [1, 2]


def test_a_backlog_of_many_calls_is_no_time_to_gather(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "MOST_POINTS", 10)
    road.calm_s = 60.0
    last = road.put(*(scores(10 * number * S) for number in range(40)))
    with running(road):
        until(lambda: road.cursor() == last)
    assert len(road.sink.calls) == 40


def test_pinned_samples_go_in_calls_of_many(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "PINNED_EVERY_S", 0.0)
    road.put(*(samples(second * S) for second in range(50)), pin(1, 0, 48))
    with running(road):
        until(lambda: road.journal.cursor("pins:file") >= 51)
    assert [len(call) for call in road.sink.calls if call[0][0] == "sample"] == [2 * 49]
