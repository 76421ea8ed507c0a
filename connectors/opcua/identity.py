"""Our own application certificate (OPC 10000-6 §6.2.2): read, or made once and kept."""

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from asyncua.crypto.cert_gen import (
    dump_private_key_as_pem,
    generate_private_key,
    generate_self_signed_app_certificate,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from connectors.opcua.certificates import read_certificate
from connectors.opcua.config import OpcUaConfig
from plant.errors import Misconfigured

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
    else:
        certificate = trust / "own/certs/wheeltapper.der"
        key = trust / "own/private/wheeltapper.pem"
        if not certificate.exists() and not key.exists():
            _make(certificate, key)
    ours = read_certificate(certificate)
    _check_pair(config, ours, certificate, key)
    return Identity(certificate, key, _application_uri(config, ours, certificate))


def _check_pair(config: OpcUaConfig, ours: x509.Certificate, certificate: Path, key: Path) -> None:
    try:
        content = key.read_bytes()
        load = load_pem_private_key if content.lstrip()[:5] == b"-----" else load_der_private_key
        public = load(content, None).public_key()
    except (OSError, ValueError, TypeError) as error:
        raise Misconfigured(
            f"{config.name}: {key} cannot be read as an unencrypted private key: {error}"
        ) from error
    if public != ours.public_key():
        raise Misconfigured(f"{config.name}: the key {key} does not belong to {certificate}")


def _application_uri(config: OpcUaConfig, certificate: x509.Certificate, path: Path) -> str:
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise Misconfigured(
            f"{config.name}: our certificate {path} ran out on "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}; move it and its key away to have new ones"
        )
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.UniformResourceIdentifier)[0]
    except (x509.ExtensionNotFound, IndexError) as error:
        raise Misconfigured(
            f"{config.name}: our certificate {path} names no application URI in its "
            "SubjectAlternativeName; servers refuse it, make one that does"
        ) from error


def _make(certificate: Path, key: Path) -> None:
    host = socket.gethostname()
    secret = generate_private_key()
    made = generate_self_signed_app_certificate(
        secret,
        f"Wheeltapper on {host}"[:64],
        {"organizationName": "Wheeltapper"},
        [x509.UniformResourceIdentifier(f"urn:{host}:wheeltapper"), x509.DNSName(host)],
        [ExtendedKeyUsageOID.CLIENT_AUTH],
        days=_YEARS * 365,
    )
    for folder in (certificate.parent, key.parent):
        folder.mkdir(parents=True, exist_ok=True)
    # Opened with its final rights, so that nobody reads it in between.
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(dump_private_key_as_pem(secret))
    certificate.write_bytes(made.public_bytes(Encoding.DER))
