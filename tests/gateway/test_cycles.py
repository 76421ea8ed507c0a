"""Cycles are cut where the trigger or the number says, and spoilt where it was not seen whole."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.plan import CyclePlan
from gateway.stages.cycles import UNSEEN, CycleGatherer, CycleGroup, Ended
from plant.assets import asset_of
from plant.quality import Status
from plant.samples import Batch, ContextEvent
from plant.tags import Role, Tag, TagHandle, ValueType

SECOND = 1_000_000_000
PRESS = "s/a/l/press"
ROLES = {
    "force": Role.SIGNAL,
    "oil": Role.SIGNAL,
    "trigger": Role.TRIGGER,
    "part": Role.PART,
    "mode": Role.MODE,
}
FORCE, OIL, TRIGGER, PART, MODE = range(5)
Said = tuple[float, int, float | None]
"""Seconds, tag, value; None = not Good."""


def handles(*names: str, text: bool = False, second: str = "plc") -> list[TagHandle]:
    kind = ValueType.TEXT if text else None
    return [
        TagHandle(
            list(ROLES).index(name),
            Tag(
                name=f"{PRESS}/{name}",
                source=second if name == "oil" else "plc",
                address="",
                role=ROLES[name],
                type=kind if name == "part" else None,
            ),
        )
        for name in names
    ]


def group(
    *names: str, plan: CyclePlan | None = None, text: bool = False, second: str = "plc"
) -> CycleGroup:
    own = handles(*names, text=text, second=second)
    asset = asset_of(PRESS, [handle.tag for handle in own])
    gatherer = CycleGatherer(asset, {h.tag.name: h for h in own}, plan or CyclePlan())
    return CycleGroup([gatherer], dict.fromkeys({"plc", second}, 5 * SECOND))


def batch(said: list[Said], upto: float, source: str = "plc", text: str = "") -> Batch:
    said = sorted(said)
    return Batch(
        source=source,
        tag=np.array([tag for _, tag, _ in said], np.int32),
        at=np.array([round(at * SECOND) for at, _, _ in said], np.int64),
        value=np.array([np.nan if v is None else v for _, _, v in said], np.float64),
        status=np.array(
            [Status.BAD_SENSOR_FAILURE if v is None else 0 for _, _, v in said], np.uint32
        ),
        upto=round(upto * SECOND),
        received=round(upto * SECOND),
        heard=0,
        replayed=True,
        context=(ContextEvent(PART, round(said[0][0] * SECOND), text),) if text else (),
    )


STROKES: list[Said] = [
    (0.0, FORCE, 1.0),
    (0.0, OIL, 9.0),
    (0.0, TRIGGER, 0),
    (0.0, PART, 7),
    (0.0, MODE, 1),
    (1.0, TRIGGER, 1),
    (1.5, FORCE, 4.0),
    (2.0, FORCE, 2.0),
    (2.0, TRIGGER, 0),
    (2.5, PART, 8),
    (3.0, TRIGGER, 1),
    (3.2, OIL, 5.0),
    (4.0, TRIGGER, 0),
]


def spans(ended: list[Ended]) -> list[tuple[str, float, float, str]]:
    return [(e.number, e.cycle.start / SECOND, e.cycle.stop / SECOND, e.why) for e in ended]


def test_a_trigger_opens_at_1_and_closes_at_0() -> None:
    ended = group(*ROLES).take(batch(STROKES, 5.0))
    assert spans(ended) == [("7", 1.0, 2.0, ""), ("8", 3.0, 4.0, "")]
    first, second = (one.cycle for one in ended)
    assert (first.held.tolist(), first.value.tolist()) == ([1.0, 9.0], [4.0])
    assert (second.held.tolist(), second.value.tolist()) == ([2.0, 9.0], [5.0])
    assert {one.mode for one in ended} == {1}


def test_a_cycle_is_given_out_with_the_data_of_its_end_and_not_later() -> None:
    gathered = group(*ROLES)
    assert gathered.take(batch(STROKES[:-5], 1.9)) == []
    assert [e.number for e in gathered.take(batch([(2.0, TRIGGER, 0)], 2.0))] == ["7"]


@given(st.lists(st.integers(0, 45).map(lambda tenth: tenth / 10), max_size=6))
def test_it_does_not_matter_how_the_samples_are_delivered(cuts: list[float]) -> None:
    whole = group(*ROLES).take(batch(STROKES, 5.0))
    gathered, before, ended = group(*ROLES), -1.0, []
    for cut in [*sorted(cuts), 5.0]:
        piece = [one for one in STROKES if before < one[0] <= cut]
        ended += gathered.take(batch(piece, cut))
        before = cut
    assert spans(ended) == spans(whole)
    for one, other in zip(ended, whole, strict=True):
        np.testing.assert_array_equal(one.cycle.value, other.cycle.value)
        np.testing.assert_array_equal(one.cycle.held, other.cycle.held)


@given(st.integers(0, 50).map(lambda tenth: tenth / 10))
def test_a_state_taken_at_any_moment_goes_on_as_if_never_stopped(cut: float) -> None:
    whole = group(*ROLES).take(batch(STROKES, 5.0))
    one, other = group(*ROLES), group(*ROLES)
    ended = one.take(batch([each for each in STROKES if each[0] <= cut], cut))
    other.restore(one.state())
    other.gatherers[0].restore(one.gatherers[0].state())
    ended += other.take(batch([each for each in STROKES if each[0] > cut], 5.0))
    assert spans(ended) == spans(whole)


def test_each_rise_ends_one_part_and_begins_the_next() -> None:
    gathered = group(*ROLES, plan=CyclePlan(by="rising"))
    ended = gathered.take(batch([*STROKES, (5.0, TRIGGER, 1)], 6.0))
    assert spans(ended) == [("8", 1.0, 3.0, ""), ("8", 3.0, 5.0, "")]


def test_each_number_is_a_part_and_the_first_one_was_not_seen_whole() -> None:
    gathered = group("force", "part")
    said = [(float(k), PART, k + 10) for k in range(4)] + [(0.0, FORCE, 1.0)]
    assert spans(gathered.take(batch(said, 4.0))) == [
        ("10", 0.0, 1.0, UNSEEN),
        ("11", 1.0, 2.0, ""),
        ("12", 2.0, 3.0, ""),
    ]


def test_a_number_may_be_a_text() -> None:
    gathered = group("force", "trigger", "part", text=True)
    gathered.take(batch([(0.5, TRIGGER, 0), (0.5, FORCE, 1.0)], 0.5, text="A-17/3"))
    assert spans(gathered.take(batch([(1.0, TRIGGER, 1), (2.0, TRIGGER, 0)], 2.0))) == [
        ("A-17/3", 1.0, 2.0, "")
    ]


def test_a_trigger_that_is_already_up_at_the_start_hides_a_beginning() -> None:
    said = [one for one in STROKES if one[0] >= 1.0 or one[1] != TRIGGER]
    first, second = group(*ROLES).take(batch(said, 5.0))
    assert (first.why, second.why) == (UNSEEN, "")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ((1.4, TRIGGER, None), "its trigger was not Good all the time"),
        ((1.4, MODE, 2), "its operating mode changed or was not Good"),
        ((1.4, MODE, None), "its operating mode changed or was not Good"),
    ],
)
def test_what_was_not_seen_whole_is_told_and_the_next_part_is_whole(more: Said, why: str) -> None:
    back = (1.6, more[1], 1.0)
    first, second = group(*ROLES).take(batch([*STROKES, more, back], 5.0))
    assert (first.why, second.why) == (why, "")


def test_a_signal_that_is_not_good_within_is_in_the_cycle_as_such() -> None:
    first, _ = group(*ROLES).take(batch([*STROKES, (1.7, OIL, None)], 5.0))
    assert first.why == ""
    assert np.isnan(first.cycle.value[first.cycle.column == 1]).all()


def test_a_number_that_is_not_good_is_not_told_as_the_last_one() -> None:
    first, second = group(*ROLES).take(batch([*STROKES, (2.7, PART, None)], 5.0))
    assert (first.number, second.number) == ("7", "")


def test_a_lost_trigger_is_told_once_and_never_one_giant_part() -> None:
    gathered = group(*ROLES, plan=CyclePlan(longest_s=2.5))
    said = STROKES[:8]
    ended = gathered.take(batch(said, 3.0))
    ended += gathered.take(batch([(4.0, FORCE, 3.0)], 4.0))
    ended += gathered.take(batch([(9.0, PART, 8), (9.0, FORCE, 3.0)], 9.0))
    assert spans(ended) == [("7", 1.0, 3.5, "longer than 2.5 s: its end was not seen")]
    again = [(10.0, TRIGGER, 0), (11.0, TRIGGER, 1), (12.0, TRIGGER, 0)]
    gathered.take(batch([], 10.0))
    assert spans(gathered.take(batch(again, 12.0))) == [("8", 11.0, 12.0, "")]


def test_one_that_is_too_short_is_told() -> None:
    (first, _) = group(*ROLES, plan=CyclePlan(shortest_s=1.5)).take(batch(STROKES, 5.0))
    assert first.why == "1 s long: shorter than a part takes"


def test_a_connection_that_is_new_amid_a_part_spoils_it() -> None:
    gathered = group(*ROLES)
    gathered.take(batch(STROKES[:7], 1.7))
    gathered.reconnected("plc")
    rest = [(1.8, TRIGGER, 1), (1.8, FORCE, 2.0), (1.8, OIL, 9.0), (1.8, PART, 7), (1.8, MODE, 1)]
    first, second = gathered.take(batch([*rest, *STROKES[8:]], 5.0))
    assert first.why == "plc was connected anew amid it"
    assert second.why == ""


def test_another_part_in_work_after_a_loss_is_not_taken_for_the_same() -> None:
    gathered = group(*ROLES)
    gathered.take(batch(STROKES[:7], 1.7))
    gathered.reconnected("plc")
    rest = [(3.5, TRIGGER, 1), (3.5, FORCE, 2.0), (3.5, OIL, 9.0), (3.5, PART, 8), (3.5, MODE, 1)]
    ended = gathered.take(batch([*rest, (4.0, TRIGGER, 0)], 5.0))
    assert spans(ended) == [
        ("7", 1.0, 3.5, "plc was connected anew amid it"),
        ("8", 3.5, 4.0, UNSEEN),
    ]


def test_a_silence_within_a_part_spoils_it() -> None:
    gathered = group(*ROLES)
    gathered.take(batch(STROKES[:7], 1.7))
    (first,) = gathered.take(batch([(20.0, TRIGGER, 0)], 20.0))
    assert first.why == "its trigger was not Good all the time"


def test_it_waits_for_the_slower_source() -> None:
    gathered = group(*ROLES, second="lims")
    fast = [one for one in STROKES if one[1] != OIL]
    slow = [one for one in STROKES if one[1] == OIL]
    assert gathered.take(batch(fast, 5.0)) == []
    first, second = gathered.take(batch(slow, 5.0, "lims"))
    assert (first.cycle.held.tolist(), second.cycle.value.tolist()) == ([1.0, 9.0], [5.0])


def test_more_samples_than_can_be_kept_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.stages.cycles.MOST_SAMPLES", 3)
    many = [(1.0 + k / 10, OIL, 1.0 * k) for k in range(1, 8)]
    first, second = group(*ROLES).take(batch([*STROKES, *many], 5.0))
    assert (first.why, second.why) == ("more than 3 samples", "")
    assert second.cycle.held[1] == 7.0


def test_tags_of_nobody_are_left_alone() -> None:
    other = batch([(1.2, FORCE, 8.0)], 1.2)
    strange = replace(other, tag=np.array([99], np.int32))
    assert group(*ROLES).take(strange) == []
