import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.grid import PUNCTUAL, Grid


@pytest.mark.parametrize(
    ("story", "nows", "points"),
    [
        ("in time", [0.0, 0.3, 1.9, 2.1], [0.0, 1.0, 2.0, 3.0]),
        ("a little late", [0.0, 1.05, 2.09], [0.0, 1.0, 2.0]),
        ("late: points are left out", [0.0, 3.5, 3.6], [0.0, 4.0, 5.0]),
        ("very late: no burst", [0.0, 100.0, 100.0, 100.0], [0.0, 100.0, 101.0, 102.0]),
    ],
)
def test_points(story: str, nows: list[float], points: list[float]) -> None:
    grid = Grid(0.0, 1.0)
    assert [grid.take(now) for now in nows] == points, story


@given(st.lists(st.floats(0, 1e6), max_size=50).map(sorted), st.floats(0.01, 3600))
def test_no_point_is_used_twice_or_long_past(nows: list[float], period: float) -> None:
    grid, last = Grid(0.0, period), -1.0
    for now in nows:
        point = grid.take(now)
        assert point > last
        assert point >= now - (PUNCTUAL + 1e-6) * period
        last = point
