"""Our publish loop: requests kept waiting at the server, acknowledged when told (§5.14.5).

asyncua's own loop keeps one request in flight and acknowledges a message before anybody has stored
it. This one rests on a private method, ``protocol._send_request``; a test fails when it changes.

A message that is missing while the link stands is asked for again and delivered in its place; when
the server does not have it any more, it is counted and the rest goes on.
`Progress` outlives the connection: the next one goes on with it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from asyncua import ua
from asyncua.client.ua_client import UaClient
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError

from connectors.opcua.decode import Published, decode_publish, decoded
from connectors.opcua.republish import republish
from connectors.opcua.transport import BoundedProtocol
from plant.errors import Unreachable
from plant.quality import Status, status_name

LAST_SEQUENCE = 0xFFFF_FFFF
_ENDING = {StatusCodes.BadNoSubscription, StatusCodes.BadSubscriptionIdInvalid}
_GLANCE_S = 0.5
"""Time for what has already arrived, when the gateway itself was late, s."""
_LONGEST_MESSAGE = 10
"""Times of silence for which the parts of one message may take the place of a message."""
_UNACKNOWLEDGED = 1_000
"""Acknowledgements that wait for a request; a server keeps far fewer messages."""
MOST_MISSED = 200
"""Messages that are asked for again; servers keep about a hundred."""


@dataclass(slots=True)
class Progress:
    """How far a subscription has been heard, over any number of connections.

    Parameters
    ----------
    expected
        Number of the next message; None before the first one of a subscription taken over.
    acknowledgements
        Messages that the server may forget, and does not know yet.
    missed
        Messages that were not heard when the link was lost; the server may still have them.
    waiting
        Heard, not delivered yet.
    hole
        Something is missing for good; whoever has taken note of it takes it back.
    """

    expected: int | None = 1
    acknowledgements: deque[int] = field(default_factory=lambda: deque(maxlen=_UNACKNOWLEDGED))
    missed: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_MISSED))
    waiting: deque[Published] = field(default_factory=deque)
    hole: bool = False

    def miss(self, sequences: Iterable[int]) -> None:
        """Take note of messages that are to be asked for again, the newest ones at least."""
        for sequence in sequences:
            self.hole |= len(self.missed) == MOST_MISSED
            self.missed.append(sequence)


class Publisher:
    """Publish requests of one subscription.

    Parameters
    ----------
    source
        Name of the source, for messages.
    uaclient
        Connected, with an active session.
    subscription
        Id of the subscription.
    requests
        Requests kept waiting at the server.
    quiet_s
        Silence after which the link counts as lost, s.
    texts_from
        First client handle that is wanted as text.
    progress
        How far the subscription has been heard.
    taken_up
        It goes on after an interruption: what is missing at the first message was missed then.

    Attributes
    ----------
    gaps : int
        Notification messages that were lost, as their numbers tell.
    republished : int
        Missing messages that the server had kept.
    refused : int
        Acknowledgements that the server did not take.
    ended : bool
        The server has no such subscription any more.
    spoken : asyncio.Event
        Set when batches have brought what the subscription said first on this connection, with all
        that it announced: before that nobody knows whether it is there, and what of it is missing.
    """

    def __init__(
        self,
        source: str,
        uaclient: UaClient,
        subscription: int,
        *,
        requests: int,
        quiet_s: float,
        texts_from: int,
        progress: Progress | None = None,
        taken_up: bool = False,
    ) -> None:
        self.gaps = 0
        self.republished = 0
        self.refused = 0
        self.ended = False
        self.spoken = asyncio.Event()
        self.progress = progress or Progress()
        self._source = source
        self._uaclient = uaclient
        self._subscription = subscription
        self._requests = requests
        self._quiet_s = quiet_s
        self._texts_from = texts_from
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._taken_up = taken_up
        self._lost: str | None = None
        self._heard = time.monotonic()
        self._answered = False
        self._given: Published | None = None

    async def next(self) -> Published:
        """Wait for the next message or keep-alive of the subscription.

        Raises
        ------
        Unreachable
            The link is lost, or the server has forgotten the subscription.
        Rejected
            One answer cannot be read; the next may be.
        """
        progress = self.progress
        while True:
            if self._lost is not None:
                raise Unreachable(self._lost)
            if progress.waiting and self._in_turn(progress.waiting[0]):
                self._given = progress.waiting.popleft()
                return self._given
            if progress.waiting:
                await self._fill()
                continue
            self._ask()
            said = await self._decoded(await self._answer())
            if self._belongs(said):
                progress.waiting.append(said)

    async def _decoded(self, answer: asyncio.Future[Any]) -> Published:
        read = partial(decode_publish, now=time.time_ns(), texts_from=self._texts_from)
        try:
            return await decoded(read, bytes(answer.result()))
        except asyncio.CancelledError:
            # It has been heard; whoever reads next begins with it.
            self._waiting.appendleft(answer)
            raise

    def acknowledge(self, sequence: int) -> None:
        """Let the server forget message `sequence` with the next request."""
        self.progress.acknowledgements.append(sequence)

    def brought(self, messages: Sequence[Published]) -> bool:
        """Take note that a batch brings these; tell whether it brings the last that was given."""
        if self.caught_up(messages):
            self.spoken.set()
        return self._given is None or any(said is self._given for said in messages)

    def caught_up(self, messages: Sequence[Published]) -> bool:
        """Tell whether these hold what the subscription said first here, and nothing is behind."""
        given = self._given
        if given is None or not self._answered or given.more or self.progress.waiting:
            return False
        return any(said is given for said in messages)

    def give_up(self, messages: Iterable[Published]) -> None:
        """Count messages that `next` gave and that are of no use after all as lost."""
        lost = sum(not said.keep_alive for said in messages)
        self.gaps += lost
        self.progress.hole |= lost > 0

    def close(self) -> None:
        """Forget the requests under way."""
        for answer in self._waiting:
            answer.cancel()
        self._waiting.clear()

    def _ask(self) -> None:
        while len(self._waiting) < self._requests:
            request = ua.PublishRequest()
            request.Parameters.SubscriptionAcknowledgements = [
                ua.SubscriptionAcknowledgement(
                    SubscriptionId=ua.IntegerId(self._subscription),
                    SequenceNumber=ua.Counter(sequence),
                )
                for sequence in self.progress.acknowledgements
            ]
            protocol = self._uaclient.protocol
            if protocol is None:
                raise Unreachable(f"{self._source}: the connection is closed")
            try:
                # No time-out hint: the request is meant to wait at the server.
                self._waiting.append(protocol._send_request(request, 0))
            except (ConnectionError, UaError) as error:
                raise Unreachable(f"{self._source}: {error}") from error
            self.progress.acknowledgements.clear()

    async def _answer(self) -> asyncio.Future[Any]:
        done: set[asyncio.Future[Any]] = set()
        while not done:
            patience = self._quiet_s - self._silence()
            done, _ = await asyncio.wait(
                self._waiting, timeout=max(patience, _GLANCE_S), return_when=asyncio.FIRST_COMPLETED
            )
            if not done and self._silence() >= self._quiet_s:
                raise Unreachable(f"{self._source}: nothing heard for {self._quiet_s:.0f} s")
        # The server answers in the order of the requests; of several answers the oldest is first.
        answer = next(waiting for waiting in self._waiting if waiting in done)
        self._waiting.remove(answer)
        self._heard = time.monotonic()
        try:
            answer.result()
        except (ConnectionError, UaError, asyncio.CancelledError) as error:
            raise Unreachable(f"{self._source}: the connection was lost: {error}") from error
        return answer

    def _silence(self) -> float:
        """Give the time since the last sign that the server publishes, s.

        A part of a message is one, for a while: the rest may be long. Whole answers to other
        questions are none: there are servers that give those and publish nothing any more.
        """
        protocol = self._uaclient.protocol
        part = protocol.begun if isinstance(protocol, BoundedProtocol) else self._heard
        latest = min(max(self._heard, part), self._heard + _LONGEST_MESSAGE * self._quiet_s)
        return time.monotonic() - latest

    def _belongs(self, said: Published) -> bool:
        """Tell whether the answer has something for us; note what ends the loop."""
        if said.service >= Status.BAD:
            self._fault(said.service)
            return False
        self.refused += said.refused
        if said.subscription != self._subscription:
            self.ended = True
            self._lost = f"{self._source}: the server no longer knows our subscription"
            return False
        self._answered = True
        return True

    def _fault(self, service: int) -> None:
        if service == StatusCodes.BadTooManyPublishRequests and self._requests > 1:
            self._requests -= 1
        elif service != StatusCodes.BadTimeout:
            self.ended = service in _ENDING
            self._lost = f"{self._source}: the server refuses to publish: {_fault_name(service)}"

    def _in_turn(self, said: Published) -> bool:
        """Tell whether nothing is missing before `said`, and count it as heard then."""
        progress = self.progress
        missing = self._missing(said)
        if missing and not self._taken_up:
            return False
        if missing:
            progress.hole |= missing > MOST_MISSED
            progress.miss(_from(progress.expected or 1, 0, missing))
        self._taken_up = False
        progress.expected = said.sequence if said.keep_alive else said.sequence % LAST_SEQUENCE + 1
        if said.ended is not None:
            self.ended = True
            self._lost = (
                f"{self._source}: the server ended the subscription: {status_name(said.ended)}"
            )
        return True

    def _missing(self, said: Published) -> int:
        """Count the messages before `said` that have not come."""
        if self.progress.expected is None:
            return 0
        missing = (said.sequence - self.progress.expected) % LAST_SEQUENCE
        # A number from the past is a fault of the server's, not four billion lost messages.
        return missing if missing < LAST_SEQUENCE // 2 else 1

    async def _fill(self) -> None:
        """Get one message that is missing before what waits, or go on without."""
        progress = self.progress
        said = progress.waiting[0]
        expected, missing = progress.expected or 1, self._missing(said)
        try:
            one = await republish(self._uaclient, self._subscription, expected, self._texts_from)
        except (OSError, TimeoutError, UaError) as error:
            raise Unreachable(f"{self._source}: the connection was lost: {error!r}") from error
        if one is not None:
            self.republished += 1
            progress.waiting.appendleft(one)
            return
        self.gaps += missing
        progress.hole = True
        progress.miss(_from(expected, 1, missing))
        progress.expected = said.sequence


def _from(first: int, start: int, stop: int) -> Iterable[int]:
    """Give the numbers of the messages `start` to `stop` behind `first`, the last ones of them."""
    # Numbers run from 1 to 2^32 - 1 and begin again at 1.
    return (
        (first + i - 1) % LAST_SEQUENCE + 1 for i in range(max(start, stop - MOST_MISSED), stop)
    )


def _fault_name(service: int) -> str:
    return str(ua.StatusCode(ua.UInt32(service)).name)
