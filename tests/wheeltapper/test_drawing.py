"""Lines and ticks of the pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheeltapper.evaluation.drawing import Drawing, Path, Rect, Text, envelope, steps
from wheeltapper.evaluation.svg import svg


@given(st.integers(1, 3000), st.integers(4, 400), st.integers(0, 99))
def test_thinning_keeps_every_peak(rows: int, most: int, seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=rows)
    thin = envelope(np.arange(float(rows)), y, most)
    assert len(thin) <= max(most, 2)
    assert (thin[:, 1].max(), thin[:, 1].min()) == (y.max(), y.min())
    assert (np.diff(thin[:, 0]) > 0).all()


def test_thinning_keeps_gaps() -> None:
    y = np.ones(1000)
    y[400:600] = np.nan
    assert np.isnan(envelope(np.arange(1000.0), y, 100)[:, 1]).any()


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
def test_ticks_lie_within_and_are_few(low: float, span: float, most: int) -> None:
    ticks = steps(low, low + span, most)
    assert 1 <= len(ticks) <= most
    assert all(low - 1e-6 * span - 1e-9 <= tick <= low + span * 1.001 + 1e-9 for tick in ticks)


@pytest.mark.parametrize("high", [1.0, float("nan"), float("inf")])
def test_nothing_to_span_has_one_tick(high: float) -> None:
    assert steps(1.0, high, 4) == [1.0]


def test_svg_escapes_and_lifts_the_pen() -> None:
    sheet = Drawing(10, 10, 'a "title" <&>')
    points = np.array([[0, 1], [1, np.nan], [2, 3], [3, 4.0]])
    sheet.add(Path(points, "score"), Text(1, 2, "<b>"), Rect(0, 0, 1, 1, "panel", "5 < 6"))
    drawn = svg(sheet)
    assert 'd="M0.0 1.0M2.0 3.0L3.0 4.0"' in drawn
    assert "&lt;b&gt;" in drawn
    assert "<title>5 &lt; 6</title>" in drawn
    assert 'aria-label="a &quot;title&quot; &lt;&amp;&gt;"' in drawn
