"""The console's certificate: given by the plant's IT, or our own, made once and kept."""

import ipaddress
import os
import socket
import ssl
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from connectors.opcua.security.certificates import names_of, thumbprint
from gateway.config.plan import Plan
from plant.errors import Misconfigured
from plant.files import put

OWN_DAYS = 825
"""Longest life that every browser grants a certificate somebody trusts by hand (Apple HT210176)."""
RENEW_DAYS = 30
"""Left of our own certificate, it is made anew at the next start."""
SOON_DAYS = 30
"""Left of one that was given, a person is told."""
MOST_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate, its chain behind it, and its key: PEM files; `own` when made by us."""

    certificate: Path
    key: Path
    own: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says: names and addresses, its end, days until then, SHA-256 digits."""

    names: tuple[str, ...]
    until: datetime
    days: float
    thumbprint: str


class Shown:
    """The certificate that is shown, taken anew once its files have changed.

    Parameters
    ----------
    pair
        Where it is.

    Raises
    ------
    Misconfigured
        It cannot be read or used.
    """

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._stamp = self._stamped()
        self.context = context(pair)
        self.facts = facts(pair)

    def look(self) -> str | None:
        """Take the files as they are now: None, they are as they were; empty, done; else why not.

        Connections that stand go on; those that come are shown the new one.
        """
        stamp = self._stamped()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            # Certificate and key are seldom put there at the same moment: the second one mends it.
            why = "; ".join(words for _, words in problems(self._pair))
            if not why:
                self.context.load_cert_chain(self._pair.certificate, self._pair.key)
                self.facts = facts(self._pair)
        except (OSError, Misconfigured) as error:
            # Gone or changed between two looks at it.
            return str(error)
        return why

    def _stamped(self) -> list[tuple[int, int]]:
        found = []
        for path in (self._pair.certificate, self._pair.key):
            with suppress(OSError):
                told = path.stat()
                found.append((told.st_mtime_ns, told.st_ino))
        return found


def own_pair(data: Path) -> Pair:
    """Tell where our own certificate is kept."""
    return Pair(data / "tls/console.pem", data / "tls/console-key.pem", own=True)


def pair_of(plan: Plan) -> Pair | None:
    """Tell which certificate the console serves with; None: it serves in clear."""
    console = plan.console
    if console.certificate is not None and console.key is not None:
        return Pair(console.certificate, console.key, own=False)
    return own_pair(plan.data) if console.tls else None


def names_of_machine(host: str, names: Sequence[str]) -> list[str]:
    """Give the names and addresses under which browsers may come: said, the machine's, its own.

    Parameters
    ----------
    host
        Where the console listens.
    names
        What the configuration adds.
    """
    found = [*names, socket.gethostname().lower(), "localhost", "127.0.0.1", "::1"]
    if not ipaddress.ip_address(host).is_unspecified:
        found.append(host)
    else:
        found += _address()
    return list(dict.fromkeys(name for name in found if _usable(name)))


def prepare(pair: Pair, names: Sequence[str], needed: Sequence[str]) -> bool:
    """Make our own certificate where none is, or it ends soon or lacks a name; tell whether.

    The key stays: who has pinned it is not asked again.

    Parameters
    ----------
    names
        What it is made for.
    needed
        Those without which it is made anew: a container has another name and address each time,
        and whoever trusts the certificate shall not be asked each time.

    Raises
    ------
    Misconfigured
        It cannot be made there.
    """
    if not pair.own:
        return False
    try:
        pair.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _serves(pair, needed):
            return False
        key = _key(pair.key) if pair.key.exists() else ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        put(pair.key, secret, 0o600)
        put(pair.certificate, _made(key, names).public_bytes(Encoding.PEM))
    except OSError as error:
        raise Misconfigured(
            f"console: its certificate cannot be made in {pair.key.parent}: {error.strerror}; let "
            "the gateway write there, or give it certificate and key"
        ) from error
    return True


def problems(pair: Pair) -> Iterator[tuple[str, str]]:
    """Give what is wrong with a certificate and its key: which of both, and a sentence."""
    found: list[x509.Certificate] = []
    key = None
    try:
        found = _chain(pair.certificate)
    except Misconfigured as error:
        yield "certificate", str(error)
    try:
        key = _key(pair.key)
    except Misconfigured as error:
        yield "key", str(error)
    else:
        yield from (("key", words) for words in _exposed(pair.key))
    if found:
        yield from (("certificate", words) for words in _unfit(found[0], pair.certificate))
    if not found or key is None:
        return
    if key.public_key() != found[0].public_key():
        yield "key", f"{pair.key} does not belong to {pair.certificate}"
        return
    try:
        context(pair)
    except Misconfigured as error:
        yield "certificate", str(error)


def facts(pair: Pair) -> Facts:
    """Read what the certificate says.

    Raises
    ------
    Misconfigured
        It cannot be read.
    """
    leaf = _chain(pair.certificate)[0]
    until = leaf.not_valid_after_utc
    days = (until - datetime.now(UTC)) / timedelta(days=1)
    return Facts(tuple(names_of(leaf)[0]), until, days, thumbprint(leaf))


def context(pair: Pair) -> ssl.SSLContext:
    """Give what the server speaks TLS with, 1.2 or later.

    Raises
    ------
    Misconfigured
        The library does not take the pair.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION
    try:
        made.load_cert_chain(pair.certificate, pair.key, password=_no_pass_phrase)
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{pair.certificate} cannot be used: {error}") from error
    return made


def _no_pass_phrase() -> str:
    raise ValueError("the key is encrypted")


def _address() -> list[str]:
    """Give the address that the machine speaks to others from, without asking any of them.

    A name server that does not answer would hold up the start for half a minute.
    """
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent; TEST-NET-1 of RFC 5737
        return [str(probe.getsockname()[0])]
    return []  # without a network there is none


def _usable(name: str) -> bool:
    return (
        bool(name) and len(name) <= 253 and name.isascii() and "%" not in name and " " not in name
    )


def _serves(pair: Pair, names: Sequence[str]) -> bool:
    if not pair.certificate.exists() or any(problems(pair)):
        return False
    said = facts(pair)
    return said.days > RENEW_DAYS and {name.lower() for name in names} <= set(said.names)


def _made(key: CertificateIssuerPrivateKeyTypes, names: Sequence[str]) -> x509.Certificate:
    machine = socket.gethostname()[:64]
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Wheeltapper"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Wheeltapper on {machine}"[:64]),
        ]
    )
    # To a browser whose clock is behind it would lie in the future.
    since = datetime.now(UTC) - timedelta(days=1)
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=OWN_DAYS))
        .add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.lower())


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise Misconfigured(f"{path}: no such file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise Misconfigured(f"{path} is larger than {MOST_BYTES} bytes")
    return content


def _chain(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except (ValueError, x509.InvalidVersion) as error:
        raise Misconfigured(f"{path} holds no certificate in PEM") from error


def _key(path: Path) -> CertificateIssuerPrivateKeyTypes:
    try:
        key = load_pem_private_key(_read(path), None)
    except TypeError as error:
        raise Misconfigured(f"{path} is encrypted; give a key without a pass phrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Misconfigured(f"{path} holds no private key in PEM") from error
    return key  # type: ignore[return-value]  # a key that cannot sign does not fit a certificate


def _exposed(path: Path) -> Iterator[str]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o027:
        yield f"{path} can be read or changed by other users (mode {mode:04o}): chmod 600 {path}"
    elif not os.access(path, os.R_OK):
        yield f"{path} is not for this user to read"


def _unfit(leaf: x509.Certificate, path: Path) -> Iterator[str]:
    now = datetime.now(UTC)
    if leaf.not_valid_after_utc < now:
        yield f"{path} ran out on {leaf.not_valid_after_utc:%Y-%m-%d}; ask for a new one"
    if now < leaf.not_valid_before_utc:
        yield (
            f"{path} is valid from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} on, and it is "
            f"{now:%Y-%m-%d %H:%M}; is the clock of this machine right?"
        )
    try:
        if not names_of(leaf)[0]:
            yield f"{path} names no host in its SubjectAlternativeName; no browser takes it"
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
            yield f"{path} is not made for a server (extended key usage serverAuth)"
    except x509.ExtensionNotFound:
        return  # without that extension a certificate is for any use
    except ValueError as error:
        yield f"{path} cannot be read: {error}"
