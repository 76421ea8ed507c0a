"""The words everybody uses: batches refuse what does not fit, quality follows the standard."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.alarms import AlarmAction, AlarmState, next_state
from plant.assets import asset_of
from plant.errors import Exhausted, Misconfigured, PlantError, Rejected, Unreachable
from plant.quality import Quality, Status, is_good, quality, status_name
from plant.reasons import Contribution, Reason, Trend, sentence
from plant.samples import Batch, empty_columns, uniform_batch
from plant.tags import TAG_NAME, Role, Tag


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1))
def test_quality_is_the_severity_of_the_status_and_only_good_is_good(codes: list[int]) -> None:
    status = np.array(codes, np.uint32)
    expected = [min(code >> 30, 2) for code in codes]
    assert quality(status).tolist() == expected
    assert is_good(status).tolist() == [one == Quality.GOOD for one in expected]


def test_a_status_is_named_as_the_standard_names_it() -> None:
    assert status_name(Status.UNCERTAIN_LAST_USABLE_VALUE) == "UncertainLastUsableValue"
    assert status_name(0xC0FF0000) == "Bad (0xC0FF0000)"


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("tag", np.zeros(2, np.int64)),
        ("at", np.zeros(3, np.int64)),
        ("value", np.zeros(2, np.float32)),
        ("status", np.zeros((2, 1), np.uint32)),
    ],
)
def test_a_batch_refuses_a_column_that_does_not_fit(column: str, wrong: np.ndarray) -> None:
    fitting = uniform_batch("plc", [1, 2], Status.GOOD, at=5, received=6, heard=7)
    with pytest.raises(Rejected, match=f"batch of plc: column {column} is"):
        replace(fitting, **{column: wrong})


def test_a_lost_link_is_bad_on_every_tag_and_says_until_when() -> None:
    lost = uniform_batch("plc", [4, 9], Status.BAD_NO_COMMUNICATION, at=5, received=6, heard=7)
    assert (lost.tag.tolist(), lost.upto, lost.stamped) == ([4, 9], 5, True)
    assert np.isnan(lost.value).all()
    assert not is_good(lost.status).any()


def test_an_empty_batch_is_a_batch() -> None:
    assert len(Batch("plc", *empty_columns(), upto=1, received=1, heard=1)) == 0


def test_an_asset_gathers_its_tags_by_their_roles_and_nobody_elses() -> None:
    roles = (Role.SIGNAL, Role.MODE, Role.PART, Role.TRIGGER, Role.CONTEXT)
    own = [Tag(name=f"s/a/l/m/{r}", source="plc", address="", role=r) for r in roles]
    other = Tag(name="s/a/l/m/deeper/x", source="plc", address="")
    asset = asset_of("s/a/l/m", [*own, other])
    assert asset.signals == ("s/a/l/m/signal",)
    assert (asset.mode, asset.part, asset.trigger) == (
        "s/a/l/m/mode",
        "s/a/l/m/part",
        "s/a/l/m/trigger",
    )
    assert asset.name == "m"


def test_a_mode_goes_by_the_plants_word_or_by_its_number() -> None:
    asset = asset_of("s/a/l/m", [], ((0, "idle"), (1, "run")))
    assert [asset.mode_name(mode) for mode in (1, 7)] == ["run", "mode 7"]


def test_a_small_share_of_a_signal_in_its_band_is_not_told() -> None:
    first, other = (
        part(actual=12.4, share=0.93),
        part(signal="s/a/l/p/flow", share=0.04, actual=3.9),
    )
    assert sentence("s/a/l/p", Reason(5.0, 3.0, (first, other))).endswith("normal; 93 %")
    moving = replace(other, trend=Trend.RISING)
    assert "flow rising" in sentence("s/a/l/p", Reason(5.0, 3.0, (first, moving)))


@pytest.mark.parametrize("name", ["", "a b", "a/ü", "x" * 129, "a\nb", 'a"b'])
def test_names_that_a_store_could_misread_are_no_tag_names(name: str) -> None:
    assert TAG_NAME.match(name) is None


@pytest.mark.parametrize("kind", [Unreachable, Misconfigured, Rejected, Exhausted])
def test_every_error_word_has_one_root(kind: type[Exception]) -> None:
    assert issubclass(kind, PlantError)


@given(st.lists(st.sampled_from(list(AlarmAction))))
def test_no_sequence_of_actions_leaves_the_states_of_the_standard(
    actions: list[AlarmAction],
) -> None:
    state = AlarmState.NORMAL
    for action in actions:
        state = next_state(state, action)
    assert state in AlarmState


def part(**changes: object) -> Contribution:
    usual = Contribution("s/a/l/p/seal_pressure", 0.9, 3.0, 4.0, 3.8, 4.2, "bar", 0, Trend.STEADY)
    return replace(usual, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (part(actual=12.4), "seal pressure 3.1× its normal"),
        (part(actual=1.0), "seal pressure 0.25× its normal"),
        (part(trend=Trend.FALLING), "seal pressure falling"),
        (part(), "seal pressure 3 bar, expected 4 bar"),
        (part(unit="Cel"), "seal pressure 3 °C, expected 4 °C"),
        (part(actual=-5.0), "seal pressure -5 bar, expected 4 bar"),
        (part(expected=0.0, low=-0.1, high=0.1, unit=""), "seal pressure 3, expected 0"),
    ],
)
def test_the_sentence_says_what_a_technician_can_check(told: Contribution, text: str) -> None:
    assert sentence("s/a/l/p", Reason(5.0, 3.0, (told,))) == f"p: {text}; 90 %"
