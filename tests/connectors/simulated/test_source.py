"""The line as a source: the contract of sources, and exactly the line's values."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from connectors.checks import (
    Check,
    SourceUnderTest,
    applicable,
    check_close_after_failed_open,
    check_reconnects,
)
from connectors.simulated.line import PERIOD, SimulatedLine
from connectors.simulated.signals import MODBUS, OPCUA
from connectors.simulated.source import SimulatedSource
from plant.errors import Exhausted, Misconfigured
from plant.samples import Batch
from plant.tags import Tag, TagHandle

START = 1_767_225_600 * PERIOD
LINE = SimulatedLine(3, start=START)
HANDLES = [TagHandle(100 + i, tag) for i, tag in enumerate(LINE.tags)]
EXEMPT = {
    check_close_after_failed_open: "nothing is connected",
    check_reconnects: "a generator does not restart",
}


@dataclass(frozen=True)
class Gaps:
    """A finite feed of which the second row has no value."""

    tags: tuple[Tag, ...] = (Tag(name="a/b", source="gaps", address="b"),)
    start: int = START
    period: int = PERIOD

    def values(self, first: int, count: int) -> NDArray[np.float64]:
        return np.array([[1.0], [np.nan], [3.0]])[first : first + count]


def source(name: str, rows: range, rows_per_read: int = 100) -> SimulatedSource:
    return SimulatedSource(LINE, HANDLES, name=name, rows=rows, rows_per_read=rows_per_read)


def drain(one: SimulatedSource) -> list[Batch]:
    async def read() -> list[Batch]:
        batches: list[Batch] = []
        async with one:
            with suppress(Exhausted):
                while True:
                    batches.append(await one.read())
        return batches

    return asyncio.run(read())


@pytest.mark.parametrize("check", applicable(EXEMPT))
def test_contract(check: Check) -> None:
    async def make() -> SimulatedSource:
        return source(OPCUA, range(10_000))

    async def spoiled() -> SimulatedSource:
        feed = Gaps()
        return SimulatedSource(feed, [TagHandle(1, feed.tags[0])], name="gaps", rows=range(9))

    handles = [one.handle for one in HANDLES]
    asyncio.run(check(SourceUnderTest(make, handles, spoiled=spoiled)))


@pytest.mark.parametrize("name", [OPCUA, MODBUS])
@pytest.mark.parametrize("rows_per_read", [1, 7, 100])
def test_scaled_raw_values_are_the_lines_to_the_bit(name: str, rows_per_read: int) -> None:
    batches = drain(source(name, range(50, 120), rows_per_read))
    tag = np.concatenate([batch.tag for batch in batches])
    at = np.concatenate([batch.at for batch in batches])
    raw = np.concatenate([batch.value for batch in batches])
    truth = LINE.values(50, 70)
    for column, one in enumerate(HANDLES):
        mine = tag == one.handle
        told = raw[mine] * one.tag.scale + one.tag.offset
        expected = truth[:, column] if one.tag.source == name else truth[:0, column]
        np.testing.assert_array_equal(told, expected)
        rows = (at[mine] - START) // PERIOD
        assert rows.tolist() == list(range(50, 120))[: len(expected)]


def test_history_says_that_it_is() -> None:
    batches = drain(source(MODBUS, range(250)))
    assert [batch.upto for batch in batches] == [START + row * PERIOD for row in (99, 199, 249)]
    assert all(batch.replayed and not batch.stamped for batch in batches)
    assert all((batch.status == 0).all() for batch in batches)


def test_no_rows_are_exhausted_at_once() -> None:
    assert drain(source(OPCUA, range(5, 5))) == []


def test_a_finite_feed_ends_where_it_ends() -> None:
    feed = Gaps()
    batches = drain(
        SimulatedSource(
            feed, [TagHandle(1, feed.tags[0])], name="gaps", rows=range(9), rows_per_read=2
        )
    )
    assert [len(batch) for batch in batches] == [2, 1]


def test_a_strange_tag_is_refused_by_name() -> None:
    strange = TagHandle(1, Tag(name="demo/x", source=OPCUA, address=""))
    with pytest.raises(Misconfigured, match="the simulated line has no tag demo/x"):
        SimulatedSource(LINE, [strange], name=OPCUA, rows=range(3))
