"""The load's queues overflow as a server's do: the oldest goes, and the next one says so."""

import struct
import time

from bench.loads.formula import OpcUaSignals
from bench.loads.opcua_subscription import OVERFLOW, Sent, Subscription

TAGS, DEPTH, TICKS = 3, 2, 5
PERIOD_NS = 1_000_000_000
SAYS_SO = struct.pack("<I", OVERFLOW)


def late(ticks: int) -> Subscription:
    """A subscription whose client has sent no PublishRequest for `ticks` ticks."""
    signals = OpcUaSignals(TAGS, PERIOD_NS, mixed=False)
    subscription = Subscription(1, 100.0, 10, 100, signals, Sent(), depth=DEPTH)
    subscription.items = {number: (number, number) for number in range(TAGS)}
    subscription.arrange()
    subscription._tick = time.time_ns() // PERIOD_NS - ticks
    subscription.sample()
    return subscription


def test_a_full_queue_drops_its_oldest_and_counts_it() -> None:
    subscription = late(TICKS)

    assert subscription.sent.dropped == TAGS * (TICKS - DEPTH)
    assert len(subscription.queue) == DEPTH


def test_the_first_value_after_the_loss_says_overflow() -> None:
    subscription = late(TICKS)

    first, second = subscription.next_notification(), subscription.next_notification()

    assert first is not None
    assert second is not None
    assert first.count(SAYS_SO) == TAGS
    assert second.count(SAYS_SO) == 0


def test_in_time_nothing_is_dropped() -> None:
    subscription = late(DEPTH)

    first = subscription.next_notification()

    assert subscription.sent.dropped == 0
    assert first is not None
    assert first.count(SAYS_SO) == 0
