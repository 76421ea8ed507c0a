"""A long batch holds nobody up, and gives what it would have given at once."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.monitors import MonitorBank
from gateway.backlog import TURN, Backlog, is_long
from plant.samples import Batch
from plant.tags import Tag, TagHandle

ROWS = 10 * TURN + 3
HANDLES = [TagHandle(i, Tag(name=f"site/pump/T{i}", source="plc", address="")) for i in range(4)]


def long_batch(seed: int, *tags: int) -> Batch:
    """Every tag's samples a second apart; the tags by turns, as servers send them."""
    n = ROWS * len(tags)
    at = np.repeat(np.arange(ROWS, dtype=np.int64) * 1_000_000_000, len(tags))
    return Batch(
        source=f"plc{seed}",
        tag=np.tile(np.array(tags, np.int32), ROWS),
        at=at,
        value=np.random.default_rng(seed).normal(size=n),
        status=np.zeros(n, np.uint32),
        upto=int(at[-1]),
        received=0,
        heard=0,
    )


BATCHES = [long_batch(1, 0, 1), long_batch(2, 2, 3)]


def at_once(bank: MonitorBank, batch: Batch) -> NDArray[np.uint8]:
    return bank.judge(batch.tag, batch.at, batch.value, batch.status)


def keeping(found: dict[int, NDArray[np.uint8]], number: int) -> Callable[..., None]:
    return lambda verdict: found.__setitem__(number, verdict)


def test_side_by_side_gives_what_one_after_the_other_gives() -> None:
    together, alone = MonitorBank(HANDLES), MonitorBank(HANDLES)
    found: dict[int, NDArray[np.uint8]] = {}

    async def story() -> None:
        backlog = Backlog(together.judge)
        both = (backlog.judge(one, keeping(found, i)) for i, one in enumerate(BATCHES))
        await asyncio.gather(*both)

    asyncio.run(story())
    for number, batch in enumerate(BATCHES):
        np.testing.assert_array_equal(found[number], at_once(alone, batch))
    for name, array in alone.state().items():
        np.testing.assert_array_equal(together.state()[name], array)


def test_others_have_their_turns_meanwhile_and_batches_share_theirs() -> None:
    bank, calls, beside = MonitorBank(HANDLES), 0, 0

    def judge(*columns: NDArray[np.int64]) -> NDArray[np.uint8]:
        nonlocal calls
        calls += 1
        return bank.judge(*columns)  # type: ignore[arg-type]

    async def story() -> None:
        nonlocal beside
        backlog = Backlog(judge)
        both = [asyncio.create_task(backlog.judge(one, lambda _: None)) for one in BATCHES]
        while not all(task.done() for task in both):
            beside += 1
            await asyncio.sleep(0)

    asyncio.run(story())
    assert calls == -(-ROWS // TURN)
    assert beside >= calls


def test_who_is_cancelled_in_the_midst_of_it_goes_on_to_the_end() -> None:
    found: dict[int, NDArray[np.uint8]] = {}

    async def story() -> None:
        backlog = Backlog(MonitorBank(HANDLES).judge)
        task = asyncio.create_task(backlog.judge(BATCHES[0], keeping(found, 0)))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not found
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    np.testing.assert_array_equal(found[0], at_once(MonitorBank(HANDLES), BATCHES[0]))


def test_what_needs_a_whole_state_waits_and_nobody_comes_in_before_it() -> None:
    order: list[str] = []

    async def story() -> None:
        backlog = Backlog(MonitorBank(HANDLES).judge)
        first = asyncio.create_task(backlog.judge(BATCHES[0], lambda _: order.append("first")))
        await asyncio.sleep(0)
        call = asyncio.create_task(backlog.between(lambda: order.append("snapshot")))
        await asyncio.sleep(0)
        second = backlog.judge(BATCHES[1], lambda _: order.append("second"))
        await asyncio.gather(first, call, second)

    asyncio.run(story())
    assert order == ["first", "snapshot", "second"]


@pytest.mark.parametrize("failing", ["judge", "conclude"])
def test_a_failure_is_raised_where_the_batch_came_from(failing: str) -> None:
    def fails(*_: object) -> NDArray[np.uint8]:
        raise ArithmeticError(failing)

    bank = MonitorBank(HANDLES)
    judge = {"judge": fails, "conclude": bank.judge}[failing]

    async def story() -> None:
        backlog = Backlog(judge)
        with pytest.raises(ArithmeticError):
            await backlog.judge(BATCHES[0], fails)

    asyncio.run(story())


def test_few_of_many_tags_are_not_long() -> None:
    assert not is_long(np.tile(np.arange(5_000, dtype=np.int32), TURN))
    assert is_long(BATCHES[0].tag)
