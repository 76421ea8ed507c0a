"""Certificates and revocation lists made for the occasion, each wrong in one way."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 6, 1, tzinfo=UTC)
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
    below: int | None = None
    usage: bool = True
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH
    serial: int = 77

    def bake(self) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name_of(self.subject))
            .issuer_name(name_of(self.issuer))
            .public_key(self.key.public_key())
            .serial_number(self.serial)
            .not_valid_before(self.start)
            .not_valid_after(self.start + timedelta(days=self.days))
            .add_extension(x509.SubjectAlternativeName(self.names), critical=False)
            .add_extension(x509.BasicConstraints(self.authority, self.below), critical=True)
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


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def read_back(der: bytes) -> x509.Certificate | None:
    """Read what may be no certificate any more."""
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        return None


AUTHORITY = Recipe(subject="ca", issuer="ca", key=OTHER_KEY, signer=OTHER_KEY, authority=True)
ISSUED = Recipe(issuer="ca", signer=OTHER_KEY)


def revocations(
    signer: rsa.RSAPrivateKey = OTHER_KEY,
    serial: int = 77,
    days: float = 30,
    issuer: str = "ca",
    start: datetime = NOW - timedelta(days=20),
) -> x509.CertificateRevocationList:
    """Revoke one certificate."""
    gone = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(start).build()
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name_of(issuer))
        .last_update(start)
        .next_update(start + timedelta(days=days))
        .add_revoked_certificate(gone)
        .sign(signer, hashes.SHA256())
    )
