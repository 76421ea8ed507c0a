from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.address import REGISTERS, Address, Table
from connectors.modbus.blocks import Block, Limits, check_lengths, coalesce, reading_order
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


def covered(addresses: list[Address], limits: Limits) -> list[Block]:
    """Cover all of the addresses, which stand in reading order."""
    return coalesce(addresses, range(len(addresses)), limits.lessons())


@given(ADDRESSES, LIMITS)
def test_every_value_is_covered_once_and_whole(addresses: list[Address], limits: Limits) -> None:
    ordered = in_order(addresses)
    blocks = covered(ordered, limits)
    assert [i for block in blocks for i in block.columns] == list(range(len(ordered)))
    for block in blocks:
        own = [ordered[i] for i in block.columns]
        assert {(one.unit, one.table) for one in own} == {(block.unit, block.table)}
        assert min(one.offset for one in own) == block.start
        assert max(one.end for one in own) == block.end


@given(ADDRESSES, LIMITS)
def test_no_request_is_longer_than_allowed(addresses: list[Address], limits: Limits) -> None:
    for block in covered(in_order(addresses), limits):
        longest, _ = limits.of(block.table)
        assert 1 <= block.count <= longest


@given(ADDRESSES, LIMITS)
def test_neighbours_could_not_have_been_one_request(
    addresses: list[Address], limits: Limits
) -> None:
    ordered = in_order(addresses)
    for one, other in pairwise(covered(ordered, limits)):
        longest, gap = limits.of(one.table)
        end = max(one.end, ordered[other.columns[0]].end)
        apart = (one.unit, one.table) != (other.unit, other.table)
        too_far = other.start - one.end > gap
        assert apart or too_far or end - one.start > longest


SPANS = st.lists(st.tuples(st.integers(0, 80), st.integers(1, 6)), max_size=8)


@given(st.sets(st.integers(0, 80), min_size=1, max_size=30), SPANS, st.integers(1, 40))
def test_blocks_avoid_what_is_refused_with_fewest_requests(
    offsets: set[int], refused: list[tuple[int, int]], longest: int
) -> None:
    """Compared with the best cover that dynamic programming finds."""
    ordered = registers(*sorted(offsets))
    lessons = Limits(longest, gap=125).lessons()
    spans = [(start, start + length) for start, length in refused]
    for span in spans:
        lessons[Table.HOLDING].refused(*span)

    def allowed(first: int, last: int) -> bool:
        start, end = ordered[first].offset, ordered[last].end
        free = not any(start <= low and high <= end for low, high in spans)
        return first == last or (end - start <= longest and free)

    best = [0]
    for last in range(len(ordered)):
        best.append(1 + min(best[i] for i in range(last + 1) if allowed(i, last)))
    blocks = coalesce(ordered, range(len(ordered)), lessons)
    assert len(blocks) == best[-1]
    assert all(allowed(block.columns[0], block.columns[-1]) for block in blocks)


def test_a_hundred_registers_are_one_request() -> None:
    assert covered(registers(*range(100)), Limits()) == [
        Block(1, Table.HOLDING, 0, 100, tuple(range(100)))
    ]


def test_a_value_is_not_split_over_the_limit() -> None:
    doubles = [Address(1, Table.INPUT, 4 * i, ValueType.FLOAT64, length=4) for i in range(32)]
    assert [(block.start, block.count) for block in covered(doubles, Limits())] == [
        (0, 124),
        (124, 4),
    ]


@pytest.mark.parametrize(("gap", "requests"), [(9, 2), (10, 1)])
def test_small_gaps_are_read_along(gap: int, requests: int) -> None:
    assert len(covered(registers(0, 11), Limits(gap=gap))) == requests


def test_a_text_longer_than_a_request_is_refused() -> None:
    text = Address(2, Table.HOLDING, 7, ValueType.TEXT, length=60)
    with pytest.raises(Misconfigured, match="unit 2, holding 7 needs max_registers of at least 60"):
        check_lengths([text], Limits(registers=50))
