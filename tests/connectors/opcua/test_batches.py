import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError
from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua.batches import Batcher
from connectors.opcua.decode import Published, Text
from connectors.opcua.limits import Allowance, in_calls
from connectors.opcua.nodes import Refused
from connectors.opcua.subscription import TEXT
from plant.errors import Rejected
from plant.tags import Tag, TagHandle

TAGS = np.array([30, 10, 20], np.int32)


def said(
    rows: Sequence[tuple[int, int, float]], published: int, texts: Sequence[Text] = ()
) -> Published:
    handle, at, value = zip(*rows, strict=True) if rows else ((), (), ())
    return Published(
        service=0,
        subscription=7,
        sequence=1,
        keep_alive=not rows,
        more=False,
        published=published,
        handle=np.array(handle, np.uint32),
        at=np.array(at, np.int64),
        value=np.array(value, np.float64),
        status=np.zeros(len(rows), np.uint32),
        served=np.array(at, np.int64) + 7,
        texts=tuple(texts),
        ended=None,
        refused=0,
    )


def batcher(**more: Any) -> Batcher:
    return Batcher(**{"source": "plc", "tags": TAGS, "numeric": frozenset(), "refused": (), **more})


def test_client_handles_become_tag_handles() -> None:
    batch = batcher().batch([said([(30, 5, 1.0), (20 + TEXT, 6, 2.0)], 9)], received=1, heard=2)
    assert batch.tag.tolist() == [30, 20]
    assert (batch.upto, batch.received, batch.heard) == (9, 1, 2)


@pytest.mark.parametrize("handle", [0, 3, 29, 31, 1000, 2**31 - 1, 2**31, 2**32 - 1])
def test_an_unknown_client_handle_is_rejected(handle: int) -> None:
    with pytest.raises(Rejected, match=f"client handle {handle}, which was never given out"):
        batcher().batch([said([(30, 4, 1.0), (handle, 5, 1.0)], 9)], 1, 2)
    with pytest.raises(Rejected, match=f"client handle {handle}"):
        batcher().batch([said([], 9, [Text(handle, 1, "x", 0)])], 1, 2)


@given(
    st.lists(
        st.tuples(st.sampled_from(TAGS.tolist()), st.integers(0, 9), st.just(1.0)), max_size=20
    )
)
def test_every_tag_stands_in_time_order(rows: list[tuple[int, int, float]]) -> None:
    batch = batcher().batch([said(rows, 5)], 1, 2)
    assert sorted(zip(batch.tag.tolist(), batch.at.tolist(), strict=True)) == sorted(
        (handle, at) for handle, at, _ in rows
    )
    ordered = [np.diff(batch.at[batch.tag == tag]) for tag in TAGS]
    assert all((steps >= 0).all() for steps in ordered)


def test_the_watermark_covers_the_newest_and_keeps_still_over_jitter() -> None:
    ours = batcher()
    assert ours.batch([said([(30, 50, 1.0)], 9)], 1, 2).upto == 50
    assert ours.batch([said([], 20)], 1, 2).upto == 50
    assert ours.batch([said([], 60, [Text(30, 70, "x", 0)])], 1, 2).upto == 70


def test_one_device_with_a_clock_far_ahead_does_not_move_the_watermark() -> None:
    hour = 3600 * 10**9
    ours = batcher()
    batch = ours.batch([said([(30, 9 * hour, 1.0), (10, 40, 2.0)], 50)], 1, 2)
    assert (batch.at.tolist(), batch.upto) == ([9 * hour, 40], 50)
    assert ours.batch([said([], 60, [Text(30, 9 * hour, "x", 0)])], 1, 2).upto == 60


def test_the_watermark_follows_a_server_clock_that_is_set_back() -> None:
    hour = 3600 * 10**9
    ours = batcher()
    assert ours.batch([said([], 3 * hour)], 1, 2).upto == 3 * hour
    assert ours.batch([said([(30, 2 * hour + 1, 1.0)], 2 * hour)], 1, 2).upto == 2 * hour + 1


def test_batches_differ_in_the_moment_they_were_heard() -> None:
    ours = batcher()
    assert ours.batch([said([], 1)], 1, 2).heard < ours.batch([said([], 1)], 1, 2).heard


def test_messages_that_belong_together_are_joined() -> None:
    parts = [said([(30, 5, 1.0)], 6), said([(30, 3, 2.0), (10, 4, 3.0)], 8)]
    batch = batcher().batch(parts, 1, 2)
    assert batch.tag.tolist() == [30, 10, 30]
    assert batch.at.tolist() == [3, 4, 5]
    assert batch.upto == 8


def test_refused_tags_are_told_once() -> None:
    tag = TagHandle(40, Tag(name="a/b", source="plc", address="nsu=u;s=b"))
    ours = batcher(refused=(Refused(tag, 0x80340000),))
    first = ours.batch([said([(30, 5, 1.0)], 9)], 1, 2)
    assert first.tag.tolist() == [40, 30]
    assert first.status.tolist() == [0x80340000, 0]
    assert first.at.tolist() == [9, 5]
    assert len(ours.batch([said([], 10)], 1, 2)) == 0


def test_text_of_a_number_tag_is_a_bad_sample() -> None:
    ours = batcher(numeric=frozenset({10}))
    batch = ours.batch([said([], 9, [Text(30, 1, "x", 0), Text(10, 2, "y", 0)])], 1, 2)
    assert [(event.tag, event.text) for event in batch.context] == [(30, "x")]
    assert (batch.tag.tolist(), batch.status.tolist()) == ([10], [0x80740000])


def test_calls_are_halved_until_the_server_takes_them() -> None:
    sizes: list[int] = []

    async def call(part: list[int]) -> list[int]:
        sizes.append(len(part))
        if len(part) > 3:
            raise UaStatusCodeError(StatusCodes.BadTooManyOperations)
        return [one * 2 for one in part]

    answers = asyncio.run(in_calls(call, list(range(10)), 8))
    assert answers == [2 * one for one in range(10)]
    assert sizes == [8, 4, 2, 2, 2, 2, 2]


def test_what_was_learnt_of_a_service_is_remembered() -> None:
    sizes: list[int] = []
    allowance = Allowance(500)

    async def call(part: list[int]) -> list[int]:
        sizes.append(len(part))
        if len(part) > 300:
            raise UaStatusCodeError(StatusCodes.BadRequestTooLarge)
        return part

    for _ in range(2):
        asyncio.run(in_calls(call, list(range(400)), allowance))
    assert sizes == [400, 200, 200, 200, 200]


@pytest.mark.parametrize("code", [StatusCodes.BadTooManyOperations, StatusCodes.BadInternalError])
def test_a_call_that_fails_for_one_fails(code: int) -> None:
    async def call(part: list[int]) -> list[int]:
        raise UaStatusCodeError(code)

    with pytest.raises(UaStatusCodeError):
        asyncio.run(in_calls(call, [1], 8))


def test_too_few_answers_are_an_error() -> None:
    async def call(part: list[int]) -> list[int]:
        return part[1:]

    with pytest.raises(ua.UaError, match="2 answers to 3 questions"):
        asyncio.run(in_calls(call, [1, 2, 3], 8))
