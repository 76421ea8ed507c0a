"""One showing of the demo: the simulator's process, the gateway beside it, and the verdict."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.config.plan import Plan
from gateway.runtime import Gateway
from plant.alarms import AlarmState
from plant.tags import Role
from wheeltapper.folder import usable
from wheeltapper.scene import Scene, plan_of
from wheeltapper.session import stopping_on_signals
from wheeltapper.simulator import Simulator
from wheeltapper.story import Teller

RIGHT, WRONG = 0, 1
MS = 1_000_000
"""Nanoseconds."""

VERDICT = {
    "asset": "asset",
    "start": "onset",
    "raised": "raised",
    "contributors": "contributions",
    "sentence": "sentence",
}
"""What is told of the first alarm, and its column in the alarm's row."""


@dataclass(kw_only=True)
class Play:
    """One showing.

    Parameters
    ----------
    scene
        What is shown.
    teller
        Who tells it.
    port
        Wanted port of the page.
    data
        Folder to keep everything in; None for one that is removed at the end.
    settings
        What a configuration says of everything but what is read; None without one.
    timeout_s
        Time for the first alarm, s, which ends the showing; None to go on until Ctrl-C.
    """

    scene: Scene
    teller: Teller
    port: int
    data: Path | None
    settings: Plan | None
    timeout_s: float | None
    alarm: dict[str, Any] | None = field(default=None, init=False)

    async def run(self) -> int:
        """Play until Ctrl-C or the first alarm; give the exit code."""
        stop = asyncio.Event()
        if self.timeout_s is not None:
            asyncio.get_running_loop().call_later(self.timeout_s, stop.set)
        with ExitStack() as stack:
            stack.enter_context(stopping_on_signals(stop))
            kept = usable(
                self.data
                or (self.settings and self.settings.data)
                or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wheeltapper-")))
            )
            simulator = Simulator(self.scene.arguments())
            async with simulator:
                plan = plan_of(self.scene, simulator.ports, data=kept, port=self.port)
                if self.settings is not None:
                    plan = _set(plan, self.settings)
                prelude = self.scene.prelude()
                hear = self._ears(stop, self._cast(plan, simulator.ports))
                try:
                    await Gateway(plan, prelude=prelude, on_event=hear).run(stop)
                finally:
                    self.teller.tell("end", {})
        return RIGHT if self.timeout_s is None else self._verdict(simulator.injected)

    def _cast(self, plan: Plan, ports: dict[str, int | None]) -> dict[str, Any]:
        signals = sum(tag.role is Role.SIGNAL for tag in plan.tags)
        cast = {"title": self.scene.title, "assets": len(plan.assets), "signals": signals}
        return {**cast, **ports, "history_s": self.scene.past_s}

    def _ears(
        self, stop: asyncio.Event, cast: dict[str, Any]
    ) -> Callable[[str, dict[str, Any]], None]:
        """Hear the gateway; the first alarm ends a timed showing, to be told with the truth."""

        def hear(kind: str, row: dict[str, Any]) -> None:
            if kind == "alarm" and self.timeout_s is not None:
                if self.alarm is None and row["state"] == AlarmState.UNACKNOWLEDGED:
                    self.alarm = row
                    stop.set()
            elif kind == "console":
                self.teller.tell("ready", {**row, **cast})
            else:
                self.teller.tell(kind, row)

        return hear

    def _verdict(self, injected: dict[str, Any] | None) -> int:
        """Tell the first alarm beside what was injected."""
        truth = injected and {**injected, "onset": injected["onset"] / MS}
        if self.alarm is None:
            self.teller.tell("silence", {"injected": truth})
        else:
            told = {name: self.alarm[key] for name, key in VERDICT.items()}
            self.teller.tell("verdict", {**told, "injected": truth})
        return RIGHT if self.scene.as_meant(self.alarm, truth) else WRONG


def _set(plan: Plan, settings: Plan) -> Plan:
    """Take from a configuration what is no matter of the scene."""
    return replace(
        plan,
        name=settings.name,
        console=settings.console,
        journal=settings.journal,
        sinks=settings.sinks,
        history=settings.history,
    )
