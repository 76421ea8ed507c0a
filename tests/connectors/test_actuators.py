"""Every actuator against every check, over both protocols and both ways into the controller."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from connectors.checks.actuators import ActuatorUnderTest, Check, applicable
from connectors.contract import Actuator, Outlet
from connectors.modbus.actuator import ModbusActuator
from connectors.modbus.config import ModbusConfig
from connectors.opcua.actuator import OpcUaActuator
from connectors.opcua.config import OpcUaConfig
from connectors.simulated.ports import free_port
from connectors.simulated.setpoint_modbus import SetpointModbus
from connectors.simulated.setpoint_opcua import SPACE, SetpointOpcua
from connectors.simulated.setpoint_plc import SetpointPlc
from plant.tags import Tag

TAG = Tag(name="site/pump/speed", source="plc", address="", unit="/min", scale=0.1)
PATIENCE_S = 1.5
MODBUS = {
    "plain": Outlet(tag=replace(TAG, address="unit 1, holding 0, int32")),
    "block": Outlet(tag=TAG, block="unit 1, holding 100"),
}
OPCUA = {
    "plain": Outlet(tag=replace(TAG, address=f"nsu={SPACE};Loop1/Setpoint")),
    "block": Outlet(tag=TAG, block=f"nsu={SPACE};s=Loop1.Block"),
}
FRONTS: dict[str, tuple[Any, dict[str, Outlet]]] = {
    "modbus": (SetpointModbus, MODBUS),
    "opcua": (SetpointOpcua, OPCUA),
}


def over_modbus(port: int, outlet: Outlet) -> Actuator:
    config = ModbusConfig(name="plc", host="127.0.0.1", port=port)
    return ModbusActuator(config, [], [outlet], PATIENCE_S)


def over_opcua(port: int, outlet: Outlet) -> Actuator:
    config = OpcUaConfig(name="plc", url=f"opc.tcp://127.0.0.1:{port}/", security="none")
    return OpcUaActuator(config, [], [outlet], PATIENCE_S)


MAKERS: dict[str, Callable[[int, Outlet], Actuator]] = {"modbus": over_modbus, "opcua": over_opcua}


def requests(plc: SetpointPlc, place: str) -> int:
    """Count the setpoints that were written; the heartbeats between them leave a request alone."""
    whole = [one.words[:6] for one in plc.written if one.place == place and len(one.words) != 3]
    return sum(a != b for a, b in pairwise([(0,) * 6, *whole]))


def peer_of(front: Any, protocol: str, way: str) -> ActuatorUnderTest:
    outlet, plc = FRONTS[protocol][1][way], front.plc
    return ActuatorUnderTest(
        make=lambda: MAKERS[protocol](front.port, outlet),
        unreachable=lambda: MAKERS[protocol](free_port(0), outlet),
        tag=TAG.name,
        unit=TAG.unit,
        values=(100.5, 101.0),
        unfit=100.55,
        block=way == "block",
        applied=lambda: [one.value * 0.1 for one in plc.applied],
        attempts=lambda: requests(plc, way),
        hang=front.hang,
        recover=front.recover,
        refuse=lambda: setattr(plc, "refusing", True),
        drop=front.drop,
    )


@pytest.fixture(scope="module", params=["modbus", "opcua"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[asyncio.Runner, Any, str]]:
    """A server for all checks of a protocol, with a loop that goes on between them."""
    with asyncio.Runner() as runner:
        front = FRONTS[request.param][0](SetpointPlc())
        runner.run(front.__aenter__())
        yield runner, front, request.param
        runner.run(front.__aexit__(None, None, None))


@pytest.mark.parametrize("way", ["plain", "block"])
@pytest.mark.parametrize("check", applicable({}), ids=lambda check: check.__name__)
def test_contract(check: Check, way: str, served: tuple[asyncio.Runner, Any, str]) -> None:
    runner, front, protocol = served

    async def run() -> None:
        front.plc = SetpointPlc()
        async with front.plc:
            await check(peer_of(front, protocol, way))
        front.drop()
        await asyncio.sleep(0.01)

    runner.run(run())
