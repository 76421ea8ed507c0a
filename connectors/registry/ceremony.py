"""Key ceremonies: who may sign for what, decided with the keys that lie in a safe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)

from connectors.registry.metadata import (
    LIFE,
    S,
    Shelf,
    held_by,
    is_due,
    public,
    signed_with,
    stamp,
    utc_now,
)
from connectors.registry.names import checked_line, patterns_of, role_of
from connectors.registry.registry import LONG_S, ONLINE_LIFE, Online, Registry
from plant.errors import Misconfigured
from plant.files import alone

Clock = Callable[[], datetime]
ROLES = (Root.type, Targets.type, Snapshot.type, Timestamp.type)


@dataclass(frozen=True, slots=True)
class Offline:
    """The keys that lie on a stick in a safe."""

    root: Ed25519PrivateKey
    targets: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class RoleState:
    """A role: its version, until when it is signed, and by which keys it may be.

    A line of which nothing was published yet has version 0 and no time.
    """

    role: str
    version: int
    expires: datetime | None
    due: bool
    keys: tuple[str, ...]


def found(
    folder: Path, offline: Offline, online: Online, life_days: float, clock: Clock = utc_now
) -> Registry:
    """Make a registry without lines.

    Parameters
    ----------
    folder
        Is made; may hold other files than a registry's.
    offline, online
        Keys of its roles.
    life_days
        For which snapshot and timestamp are signed each time.
    """
    made = Registry(folder, clock)
    with alone(folder):
        if made.shelf.folder.exists():
            raise Misconfigured(f"{folder} is a registry already")
        made.shelf.folder.mkdir()
        (folder / "targets").mkdir(exist_ok=True)
        root = Root(consistent_snapshot=True)
        root.unrecognized_fields[ONLINE_LIFE] = round(life_days * 86400)
        for role, key in (
            (Root.type, offline.root),
            (Targets.type, offline.targets),
            (Snapshot.type, online.snapshot),
            (Timestamp.type, online.timestamp),
        ):
            root.add_key(public(key), role)
        targets = Targets()
        stamp(root, clock(), LONG_S)
        stamp(targets, clock(), LONG_S)
        made.shelf.put(Root.type, signed_with(Metadata(root), [offline.root]))
        made.shelf.put(Targets.type, signed_with(Metadata(targets), [offline.targets]))
    made.refresh(online)
    return made


def entrust(
    registry: Registry,
    line: str,
    key: Ed25519PublicKey,
    targets_key: Ed25519PrivateKey,
    trainer: Ed25519PrivateKey | None = None,
    clock: Clock = utc_now,
) -> None:
    """Give a line to a trainer's key, and take it from the one that had it; out after a refresh.

    Parameters
    ----------
    line, key
        Which, and to whom.
    targets_key
        The offline key that decides this.
    trainer
        The private part of `key`; needed where something of the line is out: it signs it anew.
    """
    checked_line(line)
    shelf = registry.shelf
    with shelf.alone():
        held_by(targets_key, shelf.root().signed.roles[Targets.type].keyids, Targets.type)
        metadata = shelf.targets()
        existing = shelf.line(line) if line in shelf.lines() else None
        if existing is not None and trainer is None:
            raise Misconfigured(
                f"models of {line} are out: the new key has to sign their list, so its private "
                "part is needed here"
            )
        _delegate(metadata.signed, line, key)
        _again(shelf, Targets.type, metadata, [targets_key], clock())
        if existing is not None and trainer is not None:
            _again(shelf, role_of(line), existing, [trainer], clock())


def _delegate(targets: Targets, line: str, key: Ed25519PublicKey) -> None:
    """Name one key for a line, and forget those that are for none any more."""
    before = targets.delegations
    roles = dict(before.roles or {}) if before else {}
    keys = dict(before.keys) if before else {}
    made = public(key)
    name = role_of(line)
    roles[name] = DelegatedRole(name, [made.keyid], 1, True, patterns_of(line))
    keys[made.keyid] = made
    used = {keyid for one in roles.values() for keyid in one.keyids}
    targets.delegations = Delegations({k: keys[k] for k in keys if k in used}, roles)


def rotate(
    registry: Registry,
    role: str,
    key: Ed25519PrivateKey,
    root: Ed25519PrivateKey,
    clock: Clock = utc_now,
) -> None:
    """Put a new key in the place of a role's; gateways learn it from the next root.

    Snapshot and timestamp have to be signed with the new key before gateways can go on: `refresh`.

    Parameters
    ----------
    role
        root, targets, snapshot or timestamp.
    key
        The new one.
    root
        The key that root has now.
    """
    shelf = registry.shelf
    with shelf.alone():
        metadata, targets = shelf.root(), shelf.targets()
        signed = metadata.signed
        held_by(root, signed.roles[Root.type].keyids, Root.type)
        for keyid in list(signed.roles[role].keyids):
            signed.revoke_key(keyid, role)
        signed.add_key(public(key), role)
        # Believed is a root that the key of the one before it and its own have signed.
        signers = [root, key] if role == Root.type else [root]
        _again(shelf, Root.type, metadata, signers, clock())
        if role == Targets.type:
            _again(shelf, role, targets, [key], clock())


def renew(
    registry: Registry, keys: Sequence[Ed25519PrivateKey], clock: Clock = utc_now
) -> list[str]:
    """Sign what these keys may sign and of whose time half is over; give what it was."""
    shelf = registry.shelf
    now = clock()
    done = []
    with shelf.alone():
        root, targets = shelf.root(), shelf.targets()
        if signers := _of(keys, root.signed.roles[Root.type].keyids, root.signed, now):
            _again(shelf, Root.type, root, signers, now)
            done.append(Root.type)
        if signers := _of(keys, root.signed.roles[Targets.type].keyids, targets.signed, now):
            _again(shelf, Targets.type, targets, signers, now)
            done.append(Targets.type)
        for line in shelf.lines():
            read = shelf.line(line)
            if read and (signers := _of(keys, shelf.keys_of(line), read.signed, now)):
                _again(shelf, role_of(line), read, signers, now)
                done.append(line)
    return done


def _of(
    keys: Sequence[Ed25519PrivateKey], keyids: Sequence[str], signed: Root | Targets, now: datetime
) -> list[Ed25519PrivateKey]:
    own = [key for key in keys if public(key).keyid in keyids]
    return own if is_due(signed, now) else []


def states(registry: Registry, clock: Clock = utc_now) -> list[RoleState]:
    """Tell of every role, the lines by their path."""
    shelf = registry.shelf
    root = shelf.root().signed
    named = [(role, role, root.roles[role].keyids) for role in ROLES]
    named += [(line, role_of(line), shelf.keys_of(line)) for line in shelf.lines()]
    told = []
    for name, role, keyids in named:
        if shelf.number(role) == 0:
            told.append(RoleState(name, 0, None, False, tuple(keyids)))
            continue
        signed = shelf.state(role)
        due = is_due(signed, clock())
        told.append(RoleState(name, signed.version, signed.expires, due, tuple(keyids)))
    return told


def _again(
    shelf: Shelf,
    role: str,
    metadata: Metadata[S],
    keys: Sequence[Ed25519PrivateKey],
    now: datetime,
) -> None:
    signed = metadata.signed
    signed.version += 1
    stamp(signed, now, int(signed.unrecognized_fields[LIFE]))
    shelf.put(role, signed_with(metadata, keys))
