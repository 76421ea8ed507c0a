"""The TUF metadata of a registry on its shelf: read and checked, signed and put.

The TUF specification 1.0 says what each role is for (https://theupdateframework.github.io/
specification/). Published through `tuf.api.metadata`: `tuf.repository` is no stable interface.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, Targets, Timestamp

from connectors.registry.names import line_of, role_of
from plant.errors import Misconfigured, Rejected
from plant.files import alone, put

LIFE = "x-wheeltapper-life-s"
"""In the signed part of each role: for how long it is signed each time, s."""
SIGNED = "x-wheeltapper-signed"
"""In the signed part: when, s since 1970 UTC. A clock before that is wrong."""
MOST_METADATA_BYTES = 5_000_000
KEPT = 32
"""Newest versions of a role that stay; of root all do, gateways follow them one by one."""
S = TypeVar("S", Root, Targets, Snapshot, Timestamp)


class Shelf:
    """The folder ``metadata`` of a registry; `folder` is the registry's own."""

    def __init__(self, folder: Path) -> None:
        self.registry = folder
        self.folder = folder / "metadata"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from changing the registry; nothing is made where there is none."""
        self.root()
        with alone(self.registry):
            yield

    def root(self) -> Metadata[Root]:
        """Read the newest root.

        Raises
        ------
        Misconfigured
            There is no registry here.
        """
        if self._newest(Root.type) is None:
            raise Misconfigured(
                f"{self.registry} is no registry; make one: wheeltapper models init {self.registry}"
            )
        read = self._parsed(Root.type, Root)
        self._verify(read.signed, Root.type, read)
        return read

    def targets(self) -> Metadata[Targets]:
        """Read what says which key is for which line."""
        root = self.root().signed
        read = self._parsed(Targets.type, Targets)
        self._verify(root, Targets.type, read)
        return read

    def line(self, line: str) -> Metadata[Targets] | None:
        """Read what the key of a line has signed; None: nothing yet.

        Raises
        ------
        Misconfigured
            The line is not known.
        Rejected
            What lies here is not signed by the key of the line.
        """
        self.keys_of(line)
        if self._newest(role_of(line)) is None:
            return None
        read = self._parsed(role_of(line), Targets)
        self._verify(self.targets().signed, role_of(line), read)
        return read

    def snapshot(self) -> Metadata[Snapshot] | None:
        """Read the newest snapshot; None: there is none, or its key is none any more."""
        if self._newest(Snapshot.type) is None:
            return None
        read = self._parsed(Snapshot.type, Snapshot)
        said = self.root().signed.get_verification_result(
            Snapshot.type, read.signed_bytes, read.signatures
        )
        return read if said else None

    def lines(self) -> tuple[str, ...]:
        """List the lines that have a key."""
        delegations = self.targets().signed.delegations
        return () if delegations is None else tuple(map(line_of, sorted(delegations.roles or {})))

    def keys_of(self, line: str) -> list[str]:
        """Give the numbers of the keys that may sign for a line.

        Raises
        ------
        Misconfigured
            The line is not known.
        """
        delegations = self.targets().signed.delegations
        roles = {} if delegations is None else delegations.roles or {}
        if role_of(line) not in roles:
            known = ", ".join(map(line_of, sorted(roles))) or "none"
            raise Misconfigured(
                f"{self.registry} has no key for the line {line} (lines: {known}); give it one: "
                f"wheeltapper models keys add {self.registry} {line}"
            )
        return roles[role_of(line)].keyids

    def listed(self) -> Iterator[tuple[str, MetaFile]]:
        """Give what a snapshot lists: targets and the lines that were signed, as they lie here."""
        signed = [(Targets.type, self.targets())]
        signed += [(role_of(line), read) for line in self.lines() if (read := self.line(line))]
        for role, read in signed:
            data = self.content(role)
            yield f"{role}.json", MetaFile.from_data(read.signed.version, data, ["sha256"])

    def lately(self, since: float) -> Iterator[Targets]:
        """Give the lists of all lines that were out at some time since then, s since 1970 UTC."""
        for number in reversed(self._numbers(Snapshot.type)):
            snapshot = self._old(Snapshot.type, number)
            for name, told in snapshot.meta.items():
                role = name.removesuffix(".json")
                if role != Targets.type and self._path(role, told.version).exists():
                    yield self._old(role, told.version)
            if snapshot.unrecognized_fields.get(SIGNED, 0) <= since:
                return  # the one before was replaced by then

    def put(self, role: str, metadata: Metadata[S]) -> None:
        """Write metadata as a whole; the timestamp under its plain name, the others numbered."""
        put(self._path(role, metadata.signed.version), metadata.to_bytes())

    def number(self, role: str) -> int:
        """Give the version of what lies here for a role, whoever signed it; 0: nothing."""
        newest = self._newest(role)
        return 0 if newest is None else self.state(role).version

    def state(self, role: str) -> Signed:
        """Give the signed part of what lies here for a role, whoever signed it."""
        signed: Signed = self._read(role).signed
        return signed

    def content(self, role: str) -> bytes:
        """Give the bytes of what lies here for a role.

        Raises
        ------
        Rejected
            Nothing does, or too much.
        """
        path = self._newest(role)
        if path is None:
            raise Rejected(f"{self.folder}: {role} is missing; put a whole copy back")
        with path.open("rb") as file:
            data = file.read(MOST_METADATA_BYTES + 1)
        if len(data) > MOST_METADATA_BYTES:
            raise Rejected(f"{path} is longer than metadata may be")
        return data

    def thin(self, role: str) -> None:
        """Drop old numbers of a role; who pulls just now may still ask for the last ones."""
        for number in self._numbers(role)[:-KEPT]:
            self._path(role, number).unlink(missing_ok=True)

    def _path(self, role: str, version: int) -> Path:
        number = "" if role == Timestamp.type else f"{version}."
        return self.folder / f"{number}{role}.json"

    def _newest(self, role: str) -> Path | None:
        if role == Timestamp.type:
            path = self.folder / f"{role}.json"
            return path if path.exists() else None
        numbers = self._numbers(role)
        return self._path(role, numbers[-1]) if numbers else None

    def _numbers(self, role: str) -> list[int]:
        """List the versions that lie here, ascending."""
        if not self.folder.is_dir():
            return []
        named = re.compile(rf"([0-9]{{1,15}})\.{re.escape(role)}\.json")
        found = (named.fullmatch(one.name) for one in self.folder.iterdir())
        return sorted(int(one[1]) for one in found if one)

    def _parsed(self, role: str, shape: type[S]) -> Metadata[S]:
        read = self._read(role)
        if not isinstance(read.signed, shape):
            raise Rejected(f"{self._newest(role)} is metadata of another role")
        return read

    def _old(self, role: str, version: int) -> Any:
        """Give the signed part of an earlier version."""
        path = self._path(role, version)
        try:
            return Metadata[Any].from_bytes(path.read_bytes()).signed
        except RepositoryError as error:
            raise Rejected(f"{path} is no TUF metadata: {error}; put a whole copy back") from error

    def _read(self, role: str) -> Metadata[Any]:
        try:
            return Metadata.from_bytes(self.content(role))
        except RepositoryError as error:
            raise Rejected(
                f"{self._newest(role)} is no TUF metadata: {error}; put a whole copy back"
            ) from error

    def _verify(self, by: Root | Targets, role: str, metadata: Metadata[S]) -> None:
        try:
            by.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except UnsignedMetadataError as error:
            raise Rejected(
                f"{self._newest(role)} is not signed by the key that it has to be signed by; "
                "somebody else put it there, or that key was rotated and this not signed again"
            ) from error


def stamp(signed: Signed, now: datetime, life_s: int) -> None:
    """Say in a signed part when it was signed and when it expires."""
    signed.unrecognized_fields[LIFE] = life_s
    signed.unrecognized_fields[SIGNED] = int(now.timestamp())
    signed.expires = (now + timedelta(seconds=life_s)).replace(microsecond=0)


def is_due(signed: Signed, now: datetime) -> bool:
    """Tell whether half of the time for which it was signed is over."""
    return signed.expires - now < timedelta(seconds=signed.unrecognized_fields[LIFE]) / 2


def signed_with(metadata: Metadata[S], keys: Sequence[Ed25519PrivateKey]) -> Metadata[S]:
    """Sign anew with all of these keys and no other."""
    metadata.signatures.clear()
    for key in keys:
        metadata.sign(CryptoSigner(key), append=True)
    return metadata


def public(key: Ed25519PublicKey | Ed25519PrivateKey) -> SSlibKey:
    """Give a public key as metadata holds it."""
    return SSlibKey.from_crypto(key if isinstance(key, Ed25519PublicKey) else key.public_key())


def held_by(key: Ed25519PrivateKey, keyids: Sequence[str], whose: str) -> None:
    """Refuse a key that is none of those.

    Raises
    ------
    Misconfigured
        It is another one.
    """
    own = public(key).keyid
    if own not in keyids:
        raise Misconfigured(
            f"this key ({own[:12]}) is not the one of {whose} "
            f"({', '.join(one[:12] for one in keyids)}); see wheeltapper models keys show"
        )


def utc_now() -> datetime:
    """Give the time of this machine's clock."""
    return datetime.now(UTC)
