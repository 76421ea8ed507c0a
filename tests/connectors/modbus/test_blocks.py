from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.address import REGISTERS, Address, Table
from connectors.modbus.blocks import Block, Limits, coalesce, halves, reading_order
from plant.errors import Misconfigured
from plant.tags import ValueType

REGISTER_ADDRESSES = st.builds(
    lambda unit, table, offset, kind: Address(
        unit, table, offset, kind, length=REGISTERS.get(kind, 1)
    ),
    st.integers(1, 3),
    st.sampled_from([Table.HOLDING, Table.INPUT]),
    st.integers(0, 400),
    st.sampled_from([ValueType.UINT16, ValueType.FLOAT32, ValueType.INT64, ValueType.BOOL]),
)
BIT_ADDRESSES = st.builds(
    lambda offset: Address(1, Table.COIL, offset, ValueType.BOOL), st.integers(0, 6000)
)
ADDRESSES = st.lists(REGISTER_ADDRESSES | BIT_ADDRESSES, max_size=60)
LIMITS = st.builds(Limits, st.integers(4, 125), st.integers(16, 2000), st.integers(0, 40))


def in_order(addresses: list[Address]) -> list[Address]:
    return [addresses[i] for i in reading_order(addresses)]


def registers(*offsets: int, unit: int = 1) -> list[Address]:
    return [Address(unit, Table.HOLDING, offset, ValueType.UINT16) for offset in offsets]


@given(ADDRESSES, LIMITS)
def test_every_value_is_covered_once_and_whole(addresses: list[Address], limits: Limits) -> None:
    ordered = in_order(addresses)
    blocks = coalesce(ordered, limits)
    assert [i for block in blocks for i in range(block.first, block.last)] == list(
        range(len(ordered))
    )
    for block in blocks:
        own = ordered[block.first : block.last]
        assert {(one.unit, one.table) for one in own} == {(block.unit, block.table)}
        assert min(one.offset for one in own) == block.start
        assert max(one.end for one in own) == block.start + block.count


@given(ADDRESSES, LIMITS)
def test_no_request_is_longer_than_allowed(addresses: list[Address], limits: Limits) -> None:
    for block in coalesce(in_order(addresses), limits):
        longest, _ = limits.of(block.table)
        assert 1 <= block.count <= longest


@given(ADDRESSES, LIMITS)
def test_neighbours_could_not_have_been_one_request(
    addresses: list[Address], limits: Limits
) -> None:
    ordered = in_order(addresses)
    for one, other in pairwise(coalesce(ordered, limits)):
        longest, gap = limits.of(one.table)
        end = max(one.start + one.count, ordered[other.first].end)
        apart = (one.unit, one.table) != (other.unit, other.table)
        too_far = other.start - (one.start + one.count) > gap
        assert apart or too_far or end - one.start > longest


@given(ADDRESSES)
def test_halving_ends_at_single_values_and_loses_none(addresses: list[Address]) -> None:
    ordered = in_order(addresses)
    pending, found = coalesce(ordered, Limits()), []
    while pending:
        block = pending.pop()
        parts = halves(block, ordered)
        found.extend(range(block.first, block.last) if parts == [block] else [])
        pending.extend(parts if parts != [block] else [])
    assert sorted(found) == list(range(len(ordered)))


def test_a_hundred_registers_are_one_request() -> None:
    assert coalesce(registers(*range(100)), Limits()) == [Block(1, Table.HOLDING, 0, 100, 0, 100)]


def test_a_value_is_not_split_over_the_limit() -> None:
    doubles = [Address(1, Table.INPUT, 4 * i, ValueType.FLOAT64, length=4) for i in range(32)]
    assert [(block.start, block.count) for block in coalesce(doubles, Limits())] == [
        (0, 124),
        (124, 4),
    ]


@pytest.mark.parametrize(("gap", "requests"), [(9, 2), (10, 1)])
def test_small_gaps_are_read_along(gap: int, requests: int) -> None:
    assert len(coalesce(registers(0, 11), Limits(gap=gap))) == requests


def test_a_text_longer_than_a_request_is_refused() -> None:
    text = Address(2, Table.HOLDING, 7, ValueType.TEXT, length=60)
    with pytest.raises(Misconfigured, match="unit 2, holding 7 needs max_registers of at least 60"):
        coalesce([text], Limits(registers=50))
