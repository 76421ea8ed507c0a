"""Our publish loop: requests kept waiting at the server, acknowledged when told (§5.14.5).

asyncua's own loop keeps one request in flight and acknowledges a message before anybody has stored
it. This one rests on a private method, ``protocol._send_request``; a test fails when it changes.
"""

import asyncio
import time
from collections import deque
from typing import Any

from asyncua import ua
from asyncua.client.ua_client import UaClient
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError

from connectors.opcua.decode import Published, decode_publish
from plant.errors import Unreachable
from plant.quality import Status, status_name

LAST_SEQUENCE = 0xFFFF_FFFF
_GLANCE_S = 0.5
"""Time for what has already arrived, when the gateway itself was late, s."""
_UNACKNOWLEDGED = 1_000
"""Acknowledgements that wait for a request; a server keeps far fewer messages."""


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

    Attributes
    ----------
    gaps : int
        Notification messages that were lost, as their numbers tell.
    refused : int
        Acknowledgements that the server did not take.
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
    ) -> None:
        self.gaps = 0
        self.refused = 0
        self._source = source
        self._uaclient = uaclient
        self._subscription = subscription
        self._requests = requests
        self._quiet_s = quiet_s
        self._texts_from = texts_from
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._acknowledgements: deque[int] = deque(maxlen=_UNACKNOWLEDGED)
        self._expected = 1
        self._lost: str | None = None
        self._heard = time.monotonic()

    async def next(self) -> Published:
        """Wait for the next message or keep-alive of the subscription.

        Raises
        ------
        Unreachable
            The link is lost, the server has forgotten the subscription, or messages are missing.
        Rejected
            One answer cannot be read; the next may be.
        """
        while True:
            if self._lost is not None:
                raise Unreachable(self._lost)
            self._ask()
            said = decode_publish(await self._answer(), time.time_ns(), self._texts_from)
            if self._check(said):
                return said

    def acknowledge(self, sequence: int) -> None:
        """Let the server forget message `sequence` with the next request."""
        self._acknowledgements.append(sequence)

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
                for sequence in self._acknowledgements
            ]
            protocol = self._uaclient.protocol
            if protocol is None:
                raise Unreachable(f"{self._source}: the connection is closed")
            try:
                # No time-out hint: the request is meant to wait at the server.
                self._waiting.append(protocol._send_request(request, 0))
            except (ConnectionError, UaError) as error:
                raise Unreachable(f"{self._source}: {error}") from error
            self._acknowledgements.clear()

    async def _answer(self) -> bytes:
        patience = self._quiet_s + self._heard - time.monotonic()
        done, _ = await asyncio.wait(
            self._waiting, timeout=max(patience, _GLANCE_S), return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            raise Unreachable(f"{self._source}: nothing heard for {self._quiet_s:.0f} s")
        # The server answers in the order of the requests; of several answers the oldest is first.
        answer = next(waiting for waiting in self._waiting if waiting in done)
        self._waiting.remove(answer)
        self._heard = time.monotonic()
        try:
            return bytes(answer.result())
        except (ConnectionError, UaError, asyncio.CancelledError) as error:
            raise Unreachable(f"{self._source}: the connection was lost: {error}") from error

    def _check(self, said: Published) -> bool:
        """Tell whether the answer has something for us; raise or note what ends the loop."""
        if said.service >= Status.BAD:
            self._fault(said.service)
            return False
        self.refused += said.refused
        if said.subscription != self._subscription:
            self._lost = f"{self._source}: the server no longer knows our subscription"
            return False
        self._count(said)
        if said.ended is not None:
            self._lost = (
                f"{self._source}: the server ended the subscription: {status_name(said.ended)}"
            )
        return True

    def _fault(self, service: int) -> None:
        if service == StatusCodes.BadTooManyPublishRequests and self._requests > 1:
            self._requests -= 1
        elif service != StatusCodes.BadTimeout:
            self._lost = f"{self._source}: the server refuses to publish: {_fault_name(service)}"

    def _count(self, said: Published) -> None:
        missing = (said.sequence - self._expected) % LAST_SEQUENCE
        if missing:
            # A number from the past is a fault of the server's, not four billion lost messages.
            self.gaps += missing if missing < LAST_SEQUENCE // 2 else 1
            self._lost = (
                f"{self._source}: message {self._expected} was expected and {said.sequence} came; "
                "what lies between is lost, subscribing anew"
            )
        if not said.keep_alive:
            # Numbers run from 1 to 2^32 - 1 and begin again at 1.
            self._expected = said.sequence % LAST_SEQUENCE + 1


def _fault_name(service: int) -> str:
    return str(ua.StatusCode(ua.UInt32(service)).name)
