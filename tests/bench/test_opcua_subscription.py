"""The load's queues overflow as a server's do: the oldest goes, and the next one says so."""

import struct
from types import SimpleNamespace

import pytest

from bench.loads import opcua_subscription
from bench.loads.formula import OpcUaSignals
from bench.loads.opcua_subscription import OVERFLOW, Sent, Subscription

TAGS, DEPTH, TICKS = 3, 2, 5
PERIOD_NS = 1_000_000_000
NOW_NS = 1_700_000_000 * PERIOD_NS
SAYS_SO = struct.pack("<I", OVERFLOW)


def late(ticks: int, monkeypatch: pytest.MonkeyPatch) -> Subscription:
    """A subscription whose client has sent no PublishRequest for `ticks` ticks."""
    signals = OpcUaSignals(TAGS, PERIOD_NS, mixed=False)
    subscription = Subscription(1, 100.0, 10, 100, signals, Sent(), depth=DEPTH)
    subscription.items = {number: (number, number) for number in range(TAGS)}
    subscription.arrange()
    monkeypatch.setattr(opcua_subscription, "time", SimpleNamespace(time_ns=lambda: NOW_NS))
    subscription._tick = NOW_NS // PERIOD_NS - ticks
    subscription.sample()
    return subscription


def test_a_full_queue_drops_its_oldest_and_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    subscription = late(TICKS, monkeypatch)

    assert subscription.sent.dropped == TAGS * (TICKS - DEPTH)
    assert len(subscription.queue) == DEPTH


def test_the_first_value_after_the_loss_says_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    subscription = late(TICKS, monkeypatch)

    first, second = subscription.next_notification(), subscription.next_notification()

    assert first is not None
    assert second is not None
    assert first.count(SAYS_SO) == TAGS
    assert second.count(SAYS_SO) == 0


def test_in_time_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    subscription = late(DEPTH, monkeypatch)

    first = subscription.next_notification()

    assert subscription.sent.dropped == 0
    assert first is not None
    assert first.count(SAYS_SO) == 0
