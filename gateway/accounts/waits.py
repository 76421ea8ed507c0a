"""Lock-out: who fails too often waits, each time longer (OWASP "Authentication", CWE-307).

It is told by account and address together, or whoever knows a name could shut its owner out.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_S, LONGEST_S, WIDE_S = 30.0, 900.0, 60.0
"""Waits: the first, the longest of one account from one address, the longest of all others."""
FAILURES, FAILURES_OF_NAME, FAILURES_FROM_ADDRESS = 5, 50, 60
"""For an account from an address; for it from anywhere; from an address for anything."""
DAY_S, QUARTER_S = 86_400.0, 900.0
"""So long without a failure, and it is forgotten; the shorter for an address, which may be that of
a whole plant."""
MOST = 10_000
"""Kept in mind of each sort; whoever makes up more only pushes out the oldest."""
MOST_NAME = 64


@dataclass(slots=True)
class _Count:
    failures: int
    last: float
    until: float


class Waits(Generic[K]):
    """How long each of whatever is counted has still to wait.

    Parameters
    ----------
    limit
        Failures from which on it waits: `FIRST_S`, and twice as long after each further one, up to
        `longest_s`.
    forget_s
        Time without a failure after which all is forgotten, s.
    clock
        Monotonic time, s.
    """

    def __init__(
        self,
        limit: int,
        forget_s: float,
        clock: Callable[[], float] = time.monotonic,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._limit = limit
        self._forget_s = forget_s
        self._clock = clock
        self._longest_s = longest_s
        self._counts: OrderedDict[K, _Count] = OrderedDict()

    def left(self, key: K) -> int:
        """Give the seconds for which a key still has to wait, rounded up."""
        count = self._counts.get(key)
        return 0 if count is None else max(0, math.ceil(count.until - self._clock()))

    def failed(self, key: K) -> int:
        """Count a failure and give the seconds to wait from now."""
        now = self._clock()
        count = self._counts.pop(key, None)
        if count is None or now - count.last > self._forget_s:
            count = _Count(0, now, now)
        count.failures += 1
        count.last = now
        beyond = count.failures - self._limit
        if beyond >= 0:
            count.until = now + min(self._longest_s, FIRST_S * 2.0 ** min(beyond, 30))
        self._counts[key] = count
        if len(self._counts) > MOST:
            self._counts.popitem(last=False)
        return self.left(key)

    def forget(self, *keys: K) -> None:
        """Begin anew: the right password was given, or somebody ended the wait."""
        for key in keys:
            self._counts.pop(key, None)

    def counted(self) -> tuple[K, ...]:
        """List what has failed."""
        return tuple(self._counts)


class Lockout:
    """Who has to wait: an account from an address where it has failed.

    Whoever guesses from many addresses, or at many accounts, is slowed down as well, by waits of a
    minute at most. They bind nobody who was let in from where he is: his own address is a mark of
    his that a stranger elsewhere has not, and no stranger shuts him out.

    Parameters
    ----------
    clock
        Monotonic time, s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._pairs = Waits[tuple[str, str]](FAILURES, DAY_S, clock)
        self._names = Waits[str](FAILURES_OF_NAME, DAY_S, clock, WIDE_S)
        self._addresses = Waits[str](FAILURES_FROM_ADDRESS, QUARTER_S, clock, WIDE_S)
        self._usual: OrderedDict[tuple[str, str], None] = OrderedDict()

    def left(self, name: str, address: str) -> int:
        """Give the seconds for which an account has still to wait at an address, rounded up."""
        pair = name, address = _pair(name, address)
        if pair in self._usual:
            return self._pairs.left(pair)
        return max(self._pairs.left(pair), self._names.left(name), self._addresses.left(address))

    def failed(self, name: str, address: str) -> dict[str, int]:
        """Count a failure, and give what has to wait from now, and for how many seconds."""
        pair = name, address = _pair(name, address)
        waits = {
            "name from this address": self._pairs.failed(pair),
            "name": self._names.failed(name),
            "address": self._addresses.failed(address),
        }
        return {what: seconds for what, seconds in waits.items() if seconds}

    def passed(self, name: str, address: str) -> None:
        """Begin anew with an account at an address: the right password was given there."""
        pair = _pair(name, address)
        self._pairs.forget(pair)
        self._usual[pair] = None
        self._usual.move_to_end(pair)
        if len(self._usual) > MOST:
            self._usual.popitem(last=False)

    def ended(self, name: str) -> None:
        """End what an account has to wait for, wherever it is: an administrator has said so."""
        self._names.forget(name)
        self._pairs.forget(*(pair for pair in self._pairs.counted() if pair[0] == name))


def _pair(name: str, address: str) -> tuple[str, str]:
    """Give what is counted, whatever length was made up; no account has a longer name."""
    return name[:MOST_NAME], network_of(address)[:MOST_NAME]


def network_of(address: str) -> str:
    """Give what counts as one address: of IPv6 the /64 that one subscriber has (RFC 6177).

    Examples
    --------
    >>> network_of("10.0.0.5"), network_of("2001:db8::1"), network_of("::ffff:10.0.0.5")
    ('10.0.0.5', '2001:db8::/64', '10.0.0.5')
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
