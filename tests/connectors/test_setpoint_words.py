"""Setpoints in counts: what fits exactly goes, what does not is refused with what would."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.setpoint_words import (
    ANSWER_WORDS,
    CLOCK,
    REQUEST_WORDS,
    SUMMED,
    BlockAnswer,
    counts_of,
    crc,
    deadline_ms,
    engineering,
    left_s,
    raw_of,
    request_words,
    signed,
    unsigned,
)
from plant.errors import Rejected
from plant.setpoints import Setpoint
from plant.tags import Tag

WORDS, NUMBERS = st.integers(0, 65535), st.integers(-(2**31), 2**31 - 1)
NOW = 1_700_000_000_000_000_000


def tag(scale: float = 0.1, offset: float = 0.0) -> Tag:
    return Tag(name="a/sp", source="plc", address="", unit="bar", scale=scale, offset=offset)


def asked(value: float, unit: str = "bar", deadline: int = NOW + 10**10) -> Setpoint:
    return Setpoint("a/sp", value, unit, deadline, 1)


@given(
    st.integers(-(10**9), 10**9),
    st.sampled_from([1.0, 0.1, 0.01, 0.001, 2.5, 1 / 3, 1e-4]),
    st.sampled_from([0.0, -40.0, 273.15]),
)
def test_every_count_comes_back(count: int, scale: float, offset: float) -> None:
    own = tag(scale, offset)
    assert counts_of(own, asked(engineering(own, count))) == count


@given(st.integers(-(10**6), 10**6), st.floats(0.01, 0.99))
def test_nothing_between_two_counts_is_rounded(count: int, between: float) -> None:
    with pytest.raises(Rejected, match=r"in steps of 0\.1 bar"):
        counts_of(tag(), asked(0.1 * (count + between)))


def test_a_refusal_names_what_would_fit() -> None:
    with pytest.raises(Rejected, match=r"steps of 0\.5 bar: ask for 10 or 10\.5$"):
        raw_of(tag(0.5), asked(10.3), whole=True)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, 2e8])
def test_no_number_or_too_great_a_one_is_refused(value: float) -> None:
    with pytest.raises(Rejected):
        counts_of(tag(), asked(value))


@pytest.mark.parametrize("unit", ["", "mbar", "Bar"])
def test_another_unit_is_refused(unit: str) -> None:
    with pytest.raises(Rejected, match="is set in 'bar'"):
        raw_of(tag(), asked(10.0, unit), whole=False)


@pytest.mark.parametrize(
    ("ahead_s", "patience_s", "left"), [(10.0, 3.0, 2.7), (1.0, 3.0, 1.0), (0.001, 3.0, 0.001)]
)
def test_a_block_may_take_it_for_less_than_the_caller_waits(
    ahead_s: float, patience_s: float, left: float
) -> None:
    setpoint = asked(1.0, deadline=NOW + int(ahead_s * 1e9))
    assert left_s(setpoint, NOW, patience_s) == pytest.approx(left)


@pytest.mark.parametrize(("ahead_s", "patience_s"), [(0.0, 3.0), (-1.0, 3.0), (10.0, -0.1)])
def test_what_is_over_is_refused(ahead_s: float, patience_s: float) -> None:
    with pytest.raises(Rejected, match="deadline is over"):
        left_s(asked(1.0, deadline=NOW + int(ahead_s * 1e9)), NOW, patience_s)


@given(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(1, 65535),
    st.integers(0, CLOCK - 1),
    st.floats(0.001, 10.0),
)
def test_a_request_says_what_was_meant(value: int, sequence: int, clock: int, left: float) -> None:
    deadline = deadline_ms(clock, left)
    words = request_words(value, sequence, deadline, clock)
    assert len(words) == REQUEST_WORDS
    assert all(0 <= word <= 0xFFFF for word in words)
    assert signed(*words[:2]) == value
    assert words[2] == sequence
    assert 0 <= (unsigned(*words[3:5]) - clock) % CLOCK <= 1000 * left
    assert words[5] == crc(words[:SUMMED])
    assert (unsigned(*words[6:8]), words[8]) == (clock, 1)


@given(
    st.builds(
        BlockAnswer,
        accepted=WORDS,
        code=WORDS,
        active=NUMBERS,
        state=st.integers(0, 3),
        clock=st.integers(0, CLOCK - 1),
        seen=WORDS,
        target=NUMBERS,
    )
)
def test_an_answer_comes_back(answer: BlockAnswer) -> None:
    assert len(answer.words()) == ANSWER_WORDS
    assert BlockAnswer.of(answer.words()) == answer
