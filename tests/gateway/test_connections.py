"""What the page says of a connection: what it says of itself, or as it is configured."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from connectors.contract import Facts
from connectors.modbus.config import ModbusConfig
from connectors.opcua.config import OpcUaConfig
from connectors.replay.config import ReplayConfig
from gateway.config.plan import Plan
from gateway.connections import Connections, configured
from gateway.gaps import GapLedger
from gateway.link import Link, LinkState
from gateway.supervisor import Supervisor
from plant.gaps import GapCause
from plant.tags import Tag, TagHandle

OPEN = OpcUaConfig(name="open", url="opc.tcp://plc:4840", security="none")
SAFE = OpcUaConfig(name="safe", url="opc.tcp://plc:4840", trust=Path("pki"))
CLEAR = ModbusConfig(name="clear", host="10.0.0.9")
SERIAL = ModbusConfig(name="serial", transport="rtu", device="/dev/ttyS1")
FILE = ReplayConfig(name="file", file=Path("tape.csv"))


@pytest.mark.parametrize(
    ("config", "secured", "security"),
    [
        (OPEN, False, "none"),
        (SAFE, True, "Basic256Sha256, SignAndEncrypt"),
        (CLEAR, False, "none"),
        (SERIAL, True, "serial line"),
        (FILE, True, "a file"),
    ],
)
def test_before_its_first_word_the_configuration_speaks(
    config: Any, *, secured: bool, security: str
) -> None:
    facts = configured(config)
    assert (facts.secured, facts.security) == (secured, security)
    assert facts.endpoint


def connections() -> tuple[Connections, Supervisor, GapLedger]:
    handles = [TagHandle(0, Tag(name="a/x", source="open", address=""))]
    intake: Any = None
    supervisor = Supervisor(intake)
    ledger = GapLedger(handles, {"open": 0, "safe": 0})
    status = np.zeros(1, np.uint32)
    pipeline: Any = SimpleNamespace(
        handles=handles, latest=SimpleNamespace(status=status), gaps=ledger
    )
    plan = Plan(name="t", data=Path(), sources=(OPEN, SAFE, CLEAR, SERIAL, FILE))
    return Connections(plan, pipeline, supervisor), supervisor, ledger


def test_what_anybody_can_read_and_change_is_named() -> None:
    shown, supervisor, _ = connections()
    assert shown.unsecured() == ["open", "clear"]
    supervisor.links["safe"] = Link("safe", ())
    supervisor.links["safe"].facts = Facts(endpoint="x", secured=False)
    assert shown.unsecured() == ["open", "safe", "clear"]


def test_a_row_tells_the_link_the_facts_and_the_last_gap() -> None:
    shown, supervisor, ledger = connections()
    link = Link("open", (0,), LinkState.UP)
    link.come_up()
    link.facts = Facts(endpoint="opc.tcp://plc", clock_offset_s=-1.5, notes=("2 tags refused",))
    supervisor.links["open"] = link
    ledger.lose("open", GapCause.LINK, "refused", 7_000_000)
    row = shown.rows()[0]
    assert (row["type"], row["connected"], row["state"]) == ("opcua", True, "up")
    assert (row["clock_offset_s"], row["notes"]) == (-1.5, ["2 tags refused"])
    assert row["since"]
    assert row["good_ratio"] == 1.0
    assert row["gap"]
    assert (row["gap"]["start"], row["gap"]["cause"], row["gap"]["stop"]) == (7.0, "link", None)
    assert [other["gap"] for other in shown.rows()[1:]] == [None] * 4
