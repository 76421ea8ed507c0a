"""What the wire holds, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.simulated.encoding import Encoding
from plant.tags import Tag, ValueType


def tag(kind: ValueType | None, scale: float = 1.0, offset: float = 0.0) -> Tag:
    return Tag(name="a/b", source="s", address="x", type=kind, scale=scale, offset=offset)


@pytest.mark.parametrize(
    ("kind", "value", "raw"),
    [
        (ValueType.INT16, 40_000.0, 32767.0),
        (ValueType.INT16, -40_000.0, -32768.0),
        (ValueType.UINT16, -3.0, 0.0),
        (ValueType.UINT16, 2.6, 3.0),
        (ValueType.BOOL, 7.0, 1.0),
        (ValueType.UINT32, 5e9, 2.0**32 - 1),
        (ValueType.FLOAT32, 0.1, float(np.float32(0.1))),
        (ValueType.FLOAT64, 0.1, 0.1),
        (None, 0.1, 0.1),
    ],
)
def test_raw_is_what_the_type_can_hold(kind: ValueType | None, value: float, raw: float) -> None:
    assert Encoding([tag(kind)]).raw(np.array([[value]])).tolist() == [[raw]]


@given(st.floats(-3000, 3000), st.sampled_from([0.1, 0.05, 0.02, 0.5]), st.integers(-40, 40))
def test_a_scaled_value_comes_back_within_half_a_step(
    value: float, scale: float, offset: int
) -> None:
    encoding = Encoding([tag(ValueType.INT32, scale, offset)])
    back = encoding.engineering(np.array([[value]]))
    assert abs(back[0, 0] - value) <= scale / 2 * (1 + 1e-9)
    np.testing.assert_array_equal(encoding.engineering(back), back)


def test_no_value_stays_none() -> None:
    kinds = [tag(ValueType.INT16), tag(ValueType.FLOAT32), tag(None)]
    assert np.isnan(Encoding(kinds).raw(np.full((2, 3), np.nan))).all()


def test_no_columns_are_no_columns() -> None:
    assert Encoding([]).raw(np.empty((3, 0))).shape == (3, 0)
