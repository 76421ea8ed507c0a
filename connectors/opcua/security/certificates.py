"""Reading certificates and revocation lists from the folders of OPC 10000-12 §7.8."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.opcua.plain import plain
from plant.errors import Misconfigured
from plant.files import put

MAX_CERTIFICATE = 65_536
"""Bytes; a certificate with an RSA key of 4096 bits has 2,000."""
MAX_REVOCATIONS = 8 * 1024 * 1024
MAX_REJECTED = 100
"""Certificates of strangers that are kept; anybody on the network can send new ones."""
UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What reading the inside of a stranger's certificate raises."""
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

    def reject(self, certificate: x509.Certificate) -> None:
        """Store a certificate that is not believed, for a person to look at; the oldest go.

        Raises
        ------
        OSError
            It cannot be stored.
        """
        folder = self.folder / "rejected"
        path = folder / file_name(certificate)
        # Told again at every try to connect: written once, so that no flash wears out.
        if not path.exists():
            put(path, certificate.public_bytes(Encoding.DER))
            _forget_oldest(folder)


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
        trusted=tuple(map(read_certificate, certificate_files(folder / "trusted/certs"))),
        issuers=tuple(map(read_certificate, certificate_files(folder / "issuers/certs"))),
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
        content = _content(path, MAX_CERTIFICATE)
        if content.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except (OSError, ValueError, x509.InvalidVersion) as error:
        raise Misconfigured(
            f"{plain(str(path))} cannot be read as a certificate (DER or PEM): {error}"
        ) from error


def certificate_files(folder: Path) -> Iterator[Path]:
    """Give what the file names in a folder say are certificates, in the order of the names."""
    return _files(folder, _SUFFIXES)


def file_name(certificate: x509.Certificate) -> str:
    """Name the file of a certificate; nothing of a stranger's choice is in it."""
    return f"{thumbprint(certificate)[:40]}.der"


def thumbprint(certificate: x509.Certificate) -> str:
    """Give the SHA-256 thumbprint in hexadecimal digits."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def names_of(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    """Give the hosts, in small letters, and the application URIs that a certificate is made for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [], []
    hosts = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    hosts += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return hosts, names.get_values_for_type(x509.UniformResourceIdentifier)


def _read_revocations(path: Path) -> x509.CertificateRevocationList:
    try:
        content = _content(path, MAX_REVOCATIONS)
        if content.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_crl(content)
        return x509.load_der_x509_crl(content)
    except (OSError, ValueError, x509.InvalidVersion) as error:
        raise Misconfigured(
            f"{plain(str(path))} cannot be read as a revocation list (DER or PEM): {error}"
        ) from error


def _content(path: Path, most: int) -> bytes:
    # A pipe or a device would be waited for.
    if not path.is_file():
        raise ValueError("no file, or a link that leads to none")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than {most} bytes")
    return content


def _files(folder: Path, suffixes: set[str]) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes)


def _forget_oldest(folder: Path) -> None:
    files = [path for path in certificate_files(folder) if path.is_symlink() or path.is_file()]
    # Two sources at once may both find a file too many.
    for path in sorted(files, key=_stored_at)[:-MAX_REJECTED]:
        path.unlink(missing_ok=True)


def _stored_at(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except FileNotFoundError:
        return 0
