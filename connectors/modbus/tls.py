"""Modbus/TCP Security (MB-TCP-Security V3.6): TLS 1.2 or later, certificates on both sides."""

import hashlib
import ssl
from pathlib import Path

from cryptography import x509

from plant.errors import Misconfigured


def context_of(
    ca: Path, certificate: Path, key: Path, ca_sha256: str | None = None
) -> ssl.SSLContext:
    """Make the context of a connection: trusts `ca` only, checks the host, shows `certificate`.

    Parameters
    ----------
    ca_sha256
        SHA-256 of the only file that will do as `ca`, hexadecimal; None for any.

    Raises
    ------
    Misconfigured
        When a file cannot be read or used; names it.
    """
    for name, path in (("ca", ca), ("certificate", certificate), ("key", key)):
        _readable(name, path)
    # Read once: what is summed up is what is trusted.
    trusted = ca.read_bytes()
    found = hashlib.sha256(trusted).hexdigest()
    if ca_sha256 not in (None, found):
        raise Misconfigured(
            f"ca: {ca} is another file than ca_sha256 allows ({found}): if the device's authority "
            "is a new one, compare it and write this sum into ca_sha256; otherwise put the file "
            "back"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Notes beside the certificates may be in any letters.
        context.load_verify_locations(cadata=trusted.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise Misconfigured(f"ca: {ca} holds no certificate in PEM form") from None
    try:
        # A key with a password would ask for it on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        raise Misconfigured(
            f"certificate and key: {certificate} and {key} are no pair of PEM files without a "
            f"password ({(error.reason or str(error)).lower().replace('_', ' ')})"
        ) from None
    return context


def _readable(name: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Misconfigured(f"{name}: {path} cannot be read: {why}") from None


def end_of(certificate: Path, peer: ssl.SSLObject) -> float:
    """Tell when the first of both certificates ends, after the handshake, s since 1970."""
    ours = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    shown = peer.getpeercert() or {}
    return min(ours.timestamp(), ssl.cert_time_to_seconds(str(shown["notAfter"])))
