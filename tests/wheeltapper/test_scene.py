"""What the demo's gateway may know, and how its finding is judged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.simulated.signals import MODBUS, OPCUA
from wheeltapper.scene import RecordedScene, SimulatedScene, plan_of, simulated_line

TRUTH = {"asset": "l/pump-2", "onset": 1000.0}

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("alarm", "truth", "right"),
    [
        ({"asset": "l/pump-2", "raised": 1500.0}, TRUTH, True),
        ({"asset": "l/pump-1", "raised": 1500.0}, TRUTH, False),
        ({"asset": "l/pump-2", "raised": 500.0}, TRUTH, False),
        ({"asset": "l/pump-2", "raised": 1500.0}, None, False),
        (None, TRUTH, False),
        (None, None, True),
    ],
)
def test_alarm_is_right_only_on_the_sick_machine_after_onset(
    alarm: dict[str, Any] | None, truth: dict[str, Any] | None, right: bool
) -> None:
    assert SimulatedScene(1, "none", 0.1).as_meant(alarm, truth) is right


def test_gateway_knows_nothing_of_the_fault() -> None:
    scene = SimulatedScene(8, "random", 0.1)
    assert scene.feed.fault is None
    told = " ".join(scene.arguments())
    fault = simulated_line(8, "random", scene.feed.start, scene.past_s).fault
    assert fault is not None
    assert fault.kind not in told


def test_plan_reads_both_servers_and_watches_every_machine(tmp_path: Path) -> None:
    plan = plan_of(
        SimulatedScene(1, "none", 0.1), {"opcua": 48400, "modbus": 50200}, data=tmp_path, port=0
    )
    assert [source.name for source in plan.sources] == [OPCUA, MODBUS]
    assert [asset.name for asset in plan.assets] == ["pump-1", "pump-2", "press-1"]
    assert plan.simulated
    assert plan.sources[0].security == "none"


def test_labels_of_a_recording_are_never_served(tmp_path: Path) -> None:
    path = tmp_path / "pump.csv"
    rows = "".join(f"2024-03-01T00:00:{second:02}Z,{second},0\n" for second in range(60))
    path.write_text(f"time,flow,anomaly\n{rows}", encoding="utf-8")
    scene = RecordedScene(path, ("anomaly",))
    assert [tag.signal for tag in scene.feed.tags] == ["flow"]
    assert "--labels=anomaly" in scene.arguments()
    plan = plan_of(scene, {"opcua": 48400, "modbus": None}, data=tmp_path, port=0)
    assert [source.name for source in plan.sources] == [OPCUA]


@pytest.mark.parametrize("name", ["demo", "simulate"])
def test_fault_that_does_not_exist(command: Command, name: str) -> None:
    ended = command(name, "--fault", "gremlins")
    assert (ended.code, ended.out) == (2, "")
    assert "gremlins" in ended.err
