"""Modbus/TCP Security (MB-TCP-Security V3.6): TLS 1.2 or later, certificates on both sides."""

import ssl
from pathlib import Path

from cryptography import x509

from plant.errors import Misconfigured


def context_of(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Make the context of a connection: trusts `ca` only, checks the host, shows `certificate`.

    Raises
    ------
    Misconfigured
        When a file cannot be read or used; names it.
    """
    for name, path in (("ca", ca), ("certificate", certificate), ("key", key)):
        _readable(name, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError:
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
