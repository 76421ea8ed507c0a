"""The publish loop against a server that is a queue of prepared answers."""

import asyncio
import logging
import struct
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.opcua import decode, publish
from connectors.opcua.decode import EPOCH, LONG, Published, decode_publish
from connectors.opcua.publish import LAST_SEQUENCE, MOST_MISSED, Progress, Publisher
from connectors.opcua.transport import BoundedProtocol
from plant.errors import Rejected, Unreachable

QUIET_S = 0.2


@dataclass
class Protocol:
    """Keeps requests open until the test answers the oldest."""

    open: list[asyncio.Future[Buffer]] = field(default_factory=list)
    acknowledged: list[list[int]] = field(default_factory=list)

    def _send_request(self, request: ua.PublishRequest, timeout: float) -> asyncio.Future[Buffer]:
        assert timeout == 0
        taken = request.Parameters.SubscriptionAcknowledgements
        self.acknowledged.append([one.SequenceNumber for one in taken])
        self.open.append(asyncio.get_running_loop().create_future())
        return self.open[-1]

    def answer(self, data: bytes) -> None:
        self.open.pop(0).set_result(Buffer(b"head" + data, 4))


@dataclass
class Connection:
    """A connection whose server republishes what is `kept`."""

    protocol: Protocol | None = field(default_factory=Protocol)
    kept: dict[int, bytes] = field(default_factory=dict)
    logger = logging.getLogger("test")

    async def _send_request(self, request: ua.RepublishRequest) -> Buffer:
        await asyncio.sleep(0)
        sequence = request.Parameters.RetransmitSequenceNumber
        if sequence not in self.kept:
            raise UaStatusCodeError(0x807B0000)
        return Buffer(self.kept[sequence])


def data(
    sequence: int, subscription: int = 7, *, keep_alive: bool = False, more: bool = False
) -> bytes:
    whole = ua.PublishResponse()
    whole.Parameters.SubscriptionId = subscription
    whole.Parameters.MoreNotifications = more
    row = ua.MonitoredItemNotification(0, ua.DataValue(ua.Variant(1.0)))
    parts = [] if keep_alive else [ua.DataChangeNotification([row])]
    whole.Parameters.NotificationMessage = ua.NotificationMessage(
        SequenceNumber=sequence, NotificationData=parts
    )
    return struct_to_binary(whole)


def republished(sequence: int) -> bytes:
    whole = ua.RepublishResponse()
    row = ua.MonitoredItemNotification(0, ua.DataValue(ua.Variant(float(sequence))))
    whole.NotificationMessage = ua.NotificationMessage(
        SequenceNumber=sequence, NotificationData=[ua.DataChangeNotification([row])]
    )
    return struct_to_binary(whole)


def fault(status: int) -> bytes:
    whole = ua.ServiceFault()
    whole.ResponseHeader.ServiceResult = ua.StatusCode(status)
    return struct_to_binary(whole)


def ended(sequence: int) -> bytes:
    whole = ua.PublishResponse()
    whole.Parameters.SubscriptionId = 7
    whole.Parameters.NotificationMessage = ua.NotificationMessage(
        SequenceNumber=sequence,
        NotificationData=[ua.StatusChangeNotification(ua.StatusCode(0x800A0000))],
    )
    return struct_to_binary(whole)


Story = Callable[[Publisher, Protocol], Awaitable[None]]


def play(story: Story, *, kept: Iterable[int] = (), progress: Progress | None = None) -> Publisher:
    """Tell a story; the server still has the messages of these numbers."""

    async def go() -> Publisher:
        connection = Connection(kept={one: republished(one) for one in kept})
        assert connection.protocol
        publisher = Publisher(
            "plc",
            connection,  # type: ignore[arg-type]
            7,
            requests=3,
            quiet_s=QUIET_S,
            texts_from=2**32,
            progress=progress,
            taken_up=progress is not None,
        )
        await story(publisher, connection.protocol)
        publisher.close()
        return publisher

    return asyncio.run(go())


async def answered(publisher: Publisher, protocol: Protocol, *answers: bytes) -> list[Any]:
    """Read as often as there are answers, each given while the read waits."""
    said = []
    for answer in answers:
        reading = asyncio.create_task(publisher.next())
        await asyncio.sleep(0)
        protocol.answer(answer)
        said.append(await reading)
    return said


async def rounds() -> None:
    """Let everybody have as many turns as he can use: no time need pass."""
    for _ in range(100):
        await asyncio.sleep(0)


def test_three_requests_wait_and_each_answer_is_replaced() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        await answered(publisher, protocol, data(1))
        assert len(protocol.open) == 2
        await answered(publisher, protocol, data(2))
        assert len(protocol.acknowledged) == 4

    play(story)


def test_nothing_is_acknowledged_before_it_is_told() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        await answered(publisher, protocol, data(1), data(2), data(3))
        assert protocol.acknowledged == [[]] * 5
        publisher.acknowledge(1)
        publisher.acknowledge(3)
        await answered(publisher, protocol, data(4), data(5))
        assert protocol.acknowledged == [[]] * 5 + [[1, 3], []]

    play(story)


def test_keep_alives_use_up_no_number() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        alive = data(1, keep_alive=True)
        said = await answered(publisher, protocol, alive, alive, data(1), data(2))
        assert [one.keep_alive for one in said] == [True, True, False, False]
        assert publisher.gaps == 0

    play(story)


@pytest.mark.parametrize("keep_alive", [False, True])
def test_a_message_that_the_server_has_lost_is_counted_and_the_rest_goes_on(
    keep_alive: bool,
) -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        last = data(4, keep_alive=keep_alive)
        said = await answered(publisher, protocol, data(1), last, data(5 - keep_alive))
        assert [one.sequence for one in said] == [1, 4, 5 - keep_alive]

    publisher = play(story)
    assert publisher.gaps == 2
    assert publisher.progress.hole


def test_missing_messages_come_in_their_place() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        said = await answered(publisher, protocol, data(1), data(4))
        said += [await publisher.next() for _ in range(2)]
        assert [one.sequence for one in said] == [1, 2, 3, 4]
        assert [one.value.tolist() for one in said[1:3]] == [[2.0], [3.0]]

    publisher = play(story, kept=[2, 3])
    assert (publisher.gaps, publisher.republished) == (0, 2)
    assert not publisher.progress.hole


def test_what_the_server_still_has_behind_a_hole_is_asked_for_later() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        await answered(publisher, protocol, data(1), data(5))

    publisher = play(story, kept=[4])
    assert publisher.gaps == 3
    assert list(publisher.progress.missed) == [3, 4]


@pytest.mark.parametrize("keep_alive", [False, True])
def test_what_was_missed_while_the_link_was_lost_is_noted(keep_alive: bool) -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        (said,) = await answered(publisher, protocol, data(14, keep_alive=keep_alive))
        assert said.sequence == 14

    publisher = play(story, progress=Progress(expected=11))
    assert list(publisher.progress.missed) == [11, 12, 13]
    assert publisher.gaps == 0
    assert publisher.progress.expected == 15 - keep_alive


def test_of_very_many_missed_messages_the_last_are_noted() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        await answered(publisher, protocol, data(10 + 2 * MOST_MISSED))

    progress = play(story, progress=Progress(expected=10)).progress
    assert list(progress.missed) == list(range(10 + MOST_MISSED, 10 + 2 * MOST_MISSED))
    assert progress.hole


def test_a_subscription_taken_over_begins_with_any_number() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        await answered(publisher, protocol, data(77), data(78))

    progress = play(story, progress=Progress(expected=None)).progress
    assert not progress.missed
    assert progress.expected == 79


def test_what_was_heard_and_not_delivered_comes_first_on_the_next_connection() -> None:
    heard = decode_publish(data(2), 0)

    async def story(publisher: Publisher, protocol: Protocol) -> None:
        assert await publisher.next() is heard

    progress = play(story, progress=Progress(expected=1, waiting=deque([heard]))).progress
    assert list(progress.missed) == [1]


def test_a_number_from_the_past_counts_once() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        await answered(publisher, protocol, data(1), data(2), data(1))

    assert play(story).gaps == 1


def test_numbers_begin_again_at_one() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        publisher.progress.expected = LAST_SEQUENCE
        await answered(publisher, protocol, data(LAST_SEQUENCE), data(1), data(2))
        assert publisher.gaps == 0

    play(story)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (fault(0x80790000), "refuses to publish: BadNoSubscription"),
        (fault(0x80250000), "refuses to publish: BadSessionIdInvalid"),
        (data(1, subscription=8), "no longer knows our subscription"),
    ],
    ids=["none", "session", "other"],
)
def test_a_lost_subscription_is_unreachable(answer: bytes, sentence: str) -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        with pytest.raises(Unreachable, match=sentence):
            await answered(publisher, protocol, answer)

    play(story)


def test_the_end_of_the_subscription_is_unreachable() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        await answered(publisher, protocol, ended(1))
        with pytest.raises(Unreachable, match="ended the subscription: BadTimeout"):
            await publisher.next()

    play(story)


def test_too_many_requests_are_made_fewer() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        reading = asyncio.create_task(publisher.next())
        await asyncio.sleep(0)
        protocol.answer(fault(0x80780000))
        await rounds()
        assert len(protocol.open) == 2
        protocol.answer(data(1))
        await reading
        await answered(publisher, protocol, data(2))
        assert len(protocol.acknowledged) == 4

    play(story)


def test_a_timed_out_request_is_replaced() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        reading = asyncio.create_task(publisher.next())
        await asyncio.sleep(0)
        protocol.answer(fault(0x800A0000))
        await rounds()
        assert len(protocol.open) == 3
        protocol.answer(data(1))
        assert (await reading).sequence == 1

    play(story)


def test_silence_is_unreachable() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        with pytest.raises(Unreachable, match="nothing heard"):
            await asyncio.wait_for(publisher.next(), 5 * QUIET_S + 1)

    play(story)


class Parted(Protocol, BoundedProtocol):
    """A connection on which parts of a message come without end, or long ago."""

    def __init__(self, begun: Callable[[], float]) -> None:
        super().__init__()
        self._begun = begun

    @property
    def begun(self) -> float:  # type: ignore[override]
        return self._begun()


@pytest.mark.parametrize(
    ("begun", "longest", "least"),
    [(time.monotonic, 5, 5 * QUIET_S), (lambda: 0.0, 1000, QUIET_S)],
    ids=["a message without end", "no part of a message"],
)
def test_parts_of_a_message_are_waited_for_but_not_for_ever(
    begun: Callable[[], float], longest: int, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_LONGEST_MESSAGE", longest)

    async def story(publisher: Publisher, _: Protocol) -> None:
        publisher._uaclient.protocol = Parted(begun)
        before = time.monotonic()
        with pytest.raises(Unreachable, match="nothing heard"):
            await publisher.next()
        # Who waited for a part that nobody sends would wait 200 s.
        assert least * 0.99 <= time.monotonic() - before < 60

    play(story)


def test_a_lost_connection_is_unreachable() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        reading = asyncio.create_task(publisher.next())
        await asyncio.sleep(0)
        protocol.open[0].set_exception(ConnectionError("reset"))
        with pytest.raises(Unreachable, match="connection was lost: reset"):
            await reading

    play(story)


def test_a_closed_connection_is_unreachable() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        publisher._uaclient.protocol = None
        with pytest.raises(Unreachable, match="connection is closed"):
            await publisher.next()

    play(story)


def test_a_cancelled_read_loses_no_request() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        reading = asyncio.create_task(publisher.next())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        protocol.answer(data(1))
        assert (await publisher.next()).sequence == 1
        assert len(protocol.acknowledged) == 3

    play(story)


def test_a_read_that_is_cancelled_in_a_long_message_loses_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def slow(*given: Any, **more: Any) -> Published:
        begun.set()
        assert goes_on.wait(60)
        return decode_publish(*given, **more)

    monkeypatch.setattr(publish, "decode_publish", slow)
    monkeypatch.setattr(decode, "LONG", 1)

    async def story(publisher: Publisher, protocol: Protocol) -> None:
        reading = asyncio.create_task(publisher.next())
        await asyncio.sleep(0)
        protocol.answer(data(1))
        assert await asyncio.to_thread(begun.wait, 60)
        reading.cancel()
        await asyncio.wait([reading])
        goes_on.set()
        assert reading.cancelled()
        assert (await publisher.next()).sequence == 1

    # Taken over: what number the first message has to have is not known, so none would be missed.
    play(story, progress=Progress(expected=None))


def test_messages_of_no_use_count_as_lost() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        publisher.give_up(await answered(publisher, protocol, data(1), data(2, keep_alive=True)))

    publisher = play(story)
    assert publisher.gaps == 1
    assert publisher.progress.hole


def test_an_unreadable_answer_is_rejected_and_its_loss_told() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        with pytest.raises(Rejected):
            await answered(publisher, protocol, data(1)[:40])
        await answered(publisher, protocol, data(2))
        assert publisher.gaps == 1

    play(story)


def test_refused_acknowledgements_are_counted() -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        refusing = data(1)[:-8] + struct.pack("<iIi", 1, 0x807A0000, -1)
        await answered(publisher, protocol, refusing)
        assert publisher.refused == 1

    play(story)


def test_epoch_is_1970() -> None:
    assert EPOCH == 11_644_473_600 * 10**7


def test_a_message_that_is_slow_to_read_holds_nobody_else_up() -> None:
    whole = ua.PublishResponse()
    whole.Parameters.SubscriptionId = 7
    rows = [ua.MonitoredItemNotification(i, ua.DataValue(ua.Variant(""))) for i in range(20_000)]
    whole.Parameters.NotificationMessage = ua.NotificationMessage(
        SequenceNumber=1, NotificationData=[ua.DataChangeNotification(rows)]
    )
    slow = struct_to_binary(whole)
    assert len(slow) > LONG
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def story(publisher: Publisher, protocol: Protocol) -> None:
        waiting = asyncio.create_task(publisher.next())
        await rounds()
        protocol.answer(slow)
        counting = asyncio.create_task(count())
        await waiting
        counting.cancel()

    play(story)
    assert turns > 10, "the loop turned while the message was read"


@pytest.mark.parametrize("first", [data(5), data(5, keep_alive=True)], ids=["message", "quiet"])
def test_until_its_first_word_nothing_is_known_of_what_went_on_meanwhile(first: bytes) -> None:
    async def story(publisher: Publisher, protocol: Protocol) -> None:
        reading = asyncio.create_task(publisher.next())
        await asyncio.sleep(0)
        assert not publisher.spoken.is_set()
        protocol.answer(first)
        said = await reading
        assert not publisher.spoken.is_set(), "no batch has brought it yet"
        assert publisher.brought([said])
        assert publisher.spoken.is_set()
        assert list(publisher.progress.missed) == [3, 4]

    play(story, progress=Progress(expected=3))


def test_the_first_word_is_complete_with_what_it_announced() -> None:
    heard = decode_publish(data(2), 0)

    async def story(publisher: Publisher, protocol: Protocol) -> None:
        old = await publisher.next()
        assert publisher.brought([old])
        assert not publisher.spoken.is_set(), "it came on the connection before"
        (first,) = await answered(publisher, protocol, data(3, more=True))
        assert not publisher.brought([old]), "another batch than that of the newest message"
        assert publisher.brought([first])
        assert not publisher.spoken.is_set(), "it announced more"
        (last,) = await answered(publisher, protocol, data(4))
        assert publisher.brought([last])
        assert publisher.spoken.is_set()

    play(story, progress=Progress(expected=2, waiting=deque([heard])))
