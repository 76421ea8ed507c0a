from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.lessons import Lesson

SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda pair: (pair[0], sum(pair))),
    max_size=12,
)


def taught(spans: list[tuple[int, int]]) -> Lesson:
    lesson = Lesson(125, 16)
    for span in spans:
        lesson.refused(*span)
    return lesson


@given(SPANS, st.integers(0, 60), st.integers(1, 40))
def test_whatever_contains_a_refused_span_is_not_asked(
    spans: list[tuple[int, int]], start: int, count: int
) -> None:
    end = start + count
    contains = any(start <= low and high <= end for low, high in spans)
    assert taught(spans).allows(start, end) is not contains


@given(SPANS, st.integers(0, 60), st.integers(1, 40))
def test_what_is_forgotten_is_asked_again(
    spans: list[tuple[int, int]], start: int, count: int
) -> None:
    lesson = taught(spans)
    lesson.forget(start, start + count)
    assert lesson.allows(start, start + count)


def test_a_span_that_was_too_long_is_readable_in_parts() -> None:
    lesson = taught([(0, 120), (200, 201)])
    lesson.limit(100)
    assert lesson.limited
    assert lesson.allows(0, 100)
    assert not lesson.allows(0, 101)
    assert not lesson.allows(150, 250)
