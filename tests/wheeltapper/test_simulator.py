"""The simulated plant as a child process."""

import asyncio

import pytest

from wheeltapper.simulator import Simulator


@pytest.mark.journey
def test_a_child_that_was_killed_is_left_without_a_word() -> None:
    async def kill_inside() -> Simulator:
        async with Simulator(("--opcua-port=0", "--modbus-port=0")) as simulator:
            simulator._child.kill()
            await simulator._child.wait()
        return simulator

    assert asyncio.run(kill_inside()).injected is None
