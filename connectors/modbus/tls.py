"""Modbus/TCP Security (MB-TCP-Security V3.6): TLS 1.2 or later, certificates on both sides."""

import ssl
import time
from pathlib import Path

from cryptography import x509

from plant.errors import Misconfigured

_DAY_S = 86_400.0


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


def days_left(certificate: Path, peer: ssl.SSLObject) -> float | None:
    """Tell the days until the first of both certificates ends; None before the handshake."""
    shown = peer.getpeercert()
    if not shown:
        return None
    ours = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    end = min(ours.timestamp(), ssl.cert_time_to_seconds(str(shown["notAfter"])))
    return (end - time.time()) / _DAY_S
