"""JSON answers that any browser can read, whatever is in them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.console.answers import encode, refuse

CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(), part, max_size=4),
    max_leaves=20,
)


@given(CONTENT)
def test_any_content_is_strict_ascii_json_on_one_line(content: object) -> None:
    def forbid(constant: str) -> None:
        raise AssertionError(constant)

    body = encode(content)

    json.loads(body, parse_constant=forbid)
    assert body.isascii()
    assert b"\n" not in body
    assert b"\r" not in body


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_number_that_is_not_finite_becomes_null_at_any_depth(value: float) -> None:
    content = {"rows": [{"value": value}, (1.5, value)]}

    assert json.loads(encode(content)) == {"rows": [{"value": None}, [1.5, None]]}


def test_finite_numbers_come_back_exactly() -> None:
    assert json.loads(encode([0.1, 1e-300, 2**53])) == [0.1, 1e-300, 2**53]


def test_refusal_is_one_sentence() -> None:
    response = refuse(404, "There is no alarm 9.")

    assert response.status_code == 404
    assert json.loads(bytes(response.body)) == {"error": "There is no alarm 9."}
