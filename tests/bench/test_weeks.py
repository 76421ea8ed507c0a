"""The four weeks: the diary keeps its rules, the line keeps the diary, and the judge is just."""

import json
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.weeks import __main__ as command
from bench.weeks.campaign import START, Campaign, run
from bench.weeks.diary import (
    DRIFTS_TO,
    UPKEEP,
    Diary,
    Drop,
    SensorFault,
    Upkeep,
    Wear,
    written,
)
from bench.weeks.line import DiarisedLine, Sensors
from bench.weeks.operators import on_shift
from bench.weeks.pictures import save
from bench.weeks.timetable import DAY, HOUR, Hours, Phase, Story, interrupted
from bench.weeks.verdicts import Verdict, cause_of, judge
from connectors.simulated.schedule import CHANGEOVER, IDLE, OFF, RUN
from connectors.simulated.signals import LINE, MODBUS, OPCUA
from plant.alarms import Alarm, AlarmState
from plant.reasons import Contribution, Reason, Trend

SEEDS = (1, 2, 3)
PUMP = f"{LINE}/pump-1"
ASSETS = (PUMP, f"{LINE}/pump-2", f"{LINE}/press-1")
PLAIN: Story = (
    Phase(-20 * HOUR, RUN, 0), Phase(-10 * HOUR, OFF, 0), Phase(-2 * HOUR, RUN, 0),
    Phase(3000, IDLE, 0), Phase(3180, RUN, 0), Phase(100 * HOUR, OFF, 0),
)  # fmt: skip
STORY: Story = (
    Phase(-20 * HOUR, RUN, 0), Phase(-10 * HOUR, OFF, 0),
    *(
        Phase(at + late, mode, 0)
        for at in range(-2 * HOUR, 100 * HOUR, 600)
        for late, mode in ((0, RUN), (480, IDLE))
    ),
    Phase(100 * HOUR, OFF, 0),
)  # fmt: skip


def diary(**what: object) -> Diary:
    empty = Diary(7, 2 * HOUR, 4 * HOUR, dict.fromkeys(ASSETS, STORY), (), (), (), ())
    return replace(empty, **what)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_diary_is_drawn_from_its_seed_alone(seed: int) -> None:
    assert written(seed, 48, 28) == written(seed, 48, 28)
    assert written(seed, 48, 28) != written(seed + 1, 48, 28)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_befalls_a_machine_twice_at_a_time(seed: int) -> None:
    found = written(seed, 48, 28)
    spans = {asset: [] for asset in found.stories}
    for one in (*found.sensors, *found.upkeep):
        spans[one.asset].append((one.begin, one.end))
    for wear in found.wear:
        spans[wear.asset].append((wear.onset, wear.mended))
    assert all(len(each) >= 7 for each in spans.values())
    for each in spans.values():
        ordered = sorted(each)
        assert [a for a, b in pairwise(ordered) if a[1] > b[0]] == []
        assert found.taught <= ordered[0][0]
        assert ordered[-1][1] <= found.end


@pytest.mark.parametrize("seed", SEEDS)
def test_wear_grows_for_hours_and_ends_while_the_machine_runs(seed: int) -> None:
    found = written(seed, 48, 28)
    assert len(found.wear) >= 8
    for wear in found.wear:
        hours = found.hours(wear.asset)
        assert hours.ran(float(wear.failure)) - hours.ran(float(wear.onset)) > HOUR
        assert hours.ran(float(wear.failure)) > hours.ran(float(wear.failure - 1))
        assert hours.ran(float(wear.mended)) == hours.ran(float(wear.failure))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_product_is_made_while_the_watch_learns(seed: int) -> None:
    story = written(seed, 48, 28).stories[PUMP]
    made = {phase.product for phase in story if phase.mode == RUN and 0 <= phase.begin < 2 * DAY}
    assert made == {0, 1, 2}


def test_nights_and_sundays_are_off() -> None:
    story = written(1, 48, 28).stories[PUMP]
    sunday = [phase for phase in story if 6 * DAY <= phase.begin < 7 * DAY]
    assert sunday == []
    assert (on_shift(HOUR), on_shift(7 * HOUR), on_shift(6 * DAY + 7 * HOUR)) == (
        False,
        True,
        False,
    )


@given(ran=st.floats(1, 100_000))
@settings(max_examples=50)
def test_running_time_and_its_moment_are_inverse(ran: float) -> None:
    hours = Hours(PLAIN)
    assert float(hours.ran(hours.when(ran))) == pytest.approx(ran)


def test_a_machine_that_stood_still_goes_on_with_what_is_due() -> None:
    story = interrupted(PLAIN, 1000, 3100)
    assert [(phase.begin, phase.mode) for phase in story[3:6]] == [
        (1000, OFF), (3100, IDLE), (3180, RUN),
    ]  # fmt: skip


FAULTS = ("stuck", "spikes", "no quality", "reads its lower end", "drifts")


@pytest.mark.parametrize("kind", FAULTS)
def test_a_broken_sensor_tells_what_its_kind_says(kind: str) -> None:
    fault = SensorFault(PUMP, kind, "oil_temperature", 100, 500)
    told = diary(sensors=(fault,))
    line = DiarisedLine(told, start=START)
    true = line.values(0, 600)
    rows = true.copy()
    sensors = Sensors(told, line.tags)
    sensors.tell(0, rows[:300])
    sensors.tell(300, rows[300:])
    column = [tag.name for tag in line.tags].index(f"{PUMP}/oil_temperature")
    seen, was = rows[100:500, column], true[100:500, column]
    assert np.array_equal(np.delete(rows, column, 1), np.delete(true, column, 1))
    assert np.array_equal(rows[:100], true[:100])
    assert np.array_equal(rows[500:], true[500:])
    away = np.abs(seen - was)
    says = {
        "stuck": lambda: np.array_equal(seen, np.full(400, was[0])),
        "spikes": lambda: 1 <= np.count_nonzero(away > 8) <= 20 and np.median(away) == 0,
        "no quality": lambda: bool(np.isnan(seen).all()),
        "reads its lower end": lambda: np.array_equal(seen, np.full(400, 5.0)),
        "drifts": lambda: away[-1] == pytest.approx(DRIFTS_TO * 90, rel=0.01) and away[0] == 0,
    }
    assert says[kind]()


def test_wear_shows_from_its_onset_to_its_failure_and_is_mended() -> None:
    wear = Wear(PUMP, "seal_leak", 600, 3600, 5400, announced=False)
    story = interrupted(PLAIN, 3600, 5400)
    line = DiarisedLine(diary(wear=(wear,), stories={**diary().stories, PUMP: story}), start=START)
    twin = DiarisedLine(diary(stories={**diary().stories, PUMP: story}), start=START)
    column = [tag.name for tag in line.tags].index(f"{PUMP}/seal_pressure")
    away = line.values(0, 7200)[:, column] - twin.values(0, 7200)[:, column]
    assert np.abs(away[:600]).max() == 0
    assert away[3599] == pytest.approx(-0.8, abs=0.02)
    assert -0.5 < away[2000] < -0.2
    assert np.abs(away[3600:]).max() == 0


def test_upkeep_leaves_a_new_level_for_good() -> None:
    work = Upkeep(PUMP, "gauge recalibrated", 600, 700, announced=True)
    line, twin = (DiarisedLine(diary(upkeep=each), start=START) for each in ((work,), ()))
    name = UPKEEP[work.kind][1][0].signal
    column = [tag.name for tag in line.tags].index(f"{PUMP}/{name}")
    away = line.values(0, 1200)[:, column] - twin.values(0, 1200)[:, column]
    assert np.abs(away[:700]).max() == 0
    assert np.abs(away[700:] - 0.15).max() < 0.01


@pytest.fixture(scope="module")
def done() -> Campaign:
    """Two hours to learn, then two more: a seal leaks and fails, one link is lost for long."""
    wear = Wear(PUMP, "seal_leak", 2 * HOUR + 600, 3 * HOUR, 3 * HOUR + 1200, announced=True)
    stories = {**diary().stories, PUMP: interrupted(STORY, wear.failure, wear.mended)}
    drops = (Drop(OPCUA, 3 * HOUR + 1800, 3 * HOUR + 2400), Drop(MODBUS, 1000, 1010))
    return run(diary(wear=(wear,), stories=stories, drops=drops))


@pytest.fixture(scope="module")
def verdict(done: Campaign) -> Verdict:
    return judge(done)


def test_the_fault_is_found_before_the_failure(verdict: Verdict) -> None:
    (found,) = verdict.faults
    assert found.at is not None
    assert found.first
    assert 600 < found.lead < 3000
    assert verdict.missed == []


def test_what_is_true_of_the_fault_is_no_false_alarm(verdict: Verdict) -> None:
    assert [one for one in verdict.false if one.asset == PUMP] == []
    assert verdict.told >= 1


def test_time_is_accounted_for(verdict: Verdict) -> None:
    for shares in verdict.shares.values():
        assert sum(shares.values()) == pytest.approx(1)
    assert verdict.shares[PUMP]["not read"] == pytest.approx(600 / 7200, abs=0.01)
    assert verdict.shares[ASSETS[2]]["not read"] < 0.01
    assert verdict.shares[ASSETS[2]]["judged"] > 0.8
    assert verdict.weeks[ASSETS[2]] == pytest.approx(2 / 168, rel=0.2)


def test_every_machine_has_its_picture(done: Campaign, verdict: Verdict, tmp_path: Path) -> None:
    written_now = save(done, verdict, tmp_path)
    assert [path.name for path in written_now] == [
        "week-1-pump-1.png", "week-1-pump-2.png", "week-1-press-1.png",
    ]  # fmt: skip
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written_now)


def alarm(asset: str, signal: str) -> Alarm:
    part = Contribution(f"{asset}/{signal}", 1, 0, 0, 0, 0, "", 0, Trend.STEADY)
    return Alarm(
        id=1, asset=asset, priority=4, state=AlarmState.UNACKNOWLEDGED,
        beneath=AlarmState.UNACKNOWLEDGED, onset=0, raised=0, changed=0, occurrences=1,
        reason=Reason(2, 1, (part,)),
    )  # fmt: skip


LEAK = Wear(PUMP, "seal_leak", 20_000, 30_000, 40_000, announced=False)
EVENTS = diary(
    end=90 * HOUR,
    wear=(LEAK,),
    stories={
        **diary().stories,
        PUMP: (*PLAIN[:5], Phase(50_000, CHANGEOVER, 0), Phase(51_000, RUN, 1), PLAIN[5]),
    },
    sensors=(SensorFault(PUMP, "stuck", "flow", 60_000, 61_000),),
    upkeep=(Upkeep(PUMP, "gauge recalibrated", 70_000, 71_000, announced=False),),
    drops=(Drop(OPCUA, 80_000, 80_100),),
)


@pytest.mark.parametrize(
    ("signal", "at", "cause"),
    [
        ("seal_pressure", 19_999, "nothing"),
        ("seal_pressure", 20_000, None),
        ("flow", 25_000, "names none of the fault's signals"),
        ("flow", 35_000, None),
        ("flow", 43_000, None),
        ("flow", 44_000, "nothing"),
        ("flow", 51_100, "changeover"),
        ("flow", 60_500, "sensor stuck"),
        ("flow", 72_000, "new level after upkeep"),
        ("flow", 80_200, "link"),
    ],
)
def test_an_alarm_is_put_down_to_what_happened(signal: str, at: int, cause: str | None) -> None:
    assert cause_of(EVENTS, alarm(PUMP, signal), at) == cause


def test_a_sick_sensor_is_called_what_it_is_and_a_well_one_counts() -> None:
    doubts = [(60_040, f"{PUMP}/flow", "stuck"), (60_050, f"{PUMP}/seal_pressure", "swapped")]
    told = [(at, {"signal": signal, "kind": kind}) for at, signal, kind in doubts]
    verdict = judge(Campaign(EVENTS, (), {}, doubts=told))
    (sensor,) = verdict.sensors
    assert (sensor.called, sensor.after, sensor.machine) == ("stuck", 40, 0)
    assert (verdict.doubts, verdict.doubted) == (2, 1)


def test_the_command_tells_programs_and_ends_by_its_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["weeks", "--json", "--learn-hours", "1", "--days", "0.1"])
    with pytest.raises(SystemExit) as end:
        command.main()
    told = json.loads(capsys.readouterr().out)
    assert told["asset_weeks"].keys() == set(ASSETS)
    assert end.value.code == (told["false_a_week"] > 1)
    assert told["faults"] == []


@pytest.mark.parametrize("wrong", [["--days", "0"], ["--learn-hours", "0.5"], ["--seed", "-1"]])
def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["weeks", *wrong])
    with pytest.raises(SystemExit) as end:
        command.main()
    assert end.value.code == 2
