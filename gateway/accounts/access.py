"""Who is let in: passwords checked one at a time, sessions, waits, and the file as it is now."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.accounts.audit import Audit
from gateway.accounts.passwords import Cost, cost_of, hashed, matches, objection, unmatched
from gateway.accounts.register import Account, Accounts, alone, read_accounts, write_accounts
from gateway.accounts.roles import EVERYTHING, RIGHTS, Right, Role
from gateway.accounts.sessions import Session, Sessions
from gateway.accounts.waits import Lockout, network_of
from gateway.journal import JSON
from plant.errors import Misconfigured, Rejected, Unreachable
from plant.files import stamp

QUEUE = 8
"""Logins that wait for their password to be checked; one more is sent away."""
HERE = "this machine"
WRONG = "Name or password is wrong."


class LockedOut(Rejected):
    """Too many wrong passwords; `seconds` are left to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many wrong passwords. Try again in {_long(seconds)}.")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Who:
    """Whoever asks, and what he may.

    Parameters
    ----------
    name
        Of the account; empty without accounts.
    role
        None where it is no account.
    rights
        What is granted.
    actor
        Gives the name that an event bears from the name that was said.
    alive
        Tells whether the session still is.
    """

    name: str
    role: Role | None
    rights: frozenset[Right]
    actor: Callable[[str], str] = field(default=lambda said: said)
    alive: Callable[[], bool] = field(default=lambda: True)


ANYBODY = Who("", None, EVERYTHING)
"""Without accounts whoever reaches loopback may do all, and says his name himself."""
LOCAL = Who("local", None, EVERYTHING, lambda said: f"{said} (local)")
"""A command on this machine that can read the gateway's own token: its user, or root."""
PROGRAM = Who("program", None, frozenset({Right.OPEN, Right.MEASURE}))
"""A program that watches the gateway, with the token made for that."""
STRANGER = Who("", None, frozenset({Right.OPEN}))
NEAR = Who("", None, frozenset({Right.OPEN, Right.MEASURE}))
"""Somebody on this machine who has shown nothing."""


class Access:
    """Lets people in, as the file of accounts says at that moment.

    Parameters
    ----------
    file
        The accounts; looked at again whenever it changes.
    audit
        Where it is written down.
    idle_s
        See `Sessions`.
    metrics_token
        Lets a program read the figures; empty: none does from elsewhere.
    known
        The accounts as they were last told in the audit; see `digest`.
    tell
        Keeps what is known now of the accounts, for the next start.
    clock
        Monotonic time, s.
    """

    def __init__(
        self,
        file: Path,
        audit: Audit,
        *,
        idle_s: float = 1800.0,
        metrics_token: str = "",
        known: Mapping[str, Any] | None = None,
        tell: Callable[[dict[str, JSON]], None] = lambda _known: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.audit = audit
        self.token = secrets.token_urlsafe(32)
        """Of the commands on this machine; new at each start."""
        self.metrics_token = metrics_token
        self._file = file
        self._tell = tell
        self._known: Mapping[str, Any] = known or {}
        self._sessions = Sessions(idle_s, clock)
        self._lockout = Lockout(clock)
        self._accounts = Accounts()
        self._stamp: tuple[int, ...] | None = None
        self._unmatched = unmatched(Cost())
        self._one = asyncio.Semaphore(1)
        self._queued = 0
        self._trouble = ""
        self.look()

    def look(self) -> Accounts:
        """Give the accounts as the file has them now; what changed since is written down."""
        found = stamp(self._file)
        if found == self._stamp:
            return self._accounts
        self._stamp = found
        try:
            self._accounts = read_accounts(self._file)
        except Misconfigured as error:
            # A slip of somebody's editor shall not end the sessions of a shift.
            if str(error) != self._trouble:
                self.audit.note("accounts unreadable", "", HERE, why=str(error))
            self._trouble = str(error)
            return self._accounts
        self._trouble = ""
        costs = [cost_of(one.password) for one in self._accounts.by_name.values()]
        if costs:
            self._unmatched = unmatched(max(costs, key=lambda cost: cost.memory * cost.passes))
        self._compare()
        return self._accounts

    async def login(self, name: str, password: str, address: str) -> str:
        """Check a password and give the id of a new session.

        Raises
        ------
        LockedOut
            This name has to wait at this address.
        Rejected
            Name or password is wrong; which of both is not told.
        Unreachable
            Too many log in at this moment.
        """
        account = await self._checked(name.strip().casefold(), password, address)
        self.audit.note("login", account.name, address, role=str(account.role))
        return self._sessions.begin(account, address)

    async def change_password(self, key: str, old: str, new: str, address: str) -> None:
        """Give the account of a session another password; its other sessions end.

        Raises
        ------
        Rejected
            The old one is wrong, or the new one will not do; otherwise as `login`.
        Misconfigured
            The file cannot be written.
        """
        session = self._sessions.find(key)
        if session is None:
            raise Rejected(WRONG)
        name = session.account.name
        account = await self._checked(name, old, address)
        if why := objection(new, name):
            raise Rejected(f"{why[0].upper()}{why[1:]}.")
        async with self._one:
            kept = await asyncio.to_thread(hashed, new)
        changed = await asyncio.to_thread(self._write_password, account, kept)
        self._sessions.renew(session, changed)
        self.audit.note("password changed", name, address)

    def _write_password(self, account: Account, kept: str) -> Account:
        with alone(self._file):
            accounts = read_accounts(self._file)
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            present = accounts.get(account.name)
            changed = replace(present, password=kept, changed=now, by=account.name)
            write_accounts(self._file, replace(accounts.put(changed), by=account.name, changed=now))
        return changed

    async def _checked(self, name: str, password: str, address: str) -> Account:
        """Check a password, one at a time; raises as `login` does."""
        self._allow(name, address)
        if self._queued >= QUEUE:
            raise Unreachable("Too many log in at this moment. Try again in a few seconds.")
        self._queued += 1
        try:
            async with self._one:
                # Whoever queued while others failed has to wait as they do.
                self._allow(name, address)
                account = self.look().by_name.get(name)
                kept = self._unmatched if account is None else account.password
                right = await asyncio.to_thread(matches, password, kept)
                if account is None or not right or not account.enabled:
                    raise self._failed(name, account, right, address)
        finally:
            self._queued -= 1
        self._lockout.passed(name, address)
        return account

    def who(self, key: str) -> Who | None:
        """Find who has a session; None when it is none, or over. Its end is written down."""
        session = self._sessions.find(key)
        if session is None:
            return None
        account = self.look().by_name.get(session.account.name)
        why = self._sessions.over(session, account)
        if why or account is None:
            self._sessions.end(key)
            self._ended(session, why)
            return None
        return Who(
            account.name,
            account.role,
            RIGHTS[account.role],
            lambda _said: account.name,
            lambda: self._lives(key),
        )

    def touch(self, key: str) -> None:
        """Note that somebody is at a session."""
        session = self._sessions.find(key)
        if session is not None:
            self._sessions.touch(session)

    def logout(self, key: str, address: str) -> None:
        """End a session, if it is one."""
        session = self._sessions.end(key)
        if session is not None:
            self.audit.note("logout", session.account.name, address)

    def sweep(self) -> None:
        """End what is over, so that it is written down when it happens."""
        accounts = self.look().by_name
        for session, why in self._sessions.sweep(accounts.get):
            self._ended(session, why)

    def _lives(self, key: str) -> bool:
        session = self._sessions.find(key)
        if session is None:
            return False
        return not self._sessions.over(session, self.look().by_name.get(session.account.name))

    def _ended(self, session: Session, why: str) -> None:
        self.audit.note("session ended", session.account.name, session.address, why=why)

    def _allow(self, name: str, address: str) -> None:
        wait = self._lockout.left(name, address)
        if wait:
            known = name if name in self._accounts.by_name else ""
            self.audit.refusal(known, network_of(address), "locked out", "login")
            raise LockedOut(wait)

    def _failed(self, name: str, account: Account | None, right: bool, address: str) -> Rejected:
        # People type a password into the field of the name: only names that exist are kept.
        known = "" if account is None else account.name
        why = "wrong password"
        if account is None:
            why = "no such account"
        elif right:
            why = "the account is disabled"
        self.audit.failure("login failed", known, address, why=why)
        for of, seconds in self._lockout.failed(name, address).items():
            words = f"too many wrong passwords for the {of}: {_long(seconds)} to wait"
            self.audit.failure("locked out", known, address, why=words)
        return Rejected(WRONG)

    def _compare(self) -> None:
        """Write down what is other than it was when the accounts were last told."""
        now, accounts = digest(self._accounts), self._accounts
        for name in sorted({*now, *self._known}):
            account = accounts.by_name.get(name)
            by = accounts.by if account is None else account.by
            at = accounts.changed if account is None else account.changed
            for change in _changes(self._known.get(name), now.get(name)):
                self.audit.note("account", by, HERE, account=name, why=change, changed=at)
                if change == UNLOCKED:
                    self._lockout.ended(name)
        if now != self._known:
            self._tell({"accounts": now})
        self._known = now


UNLOCKED = "need not wait any longer"


def digest(accounts: Accounts) -> dict[str, JSON]:
    """Give what has to be known of accounts to see a change; no hash is in it."""
    return {
        one.name: {
            "role": str(one.role),
            "enabled": one.enabled,
            "password": hashlib.sha256(one.password.encode()).hexdigest()[:16],
            "unlocked": one.unlocked,
        }
        for one in accounts.by_name.values()
    }


def _changes(before: Any, now: Any) -> list[str]:
    if before is None:
        return [f"added as {now['role']}"]
    if now is None:
        return ["removed"]
    words = {
        "role": f"is {now['role']}, was {before['role']}",
        "enabled": "enabled" if now["enabled"] else "disabled",
        "password": "has a new password",
        "unlocked": UNLOCKED,
    }
    return [text for key, text in words.items() if before[key] != now[key]]


def _long(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} min"
