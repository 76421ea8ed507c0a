"""What goes on when a connection ends: the subscription, how far it was heard, how to take it up.

In the same process everything is at hand. Behind our own end only the ticket's kept part is left;
it names the subscription, and says by a fingerprint whether it is still the one that we would make.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from asyncua.client.client import Client

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.limits import Limits
from connectors.opcua.nodes import Found, Refused
from connectors.opcua.publish import Progress
from connectors.opcua.republish import monitored_items, transfer
from connectors.opcua.session import KeptSession
from connectors.opcua.subscription import (
    TEXT,
    Subscription,
    create_items,
    in_order,
)
from plant.samples import Batch, Recovery
from plant.tags import TagHandle

UNACKNOWLEDGED = 1_000
"""Batches of which it is remembered which messages they came in."""


@dataclass(slots=True)
class Running:
    """A subscription at the server, over any number of connections.

    Parameters
    ----------
    subscription
        What the server granted.
    started
        When its server was started; after another start there is no such subscription.
    progress
        How far it has been heard.
    whole_from
        From here on nothing that it sent, or would have sent, is missing, ns on the server's
        clock; None before the first message.
    without
        Handles of tags of which the server keeps no history.
    """

    subscription: Subscription
    started: int
    progress: Progress = field(default_factory=Progress)
    whole_from: int | None = None
    without: set[int] = field(default_factory=set)
    _messages: OrderedDict[tuple[int, Recovery], list[int]] = field(default_factory=OrderedDict)

    def delivered(self, batch: Batch, messages: Sequence[int]) -> None:
        """Remember in which messages a batch came."""
        self._messages[batch.heard, batch.recovered] = list(messages)
        while len(self._messages) > UNACKNOWLEDGED:
            self._messages.popitem(last=False)

    def stored(self, batch: Batch) -> None:
        """Let the server forget the messages of a batch, with the next request."""
        self.progress.acknowledgements += self._messages.pop((batch.heard, batch.recovered), ())


@dataclass(frozen=True, slots=True)
class Held:
    """What a ticket holds in memory: the session, and the subscription where there is one."""

    session: KeptSession
    running: Running | None


def fingerprint(config: OpcUaConfig, tags: Sequence[TagHandle]) -> str:
    """Give a text that is the same as long as we would make the same subscription."""
    items = [[one.handle, one.tag.name, one.tag.address, str(one.tag.type)] for one in tags]
    settings = [config.url, config.publishing_ms, config.sampling_ms, config.queue]
    return hashlib.sha256(json.dumps([settings, sorted(items)]).encode()).hexdigest()


def kept_of(running: Running, mark: str) -> dict[str, int | float | str | None]:
    """Give what may be written down of a subscription; `mark` is its fingerprint."""
    subscription = running.subscription
    return {
        "subscription": subscription.id,
        "publishing_ms": subscription.publishing_ms,
        "keep_alive_s": subscription.keep_alive_s,
        "expected": running.progress.expected,
        "started": running.started,
        "items": mark,
    }


def number(kept: Mapping[str, int | float | str | None], name: str) -> float:
    """Give a number of a ticket that was written down; 0 where there is none."""
    value = kept.get(name)
    return value if isinstance(value, int | float) else 0


async def take_over(
    client: Client,
    config: OpcUaConfig,
    limits: Limits,
    kept: Mapping[str, int | float | str | None],
    found: Sequence[Found],
    refused: Sequence[Refused],
) -> Running | None:
    """Take over the subscription of a process that has ended; None where that does not go.

    Raises
    ------
    UaError, OSError, TimeoutError
        The link is lost.
    """
    id_ = int(number(kept, "subscription"))
    available = await transfer(client, id_)
    if available is None:
        return None
    items = await monitored_items(client, id_)
    if items is None:
        # Nobody could tell what its items are; it would take the place of the one that we make.
        await client.uaclient.delete_subscriptions([id_])
        return None
    ordered = in_order(found)
    subscription = Subscription(
        id=id_,
        publishing_ms=number(kept, "publishing_ms"),
        keep_alive_s=number(kept, "keep_alive_s"),
        tags=(*(one.tag for one in ordered), *(one.tag for one in refused)),
        items={handle & (TEXT - 1): item for handle, item in items.items()},
        nodes={one.tag.handle: one for one in ordered},
    )
    subscription.refuse(refused)
    new = [one for one in ordered if one.tag.handle not in subscription.items]
    await create_items(client, config, limits, subscription, new)
    progress = Progress(expected=None)
    progress.miss(available)
    # What had been stored before is acknowledged, everything else the server still has.
    return Running(
        subscription,
        int(number(kept, "started")),
        progress,
        whole_from=0,
    )
