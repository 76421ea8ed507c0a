"""A simulated day with somebody who asks all the time, and a PLC that keeps a log."""

from pathlib import Path

import pytest

from gateway.guard.stopping import STOP
from plant.setpoints import Mode, State
from tests.gateway.guard.rig import LIMITS, TEMP, Rig, ran

DAY_S, EVERY_S = 86_400, 600


@pytest.mark.parametrize(
    ("mode", "name", "connected", "states"),
    [
        (Mode.OFF, "nothing", False, {State.REJECTED}),
        (Mode.ADVISORY, "nothing", True, {State.ADVISED}),
        (Mode.AUTO, STOP, True, {State.ADVISED}),
    ],
)
def test_in_a_day_of_no_hooks_of_advice_or_of_a_stop_nothing_is_written(
    tmp_path: Path, mode: Mode, name: str, connected: bool, states: set[State]
) -> None:
    async def day() -> set[State]:
        rig = Rig(tmp_path, LIMITS, mode=mode)
        for _ in range(3):
            await rig.guard.tick()
            rig.clock.move(61)
        (tmp_path / name).touch()
        seen = set()
        for moment in range(0, DAY_S, EVERY_S):
            rig.plc.values[TEMP] = 50 + moment % 17
            value = 50.6 + moment / EVERY_S % 14 / 10
            ticket = await rig.guard.ask(rig.request(value), rig.program)
            seen.add(ticket.state)
            await rig.guard.tick()
            await rig.guard.beat()
            rig.clock.move(EVERY_S)
        assert (rig.plc.attempts, rig.plc.log) == (0, [])
        assert (rig.plc.opened > 0) is connected
        return seen

    assert ran(day()) == states
