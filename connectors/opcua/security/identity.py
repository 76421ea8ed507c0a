"""Our own application certificate (OPC 10000-6 §6.2.2): read, or made once and kept."""

import shlex
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asyncua.crypto.cert_gen import (
    dump_private_key_as_pem,
    generate_private_key,
    generate_self_signed_app_certificate,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.security.certificates import read_certificate, thumbprint
from connectors.opcua.security.keys import read_key
from plant.errors import Misconfigured
from plant.files import alone, put

_YEARS = 10


@dataclass(frozen=True, slots=True)
class Identity:
    """Certificate and key that we show, and the application URI that the certificate holds."""

    certificate: Path
    key: Path
    uri: str


def own_identity(config: OpcUaConfig, trust: Path) -> Identity:
    """Give our identity; make it below `trust` when none is configured and none is there.

    Raises
    ------
    Misconfigured
        A file is missing, unreadable, out of date or carries no application URI.
    """
    if config.certificate is not None and config.key is not None:
        certificate, key = config.certificate, config.key
        mend = "give it and its key in certificate and key anew"
    else:
        certificate, key = _own_files(trust)
        mend = f"make a new one: wheeltapper trust renew --folder {shlex.quote(str(trust))}"
        _make_once(certificate, key, trust)
    ours = read_certificate(certificate)
    if read_key(key, config.name).public_key() != ours.public_key():
        raise Misconfigured(f"{config.name}: the key {key} does not belong to {certificate}")
    _check_dates(config, ours, certificate, mend)
    return Identity(certificate, key, _application_uri(config, ours, certificate))


def renew_identity(trust: Path) -> Path:
    """Make a new certificate and key below `trust`, for the same application URI.

    The old ones are kept in ``own/old``, named by the first digits of the thumbprint.

    Raises
    ------
    Misconfigured
        The old certificate cannot be read.
    OSError
        The folder cannot be written.
    """
    certificate, key = _own_files(trust)
    with alone(trust / "own"):  # of other sources, other commands
        if certificate.exists():
            old = trust / "own/old" / thumbprint(read_certificate(certificate))[:16]
            old.parent.mkdir(exist_ok=True)
            # The key last: a certificate without its key is what nothing mends by itself.
            certificate.rename(old.with_suffix(".der"))
            if key.exists():
                key.rename(old.with_suffix(".pem"))
        _make(certificate, key)
    return certificate


def application_uri() -> str:
    """Give the application URI of this machine's gateway."""
    return f"urn:{socket.gethostname()}:wheeltapper"


def _own_files(trust: Path) -> tuple[Path, Path]:
    return trust / "own/certs/wheeltapper.der", trust / "own/private/wheeltapper.pem"


def _make_once(certificate: Path, key: Path, trust: Path) -> None:
    try:
        with alone(trust / "own"):  # of other sources, other commands
            if not certificate.exists():
                _make(certificate, key)
    except OSError as error:
        raise Misconfigured(
            f"our certificate cannot be made in {trust / 'own'}: {error.strerror}; let the gateway "
            "write there, or give it certificate and key"
        ) from error


def _check_dates(config: OpcUaConfig, ours: x509.Certificate, path: Path, mend: str) -> None:
    now = datetime.now(UTC)
    if ours.not_valid_after_utc < now:
        raise Misconfigured(
            f"{config.name}: our certificate {path} ran out on "
            f"{ours.not_valid_after_utc:%Y-%m-%d}; {mend}, then trust it at the server"
        )
    if now < ours.not_valid_before_utc:
        raise Misconfigured(
            f"{config.name}: our certificate {path} is valid from "
            f"{ours.not_valid_before_utc:%Y-%m-%d %H:%M} on, and it is "
            f"{now:%Y-%m-%d %H:%M}; set the clock of this machine"
        )


def _application_uri(config: OpcUaConfig, certificate: x509.Certificate, path: Path) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.UniformResourceIdentifier)[0]
    except (x509.ExtensionNotFound, IndexError, ValueError) as error:
        raise Misconfigured(
            f"{config.name}: our certificate {path} names no application URI in its "
            "SubjectAlternativeName; servers refuse it, make one that does"
        ) from error


def _make(certificate: Path, key: Path) -> None:
    host = socket.gethostname()
    for folder in (certificate.parent, key.parent):
        folder.mkdir(parents=True, exist_ok=True)
    # A key without a certificate is left by a stop in between; it is as good as a new one.
    secret = read_key(key, host) if key.exists() else generate_private_key()
    made = generate_self_signed_app_certificate(
        secret,
        f"Wheeltapper on {host}"[:64],
        {"organizationName": "Wheeltapper"},
        [x509.UniformResourceIdentifier(application_uri()), x509.DNSName(host)],
        [ExtendedKeyUsageOID.CLIENT_AUTH],
        days=_YEARS * 365,
    )
    put(key, dump_private_key_as_pem(secret), 0o600)
    put(certificate, _valid_since_yesterday(made, secret).public_bytes(Encoding.DER))


def _valid_since_yesterday(made: x509.Certificate, secret: RSAPrivateKey) -> x509.Certificate:
    """Date a certificate back: to a server whose clock is behind it would lie in the future."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(made.subject)
        .issuer_name(made.issuer)
        .public_key(made.public_key())
        .serial_number(made.serial_number)
        .not_valid_before(made.not_valid_before_utc - timedelta(days=1))
        .not_valid_after(made.not_valid_after_utc)
    )
    for extension in made.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(secret, hashes.SHA256())
