"""What a walk is made of; the walk itself takes twelve minutes and judges itself (`make walk`)."""

from pathlib import Path

import numpy as np
import pytest

from connectors.replay.recording import read_recording
from gateway.config.loader import load
from plant.errors import Rejected, Unreachable
from tests.wheeltapper.conftest import Command
from wheeltapper.walks.machine import PUMP, configuration, pump_rows, write_recording
from wheeltapper.walks.stage import Stage

START = 1_790_000_000 * 10**9


def test_the_overhaul_changes_the_pump_from_its_hour_on() -> None:
    tags, changed = pump_rows(4, START, 6, 2.0)
    _, usual = pump_rows(4, START, 6, 6.0)
    flow = [tag.signal for tag in tags].index("flow")

    assert (changed[:7200] == usual[:7200]).all()
    assert np.allclose(changed[7200:, flow], 1.03 * usual[7200:, flow])
    assert {tag.asset for tag in tags} == {PUMP}


def test_the_recording_is_what_the_configuration_reads(tmp_path: Path) -> None:
    tags, rows = pump_rows(4, START, 6, 6.0)
    write_recording(tmp_path / "pump.csv", START, tags, rows[:21_600])
    (tmp_path / "gateway.toml").write_text(configuration("works", tags, 600.0, 6.0, ""))

    plan = load(tmp_path / "gateway.toml", {})
    recording = read_recording(tmp_path / "pump.csv", ())

    assert [tag.name for tag in plan.tags] == [tag.name for tag in tags]
    assert plan.detection.learn_s == 6 * 3600
    assert len(recording) == 21_600
    assert np.allclose(recording.as_feed(START).values(0, 100), rows[:100], rtol=1e-5)


def test_a_command_that_ends_otherwise_ends_the_walk(tmp_path: Path) -> None:
    with Stage(tmp_path, as_json=True) as stage:
        assert "wheeltapper" in stage.run("--version")
        with pytest.raises(Rejected, match="ended with 2, not 0"):
            stage.run("check", "nothing.toml")


def test_a_gateway_that_does_not_run_is_waited_for(tmp_path: Path) -> None:
    with Stage(tmp_path, as_json=True) as stage, pytest.raises(Unreachable, match="no gateway"):
        stage.ask("/api/line")


def test_what_is_waited_for_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wheeltapper.walks.stage.LOOK_S", 0.0)
    monkeypatch.setattr("wheeltapper.walks.stage.SOON_S", 0.0)
    looks = iter((False, False, True))
    with Stage(tmp_path) as stage:
        assert stage.wait("the change is seen", lambda: next(looks))
    assert capsys.readouterr().out == "   … until the change is seen\n"


def test_only_an_empty_folder_is_used(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")

    ended = command("walk", "models", "--folder", tmp_path)

    assert ended.code == 2
    assert "is not empty; name another folder" in ended.err
