"""What a server does not grant, in plain words."""

from collections.abc import Iterable

from asyncua import ua

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.limits import Limits
from connectors.opcua.nodes import Refused
from connectors.opcua.subscription import Subscription

_NAMED = 3
_MUCH = 1.5
"""A period that is longer by this factor is worth a word."""


def shortfalls(config: OpcUaConfig, limits: Limits, subscription: Subscription) -> Iterable[str]:
    """Name each shortfall of a subscription in a sentence."""
    if subscription.refused:
        yield _refusals(list(subscription.refused.values()))
    if subscription.unmonitored:
        yield _polled(limits, subscription)
    if subscription.publishing_ms > _MUCH * config.publishing_ms:
        yield (
            f"the server sends every {subscription.publishing_ms:,.0f} ms, "
            f"{config.publishing_ms:,.0f} ms were asked for"
        )
    if subscription.slower:
        yield f"items looked at more rarely than asked for: {len(subscription.slower):,}"
    if subscription.shorter:
        yield f"items that keep fewer than {config.queue:,} values: {len(subscription.shorter):,}"


def _refusals(refused: list[Refused]) -> str:
    named = "; ".join(
        f"{one.tag.tag.name}: {ua.StatusCode(ua.UInt32(one.status)).name}"
        for one in refused[:_NAMED]
    )
    more = f"; and {len(refused) - _NAMED:,} more" if len(refused) > _NAMED else ""
    return f"tags refused by the server, tried again and again: {len(refused):,} ({named}{more})"


def _polled(limits: Limits, subscription: Subscription) -> str:
    said = limits.per_subscription
    return (
        f"{len(subscription.items):,} items monitored, {len(subscription.unmonitored):,} polled: "
        f"the server allows no more{f' (it says {said:,} a subscription)' if said else ''}"
    )
