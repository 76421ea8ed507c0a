"""Looks at a conveyor, proposers of it, and what its speed was learnt to do to its vibration."""

from pathlib import Path
from typing import Any

import numpy as np

from analytics.response import Response, learn
from gateway.config.plan import OptimiserPlan, RulePlan
from gateway.guard.policy import condition
from gateway.proposing.contract import Look, Proposer, Standing
from gateway.proposing.optimiser import Optimiser
from gateway.proposing.rule import Rule
from plant.setpoints import Request
from plant.tags import Tag

LINE = "n/l/conveyor"
SPEED, VIB, LOAD, RUN = (f"{LINE}/{name}" for name in ("speed", "vibration", "load", "running"))
SETPOINT = Tag(name=SPEED, source="plc", address="", unit="1/min", scale=0.05)
UNITS = {SPEED: "1/min", VIB: "mm/s", LOAD: "%", RUN: ""}
WALL = 1_800_000_000 * 10**9
ALARM = Standing(7, LINE, 2, (VIB, LOAD), WALL - 10**10)
NAMED: dict[str, Any] = {"name": "bearing", "token_file": Path("b.token"), "tag": SPEED}


def look(
    after: float = 0.0, *alarms: Standing, spoilt: dict[str, int] | None = None, **values: float
) -> Look:
    """Look at the conveyor, so many s after the first look."""
    shown = {SPEED: 50.0, VIB: 5.1, LOAD: 60.0, RUN: 1.0}
    shown |= {f"{LINE}/{name}": value for name, value in values.items()}
    now = WALL + round(after * 1e9)
    return Look(
        now=now,
        mono=1000.0 + after,
        places={tag: place for place, tag in enumerate(shown)},
        value=np.array(list(shown.values())),
        status=np.array([(spoilt or {}).get(tag, 0) for tag in shown], np.uint32),
        at=np.full(len(shown), now - 10**8),
        age=np.full(len(shown), 0.1),
        alarms=alarms,
    )


def alarmed(after: float = 0.0, **values: float) -> Look:
    """Look while the alarm stands."""
    return look(after, ALARM, **values)


def rule(**said: Any) -> Rule:
    plan: dict[str, Any] = {"alarm": LINE, "priority": 2, "change_percent": -5.0}
    return Rule(RulePlan(**NAMED, **{**plan, **said}), SETPOINT)


def on_condition(text: str = f"{VIB} > 5 and {RUN} == 1", **said: Any) -> Rule:
    plan: dict[str, Any] = {"when": condition(text), "value": 48.0}
    return Rule(RulePlan(**NAMED, **{**plan, **said}), SETPOINT)


def rows(count: int = 400, slope: float = 0.2, seed: int = 1, bend: float = 0.0,
         noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Make windows of speed and load, and the vibration that follows from them."""
    random = np.random.default_rng(seed)
    speed = np.repeat(random.uniform(44.0, 58.0, -(-count // 20)), 20)[:count]
    load = 60.0 + 10.0 * np.sin(np.arange(count) / 17.0)
    told = 5.0 + slope * (speed - 50.0) + bend * (speed - 50.0) ** 2 + 0.02 * (load - 60.0)
    return np.column_stack([speed, load]), told + random.normal(0.0, noise, count)


def response(**said: Any) -> Response:
    inputs, effect = rows(**said)
    return learn([SPEED, LOAD], 1, inputs, effect, VIB, UNITS, 60.0)


LEARNT = response()


def optimiser(learnt: Response = LEARNT, **said: Any) -> Optimiser:
    plan: dict[str, Any] = {"response": Path("r.json"), "aim": "minimise", "max_step": 2.0}
    return Optimiser(OptimiserPlan(**NAMED, **{**plan, **said}), SETPOINT, learnt)


def asked(proposer: Proposer, *looks: Look) -> list[Request]:
    """Give what a proposer asks for at these looks."""
    return [found for one in looks if (found := proposer.propose(one)) is not None]
