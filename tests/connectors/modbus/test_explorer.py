"""A unit in memory, with holes and a limit, is learnt by its refusals alone."""

import asyncio
import struct
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.modbus import explorer, holes
from connectors.modbus.address import Address, Table
from connectors.modbus.blocks import Limits
from connectors.modbus.scan import Scan
from connectors.modbus.stamps import Stamps
from connectors.modbus.unit import Unit
from connectors.modbus.wire import Answer
from plant.quality import Status
from plant.tags import ValueType

SCANS = 40


@dataclass
class Memory:
    """Answers like a device; register i holds i."""

    unreadable: set[int] = field(default_factory=set)
    longest: int = 125
    too_long: Status = Status.BAD_OUT_OF_RANGE
    seams: set[int] = field(default_factory=set)
    starting: bool = False
    requests: int = 0

    async def ask(
        self, unit: int, table: Table, start: int, count: int, *, mute: bool = False
    ) -> Answer:
        self.requests += 1
        asked = range(start, start + count)
        if count > self.longest:
            return Answer(self.too_long)
        if (
            self.starting
            or self.unreadable.intersection(asked)
            or self.seams.intersection(asked[1:])
        ):
            return Answer(Status.BAD_NODE_ID_UNKNOWN)
        return Answer(Status.GOOD, struct.pack(f">{count}H", *asked))


def values(*offsets: int, length: int = 1) -> list[Address]:
    kind = ValueType.UINT16 if length == 1 else ValueType.UINT32
    return [Address(1, Table.HOLDING, offset, kind, length=length) for offset in offsets]


def unit_of(addresses: list[Address]) -> Unit:
    return Unit(addresses, range(len(addresses)), Limits(gap=64), 1.0)


def scan_once(unit: Unit, memory: Memory, n: int) -> Scan:
    scan = Scan(np.ones(n, np.bool_))
    asyncio.run(unit.read(memory, scan, Stamps()))  # type: ignore[arg-type]
    assert scan.said.all()
    return scan


def requests_of_the_last(unit: Unit, memory: Memory, n: int, scans: int = SCANS) -> int:
    for _ in range(scans - 1):
        scan_once(unit, memory, n)
    memory.requests = 0
    scan_once(unit, memory, n)
    return memory.requests


@settings(deadline=None)
@given(
    st.sets(st.integers(0, 300), min_size=1, max_size=60),
    st.sets(st.integers(0, 300), max_size=8),
    st.integers(8, 125),
    st.sampled_from([Status.BAD_OUT_OF_RANGE, Status.BAD_NODE_ID_UNKNOWN]),
)
def test_good_are_all_values_that_can_be_read_and_no_others(
    offsets: set[int], unreadable: set[int], longest: int, too_long: Status
) -> None:
    addresses = values(*sorted(offsets))
    memory = Memory(unreadable, longest, too_long)
    unit = unit_of(addresses)
    for _ in range(SCANS):
        scan = scan_once(unit, memory, len(addresses))
    good = scan.status == Status.GOOD
    assert good.tolist() == [one.offset not in unreadable for one in addresses]
    assert scan.value[good].tolist() == [float(i) for i in sorted(offsets - unreadable)]


def test_scattered_registers_with_holes_take_few_requests() -> None:
    offsets = sorted(np.random.default_rng(7).choice(700, 200, replace=False).tolist())
    memory = Memory(unreadable={offsets[30], offsets[31], offsets[150]})
    unit = unit_of(values(*offsets))
    assert requests_of_the_last(unit, memory, 200, scans=3) <= 8
    assert len(unit.learnt.holes.found) == 3


def test_an_unused_register_that_is_refused_costs_one_request_more() -> None:
    memory = Memory(unreadable={33})
    unit = unit_of(values(*range(33), *range(34, 64)))
    assert requests_of_the_last(unit, memory, 63, scans=2) == 2
    assert not unit.learnt.holes.found


def test_areas_that_must_be_asked_apart() -> None:
    memory = Memory(seams={40})
    unit = unit_of(values(*range(64)))
    assert requests_of_the_last(unit, memory, 64, scans=2) == 2
    assert not unit.learnt.lessons[Table.HOLDING].limited


@pytest.mark.parametrize("too_long", [Status.BAD_OUT_OF_RANGE, Status.BAD_NODE_ID_UNKNOWN])
@pytest.mark.parametrize("longest", [100, 64, 60, 10])
def test_a_limit_is_learnt_exactly_and_is_no_hole(longest: int, too_long: Status) -> None:
    memory = Memory(longest=longest, too_long=too_long)
    unit = unit_of(values(*range(500)))
    scan = scan_once(unit, memory, 500)
    assert not scan.status.any()
    assert unit.learnt.lessons[Table.HOLDING].longest == longest
    assert requests_of_the_last(unit, memory, 500, scans=3) == -(-500 // longest)
    assert not unit.learnt.holes.found


def test_limit_and_holes_together() -> None:
    memory = Memory(unreadable={77, 333}, longest=50, too_long=Status.BAD_NODE_ID_UNKNOWN)
    unit = unit_of(values(*range(400)))
    for _ in range(5):
        scan = scan_once(unit, memory, 400)
    assert np.flatnonzero(scan.status).tolist() == [77, 333]
    assert unit.learnt.lessons[Table.HOLDING].longest == 50


def test_a_value_of_two_registers_is_never_split() -> None:
    asked: list[tuple[int, int]] = []

    class Listening(Memory):
        async def ask(
            self, unit: int, table: Table, start: int, count: int, *, mute: bool = False
        ) -> Answer:
            asked.append((start, count))
            return await super().ask(unit, table, start, count)

    unit = unit_of(values(*range(0, 240, 2), length=2))
    requests_of_the_last(unit, Listening(unreadable={51, 120}, longest=33), 120, scans=4)
    assert {(start % 2, count % 2) for start, count in asked} == {(0, 0)}


def test_no_scan_spends_its_time_on_learning() -> None:
    memory = Memory(starting=True)
    unit = unit_of(values(*range(1000)))
    for _ in range(SCANS):
        memory.requests = 0
        scan_once(unit, memory, 1000)
        assert memory.requests <= 1000 / 125 + 2 * explorer.LEARNING


def test_a_device_that_starts_up_is_read_as_soon_as_it_answers() -> None:
    memory = Memory(starting=True, unreadable={5})
    unit = unit_of(values(*range(200)))
    for _ in range(SCANS):
        assert scan_once(unit, memory, 200).status.all()
    memory.requests = 0
    scan_once(unit, memory, 200)
    assert memory.requests == 2
    memory.starting = False
    scans = [scan_once(unit, memory, 200).status for _ in range(3)]
    assert np.flatnonzero(scans[-1]).tolist() == [5]


def test_a_hole_that_becomes_readable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holes, "FIRST_WAIT_S", 0.0)
    memory = Memory(unreadable={9})
    unit = unit_of(values(*range(20)))
    assert np.flatnonzero(scan_once(unit, memory, 20).status).tolist() == [9]
    memory.unreadable.clear()
    assert not scan_once(unit, memory, 20).status.any()
    assert requests_of_the_last(unit, memory, 20, scans=1) == 1


def test_known_holes_are_tried_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("connectors.modbus.holes.time.monotonic", lambda: now[0])
    memory = Memory(unreadable={9})
    unit = unit_of(values(*range(20)))
    tried = []
    for second in range(200):
        now[0] = 100.0 + second
        memory.requests = 0
        scan_once(unit, memory, 20)
        tried.extend([second] * (memory.requests > 2))
    assert tried == [0, 4, 12, 28, 60, 120, 180]


def test_known_holes_cost_a_scan_one_request_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holes, "FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(holes, "LONGEST_WAIT_S", 0.0)
    memory = Memory(unreadable={9, 10, 90, 180})
    unit = unit_of(values(*range(200)))
    usual = requests_of_the_last(unit, memory, 200, scans=3) - 1
    asked = [requests_of_the_last(unit, memory, 200, scans=1) for _ in range(20)]
    assert asked == [usual + 1] * 20


def test_what_was_learnt_is_taken_over() -> None:
    memory = Memory(unreadable={9}, longest=100)
    first = unit_of(values(*range(300)))
    scan_once(first, memory, 300)
    second = unit_of(values(*range(300)))
    second.recall(first.learnt)
    memory.requests = 0
    scan_once(second, memory, 300)
    assert memory.requests == 4
