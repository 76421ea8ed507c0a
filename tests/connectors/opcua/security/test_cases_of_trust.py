"""Who is let in and who is not, each case by its number, against servers over loopback.

node-opcua where what matters is its verdict on us; asyncua's server where what matters is the
certificate that a server shows, which it can be given freely.
"""

import asyncio
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from connectors.opcua import connect
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.security.certificates import read_certificate, thumbprint
from connectors.opcua.security.identity import own_identity
from connectors.opcua.source import OpcUaSource
from plant.errors import Misconfigured, Unreachable
from tests.connectors.opcua.guarded import (
    EVERY,
    HEAD,
    Guarded,
    Kind,
    connect_once,
    frames,
    guarded,
    lay,
    lay_key,
    relay,
    replaying,
)
from tests.connectors.opcua.recipes import AUTHORITY, ISSUED, KEY, OTHER_KEY, Recipe, revocations

pytestmark = pytest.mark.journey

LONG_AGO = datetime.now(UTC) - timedelta(days=10)
CA = replace(AUTHORITY, start=LONG_AGO)
PLC = replace(ISSUED, start=LONG_AGO)
POLICIES = ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
MODES = ("Sign", "SignAndEncrypt")
HOST = socket.gethostname()
SECRET = "s3cret"

Settings = dict[str, object]


@pytest.fixture(scope="module")
def server() -> Iterator[Guarded]:
    """A server with a certificate that the authority has issued."""
    with guarded(PLC.bake(), KEY) as served:
        yield served


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    """A trust folder with the authority in it."""
    lay(tmp_path / "pki/trusted/certs/ca.der", CA.bake())
    return tmp_path / "pki"


@pytest.fixture
def password(tmp_path: Path) -> Callable[[str], Settings]:
    def write(text: str) -> Settings:
        (tmp_path / "password").write_text(text)
        return {"user": "operator", "password_file": tmp_path / "password"}

    return write


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A user's certificate and its key."""
    folder = tmp_path_factory.mktemp("card")
    made = Recipe(subject="jo", issuer="jo", start=LONG_AGO, names=(), serial=4711).bake()
    return {
        "user_certificate": lay(folder / "jo.der", made),
        "user_key": lay_key(folder / "jo.pem", KEY),
    }


def to(server: Any, pki: Path, **more: object) -> OpcUaConfig:
    return OpcUaConfig.model_validate({"name": "plc", "url": server.url, "trust": pki, **more})


def refused(config: OpcUaConfig, why: str) -> str:
    with pytest.raises(Misconfigured, match=why) as refusal:
        asyncio.run(connect_once(config))
    assert str(refusal.value).startswith("plc: ")
    return str(refusal.value)


def showing(certificate: x509.Certificate) -> Settings:
    return {"ServerCertificate": certificate.public_bytes(Encoding.DER)}


@pytest.fixture(scope="module")
def strict(
    start_plc: Any, card: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Path]:
    """node-opcua that trusts us and one user's certificate, and the folder that trusts it."""
    plc, pki = start_plc("strict"), tmp_path_factory.mktemp("pki")
    refused(to(plc, pki, certificate_host=HOST), "not trusted")
    (stranger,) = (pki / "rejected").iterdir()
    stranger.rename(pki / "trusted/certs" / stranger.name)
    plc.stop()
    ours = own_identity(to(plc, pki), pki).certificate
    (plc.pki / "trusted/certs/us.der").write_bytes(ours.read_bytes())
    jo = Path(str(card["user_certificate"]))
    (plc.pki / "users/trusted/certs/jo.der").write_bytes(jo.read_bytes())
    plc.start()
    return plc, pki


@pytest.mark.parametrize("user", ["nobody", "password", "certificate"])
@pytest.mark.parametrize(("security", "mode"), list(product(POLICIES, MODES)))
def test_case_00_node_opcua_lets_in_whom_it_trusts(
    security: str, mode: str, user: str, strict: Any, password: Any, card: Settings
) -> None:
    plc, pki = strict
    proofs: dict[str, Settings] = {"nobody": {}, "password": password(SECRET), "certificate": card}
    config = to(plc, pki, certificate_host=HOST, security=security, mode=mode, **proofs[user])
    assert asyncio.run(connect_once(config)) == f"{security} {mode}"


@pytest.mark.parametrize(("security", "mode"), list(product(POLICIES, MODES)))
def test_case_00_a_certificate_of_a_trusted_authority(
    security: str, mode: str, server: Guarded, pki: Path
) -> None:
    assert asyncio.run(connect_once(to(server, pki, security=security, mode=mode))) == (
        f"{security} {mode}"
    )


def test_case_01_wrong_password(strict: Any, password: Any) -> None:
    plc, pki = strict
    refused(to(plc, pki, certificate_host=HOST, **password("wrong")), "refuses user 'operator'")


def test_case_01_a_user_certificate_that_the_server_does_not_know(
    strict: Any, tmp_path: Path
) -> None:
    plc, pki = strict
    stranger = Recipe(subject="ed", issuer="ed", start=LONG_AGO, names=(), serial=4712).bake()
    files = {
        "user_certificate": lay(tmp_path / "ed.der", stranger),
        "user_key": lay_key(tmp_path / "ed.pem", KEY),
    }
    refused(to(plc, pki, certificate_host=HOST, **files), r"refuses user certificate ed\.der")


OTHER_URI = (x509.UniformResourceIdentifier("urn:else"), PLC.names[1])


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        pytest.param(replace(PLC, days=5), "is valid from", id="case_02_expired"),
        pytest.param(replace(PLC, names=OTHER_URI), "calls itself", id="case_03_wrong_uri"),
        pytest.param(
            Recipe(start=LONG_AGO, issuer="x", signer=OTHER_KEY),
            "not trusted",
            id="case_05_untrusted_issuer",
        ),
        pytest.param(
            replace(PLC, names=(PLC.names[0], x509.DNSName("plc"))),
            r"is for plc, not for 127\.0\.0\.1",
            id="case_11_wrong_host",
        ),
    ],
)
def test_a_server_with_a_wrong_certificate(
    certificate: Recipe, why: str, server: Guarded, pki: Path
) -> None:
    shown = certificate.bake()
    with server.telling(**showing(shown)):
        refused(to(server, pki), why)
    (stored,) = (pki / "rejected").iterdir()
    assert read_certificate(stored) == shown
    assert asyncio.run(connect_once(to(server, pki)))


def test_case_04_revoked(server: Guarded, pki: Path) -> None:
    lay(pki / "trusted/crl/ca.crl", revocations(start=LONG_AGO))
    refused(to(server, pki), "has been revoked by its issuer")


def test_case_05_a_self_signed_stranger_is_trusted_by_the_one_command(tmp_path: Path) -> None:
    with guarded(Recipe(start=LONG_AGO).bake(), KEY, [Kind.Aes256Sha256RsaPss_Sign]) as stranger:
        config = to(stranger, tmp_path / "a b", security=POLICIES[2], mode="Sign")
        told = refused(config, "not trusted .*Compare the thumbprint")
        program, *words = shlex.split(told[told.index("wheeltapper trust accept") :])
        said = subprocess.run(
            [Path(sys.executable).with_name(program), *words, "--yes"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "trusted from the next connection on" in said.stdout
        assert asyncio.run(connect_once(config))


def test_case_06_another_certificate_than_the_pinned_one(server: Guarded, pki: Path) -> None:
    right = thumbprint(PLC.bake())
    assert asyncio.run(connect_once(to(server, pki, server_thumbprint=right)))
    other = replace(PLC, serial=78).bake()
    started = time.monotonic()
    with server.telling(**showing(other)):
        told = refused(to(server, pki, server_thumbprint=right), "than server_thumbprint allows")
    assert time.monotonic() - started < 10
    assert right in told
    assert thumbprint(other) in told


@pytest.mark.parametrize(("security", "mode"), list(product(POLICIES, MODES)))
def test_case_07_and_08_no_setting_lets_a_stranger_in(
    security: str, mode: str, server: Guarded, tmp_path: Path
) -> None:
    server.tokens.clear()
    refused(to(server, tmp_path, security=security, mode=mode), "not trusted")
    assert server.tokens == []


@pytest.mark.parametrize("security", POLICIES)
def test_case_09_security_without_a_trust_folder(security: str, server: Guarded) -> None:
    with pytest.raises(ValidationError, match='write trust = "pki"'):
        OpcUaConfig(name="plc", url=server.url, security=security)  # type: ignore[arg-type]
    bypassed = OpcUaConfig(name="plc", url=server.url, trust=Path("x")).model_copy(
        update={"trust": None}
    )
    refused(bypassed, "name the folder of certificates")


@pytest.mark.parametrize(
    "forged",
    [
        revocations(start=LONG_AGO, signer=KEY),
        revocations(start=LONG_AGO, signer=KEY, days=5),
        revocations(start=LONG_AGO, issuer="stranger", signer=KEY),
    ],
    ids=["in the name of the issuer", "and out of date", "of another issuer"],
)
def test_case_10_forged_revocation_lists_are_not_obeyed(
    forged: x509.CertificateRevocationList, server: Guarded, pki: Path
) -> None:
    lay(pki / "trusted/crl/forged.crl", forged)
    assert asyncio.run(connect_once(to(server, pki)))


def test_case_11_another_host_name_by_configuration(server: Guarded, pki: Path) -> None:
    moved = replace(PLC, names=(PLC.names[0], x509.DNSName("plc-7"))).bake()
    config = to(server, pki, certificate_host="plc-7")
    refused(config, r"is for 127\.0\.0\.1, not for plc-7")
    with guarded(moved, KEY, [Kind.Basic256Sha256_SignAndEncrypt]) as renamed:
        assert asyncio.run(connect_once(to(renamed, pki, certificate_host="plc-7")))


def test_case_12_a_server_that_offers_no_security_any_more(server: Guarded, pki: Path) -> None:
    nothing = {"SecurityPolicyUri": f"{HEAD}None", "SecurityMode": ua.MessageSecurityMode.None_}
    with server.telling(**nothing):
        refused(to(server, pki), "does not offer Basic256Sha256 .* only None/None_")


@pytest.mark.parametrize("proof", ["password", "card"])
def test_case_12_no_user_without_security(
    proof: str, server: Guarded, password: Any, card: Settings
) -> None:
    proofs = {"password": password(SECRET), "card": card}
    with pytest.raises(ValidationError, match="choose a security policy"):
        OpcUaConfig.model_validate(
            {"name": "plc", "url": server.url, "security": "none", **proofs[proof]}
        )


@pytest.mark.parametrize(
    ("mode", "kind", "policy"),
    [
        ("Sign", ua.UserTokenType.UserName, "None"),
        ("SignAndEncrypt", ua.UserTokenType.UserName, "Basic128Rsa15"),
        ("SignAndEncrypt", ua.UserTokenType.Certificate, "None"),
    ],
)
def test_case_12_a_proof_that_others_could_use_is_not_given(
    mode: str,
    kind: ua.UserTokenType,
    policy: str,
    server: Guarded,
    pki: Path,
    password: Any,
    card: Settings,
) -> None:
    user = {ua.UserTokenType.UserName: password(SECRET), ua.UserTokenType.Certificate: card}[kind]
    server.tokens.clear()
    with server.proving(kind, policy):
        refused(to(server, pki, mode=mode, **user), f"proved only with {policy}")
    assert server.tokens == []


@pytest.mark.parametrize(
    ("mode", "policy"),
    [
        ("Sign", "Basic256Sha256"),
        ("SignAndEncrypt", "Basic256Sha256"),
        ("SignAndEncrypt", "None"),
    ],
)
def test_case_12_a_password_is_never_readable_on_the_way(
    mode: str, policy: str, server: Guarded, pki: Path, password: Any
) -> None:
    async def story() -> bytes:
        async with relay(server.port) as seen:
            url = f"opc.tcp://127.0.0.1:{seen.port}/plc"
            await connect_once(to(server, pki, mode=mode, **password(SECRET), url=url))
            return b"".join(map(bytes, seen.asked))

    server.tokens.clear()
    with server.proving(ua.UserTokenType.UserName, policy):
        said = asyncio.run(story())
    assert server.tokens[0]["password"] == SECRET
    assert SECRET.encode() not in said
    assert (b"operator" in said) == (mode == "Sign")


def test_case_13_who_shows_a_trusted_certificate_has_to_hold_its_key(pki: Path) -> None:
    """asyncua would take over what the server shows; an impostor can show what is public."""
    own = [Kind.Basic256Sha256_SignAndEncrypt]
    with (
        guarded(replace(PLC, key=OTHER_KEY).bake(), OTHER_KEY, own) as impostor,
        impostor.telling(**showing(PLC.bake())),
        pytest.raises(Unreachable, match="could not prove to be the server"),
    ):
        asyncio.run(connect_once(to(impostor, pki, timeout_s=3)))
    assert impostor.tokens == []


def test_case_14_an_empty_trust_folder_is_named(server: Guarded, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    (folder / "trusted/certs").mkdir(parents=True)
    told = refused(to(server, folder), "not trusted")
    assert f"--folder {folder}" in told


def test_a_recorded_client_is_not_let_in_again(strict: Any, password: Any) -> None:
    """What we said to node-opcua, said once more by somebody who has only listened."""
    plc, pki = strict

    async def story() -> tuple[list[bytes], list[bytes]]:
        async with relay(plc.port) as seen:
            url = f"opc.tcp://127.0.0.1:{seen.port}/UA/plc"
            await connect_once(to(plc, pki, certificate_host=HOST, **password(SECRET), url=url))
        async with relay(plc.port) as ears:
            _, writer = await asyncio.open_connection("127.0.0.1", ears.port)
            for frame in frames(bytes(seen.asked[1])):
                writer.write(frame)
                await asyncio.sleep(0.2)
            writer.transport.abort()
        return frames(bytes(seen.answered[1])), frames(bytes(ears.answered[0]))

    live, again = asyncio.run(story())
    assert [frame[:3] for frame in live].count(b"MSG") >= 3
    assert [frame[:3] for frame in again].count(b"MSG") == 0


def test_recorded_answers_of_a_server_are_not_believed(
    server: Guarded, pki: Path, password: Any
) -> None:
    async def story() -> list[bytes]:
        async with relay(server.port) as seen:
            url = f"opc.tcp://127.0.0.1:{seen.port}/plc"
            await connect_once(to(server, pki, url=url))
        async with replaying(list(map(bytes, seen.answered))) as port:
            url = f"opc.tcp://127.0.0.1:{port}/plc"
            with pytest.raises(Unreachable, match="could not prove to be the server"):
                await connect_once(to(server, pki, url=url, **password(SECRET)))
        return [frame[:3] for frame in frames(bytes(seen.answered[1]))]

    assert asyncio.run(story())[:3] == [b"ACK", b"OPN", b"MSG"]


@pytest.mark.parametrize("skew_s", [-3600, 300])
def test_a_server_whose_clock_is_wrong_is_read_over_renewals_of_the_keys(
    skew_s: int, strict: Any, tags_of: Any, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strict: it looks at the dates of our certificate, with its own clock."""
    monkeypatch.setattr(connect, "CHANNEL_MS", 60_000)
    plc, pki = strict
    skewed = replace(plc, port=unused_port, words=("strict", f"skew={skew_s}"))
    skewed.start()
    config = to(skewed, pki, certificate_host=HOST, publishing_ms=100, sampling_ms=0)

    async def story() -> float:
        async with OpcUaSource(config, tags_of(["s=Line1.Flow"])) as source:
            for _ in range(3):
                await asyncio.wait_for(source.read(), 60)
                assert source._client
                # What the server sends until it has heard of the new keys comes with the old ones.
                await source._client.open_secure_channel(renew=True)
                source._client.uaclient.revolve_security_token()
                batches = [await asyncio.wait_for(source.read(), 60) for _ in range(4)]
        return float(batches[-1].at[-1] / 1e9 - time.time())

    try:
        assert abs(asyncio.run(story()) - skew_s) < 60
    finally:
        skewed.stop()


def test_every_policy_and_mode_is_served_here() -> None:
    assert len(EVERY) == len(POLICIES) * len(MODES)
