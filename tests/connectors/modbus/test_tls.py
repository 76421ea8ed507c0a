"""TLS to OpenSSL in a process of its own with libmodbus behind it, and certificates gone wrong."""

import asyncio
import hashlib
import re
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from connectors.checks import Check, applicable
from connectors.modbus import lines
from connectors.modbus.config import ModbusConfig
from connectors.modbus.source import ModbusSource
from plant.errors import Misconfigured, PlantError
from plant.samples import Batch

pytestmark = pytest.mark.journey

TODAY = datetime.now(UTC)
IN_CLEAR = NoEncryption()


@dataclass
class Authority:
    """Signs certificates and lays them into a folder."""

    folder: Path
    name: str = "authority"

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        own = self._built(self.subject, self.key, 365).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.path = self._lay(self.name, own.sign(self.key, hashes.SHA256()))

    def _built(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(TODAY - timedelta(days=400))
            .not_valid_after(TODAY + timedelta(days=days))
        )

    def _lay(self, name: str, certificate: x509.Certificate) -> Path:
        path = self.folder / f"{name}.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        return path

    def issue(
        self,
        name: str,
        host: x509.GeneralName,
        days: float = 100,
        encryption: KeySerializationEncryption = IN_CLEAR,
    ) -> tuple[Path, Path]:
        """Make a certificate and its key; give both files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        built = self._built(subject, key, days).add_extension(
            x509.SubjectAlternativeName([host]), critical=False
        )
        keyfile = self.folder / f"{name}-key.pem"
        keyfile.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        return self._lay(name, built.sign(self.key, hashes.SHA256())), keyfile


LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secured(socat: Any, start_device: Any, authority: Authority) -> Callable[..., ModbusConfig]:
    """Serve libmodbus behind OpenSSL; give our configuration, changed as asked."""

    def start(
        host: x509.GeneralName = LOOPBACK,
        days: float = 100,
        versions: str = "",
        device: Any = None,
        **more: Any,
    ) -> ModbusConfig:
        theirs = authority.issue("plc", host, days)
        ours = authority.issue("gateway", x509.DNSName("gateway"), 30)
        port = socat.listen(
            f"OPENSSL-LISTEN:0,cert={theirs[0]},key={theirs[1]},cafile={authority.path},verify=1"
            + versions,
            f"TCP:127.0.0.1:{(device or start_device()).port}",
        )
        settings = {
            "host": "127.0.0.1",
            "port": port,
            "ca": authority.path,
            "certificate": ours[0],
            "key": ours[1],
            "scan_ms": 20,
            **more,
        }
        return ModbusConfig(name="plc", transport="tls", **settings)

    return start


@pytest.mark.parametrize("check", applicable({}))
def test_source_keeps_the_contract(
    secured: Any, start_device: Any, contract: Any, check: Check
) -> None:
    device = start_device("hole=1,3,40,40")
    asyncio.run(check(contract(secured(device=device), device)))


PATIENT = {"timeout_ms": 10_000.0}
"""Where silence is not what is asked for."""


def reading(config: ModbusConfig, tags: Any, times: int = 1) -> Batch:
    async def run() -> Batch:
        async with ModbusSource(config.model_copy(update=PATIENT), tags) as source:
            for _ in range(times):
                batch = await source.read()
            facts = source.facts()
            assert facts.security in ("TLS 1.2", "TLS 1.3")
            assert facts.secured
            assert facts.certificate_days == pytest.approx(30, abs=0.1)
            return batch

    return asyncio.run(run())


@pytest.mark.parametrize("versions", ["", ",openssl-max-proto-version=TLS1.2"])
def test_reads_over_tls(secured: Any, tagged: Any, versions: str) -> None:
    tags = tagged(*(f"unit 1, input {offset}, uint16" for offset in range(300)))
    batch = reading(secured(versions=versions), tags, times=3)
    assert not batch.status.any()
    assert batch.value.tolist() == [offset ^ 0xA5A5 for offset in range(300)]


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_one_authority_that_was_said_will_do(
    secured: Any, tagged: Any, authority: Authority
) -> None:
    authority.path.write_text("Zürich, 2026\n" + authority.path.read_text(), encoding="utf-8")
    config = secured(ca_sha256=sum_of(authority.path))
    assert not reading(config, tagged("unit 1, input 5, uint16")).status.any()


def refusal(config: ModbusConfig, tags: Any) -> str:
    async def run() -> None:
        async with ModbusSource(config.model_copy(update=PATIENT), tags) as source:
            await source.read()

    with pytest.raises(Misconfigured) as refused:
        asyncio.run(run())
    return str(refused.value)


@pytest.mark.parametrize(
    ("story", "wrong", "sentence"),
    [
        (
            "another host",
            {"host": x509.DNSName("plc.plant")},
            "IP address mismatch.*as host a name",
        ),
        ("out of date", {"days": -1}, "certificate has expired"),
        (
            "old TLS",
            {"versions": ",openssl-max-proto-version=TLS1.1"},
            "does not speak TLS 1.2 or later",
        ),
    ],
)
def test_a_device_that_is_not_to_be_believed(
    secured: Any, tagged: Any, story: str, wrong: Any, sentence: str
) -> None:
    said = refusal(secured(**wrong), tagged("unit 1, input 5, uint16"))
    assert re.search(sentence, said), said


def test_a_device_signed_by_somebody_else(secured: Any, tagged: Any, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    said = refusal(secured(ca=stranger.path), tagged("unit 1, input 5, uint16"))
    assert "its certificate is not to be believed" in said
    assert "give the authority that signed it as ca" in said


def test_another_authority_in_its_place_will_not_do(
    secured: Any, tagged: Any, authority: Authority, tmp_path: Path
) -> None:
    """It is the one that has signed the device's certificate: only the sum tells."""
    config = secured(ca_sha256=sum_of(Authority(tmp_path, "before").path))
    said = refusal(config, tagged("unit 1, input 5, uint16"))
    assert f"is another file than ca_sha256 allows ({sum_of(authority.path)})" in said


@pytest.mark.parametrize("versions", ["", ",openssl-max-proto-version=TLS1.2"])
def test_a_device_that_does_not_believe_us(
    secured: Any, tagged: Any, tmp_path: Path, versions: str
) -> None:
    certificate, key = Authority(tmp_path, "stranger").issue("guest", x509.DNSName("gateway"))
    config = secured(versions=versions, certificate=certificate, key=key)
    said = refusal(config, tagged("unit 1, input 5, uint16"))
    assert "refuses this gateway's certificate" in said


def test_a_device_without_tls(
    start_device: Any, secured: Any, tagged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain Modbus server does not answer a greeting of TLS, or closes."""
    monkeypatch.setattr(lines, "HANDSHAKE_S", 0.2)
    config = secured().model_copy(update={"port": start_device().port, "timeout_ms": 200.0})

    async def run() -> None:
        await ModbusSource(config, tagged("unit 1, input 5, uint16")).__aenter__()

    with pytest.raises(PlantError, match=r"accept a connection|does not speak TLS"):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("story", "key", "content", "sentence"),
    [
        ("no file", "ca", None, "ca: .* cannot be read: no such file"),
        ("not PEM", "ca", b"x", "ca: .* holds no certificate in PEM form"),
        ("not PEM", "certificate", b"x", "certificate and key: .* are no pair of PEM files"),
        ("not PEM", "key", b"x", "certificate and key: .* are no pair of PEM files"),
    ],
)
def test_files_that_cannot_be_used(
    secured: Any, tagged: Any, tmp_path: Path, story: str, key: str, content: Any, sentence: str
) -> None:
    path = tmp_path / "given"
    _ = content is not None and path.write_bytes(content)
    said = refusal(secured(**{key: path}), tagged("unit 1, input 5, uint16"))
    assert re.search(sentence, said), said


def test_a_key_with_a_password_does_not_ask_for_it(
    secured: Any, tagged: Any, authority: Authority
) -> None:
    certificate, key = authority.issue(
        "sealed", x509.DNSName("gateway"), encryption=BestAvailableEncryption(b"secret")
    )
    config = secured(certificate=certificate, key=key)
    said = refusal(config, tagged("unit 1, input 5, uint16"))
    assert "PEM files without a password" in said


def test_an_answer_in_many_records_is_put_together(
    authority: Authority, secured: Any, tagged: Any
) -> None:
    """Each byte travels in a TLS record of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("drip", LOOPBACK))
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transaction, *_ = struct.unpack(">H10x", await reader.readexactly(12))
        frame = struct.pack(">HHHBBBHH", transaction, 0, 7, 1, 4, 4, 1234, 5678)
        for i in range(len(frame)):
            writer.write(frame[i : i + 1])
            await writer.drain()
        try:
            await reader.read()
        finally:
            writer.close()
            over.set()

    async def run() -> Batch:
        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            config = secured(port=port)
            tags = tagged("unit 1, input 0, uint16", "unit 1, input 1, uint16")
            async with ModbusSource(config, tags) as source:
                batch = await source.read()
            await asyncio.wait_for(over.wait(), 60)
            return batch

    assert asyncio.run(run()).value.tolist() == [1234, 5678]
