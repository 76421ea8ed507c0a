"""May this server's certificate be believed? Every doubt is a no (OPC 10000-4 §6.1.3).

The order is the standard's: chain and signatures, trust list, validity, host name, application
URI, key usage, revocation. asyncua's own validator trusts anybody in three of its configurations,
ignores the host name and obeys revocation lists of strangers, so it is not used.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from connectors.opcua.plain import plain
from connectors.opcua.security.certificates import UNREADABLE, TrustList, names_of, thumbprint
from plant.errors import Misconfigured

LONGEST_CHAIN = 8
_MIN_KEY = 2048
_HASHES = {"sha256", "sha384", "sha512"}


@dataclass(frozen=True, slots=True)
class Expected:
    """Who the server has to be.

    Parameters
    ----------
    source
        Name of the source.
    host
        As in the address, or the override.
    uri
        Application URI that the server gives itself.
    thumbprint
        SHA-256 thumbprint of the only certificate that will do; None for any that is trusted.
    """

    source: str
    host: str
    uri: str
    thumbprint: str | None = None


def check_server(
    certificate: x509.Certificate,
    expected: Expected,
    trust: TrustList,
    now: datetime,
    presented: Sequence[x509.Certificate] = (),
) -> None:
    """Return if the certificate can be believed.

    Parameters
    ----------
    presented
        Issuers that the server shows with it; they complete a chain and give no trust.

    Raises
    ------
    Misconfigured
        It cannot; the message names the reason, the file and the mend. Unless a person has put it
        among the trusted ones, the certificate has been stored under ``rejected``.
    """
    try:
        _check(certificate, expected, trust, now, presented)
    except Misconfigured as error:
        stored = _store(certificate, trust)
        raise Misconfigured(f"{expected.source}: {error}{stored}") from error
    except UNREADABLE as error:
        stored = _store(certificate, trust)
        raise Misconfigured(
            f"{expected.source}: the server's certificate cannot be read in full "
            f"({plain(str(error))}): give the server a sound one{stored}"
        ) from error


def _check(
    certificate: x509.Certificate,
    expected: Expected,
    trust: TrustList,
    now: datetime,
    presented: Sequence[x509.Certificate],
) -> None:
    if expected.thumbprint is not None:
        _check_thumbprint(certificate, expected.thumbprint)
    chain = _chain(certificate, trust, presented)
    if not any(_listed(link, trust.trusted) for link in chain):
        _refuse_stranger(certificate, trust)
    for link in chain:
        _check_strength(link)
        _check_validity(link, now)
    _check_names(certificate, expected)
    _check_usage(certificate)
    for link, issuer in pairwise(chain):
        _check_revocation(link, issuer, trust, now)


def _store(certificate: x509.Certificate, trust: TrustList) -> str:
    """Keep what was refused, and say so where that fails: it must not hide why it was refused."""
    if _listed(certificate, trust.trusted):
        return ""
    try:
        trust.reject(certificate)
    except OSError as error:
        return f" (it could not be stored in {trust.folder / 'rejected'}: {error.strerror})"
    return ""


def _check_thumbprint(certificate: x509.Certificate, only: str) -> None:
    shown = thumbprint(certificate)
    if shown != only:
        raise Misconfigured(
            f"the server shows another certificate ({_name(certificate)}, SHA-256 {shown}) than "
            f"server_thumbprint allows ({only}): if the server was given a new one, compare it "
            "there and write its thumbprint into server_thumbprint; otherwise somebody else answers"
        )


def _listed(certificate: x509.Certificate, among: Sequence[x509.Certificate]) -> bool:
    der = certificate.public_bytes(Encoding.DER)
    return any(der == other.public_bytes(Encoding.DER) for other in among)


def _chain(
    certificate: x509.Certificate, trust: TrustList, presented: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """Follow the issuers as far as they are known, each link's signature checked."""
    chain = [certificate]
    # An authority renewed with its old key stands there twice: the one that lasts longer counts.
    known = (*_lasting(trust.trusted), *_lasting(trust.issuers), *presented)
    while chain[-1].issuer != chain[-1].subject and len(chain) < LONGEST_CHAIN:
        issuer = next((other for other in known if _issued(chain, other)), None)
        if issuer is None or _listed(issuer, chain):
            break
        chain.append(issuer)
    return chain


def _lasting(certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    return sorted(certificates, key=lambda each: each.not_valid_after_utc, reverse=True)


def _issued(chain: Sequence[x509.Certificate], issuer: x509.Certificate) -> bool:
    try:
        chain[-1].verify_directly_issued_by(issuer)
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        authority = basic.ca and (basic.path_length is None or len(chain) <= basic.path_length + 1)
        # Self-signed application certificates carry ca and key_cert_sign too; one trusted server
        # must not be able to vouch for another, so an authority has to sign revocations as well.
        return authority and usage.key_cert_sign and usage.crl_sign
    except (*UNREADABLE, InvalidSignature, x509.ExtensionNotFound):
        return False


def _refuse_stranger(certificate: x509.Certificate, trust: TrustList) -> None:
    digits = thumbprint(certificate)
    folder = shlex.quote(str(trust.folder.absolute()))
    raise Misconfigured(
        f"the server's certificate is not trusted ({_name(certificate)}, SHA-256 {digits}). "
        "Compare the thumbprint with the one the server shows, then trust it: "
        f"wheeltapper trust accept {digits[:16]} --folder {folder}"
    )


def _check_strength(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    digest = certificate.signature_hash_algorithm
    strong = isinstance(key, RSAPublicKey) and key.key_size >= _MIN_KEY
    if not strong or digest is None or digest.name not in _HASHES:
        raise Misconfigured(
            f"certificate {_name(certificate)} is too weak; it needs an RSA key "
            f"of {_MIN_KEY} bits or more and a SHA-256 signature: renew it at the server"
        )


def _check_validity(certificate: x509.Certificate, now: datetime) -> None:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= now <= last:
        raise Misconfigured(
            f"certificate {_name(certificate)} is valid from {first:%Y-%m-%d %H:%M} "
            f"to {last:%Y-%m-%d %H:%M}, and it is {now:%Y-%m-%d %H:%M} UTC: renew it at the "
            "server, or set the clock of this machine"
        )


def _check_names(certificate: x509.Certificate, expected: Expected) -> None:
    hosts, uris = names_of(certificate)
    if _canonical(expected.host) not in hosts:
        raise Misconfigured(
            f"the server's certificate is for {_listing(hosts) or 'no host'}, "
            f"not for {expected.host}; write that name into url, or, if you know why they differ, "
            "as certificate_host"
        )
    if expected.uri not in uris:
        raise Misconfigured(
            f"the server calls itself {plain(expected.uri)!r}, its certificate says "
            f"{_listing(uris) or 'nothing'}: give the server a certificate with its own URI"
        )


def _listing(names: Sequence[str]) -> str:
    return plain(", ".join(names[:LONGEST_CHAIN]))


def _canonical(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return host.lower()


def _check_usage(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        allowed = False
    else:
        allowed = (
            usage.digital_signature
            and usage.content_commitment
            and usage.key_encipherment
            and usage.data_encipherment
            and ExtendedKeyUsageOID.SERVER_AUTH in extended
        )
    if not allowed:
        raise Misconfigured(
            f"certificate {_name(certificate)} is not made for an OPC UA server "
            "(key usage, OPC 10000-6 table 43): renew it at the server"
        )


def _check_revocation(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    trust: TrustList,
    now: datetime,
) -> None:
    """Obey the lists that the certificate's own issuer has signed, and no others."""
    key = issuer.public_key()
    if not isinstance(key, RSAPublicKey):
        return
    genuine = [
        found
        for found in trust.revocations
        if found.issuer == issuer.subject and _signed(found, key)
    ]
    if any(found.get_revoked_certificate_by_serial_number(certificate.serial_number)
           for found in genuine):  # fmt: skip
        raise Misconfigured(
            f"certificate {_name(certificate)} has been revoked by its issuer: "
            "the server needs a new one"
        )
    if genuine and all(found.next_update_utc and found.next_update_utc < now for found in genuine):
        raise Misconfigured(
            f"the revocation list of {_name(issuer)} is out of date: put a "
            f"fresh one into {trust.folder / 'trusted/crl'}"
        )


def _signed(found: x509.CertificateRevocationList, key: RSAPublicKey) -> bool:
    try:
        return found.is_signature_valid(key)
    except UNREADABLE:
        return False


def _name(certificate: x509.Certificate) -> str:
    return plain(certificate.subject.rfc4514_string())
