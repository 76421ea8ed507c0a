"""Waits, rates, refusals, parcels: the parts of a courier by themselves."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Refusal
from gateway.journal import EventRecord, ScoreRecord, SummaryRecord
from gateway.uplink import pace, parcels
from gateway.uplink.pace import Backoff, Pace
from gateway.uplink.parcels import gather
from gateway.uplink.quarantine import Quarantine, kept
from plant.errors import Misconfigured, Unreachable
from tests.gateway.uplink.conftest import KINDS, Road, S, samples, scores, windows


@given(st.lists(st.none() | st.floats(0, 1e6), min_size=1, max_size=20))
def test_no_wait_is_longer_than_a_minute_and_none_shorter_than_asked(
    asked: list[float | None],
) -> None:
    backoff = Backoff()
    for one in asked:
        wait = backoff.wait_s(one)
        assert min(one or 0.0, 60.0) <= wait <= 60.0
        assert wait >= 0.8 or (one is not None and one > 0)


def test_waits_grow_and_begin_anew_after_a_success() -> None:
    backoff = Backoff()
    waits = [backoff.wait_s() for _ in range(8)]
    assert waits[0] < 2 < 4 <= waits[2] < 8 < 12 <= waits[-1] <= 18
    backoff.succeeded()
    assert backoff.wait_s() < 2


def test_a_pace_bounds_the_rate_over_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 50.0
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: now))
    one = Pace()
    sent = 0
    for _ in range(100):
        now += one.wait_s(500, 1000.0)
        sent += 500
    assert sent / (now - 50.0) == pytest.approx(1000.0)
    now += 3600
    assert one.wait_s(500, 1000.0) == pytest.approx(0.5), "rest is not saved up"


def test_refusals_outlive_the_process_and_are_kept_once(tmp_path: Path) -> None:
    first = Quarantine(tmp_path, "store")
    assert first.keep([Refusal("a b=1", "type"), Refusal("a c=2", "type")]) == 2
    again = Quarantine(tmp_path, "store")
    assert again.count == 2
    assert again.keep([Refusal("a b=1", "type"), Refusal("a d=3", "type")]) == 1
    assert [row["what"] for row in kept(again.path)] == ["a b=1", "a c=2", "a d=3"]


def test_a_line_that_was_cut_off_hides_no_other(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, "store")
    quarantine.keep([Refusal("whole", "why")])
    with quarantine.path.open("a") as file:
        file.write('{"at": "20\n')
        file.write(json.dumps({"at": "", "reason": "r", "what": "after"}) + "\n")
    assert [row["what"] for row in kept(quarantine.path)] == ["whole", '{"at": "20', "after"]


def test_a_quarantine_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, "store")
    (tmp_path / "quarantine").write_text("a file")
    with pytest.raises(Unreachable, match=r"store\.jsonl cannot be written: File exists"):
        quarantine.keep([Refusal("x", "y")])
    with pytest.raises(Misconfigured, match=r"store\.jsonl: cannot be read"):
        Quarantine(tmp_path, "store")


def test_a_full_quarantine_asks_for_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.uplink.quarantine.MOST_BYTES", 100)
    quarantine = Quarantine(tmp_path, "store")
    with pytest.raises(Misconfigured, match="is full"):
        quarantine.keep([Refusal("x" * 100, "y")])
    assert list(kept(quarantine.path)) == []


def test_a_parcel_is_bounded_and_the_next_goes_on_behind_it(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "MOST_POINTS", 25)
    last = road.put(windows(0), samples(0), scores(0), scores(20 * S), scores(40 * S))
    first = gather(road.journal, 0, KINDS)
    assert [type(record) for record in first.records] == [SummaryRecord, ScoreRecord, ScoreRecord]
    assert (first.upto, first.points, first.whole) == (4, 23, False)
    second = gather(road.journal, first.upto, KINDS)
    assert (second.upto, second.points, second.whole) == (last, 10, True)
    assert gather(road.journal, last, KINDS).records == ()


def test_bytes_bound_a_parcel_too_and_a_large_record_goes_alone(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "MOST_BYTES", 1000)
    road.put(
        *(EventRecord("n", n, {"text": "x" * size}) for n, size in enumerate((400, 400, 5000)))
    )
    assert len(gather(road.journal, 0, KINDS).records) == 2
    assert len(gather(road.journal, 2, KINDS).records) == 1


def test_positions_of_what_is_not_sent_are_passed(road: Road) -> None:
    last = road.put(samples(0), samples(S))
    assert gather(road.journal, 0, KINDS).upto == last
