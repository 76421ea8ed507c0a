"""From a configuration to seats: one that cannot sit down is named, and the others do."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from analytics.response import write_response
from gateway.config.plan import OptimiserPlan, Plan, RulePlan, SetpointsPlan
from gateway.proposing.optimiser import Optimiser
from gateway.proposing.rule import Rule
from gateway.proposing.starting import Unready, proposing_of, seats_of
from plant.setpoints import Mode
from plant.tags import Tag
from tests.gateway.proposing.scenes import LEARNT, LOAD, SETPOINT, SPEED, alarmed

TOKEN = "t" * 40


def plan_of(folder: Path, **said: Any) -> Plan:
    (folder / "good.token").write_text(f"{TOKEN}\n")
    (folder / "short.token").write_text("guess\n")
    (folder / "speed.json").write_text(write_response(LEARNT))
    (folder / "empty.json").write_text("{}")
    rule = RulePlan(name="a", token_file=folder / "good.token", tag=SPEED, alarm="n/l/conveyor",
                    change=-1.0)  # fmt: skip
    optimiser = OptimiserPlan(
        name="b", token_file=folder / "good.token", tag=SPEED, response=folder / "speed.json",
        aim="minimise", max_step=2.0,
    )  # fmt: skip
    load = Tag(name=LOAD, source="plc", address="", unit="%")
    proposers = (
        rule, optimiser,
        replace(rule, name="short", token_file=folder / "short.token"),
        replace(rule, name="gone", token_file=folder / "gone.token"),
        replace(optimiser, name="empty", response=folder / "empty.json"),
        replace(optimiser, name="missing", response=folder / "missing.json"),
        replace(optimiser, name="other", tag=LOAD),
    )  # fmt: skip
    return Plan(name="line", data=folder, tags=(SETPOINT, load), proposers=proposers, **said)


def test_each_has_a_seat_and_who_cannot_ask_is_named(tmp_path: Path) -> None:
    seats = {seat.proposer.name: seat for seat in seats_of(plan_of(tmp_path))}

    kinds = {name: type(seat.proposer) for name, seat in seats.items()}
    assert kinds == {"a": Rule, "b": Optimiser} | dict.fromkeys(
        ("gone", "empty", "missing", "other"), Unready
    ) | {"short": Unready}
    assert [seats[name].off for name in "ab"] == ["", ""]
    assert [seats[name].token for name in "ab"] == [TOKEN, TOKEN]
    assert "32 characters or more" in seats["short"].off
    assert "gone.token: cannot be read" in seats["gone"].off
    assert "empty.json: is no learnt response" in seats["empty"].trouble
    assert "missing.json: cannot be read" in seats["missing"].off
    assert f"was learnt for {SPEED}, and not for {LOAD}" in seats["other"].off
    assert TOKEN not in repr(seats["a"])


def test_who_cannot_ask_asks_for_nothing() -> None:
    unready = Unready("a", SPEED, "no token")

    assert unready.propose(alarmed()) is None
    assert unready.reads() == ()


@pytest.mark.parametrize("mode", list(Mode))
def test_where_setpoints_are_off_nobody_is_asked(tmp_path: Path, mode: Mode) -> None:
    pipeline: Any = SimpleNamespace(handles=(), latest=None, book=None)
    supervisor: Any = SimpleNamespace(links={})
    plan = plan_of(tmp_path, setpoints=SetpointsPlan(mode=mode))

    made = proposing_of(plan, pipeline, supervisor, lambda _kind, _body: None)

    assert (made is None) is (mode is Mode.OFF)
    assert proposing_of(replace(plan, proposers=()), pipeline, supervisor, print) is None
