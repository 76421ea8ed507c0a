from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua.plain import plain


@given(st.text(st.characters()), st.integers(2, 50))
def test_whatever_a_stranger_writes_is_short_and_prints(text: str, longest: int) -> None:
    shown = plain(text, longest)
    assert shown.isprintable()
    assert len(shown) <= longest


@given(st.text("abc äß€=,.:/ -", max_size=50))
def test_what_prints_stays_as_it_is(text: str) -> None:
    assert plain(text, 50) == text
