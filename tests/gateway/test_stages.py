"""Scaling, the last values, and the settings of a watch."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.config.plan import DetectionPlan
from gateway.stages.latest import Latest
from gateway.stages.scale import Scaling
from gateway.stages.watches import build_watch
from plant.quality import Status
from plant.samples import Batch, ContextEvent
from plant.tags import Tag, TagHandle

TAGS = [
    TagHandle(2, Tag(name="a/b/t", source="plc", address="", scale=0.1, offset=-40.0)),
    TagHandle(5, Tag(name="a/b/n", source="plc", address="")),
]


def batch(tag: list[int], value: list[float], status: list[int]) -> Batch:
    return Batch(
        source="plc",
        tag=np.array(tag, np.int32),
        at=np.arange(len(tag), dtype=np.int64),
        value=np.array(value, np.float64),
        status=np.array(status, np.uint32),
        upto=9,
        received=9,
        heard=9,
    )


def test_raw_becomes_engineering_and_an_unscaled_value_is_untouched() -> None:
    exact = 0.1 + 0.2
    scaled = Scaling(TAGS).apply(batch([2, 5], [655.0, exact], [0, 0]))
    np.testing.assert_allclose(scaled.value[0], 25.5)
    assert scaled.value[1] == exact


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_good_value_that_is_no_number_becomes_bad(value: float) -> None:
    scaled = Scaling(TAGS).apply(batch([2], [value], [0]))
    assert scaled.status.tolist() == [Status.BAD_OUT_OF_RANGE]


def test_the_status_of_the_source_is_kept_bit_by_bit() -> None:
    said = [0x40900000, 0x80050000, 0x00000001]
    scaled = Scaling(TAGS).apply(batch([2, 5, 5], [np.nan, np.nan, 1.0], said))
    assert scaled.status.tolist() == said


def test_a_number_that_grows_beyond_all_numbers_is_bad_whatever_its_source_said() -> None:
    large = [TagHandle(2, Tag(name="a/b/t", source="plc", address="", scale=1e10))]
    scaled = Scaling(large).apply(batch([2, 2], [1e308, 1e308], [0x40900000, 0x80050000]))
    assert scaled.status.tolist() == [Status.BAD_OUT_OF_RANGE, 0x80050000]
    assert np.isnan(scaled.value).all()


def latest(given: list[Batch]) -> Latest:
    held = Latest(6)
    for one in given:
        held.add(one, np.zeros(len(one), np.uint8))
    return held


def test_the_last_sample_of_a_batch_stands() -> None:
    held = latest([batch([2, 2, 5], [1.0, 2.0, 3.0], [0, 0, 0])])
    assert (held.value[2], held.value[5], held.at[2]) == (2.0, 3.0, 1)
    assert held.status[0] == Status.BAD_WAITING_FOR_INITIAL_DATA


def test_a_restart_keeps_values_and_texts_and_leaves_new_tags_waiting() -> None:
    said = Batch(
        "plc", *columns(batch([2], [1.5], [0])), 9, 9, 9, context=(ContextEvent(4, 7, "R-12"),)
    )
    held = latest([said])
    again = Latest(9)
    again.restore(held.state())
    assert again.value[2] == 1.5
    assert again.status[8] == Status.BAD_WAITING_FOR_INITIAL_DATA
    assert again.text == {4: ContextEvent(4, 7, "R-12")}


def columns(
    one: Batch,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]:
    return one.tag, one.at, one.value, one.status


@pytest.mark.parametrize(
    ("learn_s", "grid_s", "rows"), [(3600.0, 1.0, 3600), (600.0, 10.0, 60), (1.0, 1.0, 50)]
)
def test_learning_time_is_counted_in_rows_of_the_grid(
    learn_s: float, grid_s: float, rows: int
) -> None:
    watch = build_watch([TAGS[0].tag], DetectionPlan(learn_s=learn_s, grid_s=grid_s))
    assert watch.settings.learn_rows == rows


@pytest.mark.parametrize(("length", "status"), [(10_000, 0), (10_001, Status.BAD_OUT_OF_RANGE)])
def test_a_text_that_is_too_long_to_keep_becomes_bad(length: int, status: int) -> None:
    said = replace(batch([2], [1.0], [0]), context=(ContextEvent(4, 7, "x" * length),))
    (event,) = Scaling(TAGS).apply(said).context
    assert (event.status, len(event.text)) == (status, 0 if status else length)


def test_tags_that_are_planned_no_longer_are_left_alone() -> None:
    said = replace(batch([5, 6, 2], [1.0, 2.0, 3.0], [0, 0, 0]), context=(ContextEvent(7, 1, "x"),))
    held = latest([said])
    assert held.value[[2, 5]].tolist() == [3.0, 1.0]
    assert held.text == {}
