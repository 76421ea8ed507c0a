"""What a setpoint has proven in approve before it may be written without people.

Counted is time in which a guard ran and let it go as far as approve, by the monotonic clock, from
the first request on that waited for people; and how many of those requests were approved. One
that nobody answered was not. All of it is lost where what was signed of the setpoint changes, but
for how far it may go.
"""

import hashlib
from dataclasses import replace

from gateway.guard.policy import Policy
from gateway.guard.store import Store
from plant.setpoints import MODES, Mode

LONGEST_S = 10.0
"""Between two looks: a guard that slept meanwhile has served no longer than this."""


def terms(policy: Policy, tag: str) -> str:
    """Name all that was signed of a setpoint, but for how far it may go: a SHA-256."""
    limits = policy.limits[tag]
    ways = {name: sorted(policy.ways.get(name, {}).items()) for name in limits.named()}
    said = repr((replace(limits, mode=Mode.OFF), ways))
    return hashlib.sha256(said.encode()).hexdigest()


def begin(policy: Policy, store: Store) -> list[str]:
    """Start anew what was proven under other limits; give the setpoints that have lost it."""
    lost = []
    for tag in policy.limits:
        record, now = store.of(tag), terms(policy, tag)
        if record.terms != now:
            lost += [tag] if record.asked else []
            record.asked, record.granted, record.served_s, record.terms = 0, 0, 0.0, now
    return lost


def serve(policy: Policy, store: Store, mode: Mode, gone_s: float) -> None:
    """Count time in which setpoints were let go as far as approve.

    Parameters
    ----------
    mode
        The most that is allowed now.
    gone_s
        Since the last call, s.
    """
    for tag, limits in policy.limits.items():
        if min(map(MODES.index, (limits.mode, mode))) >= MODES.index(Mode.APPROVE):
            record = store.of(tag)
            record.served_s += min(gone_s, LONGEST_S) if record.asked else 0.0
