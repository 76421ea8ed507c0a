"""What goes on when a connection ends: the subscription, how far it was heard, how to take it up.

In the same process everything is at hand. Behind our own end only the ticket's kept part is left;
it names the subscription, and says by a fingerprint whether it is still the one that we would make.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from asyncua.client.client import Client

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.decode import Published
from connectors.opcua.limits import Limits
from connectors.opcua.nodes import Found, Refused, find_nodes
from connectors.opcua.publish import LAST_SEQUENCE, Progress
from connectors.opcua.republish import monitored_items, still_there, tells_items, transfer
from connectors.opcua.session import KeptSession, renew_session
from connectors.opcua.subscription import (
    TEXT,
    Subscription,
    create_items,
    in_order,
    subscribe,
)
from plant.samples import Batch, Recovery
from plant.tags import TagHandle

_OVERFLOW, _OVERFLOW_MASK = np.uint32(0x0480), np.uint32(0x0C80)
"""A queue of the server's has dropped values before this one (OPC 10000-4 §7.39.1)."""
NEVER_SHOWN = 2**63 - 1
JOINED_NS = 10_000_000_000
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
    namespaces
        The server's namespaces when its items were made. Items go by namespace index: where the
        indices have moved, they might stand for other nodes now.
    progress
        How far it has been heard.
    whole_from
        From here on nothing that it sent, or would have sent, is missing, ns on the server's
        clock; None before the first message.
    held
        Messages that are not delivered yet, because more belongs to them.
    unshown
        Up to here nothing has shown yet that what it sent to another process hangs together with
        what the server still has, ns on the server's clock.
    """

    subscription: Subscription
    started: int
    namespaces: tuple[str, ...] = ()
    progress: Progress = field(default_factory=Progress)
    whole_from: int | None = None
    held: list[Published] = field(default_factory=list)
    unshown: int = 0
    _newest: list[int] = field(default_factory=list)
    _messages: OrderedDict[tuple[int, Recovery], list[int]] = field(default_factory=OrderedDict)

    def delivered(self, batch: Batch, messages: Sequence[Published], *, shows: bool = True) -> None:
        """Remember in which messages a batch came, and note what shows a hole before it.

        Parameters
        ----------
        shows
            It came after all that is known to be missing; else a hole that is noted lies behind it.
        """
        numbers = [said.sequence for said in messages if not said.keep_alive]
        self._messages[batch.heard, batch.recovered] = numbers
        while len(self._messages) > UNACKNOWLEDGED:
            self._messages.popitem(last=False)

        if self.whole_from is None:
            self.whole_from = batch.upto
        if batch.recovered is Recovery.NONE:
            self.unshown = min(self.unshown, batch.upto)
        overflowed = (batch.status & _OVERFLOW_MASK) == _OVERFLOW
        if overflowed.any() or (shows and self.progress.hole):
            self._doubt(batch)
        if shows:
            self.progress.hole = False

    def _doubt(self, batch: Batch) -> None:
        # The watermark need not have moved since the hole.
        self.whole_from = max(batch.upto + 1, self.whole_from or 0)

    def joins(self, said: Published, start: int) -> None:
        """Hold the oldest message that the server still had against the end of what was stored.

        One that is not newer shows that none is missing between. Some servers publish it anew, with
        a new time: then its values show it, unless their clocks are far from the server's.
        """
        newest = int(said.at.max(initial=0))
        if newest <= start and (said.published <= start or start - newest <= JOINED_NS):
            self.unshown = 0

    def crowded(self, batch: Batch, queue: int) -> None:
        """Hold the first batch after an interruption against the queues: a full one is suspect.

        Not every server says that a queue has overflowed, and of a queue of one none has to.
        """
        room = 1 if self.subscription.shorter else queue
        if len(batch) and int(np.bincount(batch.tag).max()) >= room:
            self._doubt(batch)

    def whole(self, start: int) -> bool:
        """Tell whether nothing has been missing since `start`, ns on the server's clock."""
        return (
            not self.progress.hole
            and not self.progress.missed
            and self.whole_from is not None
            and max(self.whole_from, self.unshown) <= start
        )

    def stored(self, batch: Batch) -> None:
        """Let the server forget the messages of a batch, with the next request.

        All but the newest: by that one another process sees that none is missing behind it.
        """
        numbers = self._messages.pop((batch.heard, batch.recovered), [])
        if batch.recovered is Recovery.NONE:
            both = self._newest + numbers
            numbers, self._newest = both[:-1], both[-1:]
        self.progress.acknowledgements += numbers


def fingerprint(config: OpcUaConfig, tags: Sequence[TagHandle]) -> str:
    """Give a text that is the same as long as we would make the same subscription."""
    items = [[one.handle, one.tag.name, one.tag.address, str(one.tag.type)] for one in tags]
    settings = [config.url, config.publishing_ms, config.sampling_ms, config.queue]
    return _digest([settings, sorted(items)])


def _digest(what: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _kept_places(running: Running, namespaces: tuple[str, ...]) -> bool:
    """Tell whether every namespace stands where it stood; new ones may have come behind."""
    return namespaces[: len(running.namespaces)] == running.namespaces


def _number(kept: Mapping[str, int | float | str | None], name: str) -> float:
    """Give a number of a ticket that was written down; 0 where there is none."""
    value = kept.get(name)
    return value if isinstance(value, int | float) else 0


class Continuity:
    """The session and the subscription of one source, handed on from connection to connection.

    Parameters
    ----------
    config
        The server.
    tags
        What to subscribe.

    Attributes
    ----------
    mark : str
        Fingerprint of what we would subscribe.
    session : KeptSession
        The session that the server has of us.
    running : Running | None
        The subscription that the server has of us.
    kept : Mapping
        What is left of a subscription of another process.
    without : set[int]
        Handles of tags of which the server keeps no history.
    """

    def __init__(self, config: OpcUaConfig, tags: Sequence[TagHandle]) -> None:
        self.mark = fingerprint(config, tags)
        self.session = KeptSession()
        self.running: Running | None = None
        self.kept: Mapping[str, int | float | str | None] = {}
        self.without: set[int] = set()
        self._config = config
        self._tags = tuple(tags)

    def written(self) -> dict[str, int | float | str | None]:
        """Give what may be written down; no secrets."""
        if self.running is None:
            return dict(self.kept)
        subscription = self.running.subscription
        return {
            "subscription": subscription.id,
            "publishing_ms": subscription.publishing_ms,
            "keep_alive_s": subscription.keep_alive_s,
            "started": self.running.started,
            "namespaces": _digest(self.running.namespaces),
            "items": self.mark,
        }

    async def take_up(
        self, client: Client, limits: Limits, started: int, *, same_session: bool
    ) -> tuple[Running, bool]:
        """Find the subscription again, or make one.

        Parameters
        ----------
        started
            When the server was started.
        same_session
            Whether the session of before goes on.

        Returns
        -------
        tuple[Running, bool]
            The subscription, and whether it is the one of before.

        Raises
        ------
        UaError, OSError, TimeoutError
            The server refuses, or the link is lost.
        """
        running = self.running
        namespaces = tuple(await client.get_namespace_array())
        if running is not None and running.started == started and _kept_places(running, namespaces):
            id_ = running.subscription.id
            if same_session and await still_there(client, id_):
                return running, True
            if not same_session and await transfer(client, id_) is not None:
                return running, True
        self.running = None
        if same_session:
            # Whatever it has left of half a subscription would take our publish requests.
            await renew_session(client, self._config, self.session)
        found, refused = await find_nodes(client, self._tags, limits)
        ours = {"started": started, "items": self.mark, "namespaces": _digest(namespaces)}
        if all(self.kept.get(name) == value for name, value in ours.items()):
            self.running = await _take_over(client, self._config, limits, self.kept, found, refused)
        self.kept = {}
        if self.running is not None:
            self.running.namespaces = namespaces
            return self.running, True
        made = await subscribe(client, self._config, limits, found, refused)
        self.running = Running(made, started, namespaces)
        return self.running, False


async def _take_over(
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
    id_ = int(_number(kept, "subscription"))
    if not await tells_items(client, id_):
        # It is left to its lifetime: servers without the method may move a subscription by half.
        # The one of asyncua 2.1 goes on to use the publish requests of the lost connection.
        return None
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
        publishing_ms=_number(kept, "publishing_ms"),
        keep_alive_s=_number(kept, "keep_alive_s"),
        tags=(*(one.tag for one in ordered), *(one.tag for one in refused)),
        items={handle & (TEXT - 1): item for handle, item in items.items()},
        nodes={one.tag.handle: one for one in ordered},
    )
    subscription.refuse(refused)
    new = [one for one in ordered if one.tag.handle not in subscription.items]
    await create_items(client, config, limits, subscription, new)
    progress = Progress(expected=available[-1] % LAST_SEQUENCE + 1 if available else None)
    progress.miss(available)
    # What had been stored before is acknowledged, everything else the server still has.
    return Running(
        subscription,
        int(_number(kept, "started")),
        progress=progress,
        whole_from=0,
        unshown=NEVER_SHOWN,
    )
