"""One register, or one node, is one place: whatever it is called, and whichever way leads there."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from connectors.contract import Actuator, Cells, Outlet
from connectors.modbus.actuator import ModbusActuator
from connectors.modbus.config import ModbusConfig
from connectors.opcua.actuator import OpcUaActuator
from connectors.opcua.config import OpcUaConfig
from connectors.simulated.hostile.proxy import ChaosProxy
from connectors.simulated.setpoint_modbus import SetpointModbus
from connectors.simulated.setpoint_opcua import SPACE, SetpointOpcua
from connectors.simulated.setpoint_plc import SetpointPlc
from plant.tags import Tag

TAG = Tag(name="site/pump/speed", source="plc", address="", unit="/min")
BY_ID, BY_PATH = f"nsu={SPACE};s=Loop1.Setpoint", f"nsu={SPACE};/Loop1/Setpoint"
BLOCK_BY_ID, BLOCK_BY_PATH = f"nsu={SPACE};s=Loop1.Block", f"nsu={SPACE};Loop1/Block"


def plain(address: str) -> Outlet:
    return Outlet(tag=replace(TAG, address=address))


def block(address: str) -> Outlet:
    return Outlet(tag=TAG, block=address)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="module")
def opcua(runner: asyncio.Runner) -> Iterator[list[str]]:
    """A server, the same behind a proxy, and its clone: with the same name, nodes, and user."""
    front, clone = SetpointOpcua(SetpointPlc()), SetpointOpcua(SetpointPlc())
    runner.run(front.__aenter__())
    runner.run(clone.__aenter__())
    proxy = ChaosProxy(front.port)
    runner.run(proxy.__aenter__())
    yield [front.url, f"opc.tcp://127.0.0.1:{proxy.port}/", clone.url]
    runner.run(proxy.__aexit__(None, None, None))
    runner.run(clone.__aexit__(None, None, None))
    runner.run(front.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def modbus(runner: asyncio.Runner) -> Iterator[list[int]]:
    fronts = [SetpointModbus(SetpointPlc(loops=2)) for _ in range(2)]
    for front in fronts:
        runner.run(front.__aenter__())
    yield [front.port for front in fronts]
    for front in fronts:
        runner.run(front.__aexit__(None, None, None))


async def found(actuator: Actuator) -> Cells:
    """Give the cells of its one setpoint as both of its connections found them."""
    async with actuator:
        await actuator.read([TAG.name])
        first = actuator.places[TAG.name]
        await actuator.read_back(TAG.name)
        assert actuator.places[TAG.name] == first
        return first


async def entered(actuator: Actuator) -> Cells:
    async with actuator:
        return actuator.places[TAG.name]


def over_opcua(url: str, outlet: Outlet) -> Actuator:
    return OpcUaActuator(OpcUaConfig(name="plc", url=url, security="none"), [], [outlet])


def over_modbus(host: str, port: int, outlet: Outlet) -> Actuator:
    return ModbusActuator(ModbusConfig(name="plc", host=host, port=port), [], [outlet])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((0, plain(BY_ID)), (0, plain(BY_PATH)), True),
        ((0, plain(BY_ID)), (1, plain(BY_ID)), True),
        ((0, plain(BY_PATH)), (1, plain(BY_ID)), True),
        ((0, block(BLOCK_BY_ID)), (1, block(BLOCK_BY_PATH)), True),
        ((0, plain(BY_ID)), (2, plain(BY_ID)), False),
        ((1, plain(BY_ID)), (2, plain(BY_ID)), False),
        ((0, plain(BY_ID)), (0, block(BLOCK_BY_ID)), False),
    ],
)
def test_a_node(
    one: tuple[int, Outlet],
    other: tuple[int, Outlet],
    same: bool,
    runner: asyncio.Runner,
    opcua: list[str],
) -> None:
    first, second = (
        runner.run(found(over_opcua(opcua[way], outlet))) for way, outlet in (one, other)
    )
    assert bool(first & second) is same


@pytest.mark.parametrize(
    ("host", "port", "outlet", "same"),
    [
        ("127.0.0.1", 0, plain("unit 1, HOLDING 1, int16"), True),
        ("localhost", 0, plain("unit 1, holding 0, int32"), True),
        ("::ffff:127.0.0.1", 0, plain("unit 1, holding 0, uint16"), True),
        ("localhost", 0, block("unit 1, holding 0"), True),
        ("127.0.0.1", 0, plain("unit 1, holding 2, int16"), False),
        ("127.0.0.1", 0, plain("unit 2, holding 0, int16"), False),
        ("127.0.0.1", 1, plain("unit 1, holding 0, int32"), False),
    ],
)
def test_registers(
    host: str, port: int, outlet: Outlet, same: bool, runner: asyncio.Runner, modbus: list[int]
) -> None:
    asked = plain("unit 1, holding 0, int32")
    first = runner.run(entered(over_modbus("127.0.0.1", modbus[0], asked)))
    second = runner.run(entered(over_modbus(host, modbus[port], outlet)))
    assert bool(first & second) is same


def test_where_a_setpoint_is_shows_at_its_first_reading_and_not_before(
    runner: asyncio.Runner, opcua: list[str]
) -> None:
    async def run() -> None:
        async with over_opcua(opcua[0], plain(BY_PATH)) as actuator:
            assert actuator.places == {}
            await actuator.read([TAG.name])
            assert list(actuator.places) == [TAG.name]

    runner.run(run())


def test_a_node_that_the_server_does_not_have_is_nowhere(
    runner: asyncio.Runner, opcua: list[str]
) -> None:
    async def run() -> None:
        async with over_opcua(opcua[0], plain(f"nsu={SPACE};Loop1/Gone")) as actuator:
            await actuator.read([TAG.name])
            assert actuator.places == {}

    runner.run(run())
