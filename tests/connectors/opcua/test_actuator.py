"""Setpoints to a server that lets in only whom it knows, and to nodes of every type."""

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asyncua import Server, ua

from connectors.catalogue import WriteAccess, build_actuator
from connectors.contract import Actuator, Outlet
from connectors.opcua.config import OpcUaConfig
from plant.errors import Misconfigured, Rejected
from plant.quality import Status
from plant.setpoints import Readback, Setpoint
from plant.tags import Tag
from tests.connectors.opcua.guarded import Guarded, guarded, lay
from tests.connectors.opcua.recipes import AUTHORITY, ISSUED, KEY

LONG_AGO = datetime.now(UTC) - timedelta(days=10)
SPACE = "urn:plant:nodes"
BEGIN: dict[str, tuple[object, ua.VariantType]] = {
    "Double": (1.0, ua.VariantType.Double),
    "Float": (1.0, ua.VariantType.Float),
    "Int16": (1, ua.VariantType.Int16),
    "UInt32": (1, ua.VariantType.UInt32),
    "Int64": (1, ua.VariantType.Int64),
    "String": ("1", ua.VariantType.String),
    "Shut": (1.0, ua.VariantType.Double),
}


def tag(name: str) -> Tag:
    return Tag(name=f"site/{name}", source="plc", address=f"nsu={SPACE};s={name}", unit="bar")


async def _lay_out(server: Server) -> None:
    space = await server.register_namespace(SPACE)
    for name, (value, kind) in BEGIN.items():
        node = ua.NodeId(ua.String(name), ua.Int16(space))
        title = ua.QualifiedName(name, ua.UInt16(space))
        variable = await server.nodes.objects.add_variable(node, title, ua.Variant(value, kind))
        if name != "Shut":
            await variable.set_writable()


@pytest.fixture(scope="module")
def server() -> Iterator[Guarded]:
    with guarded(replace(ISSUED, start=LONG_AGO).bake(), KEY) as served:
        loop = served.server.bserver._server.get_loop()
        asyncio.run_coroutine_threadsafe(_lay_out(served.server), loop).result(60)
        yield served


@pytest.fixture
def actuator(server: Guarded, tmp_path: Path) -> Actuator:
    return made(server, tmp_path)


def made(server: Guarded, tmp_path: Path, thumbprint: str | None = None) -> Actuator:
    """Make it as the guard does: the reader's configuration, the writer's credentials."""
    lay(tmp_path / "pki/trusted/certs/ca.der", replace(AUTHORITY, start=LONG_AGO).bake())
    for name in ("reader", "writer"):
        (tmp_path / name).write_text(f"secret of {name}")
    config = OpcUaConfig(
        name="plc",
        url=server.url,
        trust=tmp_path / "pki",
        user="reader",
        password_file=tmp_path / "reader",
        timeout_s=20.0,
        server_thumbprint=thumbprint,
    )
    access = WriteAccess(user="writer", password_file=tmp_path / "writer")
    outlets = [Outlet(tag=tag(name)) for name in (*BEGIN, "Missing")]
    return build_actuator(config, [tag("Double")], outlets, access)


def asked(name: str, value: float) -> Setpoint:
    return Setpoint(f"site/{name}", value, "bar", time.time_ns() + 10**11, 1)


def test_it_writes_as_the_user_who_may_and_over_a_secured_channel(
    server: Guarded, actuator: Actuator
) -> None:
    async def run() -> Readback:
        async with actuator:
            await actuator.write(asked("Double", 2.5))
            return await actuator.read_back("site/Double")

    seen = len(server.tokens)
    said = asyncio.run(run())
    assert (said.setpoint.value, said.setpoint.status) == (2.5, Status.GOOD)
    assert abs(said.setpoint.at - time.time_ns()) < 600e9
    assert [token["username"] for token in server.tokens[seen:]] == ["writer", "writer"]


def test_the_server_that_the_configuration_names_is_the_only_one_for_the_writer_too(
    server: Guarded, tmp_path: Path
) -> None:
    async def run() -> None:
        async with made(server, tmp_path, "0" * 64):
            pass

    with pytest.raises(Misconfigured, match="than server_thumbprint allows"):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "value"),
    [("Double", 0.1), ("Float", 0.5), ("Int16", -32768), ("UInt32", 2**32 - 1), ("Int64", 2**53)],
)
def test_each_type_of_number_is_set_as_it_is(name: str, value: float, actuator: Actuator) -> None:
    async def run() -> Readback:
        async with actuator:
            await actuator.write(asked(name, value))
            return await actuator.read_back(f"site/{name}")

    assert asyncio.run(run()).setpoint.value == value


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("Int16", 32768, "does not fit Int16"),
        ("UInt32", -1, "does not fit UInt32"),
        ("Int64", 1.5, "steps of 1 bar"),
        ("Float", 1e39, "does not fit Float"),
        ("Double", math.nan, "no number"),
        ("String", 1.0, "holds no number"),
        ("Missing", 1.0, "holds no number"),
        ("Shut", 2.0, "refuses the write"),
    ],
)
def test_what_does_not_fit_or_may_not_be_is_refused(
    name: str, value: float, why: str, actuator: Actuator
) -> None:
    async def run() -> None:
        async with actuator:
            with pytest.raises(Rejected, match=why):
                await actuator.write(asked(name, value))

    asyncio.run(run())


def test_what_is_no_number_reads_bad(actuator: Actuator) -> None:
    async def run() -> list[int]:
        async with actuator:
            found = await actuator.read(["site/Double", "site/String", "site/Missing"])
        assert [math.isnan(one.value) for one in found] == [False, True, True]
        return [one.status for one in found]

    expected = [Status.GOOD, Status.BAD_TYPE_MISMATCH, Status.BAD_NODE_ID_UNKNOWN]
    assert asyncio.run(run()) == expected
