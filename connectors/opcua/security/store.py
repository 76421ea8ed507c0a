"""The trust folder as a person sees it: who is in it, and moved from one side to the other."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.opcua.plain import plain
from connectors.opcua.security.certificates import (
    UNREADABLE,
    certificate_files,
    file_name,
    names_of,
    read_certificate,
    thumbprint,
)
from plant.errors import Misconfigured
from plant.files import put

MAX_FILES = 1_000
"""Files of one subfolder that are looked at."""
MAX_NAMES = 16
SHORTEST_PREFIX = 4
_DAY_S = 86_400


class State(StrEnum):
    """What a folder says about the certificates in it."""

    TRUSTED = "trusted"
    ISSUER = "issuer"
    REJECTED = "rejected"
    OWN = "own"


_FOLDERS = {
    State.OWN: "own/certs",
    State.TRUSTED: "trusted/certs",
    State.ISSUER: "issuers/certs",
    State.REJECTED: "rejected",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a trust folder; all text is fit for a terminal.

    Parameters
    ----------
    folder, file
        The trust folder and the file.
    thumbprint
        SHA-256, hexadecimal; empty where the file holds no certificate.
    until, days
        When it runs out (ISO 8601, UTC) and in how many days; negative after that.
    problem
        Why it cannot be read; empty otherwise.
    """

    folder: Path
    file: Path
    state: State
    thumbprint: str = ""
    subject: str = ""
    uris: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    until: str = ""
    days: float | None = None
    problem: str = ""


def entries(folder: Path, now: datetime | None = None) -> list[Entry]:
    """List a trust folder: our own certificate, then who is trusted, issuers, who is rejected.

    Raises
    ------
    Misconfigured
        There is no such folder.
    """
    if not folder.is_dir():
        raise Misconfigured(
            f"{folder}: no trust folder there yet; it is made at the first connection"
        )
    return [
        _entry(folder, file, state, now or datetime.now(UTC))
        for state, name in _FOLDERS.items()
        if (folder / name).is_dir()
        for file in islice(certificate_files(folder / name), MAX_FILES)
    ]


def chosen(listed: Iterable[Entry], prefix: str, state: State) -> list[Entry]:
    """Choose the entries of one certificate by the beginning of its thumbprint.

    Returns
    -------
    list[Entry]
        The same certificate, once for every folder in which it has the state.

    Raises
    ------
    Misconfigured
        The prefix is none, or fits no certificate with this state, or several.
    """
    digits = "".join(prefix.split()).replace(":", "").lower()
    if len(digits) < SHORTEST_PREFIX or set(digits) - set("0123456789abcdef"):
        raise Misconfigured(
            f'"{plain(prefix)}" is no thumbprint; give its first {SHORTEST_PREFIX} or more '
            "hexadecimal digits"
        )
    fitting = [each for each in listed if each.thumbprint.startswith(digits)]
    here = [each for each in fitting if each.state is state]
    different = {each.thumbprint: each for each in here}
    if len(different) > 1:
        lines = "\n".join(f"  {each.thumbprint}  {each.subject}" for each in different.values())
        raise Misconfigured(f"{digits} fits more than one certificate; give more digits:\n{lines}")
    if not here:
        elsewhere = ", ".join(sorted({each.state for each in fitting}))
        hint = f"; it is: {elsewhere}" if elsewhere else ""
        raise Misconfigured(f"no {state} certificate has a thumbprint that begins {digits}{hint}")
    return here


def accept(entry: Entry) -> Path:
    """Move a certificate to the trusted ones; obeyed from the next connection on."""
    return _move(entry, State.TRUSTED)


def reject(entry: Entry) -> Path:
    """Move a certificate to the rejected ones; obeyed from the next connection on."""
    return _move(entry, State.REJECTED)


def _move(entry: Entry, state: State) -> Path:
    certificate = read_certificate(entry.file)
    # Shown is what is moved: somebody may have exchanged the file while a person was comparing.
    if thumbprint(certificate) != entry.thumbprint:
        raise Misconfigured(f"{plain(str(entry.file))} has changed meanwhile; look at it again")
    target = entry.folder / _FOLDERS[state] / file_name(certificate)
    target.parent.mkdir(parents=True, exist_ok=True)
    put(target, certificate.public_bytes(Encoding.DER))
    # By its own name: of a link the link goes, not what it leads to.
    entry.file.unlink()
    return target


def _entry(folder: Path, file: Path, state: State, now: datetime) -> Entry:
    try:
        certificate = read_certificate(file)
        return _described(folder, file, state, certificate, now)
    except Misconfigured as error:
        return Entry(folder=folder, file=file, state=state, problem=str(error))
    except UNREADABLE as error:
        problem = f"{plain(str(file))} cannot be read in full: {plain(str(error))}"
        return Entry(folder=folder, file=file, state=state, problem=problem)


def _described(
    folder: Path, file: Path, state: State, certificate: x509.Certificate, now: datetime
) -> Entry:
    hosts, uris = names_of(certificate)
    until = certificate.not_valid_after_utc
    return Entry(
        folder=folder,
        file=file,
        state=state,
        thumbprint=thumbprint(certificate),
        subject=plain(certificate.subject.rfc4514_string()),
        uris=tuple(map(plain, uris[:MAX_NAMES])),
        hosts=tuple(map(plain, hosts[:MAX_NAMES])),
        until=f"{until:%Y-%m-%dT%H:%M:%SZ}",
        days=round((until - now).total_seconds() / _DAY_S, 1),
    )
