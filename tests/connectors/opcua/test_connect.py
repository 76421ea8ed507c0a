import asyncio
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.opcua import connect
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.security.identity import own_identity
from plant.errors import Misconfigured

URL = "opc.tcp://127.0.0.1:4840"


def test_reconnecting_is_left_to_the_supervisor() -> None:
    assert "auto_reconnect" not in Path(connect.__file__).read_text()


def test_the_client_is_bounded() -> None:
    async def story() -> None:
        client = connect._new_client(OpcUaConfig(name="plc", url=URL, security="none"))
        assert isinstance(client.uaclient, connect.BoundedUaClient)
        assert client.nodes.server_state.session is client.uaclient.session

    asyncio.run(story())


class Hasty:
    """A client whose server lets keys live for no time at all."""

    secure_channel_timeout = 0
    renewed = 0

    def __init__(self) -> None:
        self.uaclient = self

    async def open_secure_channel(self, *, renew: bool) -> None:
        self.renewed += renew

    def revolve_security_token(self) -> None:
        pass


def test_keys_are_not_renewed_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "SHORTEST_KEYS_S", 0.05)
    client: Any = Hasty()

    async def story() -> float:
        begun = asyncio.get_running_loop().time()
        renewing = asyncio.create_task(connect.renew_channel(client))
        async with asyncio.timeout(60):
            while client.renewed < 3:
                await asyncio.sleep(0.01)
        took = asyncio.get_running_loop().time() - begun
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        return took

    assert asyncio.run(story()) >= 3 * 0.05 * 0.99


NAMED = OpcUaConfig(name="plc", url=URL, trust=Path("pki"), user="jo", password_file=Path("p"))


def test_an_unreadable_server_certificate_is_told() -> None:
    endpoint = ua.EndpointDescription(ServerCertificate=b"nothing")
    with pytest.raises(Misconfigured, match="no readable certificate"):
        connect._certificates(endpoint, NAMED)


def test_of_a_chain_the_first_certificate_is_the_servers(tmp_path: Path) -> None:
    own, issuer = (
        own_identity(NAMED, tmp_path / name).certificate.read_bytes() for name in ("a", "b")
    )
    shown = connect._certificates(
        ua.EndpointDescription(ServerCertificate=own + issuer + b"junk"), NAMED
    )
    assert [each.public_bytes(Encoding.DER) for each in shown] == [own, issuer]


def test_of_a_long_chain_a_few_certificates_are_read(tmp_path: Path) -> None:
    own = own_identity(NAMED, tmp_path).certificate.read_bytes()
    endpoint = ua.EndpointDescription(ServerCertificate=own * 100)
    assert len(connect._certificates(endpoint, NAMED)) == 8


def offer(policy: str, mode: str, url: str = URL) -> ua.EndpointDescription:
    return ua.EndpointDescription(
        EndpointUrl=url,
        SecurityPolicyUri=f"http://opcfoundation.org/UA/SecurityPolicy#{policy}",
        SecurityMode=ua.MessageSecurityMode[mode],
    )


@pytest.mark.parametrize(
    ("offered", "named"),
    [
        ([offer("None", "None_")], "only None/None_"),
        ([offer("Basic256Sha256", "Sign")], "only Basic256Sha256/Sign"),
        ([offer("Basic256Sha256", "SignAndEncrypt", "https://plc")], "only nothing"),
        ([offer("\x1b[2J", "Sign")], r"only \\x1b\[2J/Sign"),
        ([], "only nothing"),
    ],
)
def test_what_is_not_offered_is_told_and_nothing_weaker_is_taken(
    offered: list[ua.EndpointDescription], named: str
) -> None:
    with pytest.raises(Misconfigured, match=named):
        connect._endpoint(offered, NAMED)


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
