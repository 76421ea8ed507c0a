"""May this server's certificate be believed? Every doubt is a no (OPC 10000-4 §6.1.3).

The order is the standard's: chain and signatures, trust list, validity, host name, application
URI, key usage, revocation. asyncua's own validator trusts anybody in three of its configurations,
ignores the host name and obeys revocation lists of strangers, so it is not used.
"""

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

from connectors.opcua.certificates import TrustList, thumbprint
from plant.errors import Misconfigured

_LONGEST_CHAIN = 8
_MIN_KEY = 2048
_HASHES = {"sha256", "sha384", "sha512"}


@dataclass(frozen=True, slots=True)
class Expected:
    """Who the server has to be: host as in the address or the override, and application URI."""

    source: str
    host: str
    uri: str


def check_server(
    certificate: x509.Certificate, expected: Expected, trust: TrustList, now: datetime
) -> None:
    """Return if the certificate can be believed.

    Raises
    ------
    Misconfigured
        It cannot; the message names the reason, the file and the mend. A stranger's certificate
        has been stored under ``rejected``.
    """
    chain = _chain(certificate, trust)
    if not any(_listed(link, trust.trusted) for link in chain):
        _refuse_stranger(certificate, expected, trust)
    for link in chain:
        _check_strength(link, expected)
        _check_validity(link, expected, now)
    _check_names(certificate, expected)
    _check_usage(certificate, expected)
    for link, issuer in pairwise(chain):
        _check_revocation(link, issuer, expected, trust, now)


def _listed(certificate: x509.Certificate, among: Sequence[x509.Certificate]) -> bool:
    der = certificate.public_bytes(Encoding.DER)
    return any(der == other.public_bytes(Encoding.DER) for other in among)


def _chain(certificate: x509.Certificate, trust: TrustList) -> list[x509.Certificate]:
    """Follow the issuers as far as the folder knows them, each link's signature checked."""
    chain = [certificate]
    known = (*trust.trusted, *trust.issuers)
    while chain[-1].issuer != chain[-1].subject and len(chain) < _LONGEST_CHAIN:
        issuer = next((other for other in known if _issued(chain[-1], other)), None)
        if issuer is None or _listed(issuer, chain):
            break
        chain.append(issuer)
    return chain


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        authority = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        # Self-signed application certificates carry ca and key_cert_sign too; one trusted server
        # must not be able to vouch for another, so an authority has to sign revocations as well.
        return authority and usage.key_cert_sign and usage.crl_sign
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False


def _refuse_stranger(certificate: x509.Certificate, expected: Expected, trust: TrustList) -> None:
    stored = trust.reject(certificate)
    target = trust.folder / "trusted/certs"
    raise Misconfigured(
        f"{expected.source}: the server's certificate is not trusted "
        f"({certificate.subject.rfc4514_string()}, SHA-256 {thumbprint(certificate)}). Compare the "
        f"thumbprint with the one the server shows, then trust it: mv {stored} {target}/"
    )


def _check_strength(certificate: x509.Certificate, expected: Expected) -> None:
    key = certificate.public_key()
    digest = certificate.signature_hash_algorithm
    strong = isinstance(key, RSAPublicKey) and key.key_size >= _MIN_KEY
    if not strong or digest is None or digest.name not in _HASHES:
        raise Misconfigured(
            f"{expected.source}: certificate {_name(certificate)} is too weak; it needs an RSA key "
            f"of {_MIN_KEY} bits or more and a SHA-256 signature: renew it at the server"
        )


def _check_validity(certificate: x509.Certificate, expected: Expected, now: datetime) -> None:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= now <= last:
        raise Misconfigured(
            f"{expected.source}: certificate {_name(certificate)} is valid from {first:%Y-%m-%d} "
            f"to {last:%Y-%m-%d}, and today is {now:%Y-%m-%d}: renew it at the server, or set the "
            "clock of this machine"
        )


def _check_names(certificate: x509.Certificate, expected: Expected) -> None:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    hosts = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    hosts += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    if _canonical(expected.host) not in hosts:
        raise Misconfigured(
            f"{expected.source}: the server's certificate is for {', '.join(hosts) or 'no host'}, "
            f"not for {expected.host}; write that name into url, or, if you know why they differ, "
            "as certificate_host"
        )
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if expected.uri not in uris:
        raise Misconfigured(
            f"{expected.source}: the server calls itself {expected.uri!r}, its certificate says "
            f"{', '.join(uris) or 'nothing'}: give the server a certificate with its own URI"
        )


def _canonical(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return host.lower()


def _check_usage(certificate: x509.Certificate, expected: Expected) -> None:
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
            f"{expected.source}: certificate {_name(certificate)} is not made for an OPC UA server "
            "(key usage, OPC 10000-6 table 43): renew it at the server"
        )


def _check_revocation(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    expected: Expected,
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
        if found.issuer == issuer.subject and found.is_signature_valid(key)
    ]
    if any(found.get_revoked_certificate_by_serial_number(certificate.serial_number)
           for found in genuine):  # fmt: skip
        raise Misconfigured(
            f"{expected.source}: certificate {_name(certificate)} has been revoked by its issuer: "
            "the server needs a new one"
        )
    if genuine and all(found.next_update_utc and found.next_update_utc < now for found in genuine):
        raise Misconfigured(
            f"{expected.source}: the revocation list of {_name(issuer)} is out of date: put a "
            f"fresh one into {trust.folder / 'trusted/crl'}"
        )


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
