"""What the bench of the boards fills a store with is what a gateway sends."""

from pathlib import Path
from typing import Any

import pytest

from bench.boards import MINUTE, S, records, span_h, steps
from bench.firstview import EACH
from connectors.influx.points import Points
from plant.summaries import LENGTHS
from plant.tags import TagHandle
from tests.bench.test_firstview import START, plan_of


def test_every_record_makes_points_within_the_time_that_is_asked_for(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 2 * EACH)
    handles = [TagHandle(number, tag) for number, tag in enumerate(plan.tags)]
    points = Points(handles, "line-1", LENGTHS)
    made = [points.encode(piece) for piece in records(plan, 20, 1, START)]

    assert [one.refusals for one in made] == [[]] * len(made)
    lines: dict[str, list[str]] = {}
    for one in made:
        for name, written in one.lines.items():
            lines.setdefault(name, []).extend(written)
    assert {"signal_1m", "state", "gateway", "normal", "rate", "score", "alarm"} <= {*lines}
    assert len(lines["signal_1m"]) == 60 * 2 * EACH
    assert len(lines["state"]) == 60 * 2
    at = [int(line.rpartition(" ")[2]) for line in lines["signal_1m"] + lines["state"]]
    assert START - 61 * MINUTE < min(at) <= max(at) <= START + S


@pytest.mark.parametrize(("start", "hours"), [("now-8h", 8), ("now-7d", 168)])
def test_a_board_opens_for_so_many_hours(start: str, hours: int) -> None:
    board: Any = {"time": {"from": start}}
    assert span_h(board) == hours


def test_a_step_is_no_shorter_than_its_panel_allows() -> None:
    board: Any = {"panels": [{"title": "a", "interval": "5m"}, {"title": "b"}]}
    assert steps(board, 8) == {"a": 300, "b": 57}
