import asyncio
import re
from pathlib import Path

import pytest
from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import connectors
from connectors.opcua import connect
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.identity import own_identity
from plant.errors import Misconfigured, PlantError, Unreachable

ROOT = Path(connectors.__file__).parents[1]
ROOMS = ("plant", "connectors", "analytics", "gateway", "wheeltapper")
URL = "opc.tcp://127.0.0.1:4840"


def test_one_place_builds_clients() -> None:
    built = re.compile(r"(?<![\w])(?:asyncua\.|client\.|sync\.)?Client\(")
    places = [
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if built.search(path.read_text())
    ]
    assert places == ["connectors/opcua/connect.py"]


def test_reconnecting_is_left_to_the_supervisor() -> None:
    assert "auto_reconnect" not in Path(connect.__file__).read_text()


def test_the_client_is_bounded() -> None:
    async def story() -> None:
        client = connect._new_client(OpcUaConfig(name="plc", url=URL, security="none"))
        assert isinstance(client.uaclient, connect.BoundedUaClient)
        assert client.nodes.server_state.session is client.uaclient.session

    asyncio.run(story())


IDENTITY = connect.Identity(Path("own.der"), Path("own.pem"), "urn:x")
NAMED = OpcUaConfig(name="plc", url=URL, trust=Path("pki"), user="jo", password_file=Path("p"))


@pytest.mark.parametrize(
    ("error", "identity", "kind", "sentence"),
    [
        (UaStatusCodeError(0x801F0000), IDENTITY, Misconfigured, "refuses user 'jo'"),
        (UaStatusCodeError(0x80210000), IDENTITY, Misconfigured, "refuses user 'jo'"),
        (UaStatusCodeError(0x80130000), IDENTITY, Misconfigured, "our certificate own.der"),
        (UaStatusCodeError(0x801A0000), IDENTITY, Misconfigured, "BadCertificateUntrusted"),
        (AssertionError(), IDENTITY, Misconfigured, "trust it at the server"),
        (AttributeError("public_key"), IDENTITY, Misconfigured, "trust it at the server"),
        (AssertionError(), None, Unreachable, "does not let us in"),
        (UaStatusCodeError(0x80560000), None, Unreachable, "BadTooManySessions"),
        (TimeoutError(), None, Unreachable, "no answer in time"),
        (ConnectionRefusedError(111, "refused"), None, Unreachable, "refused"),
    ],
)
def test_errors_become_sentences(
    error: Exception,
    identity: connect.Identity | None,
    kind: type[PlantError],
    sentence: str,
) -> None:
    told = connect._translated(error, NAMED, identity)
    assert type(told) is kind
    assert sentence in str(told)
    assert str(told).startswith("plc: ")


def test_an_unreadable_server_certificate_is_told() -> None:
    endpoint = ua.EndpointDescription(ServerCertificate=b"nothing")
    with pytest.raises(Misconfigured, match="no readable certificate"):
        connect._certificate(endpoint, NAMED)


def test_of_a_chain_the_first_certificate_counts(tmp_path: Path) -> None:
    ours = own_identity(NAMED, tmp_path).certificate.read_bytes()
    endpoint = ua.EndpointDescription(ServerCertificate=ours + b"0\x03\x02\x01\x01")
    assert connect._certificate(endpoint, NAMED).public_bytes(Encoding.DER) == ours


def test_an_own_certificate_without_key_is_told(tmp_path: Path) -> None:
    own_identity(NAMED, tmp_path).key.unlink()
    with pytest.raises(Misconfigured, match=r"wheeltapper\.pem cannot be read"):
        own_identity(NAMED, tmp_path)


def test_a_broken_key_is_told(tmp_path: Path) -> None:
    own_identity(NAMED, tmp_path).key.write_text("-----BEGIN nothing")
    with pytest.raises(Misconfigured, match=r"wheeltapper\.pem cannot be read"):
        own_identity(NAMED, tmp_path)


def test_a_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    one, other = (own_identity(NAMED, tmp_path / name) for name in ("one", "other"))
    config = NAMED.model_copy(update={"certificate": one.certificate, "key": other.key})
    with pytest.raises(Misconfigured, match="does not belong to"):
        own_identity(config, tmp_path)


def test_an_own_certificate_names_this_host(tmp_path: Path) -> None:
    identity = own_identity(NAMED, tmp_path)
    made = x509.load_der_x509_certificate(identity.certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (host,) = names.get_values_for_type(x509.DNSName)
    assert identity.uri == f"urn:{host}:wheeltapper"
