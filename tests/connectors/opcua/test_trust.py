"""Certificates made for the occasion, each wrong in one way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from connectors.opcua.certificates import read_certificate, read_trust_list, thumbprint
from connectors.opcua.trust import Expected, check_server
from plant.errors import Misconfigured

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EXPECTED = Expected("plc", "127.0.0.1", "urn:plant:plc")
KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
WEAK_KEY = rsa.generate_private_key(65537, 1024)
CURVE_KEY = ec.generate_private_key(ec.SECP256R1())
SERVER = [x509.UniformResourceIdentifier("urn:plant:plc"), x509.IPAddress(ip_address("127.0.0.1"))]


@dataclass(frozen=True)
class Recipe:
    """A certificate; the defaults make a server's own that nobody can object to."""

    subject: str = "plc"
    issuer: str = "plc"
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = KEY
    signer: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = KEY
    names: tuple[x509.GeneralName, ...] = tuple(SERVER)
    start: datetime = NOW - timedelta(days=10)
    days: float = 365
    authority: bool = False
    revokes: bool = True
    usage: bool = True
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH
    serial: int = 77

    def bake(self) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(self.subject))
            .issuer_name(_name(self.issuer))
            .public_key(self.key.public_key())
            .serial_number(self.serial)
            .not_valid_before(self.start)
            .not_valid_after(self.start + timedelta(days=self.days))
            .add_extension(x509.SubjectAlternativeName(self.names), critical=False)
            .add_extension(x509.BasicConstraints(self.authority, None), critical=True)
            .add_extension(self._usage(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([self.purpose]), critical=False)
        )
        return builder.sign(self.signer, hashes.SHA256())

    def _usage(self) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=True,
            content_commitment=True,
            key_encipherment=self.usage,
            data_encipherment=True,
            key_agreement=False,
            key_cert_sign=self.authority,
            crl_sign=self.authority and self.revokes,
            encipher_only=False,
            decipher_only=False,
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


AUTHORITY = Recipe(subject="ca", issuer="ca", key=OTHER_KEY, signer=OTHER_KEY, authority=True)
ISSUED = Recipe(issuer="ca", signer=OTHER_KEY)

Put = Callable[[str, x509.Certificate | x509.CertificateRevocationList], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def put_down(where: str, thing: x509.Certificate | x509.CertificateRevocationList) -> Path:
        path = tmp_path / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(thing.public_bytes(Encoding.DER))
        return path

    return put_down


def check(certificate: x509.Certificate, folder: Path, expected: Expected = EXPECTED) -> None:
    check_server(certificate, expected, read_trust_list(folder), NOW)


def test_a_trusted_certificate_is_believed(tmp_path: Path, put: Put) -> None:
    put("trusted/certs/plc.der", Recipe().bake())
    check(Recipe().bake(), tmp_path)


def test_a_pem_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "plc.pem"
    path.write_bytes(Recipe().bake().public_bytes(Encoding.PEM))
    assert read_certificate(path) == Recipe().bake()


def test_a_stranger_is_stored_and_the_message_says_how_to_trust(tmp_path: Path) -> None:
    stranger = Recipe().bake()
    with pytest.raises(Misconfigured, match="not trusted") as refusal:
        check(stranger, tmp_path)
    (stored,) = (tmp_path / "rejected").iterdir()
    assert read_certificate(stored) == stranger
    command = f"wheeltapper trust accept {thumbprint(stranger)[:16]} --folder {tmp_path}"
    assert str(refusal.value).endswith(command)
    stored.rename(tmp_path / "trusted/certs" / stored.name)
    check(stranger, tmp_path)


def test_a_twin_with_another_key_is_a_stranger(tmp_path: Path, put: Put) -> None:
    put("trusted/certs/plc.der", Recipe().bake())
    with pytest.raises(Misconfigured, match="not trusted"):
        check(Recipe(key=OTHER_KEY, signer=OTHER_KEY).bake(), tmp_path)


WRONG = {
    "expired": (Recipe(days=5), "valid from"),
    "not yet valid": (Recipe(start=NOW + timedelta(days=1)), "valid from"),
    "other host": (Recipe(names=(SERVER[0], x509.DNSName("plc"))), "not for 127.0.0.1"),
    "other uri": (
        Recipe(names=(x509.UniformResourceIdentifier("urn:else"), SERVER[1])),
        "calls itself",
    ),
    "client only": (Recipe(purpose=ExtendedKeyUsageOID.CLIENT_AUTH), "not made for an OPC UA"),
    "no encipherment": (Recipe(usage=False), "not made for an OPC UA server"),
    "short key": (Recipe(key=WEAK_KEY, signer=WEAK_KEY), "too weak"),
    "curve": (Recipe(key=CURVE_KEY, signer=CURVE_KEY), "too weak"),
}


@pytest.mark.parametrize("name", WRONG)
def test_trusted_but_wrong_is_refused(name: str, tmp_path: Path, put: Put) -> None:
    recipe, reason = WRONG[name]
    certificate = recipe.bake()
    put("trusted/certs/plc.der", certificate)
    with pytest.raises(Misconfigured, match=reason):
        check(certificate, tmp_path)


@pytest.mark.parametrize("host", ["PLC", "plc"])
def test_host_names_have_no_case(host: str, tmp_path: Path, put: Put) -> None:
    recipe = Recipe(names=(SERVER[0], x509.DNSName("Plc")))
    put("trusted/certs/plc.der", recipe.bake())
    check(recipe.bake(), tmp_path, Expected("plc", host, "urn:plant:plc"))


def test_a_certificate_of_a_trusted_authority_is_believed(tmp_path: Path, put: Put) -> None:
    put("trusted/certs/ca.der", AUTHORITY.bake())
    check(ISSUED.bake(), tmp_path)


def test_an_issuer_alone_gives_no_trust(tmp_path: Path, put: Put) -> None:
    put("issuers/certs/ca.der", AUTHORITY.bake())
    with pytest.raises(Misconfigured, match="not trusted"):
        check(ISSUED.bake(), tmp_path)


def test_trust_reaches_over_an_issuer_in_between(tmp_path: Path, put: Put) -> None:
    middle = Recipe(subject="middle", issuer="ca", signer=OTHER_KEY, authority=True)
    put("trusted/certs/ca.der", AUTHORITY.bake())
    put("issuers/certs/middle.der", middle.bake())
    leaf = Recipe(issuer="middle", signer=KEY, key=OTHER_KEY)
    check(leaf.bake(), tmp_path)


@pytest.mark.parametrize(
    "authority",
    [
        Recipe(subject="ca", issuer="ca", key=KEY, signer=KEY, authority=True),
        Recipe(subject="ca", issuer="ca", key=OTHER_KEY, signer=OTHER_KEY),
        replace(AUTHORITY, revokes=False),
    ],
    ids=["other key", "no authority", "an application's own certificate"],
)
def test_a_false_authority_vouches_for_nobody(authority: Recipe, tmp_path: Path, put: Put) -> None:
    put("trusted/certs/ca.der", authority.bake())
    with pytest.raises(Misconfigured, match="not trusted"):
        check(ISSUED.bake(), tmp_path)


def test_an_expired_authority_vouches_for_nobody(tmp_path: Path, put: Put) -> None:
    expired = Recipe(
        subject="ca", issuer="ca", key=OTHER_KEY, signer=OTHER_KEY, authority=True, days=5
    )
    put("trusted/certs/ca.der", expired.bake())
    with pytest.raises(Misconfigured, match="CN=ca is valid from"):
        check(ISSUED.bake(), tmp_path)


def revocations(
    signer: rsa.RSAPrivateKey = OTHER_KEY, serial: int = 77, days: float = 30, issuer: str = "ca"
) -> x509.CertificateRevocationList:
    start = NOW - timedelta(days=20)
    gone = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(start).build()
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_name(issuer))
        .last_update(start)
        .next_update(start + timedelta(days=days))
        .add_revoked_certificate(gone)
        .sign(signer, hashes.SHA256())
    )


@pytest.mark.parametrize("folder", ["trusted/crl", "issuers/crl"])
@pytest.mark.parametrize("days", [30, 10])
def test_a_revoked_certificate_is_refused(
    folder: str, days: float, tmp_path: Path, put: Put
) -> None:
    put("trusted/certs/ca.der", AUTHORITY.bake())
    put(f"{folder}/ca.crl", revocations(days=days))
    with pytest.raises(Misconfigured, match="revoked"):
        check(ISSUED.bake(), tmp_path)


@pytest.mark.parametrize(
    "forged",
    [revocations(signer=KEY), revocations(issuer="stranger"), revocations(serial=5)],
    ids=["signed by another key", "of another issuer", "of another certificate"],
)
def test_lists_that_do_not_concern_it_change_nothing(
    forged: x509.CertificateRevocationList, tmp_path: Path, put: Put
) -> None:
    put("trusted/certs/ca.der", AUTHORITY.bake())
    put("trusted/crl/ca.crl", forged)
    check(ISSUED.bake(), tmp_path)


def test_an_outdated_list_is_refused(tmp_path: Path, put: Put) -> None:
    put("trusted/certs/ca.der", AUTHORITY.bake())
    put("trusted/crl/ca.crl", revocations(serial=5, days=10))
    with pytest.raises(Misconfigured, match="out of date"):
        check(ISSUED.bake(), tmp_path)


@pytest.mark.parametrize(
    "where", ["trusted/certs/x.der", "issuers/certs/x.pem", "trusted/crl/x.crl"]
)
def test_a_broken_file_is_named(where: str, tmp_path: Path) -> None:
    read_trust_list(tmp_path)
    (tmp_path / where).write_bytes(b"-----BEGIN nothing")
    with pytest.raises(Misconfigured, match=r"x\.(der|pem|crl) cannot be read"):
        read_trust_list(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "pki").write_text("a file")
    with pytest.raises(Misconfigured, match="pki cannot be used"):
        read_trust_list(tmp_path / "pki")
