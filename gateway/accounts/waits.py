"""Lock-out: who fails too often waits, each time longer (OWASP "Authentication", CWE-307)."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

FIRST_S, LONGEST_S = 30.0, 900.0
MOST = 10_000
"""Names and addresses kept in mind; whoever makes up more only pushes out the oldest."""


@dataclass(slots=True)
class _Count:
    failures: int
    last: float
    until: float


class Waits:
    """How long each name, or each address, has still to wait.

    Parameters
    ----------
    limit
        Failures from which on it waits: `FIRST_S`, and twice as long after each further one, up to
        `LONGEST_S`.
    forget_s
        Time without a failure after which all is forgotten, s.
    clock
        Monotonic time, s.
    """

    def __init__(
        self, limit: int, forget_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._forget_s = forget_s
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def left(self, key: str) -> int:
        """Give the seconds for which a key still has to wait, rounded up."""
        count = self._counts.get(key)
        return 0 if count is None else max(0, math.ceil(count.until - self._clock()))

    def failed(self, key: str) -> int:
        """Count a failure and give the seconds to wait from now."""
        now = self._clock()
        count = self._counts.pop(key, None)
        if count is None or now - count.last > self._forget_s:
            count = _Count(0, now, now)
        count.failures += 1
        count.last = now
        beyond = count.failures - self._limit
        if beyond >= 0:
            count.until = now + min(LONGEST_S, FIRST_S * 2.0 ** min(beyond, 30))
        self._counts[key] = count
        if len(self._counts) > MOST:
            self._counts.popitem(last=False)
        return self.left(key)

    def forget(self, key: str) -> None:
        """Begin anew: the right password was given, or somebody ended the wait."""
        self._counts.pop(key, None)


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
