from pathlib import Path

import pytest
from asyncua.crypto import uacrypto
from asyncua.ua.uaerrors import UaStatusCodeError
from cryptography.exceptions import InvalidSignature

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.refusals import FAILURES, Attempt, Step, explained
from connectors.opcua.security.identity import Identity
from plant.errors import Misconfigured, PlantError, Unreachable

URL = "opc.tcp://127.0.0.1:4840"
OURS = Identity(Path("own.der"), Path("own.pem"), "urn:x")
PASSWORD = OpcUaConfig(name="plc", url=URL, trust=Path("pki"), user="jo", password_file=Path("p"))
PLAIN = OpcUaConfig(name="plc", url=URL, security="none")
CARD = OpcUaConfig(
    name="plc", url=URL, trust=Path("pki"), user_certificate=Path("jo.der"), user_key=Path("jo.pem")
)
DENIED, REJECTED = UaStatusCodeError(0x801F0000), UaStatusCodeError(0x80210000)
UNTRUSTED, CHECKS = UaStatusCodeError(0x801A0000), UaStatusCodeError(0x80130000)

PERSON, LATER = Misconfigured, Unreachable


@pytest.mark.parametrize(
    ("error", "config", "step", "ours", "kind", "sentence"),
    [
        (DENIED, PASSWORD, Step.SESSION, OURS, PERSON, "refuses user 'jo'"),
        (REJECTED, PASSWORD, Step.SESSION, OURS, PERSON, "password in password_file"),
        (REJECTED, CARD, Step.SESSION, OURS, PERSON, "user certificate jo.der"),
        (REJECTED, PLAIN, Step.SESSION, None, PERSON, "refuses user 'anonymous'"),
        (CHECKS, PASSWORD, Step.CHANNEL, OURS, PERSON, "our certificate own.der"),
        (UNTRUSTED, PASSWORD, Step.CHANNEL, OURS, PERSON, "BadCertificateUntrusted"),
        (UaStatusCodeError(0x80170000), PASSWORD, Step.SESSION, OURS, PERSON, "application URI"),
        (UaStatusCodeError(0x80140000), PASSWORD, Step.SESSION, OURS, PERSON, "clock of the"),
        (UNTRUSTED, PLAIN, Step.CHANNEL, None, PERSON, "nobody in without security"),
        (CHECKS, PASSWORD, Step.ENDPOINTS, None, PERSON, "which endpoints it has"),
        (UaStatusCodeError(0x80550000), PLAIN, Step.CHANNEL, None, PERSON, "refuses none here"),
        (AssertionError(), PASSWORD, Step.CHANNEL, OURS, PERSON, "trust it at the server"),
        (AttributeError("public_key"), PASSWORD, Step.CHANNEL, OURS, PERSON, "without a word"),
        (AssertionError(), PASSWORD, Step.ENDPOINTS, None, LATER, "asking for its endpoints"),
        (AssertionError(), PLAIN, Step.CHANNEL, None, LATER, "hung up while opening the"),
        (AttributeError("x"), PASSWORD, Step.SESSION, OURS, LATER, "hung up while opening the s"),
        (InvalidSignature(), PASSWORD, Step.SESSION, OURS, LATER, "somebody is on the way"),
        (uacrypto.InvalidSignature(), PASSWORD, Step.SESSION, OURS, LATER, "does not hold the key"),
        (ConnectionError("gone"), PASSWORD, Step.CHANNEL, OURS, LATER, "look among its rejected"),
        (ConnectionError("gone"), PLAIN, Step.CHANNEL, None, LATER, "does not let us in: gone"),
        (UaStatusCodeError(0x80560000), PLAIN, Step.SESSION, None, LATER, "BadTooManySessions"),
        (UaStatusCodeError(0x80230000), PLAIN, Step.SESSION, None, LATER, "set both"),
        (TimeoutError(), PASSWORD, Step.CHANNEL, OURS, LATER, "no answer in time"),
        (ConnectionRefusedError(111, "no"), PLAIN, Step.CHANNEL, None, LATER, "refused the conn"),
        (ValueError("\x1b[2J"), PLAIN, Step.SESSION, None, LATER, "us in: \\x1b[2J"),
    ],
)
def test_errors_become_sentences_that_name_a_side(
    error: Exception,
    config: OpcUaConfig,
    step: Step,
    ours: Identity | None,
    kind: type[PlantError],
    sentence: str,
) -> None:
    assert isinstance(error, FAILURES)
    told = explained(error, Attempt(config, step, ours))
    assert type(told) is kind
    assert sentence in str(told)
    assert str(told).startswith("plc: ")
