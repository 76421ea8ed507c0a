"""A port in use gives way to the next free one."""

import asyncio
import errno
import socket
from collections.abc import Iterator

import pytest
from asyncua import Client
from pymodbus.client import AsyncModbusTcpClient

from connectors.simulated import ports
from connectors.simulated.modbus_server import ModbusServer
from connectors.simulated.opcua_server import OpcuaServer
from connectors.simulated.ports import HOST, free_port
from plant.errors import Misconfigured
from plant.tags import Tag


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_is_passed_over(taken: int) -> None:
    assert taken < free_port(taken) <= taken + 100


def test_a_free_port_is_taken_as_wished(taken: int) -> None:
    free = free_port(taken)
    assert free_port(free) == free


def test_any_port_will_do() -> None:
    assert 1024 < free_port(0) < 65536


def test_beyond_the_last_port_there_is_none() -> None:
    with pytest.raises(Misconfigured, match=r"no free port on .* from 65536 on"):
        free_port(65536)


@pytest.fixture
def outrun(taken: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """A port that looks free once and is taken before anybody else can listen on it."""
    looks = iter([taken])
    monkeypatch.setattr(ports, "free_port", lambda wanted: next(looks, None) or free_port(wanted))
    return taken


@pytest.mark.journey
def test_a_server_that_is_outrun_takes_the_next_port(outrun: int) -> None:
    async def story() -> tuple[int, list[str]]:
        tag = Tag(name="a/b/c", source="plc", address="nsu=urn:plant;Line/Flow")
        async with (
            OpcuaServer([tag], outrun) as server,
            Client(f"opc.tcp://{HOST}:{server.port}/") as client,
        ):
            return server.port, await client.get_namespace_array()

    port, spaces = asyncio.run(story())
    assert port > outrun
    assert "urn:plant" in spaces


@pytest.mark.journey
def test_so_does_one_for_modbus(outrun: int) -> None:
    async def story() -> tuple[int, bool]:
        tag = Tag(name="a/b/c", source="plc", address="unit 1, input 0, uint16")
        async with (
            ModbusServer([tag], outrun) as server,
            AsyncModbusTcpClient(HOST, port=server.port) as client,
        ):
            answer = await client.read_input_registers(0, count=1, device_id=1)
            return server.port, answer.isError()

    port, refused = asyncio.run(story())
    assert port > outrun
    assert not refused


def test_somebody_who_is_always_quicker_is_given_up() -> None:
    async def start(port: int) -> None:
        raise OSError(errno.EADDRINUSE, f"port {port}")

    with pytest.raises(Misconfigured, match="before we do"):
        asyncio.run(ports.listen(0, start))
