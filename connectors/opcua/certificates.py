"""Reading certificates and revocation lists from the folders of OPC 10000-12 §7.8."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from plant.errors import Misconfigured

_SUFFIXES = {".der", ".crt", ".cer", ".pem"}
_LIST_SUFFIXES = {".crl", ".der", ".pem"}
FOLDERS = ("trusted/certs", "trusted/crl", "issuers/certs", "issuers/crl", "rejected")


@dataclass(frozen=True, slots=True)
class TrustList:
    """What a trust folder holds.

    Parameters
    ----------
    folder
        Where it was read from.
    trusted
        Certificates and authorities that a person has put there.
    issuers
        Authorities that only complete a chain; trust does not start there.
    revocations
        Revocation lists; none is obeyed before its issuer's signature is checked.
    """

    folder: Path
    trusted: tuple[x509.Certificate, ...]
    issuers: tuple[x509.Certificate, ...]
    revocations: tuple[x509.CertificateRevocationList, ...]

    def reject(self, certificate: x509.Certificate) -> Path:
        """Store a certificate nobody trusts yet, and say where."""
        path = self.folder / "rejected" / f"{thumbprint(certificate)[:40]}.der"
        path.write_bytes(certificate.public_bytes(Encoding.DER))
        return path


def read_trust_list(folder: Path) -> TrustList:
    """Read a trust folder; its subfolders are made when they are missing.

    Raises
    ------
    Misconfigured
        The folder cannot be made, or a file in it is no certificate or revocation list.
    """
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"trust folder {folder} cannot be used: {error}") from error
    return TrustList(
        folder=folder,
        trusted=tuple(map(read_certificate, _files(folder / "trusted/certs", _SUFFIXES))),
        issuers=tuple(map(read_certificate, _files(folder / "issuers/certs", _SUFFIXES))),
        revocations=tuple(
            _read_revocations(path)
            for name in ("trusted/crl", "issuers/crl")
            for path in _files(folder / name, _LIST_SUFFIXES)
        ),
    )


def read_certificate(path: Path) -> x509.Certificate:
    """Read a certificate, DER or PEM.

    Raises
    ------
    Misconfigured
        The file cannot be read or holds no certificate.
    """
    try:
        content = path.read_bytes()
        if content.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"{path} cannot be read as a certificate (DER or PEM): {error}"
        ) from error


def _read_revocations(path: Path) -> x509.CertificateRevocationList:
    try:
        content = path.read_bytes()
        if content.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_crl(content)
        return x509.load_der_x509_crl(content)
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"{path} cannot be read as a revocation list (DER or PEM): {error}"
        ) from error


def _files(folder: Path, suffixes: set[str]) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes)


def thumbprint(certificate: x509.Certificate) -> str:
    """Give the SHA-256 thumbprint in hexadecimal digits."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
