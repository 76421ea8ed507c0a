"""What is told of a connection's protection."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.security.protection import Protection, protection
from tests.connectors.opcua.recipes import NOW, Recipe

CONFIG = OpcUaConfig(name="plc", url="opc.tcp://plc:4840", trust=Path("pki"))


def client(mode: str, ours: float, server: float) -> Any:
    der = [
        Recipe(start=NOW - timedelta(days=100), days=100 + days).bake().public_bytes(Encoding.DER)
        for days in (ours, server)
    ]
    return SimpleNamespace(
        security_policy=SimpleNamespace(
            Mode=ua.MessageSecurityMode[mode], host_certificate=der[0], peer_certificate=der[1]
        )
    )


def test_the_first_of_both_to_run_out_counts() -> None:
    told = protection(client("SignAndEncrypt", 400, 60), CONFIG, NOW)
    assert told == Protection("Basic256Sha256, SignAndEncrypt", True, 60.0)


def test_signed_values_can_be_read_on_the_way() -> None:
    told = protection(client("Sign", 400, 60), CONFIG, NOW)
    assert (told.security, told.secured) == ("Basic256Sha256, Sign", False)


@pytest.mark.parametrize(
    ("ours", "server", "notes"),
    [
        (30, 31, ("our certificate runs out in 30 days; renew it: wheeltapper trust renew",)),
        (31, 12, ("the server's certificate runs out in 12 days; renew it at the server",)),
        (99, -3, ("the server's certificate ran out 3 days ago; renew it at the server",)),
        (31, 31, ()),
    ],
)
def test_a_person_is_told_in_time(ours: float, server: float, notes: tuple[str, ...]) -> None:
    assert protection(client("Sign", ours, server), CONFIG, NOW).notes == notes


def test_without_security_nothing_protects() -> None:
    assert protection(client("None_", 400, 60), CONFIG, NOW) == Protection()
