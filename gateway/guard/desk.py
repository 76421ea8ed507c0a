"""Who asks and who approves: accounts and tokens, looked at here and believed from nobody else."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from gateway.accounts.passwords import Cost, matches, unmatched
from gateway.accounts.register import read_accounts
from gateway.accounts.roles import RIGHTS, Right, Role, refusal
from gateway.accounts.waits import Lockout
from gateway.guard.policy import GUARD, Policy
from plant.errors import Misconfigured, Rejected, Unreachable

WHENCE: ContextVar[str] = ContextVar("whence", default="")
"""Who is at the other end of the socket, and where he says that he speaks for: wrong passwords are
counted by it."""
QUEUE = 8
"""Passwords that wait to be looked at; one more is sent away."""
PERSON_PER_HOUR = 60
BURST, PER_S = 20.0, 1.0
"""Requests that a proposer may have at once, and a second in the long run."""
OFF_AFTER = 200
"""Requests above that, without a minute's pause, after which a proposer is switched off."""
PAUSE_S = 60.0
PROPOSE = frozenset({Role.ENGINEER, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and what he may; see `checks.Situation`."""

    name: str
    person: bool = False
    known: bool = True
    models: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None
    per_hour: int = PERSON_PER_HOUR

    @property
    def key(self) -> tuple[str, bool, bool]:
        """Tell him from others of his name: a person, a program, and who only says that he is."""
        return self.name, self.person, self.known


class Desk:
    """Looks at passwords, one at a time, and at tokens.

    Parameters
    ----------
    accounts
        The file of accounts, read anew each time.
    cost
        What a guess at a name that is none costs.
    clock
        Monotonic time, s.
    """

    def __init__(
        self, accounts: Path, cost: Cost | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = accounts
        self._lockout = Lockout(clock)
        self._unmatched = unmatched(cost or Cost())
        self._one = asyncio.Semaphore(1)
        self._queued = 0

    async def person(self, name: str, password: str, may: Right | frozenset[Role]) -> Role:
        """Give the role of whoever has shown that he is `name`.

        Raises
        ------
        Rejected
            Wrong name or password, too many of them, or the role does not allow it.
        Unreachable
            Too many others wait.
        Misconfigured
            The file of accounts cannot be read.
        """
        if name.casefold() == GUARD:
            raise Rejected(f"{name} is the guard's own name: take another account")
        whence = WHENCE.get()
        self._allow(name, whence)
        if self._queued >= QUEUE:
            raise Unreachable("too many passwords are being looked at", retry_after=5.0)
        account = read_accounts(self._file).by_name.get(name)
        usable = account is not None and account.enabled
        kept = account.password if account is not None and usable else self._unmatched
        self._queued += 1
        try:
            async with self._one:
                # Whoever queued while others failed has to wait as they do.
                self._allow(name, whence)
                right = await asyncio.to_thread(matches, password, kept)
        finally:
            self._queued -= 1
        if account is None or not usable or not right:
            self._lockout.failed(name, whence)
            raise Rejected("name or password is wrong")
        self._lockout.passed(name, whence)
        if isinstance(may, Right):
            if may not in RIGHTS[account.role]:
                raise Rejected(refusal(name, account.role, may))
        elif account.role not in may:
            raise Rejected(f"{name} is {account.role}; only {' or '.join(sorted(may))} may ask")
        return account.role

    def _allow(self, name: str, whence: str) -> None:
        left = self._lockout.left(name, whence)
        if left:
            raise Rejected(f"too many wrong passwords for {name}: try again in {left} s")

    def stands(self, name: str, right: Right) -> bool:
        """Tell whether somebody who has shown who he is has this right still, as of now."""
        try:
            account = read_accounts(self._file).by_name.get(name)
        except Misconfigured:
            return False  # nobody can be looked up: nobody counts
        return account is not None and account.enabled and right in RIGHTS[account.role]

    @staticmethod
    def program(policy: Policy, name: str, token: str) -> Actor:
        """Give the program that has shown its token; one that has not is known to nobody."""
        proposer = policy.proposers.get(name)
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        if proposer is None or not hmac.compare_digest(digest, proposer.token_sha256):
            return Actor(name, known=False, tags=())
        return Actor(name, models=proposer.models, tags=proposer.tags, per_hour=proposer.per_hour)


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    over: int = 0


class Throttle:
    """Counts requests by who asks, and tells who asks too often.

    Parameters
    ----------
    clock
        Monotonic time, s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[Hashable, _Bucket] = {}

    def over(self, who: Hashable) -> int:
        """Count a request and give how many of them were too many in a row; 0: it may pass."""
        now = self._clock()
        if len(self._buckets) > 1000:
            self._buckets = {key: one for key, one in self._buckets.items() if one.over}
        bucket = self._buckets.setdefault(who, _Bucket(BURST, now))
        if now - bucket.at > PAUSE_S:
            bucket.over = 0
        bucket.left = min(BURST, bucket.left + PER_S * (now - bucket.at))
        bucket.at = now
        if bucket.left >= 1.0:
            bucket.left -= 1.0
            return 0
        bucket.over += 1
        return bucket.over

    def forget(self, who: Hashable) -> None:
        """Begin anew."""
        self._buckets.pop(who, None)
