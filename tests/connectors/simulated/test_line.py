"""The line is pure, plausible and stationary, and its script is kept."""

import hashlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from connectors.modbus.address import address_of
from connectors.opcua.address import parse_address
from connectors.simulated.feed import Hurried
from connectors.simulated.line import BLOCK, PERIOD, SimulatedLine
from connectors.simulated.signals import LINE, MODBUS, OPCUA
from plant.assets import asset_of
from plant.tags import TAG_NAME, Role, ValueType

START = 1_767_225_600 * PERIOD
HOUR = 3600
SEEDS = (1, 2, 3)
MACHINES = ("pump-1", "pump-2", "press-1")
WHOLE_LINE = SimulatedLine(7, start=START, live_from=700)
WHOLE = WHOLE_LINE.values(0, 3 * BLOCK)


def column(line: SimulatedLine, rows: NDArray[np.float64], signal: str) -> NDArray[np.float64]:
    names = [tag.name for tag in line.tags]
    return rows[:, names.index(f"{LINE}/{signal}")]


@cache
def healthy(seed: int, hours: float) -> tuple[SimulatedLine, NDArray[np.float64]]:
    line = SimulatedLine(seed, fault="none", start=START)
    rows = line.values(0, int(hours * HOUR))
    rows.setflags(write=False)
    return line, rows


def test_three_machines_with_fourteen_signals_each() -> None:
    assets = [asset_of(path, WHOLE_LINE.tags) for path in WHOLE_LINE.asset_paths]
    assert [asset.name for asset in assets] == list(MACHINES)
    assert [len(asset.signals) for asset in assets] == [14, 14, 14]
    assert all(asset.mode for asset in assets)
    assert (assets[2].part, assets[2].trigger) == (
        f"{LINE}/press-1/part",
        f"{LINE}/press-1/trigger",
    )


def test_tags_are_complete_and_named_by_the_rule() -> None:
    names = [tag.name for tag in WHOLE_LINE.tags]
    assert len(set(names)) == len(names)
    assert all(TAG_NAME.fullmatch(name) for name in names)
    assert all(tag.description and tag.type for tag in WHOLE_LINE.tags)
    signals = [tag for tag in WHOLE_LINE.tags if tag.role is Role.SIGNAL]
    assert all(tag.unit and tag.low is not None and tag.high is not None for tag in signals)


def test_both_protocols_and_many_types_are_in_use() -> None:
    over = {(tag.source, tag.asset.rpartition("/")[2]) for tag in WHOLE_LINE.tags}
    assert over == {(OPCUA, "pump-1"), (OPCUA, "pump-2"), (MODBUS, "press-1")}
    types = {tag.type for tag in WHOLE_LINE.tags}
    assert {ValueType.BOOL, ValueType.INT16, ValueType.UINT32, ValueType.FLOAT32} <= types


def test_addresses_are_what_the_protocols_read() -> None:
    opcua = [tag for tag in WHOLE_LINE.tags if tag.source == OPCUA]
    modbus = [tag for tag in WHOLE_LINE.tags if tag.source == MODBUS]
    assert len({parse_address(tag.address, tag.name) for tag in opcua}) == len(opcua)
    places = {(a.unit, a.table, a.offset) for a in map(address_of, modbus)}
    assert len(places) == len(modbus)


@settings(max_examples=60, deadline=None)
@given(first=st.integers(0, 3 * BLOCK - 1), count=st.integers(0, 2 * BLOCK), fresh=st.booleans())
def test_rows_do_not_depend_on_how_they_are_asked_for(first: int, count: int, fresh: bool) -> None:
    count = min(count, 3 * BLOCK - first)
    line = (WHOLE_LINE, SimulatedLine(7, start=START, live_from=700))[fresh]
    np.testing.assert_array_equal(line.values(first, count), WHOLE[first : first + count])


def test_going_back_far_gives_the_same_rows() -> None:
    line = SimulatedLine(4, start=START)
    before = line.values(100, 50)
    line.values(20 * BLOCK, 1)
    np.testing.assert_array_equal(line.values(100, 50), before)


def test_start_moves_time_and_no_value() -> None:
    moved = SimulatedLine(7, start=START + HOUR * PERIOD, live_from=700)
    np.testing.assert_array_equal(moved.values(0, 900), WHOLE[:900])
    assert moved.fault
    assert WHOLE_LINE.fault
    assert moved.fault.onset - WHOLE_LINE.fault.onset == HOUR * PERIOD


def test_seeds_give_different_lines() -> None:
    digests = {hashlib.sha1(SimulatedLine(s, start=0).values(0, 60)).digest() for s in range(5)}
    assert len(digests) == 5


def test_a_defect_changes_its_own_part_and_nothing_else() -> None:
    healthy = SimulatedLine(7, fault="none", start=START)
    spoilt = SimulatedLine(7, fault="none", start=START, defect_every=8)
    rows, others = spoilt.values(0, 1800), healthy.values(0, 1800)
    part, trigger = (column(spoilt, rows, f"press-1/{name}") for name in ("part", "trigger"))
    struck = np.isin(part, list(spoilt.defects(0, 1800))) & (trigger > 0)
    changed = (rows != others).any(axis=1)
    np.testing.assert_array_equal(changed, struck)
    moved = {spoilt.tags[k].signal for k in np.flatnonzero((rows != others).any(axis=0))}
    assert moved == {"cylinder_pressure", "force_left", "force_right"}
    assert 0.05 < len(set(part[struck])) / len(set(part)) < 0.25
    assert healthy.defects(0, 1800) == set()


def test_a_hurried_line_shows_the_same_rows_sooner() -> None:
    hurried = Hurried(WHOLE_LINE, 20)
    assert (hurried.period, hurried.start) == (PERIOD // 20, START)
    assert hurried.tags == WHOLE_LINE.tags
    np.testing.assert_array_equal(hurried.values(3, 5), WHOLE[3:8])


def test_a_row_before_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match="row -1 is before"):
        WHOLE_LINE.values(-1, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_healthy_values_are_within_their_limits(seed: int) -> None:
    line, rows = healthy(seed, 8)
    low = np.array([-np.inf if tag.low is None else tag.low for tag in line.tags])
    high = np.array([np.inf if tag.high is None else tag.high for tag in line.tags])
    assert np.isfinite(rows).all()
    assert (rows >= low).all(), [line.tags[i].name for i in np.flatnonzero((rows < low).any(0))]
    assert (rows <= high).all(), [line.tags[i].name for i in np.flatnonzero((rows > high).any(0))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("machine", MACHINES)
def test_hours_resemble_one_another(seed: int, machine: str) -> None:
    """No signal wanders: hourly means stay within 1.6 within-mode standard deviations."""
    line, rows = healthy(seed, 8)
    own = [
        i for i, t in enumerate(line.tags) if t.role is Role.SIGNAL and t.asset.endswith(machine)
    ]
    running = column(line, rows, f"{machine}/mode") == 1
    spread = rows[running][:, own].std(0)
    hourly = np.stack(
        [rows[h * HOUR : (h + 1) * HOUR][running[h * HOUR : (h + 1) * HOUR]][:, own].mean(0)
         for h in range(8)]
    )  # fmt: skip
    away = np.abs(hourly - hourly.mean(0)) / spread
    assert away.max() < 1.6
    assert (spread > 0).all()


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        ("pump-1/flow", "pump-1/power", 0.6),
        ("pump-1/flow", "pump-2/flow", 0.4),
        ("pump-2/power", "pump-2/current", 0.6),
        ("pump-2/bearing_temperature", "pump-2/oil_temperature", 0.6),
        ("press-1/motor_power", "press-1/motor_current", 0.9),
        ("press-1/force_left", "press-1/force_right", 0.5),
    ],
)
def test_signals_move_together_as_the_machine_makes_them(
    one: str, other: str, least: float
) -> None:
    line, rows = healthy(1, 4)
    running = (column(line, rows, "pump-1/mode") == 1) & (column(line, rows, "pump-2/mode") == 1)
    running &= column(line, rows, "press-1/mode") == 1
    pair = [column(line, rows, name)[running] for name in (one, other)]
    assert np.corrcoef(pair)[0, 1] > least


def test_pressure_goes_with_the_square_of_speed_and_flow_with_speed() -> None:
    line, rows = healthy(1, 2)
    slow = np.abs(column(line, rows, "pump-1/speed") - 666) < 10
    full = np.abs(column(line, rows, "pump-1/speed") - 1480) < 10
    rise = column(line, rows, "pump-1/discharge_pressure") - column(
        line, rows, "pump-1/suction_pressure"
    )
    flow = column(line, rows, "pump-1/flow")
    assert rise[slow].mean() / rise[full].mean() == pytest.approx(0.45**2, rel=0.05)
    assert flow[slow].mean() / flow[full].mean() == pytest.approx(0.45, rel=0.05)


def test_run_is_told_only_at_speed() -> None:
    line, rows = healthy(1, 2)
    running = column(line, rows, "pump-1/mode") == 1
    assert column(line, rows, "pump-1/speed")[running].min() > 1400


def test_modes_last_minutes_and_follow_one_another() -> None:
    line, rows = healthy(2, 4)
    mode = column(line, rows, "pump-1/mode")
    edges = np.flatnonzero(np.diff(mode)) + 1
    stops = mode[edges][mode[edges] != 1]
    assert (np.diff(mode[edges] == 1) != 0).all(), "every second phase is a run"
    assert (np.diff(stops) != 0).all(), "idle and changeover take turns"
    lengths = np.diff(edges)
    running = mode[edges[:-1]] == 1
    assert lengths[running].min() >= 45
    assert lengths[running].max() <= 152
    assert lengths[~running].min() >= 20
    assert lengths[~running].max() <= 48


def test_machines_change_mode_together_but_not_at_once() -> None:
    line, rows = healthy(2, 2)
    one, other = (column(line, rows, f"{name}/mode") for name in ("pump-1", "pump-2"))
    assert 0.85 < (one == other).mean() < 0.99


def test_parts_are_numbered_without_gap() -> None:
    line, rows = healthy(3, 2)
    part = column(line, rows, "press-1/part")
    assert part[0] <= 12
    assert set(np.diff(part)) == {0.0, 1.0}
    assert 400 < part[-1] < 700


def test_the_die_closes_once_on_every_part_made() -> None:
    line, rows = healthy(3, 2)
    part = column(line, rows, "press-1/part")
    trigger = column(line, rows, "press-1/trigger")
    closing = np.flatnonzero(np.diff(trigger, prepend=0) == 1)
    whole = np.arange(part[0] + 1, part[-1])
    np.testing.assert_array_equal(part[closing][(part[closing] > part[0])][: len(whole)], whole)
    assert (trigger[column(line, rows, "press-1/mode") != 1] == 0).all()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("live_from", [0.0, 4.0 * HOUR])
def test_three_live_minutes_show_every_mode_and_run_around_the_onset(
    seed: int, live_from: float
) -> None:
    line = SimulatedLine(seed, start=START, live_from=live_from)
    assert line.fault is not None
    onset = (line.fault.onset - START) // PERIOD
    assert live_from + 40 <= onset <= live_from + 70
    live = line.values(int(live_from), 180)
    around = line.values(onset - 15, 90)
    for machine in MACHINES:
        assert set(column(line, live, f"{machine}/mode")) == {0.0, 1.0, 2.0}
        assert set(column(line, around, f"{machine}/mode")) == {1.0}


@pytest.mark.parametrize("onset_s", [0.0, 12.5, 4 * HOUR + 50.0])
def test_a_given_onset_is_kept(onset_s: float) -> None:
    line = SimulatedLine(5, start=START, onset_s=onset_s)
    assert line.fault is not None
    assert line.fault.onset == START + round(onset_s * PERIOD)
    around = line.values(int(onset_s), 75)
    machine = line.fault.asset.rpartition("/")[2]
    assert set(column(line, around, f"{machine}/mode")) == {1.0}
