"""The file of accounts: read strictly, written as a whole, changed by one hand at a time."""

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.accounts.passwords import cost_of
from gateway.accounts.roles import Role
from plant import files
from plant.errors import Misconfigured, Rejected

FILE = "accounts.toml"
"""Its name in the data folder, unless the configuration says another."""
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
NAME_WORDS = 'a name is 1 to 64 of a-z 0-9 . _ @ - and begins with a letter or digit, as "ana"'
MOST_BYTES = 4_000_000
_HEAD = """\
# Accounts of the console. Change them with: wheeltapper account
# Whoever can write this file can make himself admin; whoever can read it can guess at passwords.
"""
_KEYS = {"name", "role", "password", "enabled", "changed", "by", "unlocked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One person, or one panel on a wall.

    Parameters
    ----------
    name
        Under which one logs in; small letters.
    role
        What one may do.
    password
        Its Argon2id hash, as a PHC string.
    enabled
        Whether one can log in.
    changed, by
        When the account was last changed (ISO 8601, UTC) and by which user of the machine.
    unlocked
        When somebody last ended a lock-out of it; empty: never.
    """

    name: str
    role: Role
    password: str = field(repr=False)
    enabled: bool = True
    changed: str = ""
    by: str = ""
    unlocked: str = ""


@dataclass(frozen=True, slots=True)
class Accounts:
    """All accounts by name, and who wrote the file last, and when (ISO 8601, UTC)."""

    by_name: Mapping[str, Account] = field(default_factory=dict)
    by: str = ""
    changed: str = ""

    def usable(self) -> bool:
        """Tell whether anybody can log in."""
        return any(account.enabled for account in self.by_name.values())

    def get(self, name: str) -> Account:
        """Find an account; Rejected names the nearest when there is none."""
        from gateway.config.problems import nearest

        if name not in self.by_name:
            raise Rejected(f'there is no account "{name}"{nearest(name, self.by_name)}')
        return self.by_name[name]

    def put(self, account: Account) -> "Accounts":
        """Give them with one account added or changed.

        Raises
        ------
        Rejected
            Nobody would be left who can manage accounts.
        """
        return self._with({**self.by_name, account.name: account}, account)

    def without(self, name: str) -> "Accounts":
        """Give them without one account; raises as `get` and `put` do."""
        gone = self.get(name)
        left = {key: one for key, one in self.by_name.items() if key != name}
        return self._with(left, gone)

    def _with(self, left: dict[str, Account], changed: Account) -> "Accounts":
        if self._admins(self.by_name) and not self._admins(left):
            raise Rejected(
                f"{changed.name} is the last admin who can log in; make another one first"
            )
        return replace(self, by_name=left)

    @staticmethod
    def _admins(accounts: Mapping[str, Account]) -> int:
        return sum(one.enabled and one.role is Role.ADMIN for one in accounts.values())


def checked_name(name: str) -> str:
    """Give a name as it is kept.

    Raises
    ------
    Rejected
        It is none.
    """
    if NAME.fullmatch(name) is None:
        raise Rejected(f'"{name}": {NAME_WORDS}')
    return name


def read_accounts(path: Path) -> Accounts:
    """Read the file of accounts; without a file there are none.

    Raises
    ------
    Misconfigured
        It cannot be read, others can read or write it, or something in it is wrong.
    """
    try:
        if not path.exists() and not path.is_symlink():
            return Accounts()
        return _parsed(path, _content(path))
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read: {error.strerror}") from error


def write_accounts(path: Path, accounts: Accounts) -> None:
    """Write the file as a whole or not at all, for the eyes of the gateway's user alone.

    One of root's that a group may read stays as it is shared.

    Raises
    ------
    Misconfigured
        It cannot be written.
    """
    try:
        before = path.lstat() if path.exists() else None
        if before is not None and _shared(before):
            files.put(path, _text(accounts).encode(), 0o640, (before.st_uid, before.st_gid))
            return
        folder = path.parent.stat()
        # Written by an administrator it is for the gateway's user, to whom the folder belongs.
        owner = (folder.st_uid, folder.st_gid) if os.geteuid() == 0 and folder.st_uid else None
        files.put(path, _text(accounts).encode(), 0o600, owner)
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other commands from the file while one reads, changes and writes it.

    Raises
    ------
    Misconfigured
        Its folder cannot be made.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(files.alone(path.parent))
        except OSError as error:
            raise Misconfigured(f"{path.parent}: cannot be used: {error.strerror}") from error
        yield


def _shared(found: os.stat_result) -> bool:
    """Tell whether a file is one that root lets a group read, as a guard of its own user needs.

    Only of root's: whoever else owned it could write in it what both the others believe.
    """
    return found.st_uid == 0 and not found.st_mode & 0o037


def _content(path: Path) -> bytes:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise Misconfigured(f"{path}: is no file")
    if found.st_mode & 0o077 and not _shared(found):
        raise Misconfigured(
            f"{path}: other users of this machine can get at it; it is for the gateway's user "
            f"alone: chmod 600 {path}; or root's, and a group's to read: chmod 640"
        )
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Misconfigured(f"{path}: is larger than {MOST_BYTES:,} bytes")
    return content


def _parsed(path: Path, content: bytes) -> Accounts:
    try:
        raw = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misconfigured(f"{path}: is no TOML: {error}") from error
    entries = raw.get("account", [])
    if not isinstance(entries, list) or raw.keys() - {"account", "by", "changed"}:
        raise Misconfigured(f"{path}: holds [[account]] tables and nothing else")
    found: dict[str, Account] = {}
    for number, entry in enumerate(entries, 1):
        try:
            account = _account(entry)
            if account.name in found:
                raise Rejected(f"{account.name} is there twice")
        except Rejected as error:
            raise Misconfigured(f"{path}: account {number}: {error}") from error
        found[account.name] = account
    return Accounts(found, str(raw.get("by", "")), str(raw.get("changed", "")))


def _account(entry: Any) -> Account:
    if not isinstance(entry, dict):
        raise Rejected("is no table")
    if unknown := entry.keys() - _KEYS:
        raise Rejected(f'unknown key "{min(unknown)}"')
    for key in ("name", "role", "password"):
        if not isinstance(entry.get(key), str):
            raise Rejected(f"{key} is missing")
    enabled = entry.get("enabled", True)
    if not isinstance(enabled, bool):
        raise Rejected("enabled is true or false")
    if entry["role"] not in list(Role):
        raise Rejected(f'"{entry["role"]}" is no role; there are {", ".join(Role)}')
    try:
        cost_of(entry["password"])
    except Rejected as error:
        raise Rejected(f"password {error}; set one: wheeltapper account password") from error
    return Account(
        name=checked_name(entry["name"]),
        role=Role(entry["role"]),
        password=entry["password"],
        enabled=enabled,
        **{key: str(entry.get(key, "")) for key in ("changed", "by", "unlocked")},
    )


def _text(accounts: Accounts) -> str:
    """Write the accounts as TOML; every text in them is plain by its pattern."""
    lines = [_HEAD, f'by = "{_plain(accounts.by)}"', f'changed = "{_plain(accounts.changed)}"']
    for account in accounts.by_name.values():
        lines += [
            "",
            "[[account]]",
            f'name = "{account.name}"',
            f'role = "{account.role}"',
            f'password = "{account.password}"',
            f"enabled = {str(account.enabled).lower()}",
            f'changed = "{_plain(account.changed)}"',
            f'by = "{_plain(account.by)}"',
        ]
        if account.unlocked:
            lines.append(f'unlocked = "{_plain(account.unlocked)}"')
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._@:+ -]", "_", text)
