"""Fault 16: mutated frames are refused by our bounds, one like the other, in no time."""

import asyncio
import gc
import resource
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary
from asyncua.ua.uaerrors import UaError

from connectors.modbus.address import Table
from connectors.modbus.link import Lost
from connectors.modbus.wire import Doubtful, RtuFraming, TcpFraming, read
from connectors.opcua.decode import decode_publish
from connectors.opcua.transport import BoundedBuffer, BoundedProtocol, read_answer
from connectors.simulated.hostile.modbus_frames import Framing, request, telling_words
from plant.errors import Rejected
from plant.quality import Status
from tests.faults.mutations import mutated
from tests.faults.rows import Row

FRAMES = 100_000
SLOWEST_S = 0.1
GROWTH_MB = 64
_TIDY = 2_000


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """No collection of garbage in the time of a frame."""
    gc.disable()
    yield
    gc.enable()


class Trial:
    """Counts what became of frames, and how long the slowest took."""

    def __init__(self, refusals: tuple[type[Exception], ...]) -> None:
        self.outcomes: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.spent_s = 0.0
        self._refusals = refusals
        self._before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def run(self, what: Callable[[], object]) -> object:
        """Do it; anything but a result or one of the refusals ends the test."""
        if self.outcomes.total() % _TIDY == 0:
            gc.collect()  # of what the test itself leaves lying about
        begun = time.thread_time()
        try:
            result = what()
        except self._refusals:
            self.outcomes["refused"] += 1
            return None
        else:
            self.outcomes["read"] += 1
            return result
        finally:
            spent = time.thread_time() - begun
            self.spent_s += spent
            self.slowest_s = max(self.slowest_s, spent)

    def report(self, row: Row) -> None:
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self._before) / 1024
        row.measured(
            frames=self.outcomes.total(),
            refused=self.outcomes["refused"],
            slowest_ms=1000 * self.slowest_s,
            memory_grown_MB=grown,
            µs_a_frame=1e6 * self.spent_s / self.outcomes.total(),
        )
        assert self.outcomes.total() >= FRAMES
        assert self.slowest_s <= SLOWEST_S
        assert grown <= GROWTH_MB


def _stream(frame: bytes) -> Callable[[int], Awaitable[bytes]]:
    left = bytearray(frame)

    async def exactly(count: int) -> bytes:
        if len(left) < count:
            raise Lost("the frame ends")
        taken = bytes(left[:count])
        del left[:count]
        return taken

    return exactly


@pytest.mark.pain(
    "F16", "100,000 mutated answers in TCP and RTU frames", "our Modbus reader, in process",
    "each refused or of the size asked; ≤ 100 ms a frame; memory flat",
)  # fmt: skip
def test_f16_modbus(row: Row) -> None:
    random = Random(16)
    trial = Trial((Doubtful, Lost))
    framings = {Framing.TCP: TcpFraming(), Framing.RTU: RtuFraming()}
    slipped = 0
    for number in range(FRAMES):
        framing = (Framing.TCP, Framing.RTU)[number % 2]
        asking = read(3, Table.HOLDING, 8, 1 + number % 125)
        asked = request(framings[framing].frame(asking, 7), framing, 1, 0, 1)
        data = telling_words(asked)
        frame = mutated(asked.frame(bytes([len(data)]) + data), random)
        reading = framings[framing].answer(_stream(frame), asking, 7)

        def step(reading: object = reading) -> object:
            with pytest.raises(StopIteration) as done:
                reading.send(None)  # type: ignore[attr-defined]
            return done.value.value

        answer = trial.run(step)
        if answer is not None and answer.status is Status.GOOD:  # type: ignore[attr-defined]
            assert len(answer.payload) == len(data)  # type: ignore[attr-defined]
            slipped += framing is Framing.RTU and answer.payload != data  # type: ignore[attr-defined]
    row.measured(past_the_RTU_checksum=slipped)
    assert slipped <= 5, "a checksum of 16 bits lets one of 65,536 random frames through"
    trial.report(row)


def _row(handle: int, value: ua.Variant) -> ua.MonitoredItemNotification:
    return ua.MonitoredItemNotification(
        handle, ua.DataValue(value, SourceTimestamp=ua.uatypes.datetime(2026, 1, 1))
    )


def _published() -> list[bytes]:
    kinds: Sequence[Sequence[ua.Variant]] = (
        [ua.Variant(float(i), ua.VariantType.Double) for i in range(50)],
        [ua.Variant(v) for v in (True, 7, "text", 2.5, [1, 2, 3], b"bytes")],
        [ua.Variant([[1, 2], [3, 4]], ua.VariantType.Int32, [2, 2], is_array=True)],
        [ua.Variant(ua.LocalizedText("a", "en")), ua.Variant(ua.NodeId("x", 2)), ua.Variant(None)],
    )
    messages = []
    for variants in kinds:
        change = ua.DataChangeNotification(
            MonitoredItems=[_row(i, variant) for i, variant in enumerate(variants)]
        )
        answer = ua.PublishResponse()
        answer.Parameters.NotificationMessage.NotificationData = [change]
        messages.append(struct_to_binary(answer))
    return messages


@pytest.mark.pain(
    "F16", "100,000 mutated PublishResponses", "our OPC UA decoder, in process",
    "each read or refused; ≤ 100 ms a frame; memory flat",
)  # fmt: skip
def test_f16_opcua_publish(row: Row) -> None:
    random = Random(17)
    trial = Trial((Rejected,))
    messages = _published()
    for message in messages:
        assert len(decode_publish(message, 1).handle)
    for number in range(FRAMES):
        frame = mutated(messages[number % len(messages)], random)
        trial.run(lambda frame=frame: decode_publish(frame, 1, 40))  # type: ignore[misc]
    trial.report(row)


def _answers() -> list[object]:
    reference = ua.ReferenceDescription(
        NodeId=ua.ExpandedNodeId("Line1.Flow", 2), BrowseName=ua.QualifiedName("Flow", 2)
    )
    endpoint = ua.EndpointDescription(EndpointUrl="opc.tcp://plc:4840", ServerCertificate=b"0" * 99)
    values = [ua.DataValue(ua.Variant(v)) for v in (1.5, "text", [1.0, 2.0], ua.LocalizedText("x"))]
    created = ua.CreateSessionResponse()
    created.Parameters.ServerEndpoints = [endpoint]
    return [
        ua.ReadResponse(Results=values),
        ua.BrowseResponse(Results=[ua.BrowseResult(References=[reference] * 5)]),
        ua.CreateMonitoredItemsResponse(Results=[ua.MonitoredItemCreateResult()] * 9),
        ua.GetEndpointsResponse(Endpoints=[endpoint] * 3),
        ua.TranslateBrowsePathsToNodeIdsResponse(Results=[ua.BrowsePathResult()] * 5),
        created,
    ]


@pytest.mark.pain(
    "F16", "100,000 mutated answers to other services",
    "asyncua's decoder within our bounds, in process",
    "each read or refused in one way; ≤ 100 ms a frame; memory flat",
)  # fmt: skip
def test_f16_opcua_answers(row: Row) -> None:
    random = Random(18)
    trial = Trial((UaError,))
    answers = [(type(answer), struct_to_binary(answer)) for answer in _answers()]
    for number in range(FRAMES):
        kind, message = answers[number % len(answers)]
        frame = mutated(message, random)
        trial.run(lambda k=kind, f=frame: read_answer(k, BoundedBuffer(f)))  # type: ignore[misc]
    trial.report(row)


class _Wire(asyncio.Transport):
    closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


def _opened() -> BoundedProtocol:
    protocol = BoundedProtocol()
    protocol.logger.setLevel(100)
    protocol.connection_made(_Wire())
    return protocol


def _chunks() -> list[bytes]:
    error = struct.pack("<4sIIi", b"ERRF", 20, 0x8001_0000, 4) + b"text"
    acknowledge = struct.pack("<4sIIIIII", b"ACKF", 28, 0, 65536, 65536, 0, 0)
    message = struct.pack("<4sIIIII", b"MSGF", 28, 0, 0, 1, 1) + b"body"
    part = struct.pack("<4sIIIII", b"MSGC", 28, 0, 0, 1, 1) + b"part"
    broken = struct.pack("<4sIIIII", b"MSGA", 32, 0, 0, 1, 1) + struct.pack("<Ii", 0, 0)
    return [error, acknowledge, message, part, broken, part + part + message]


@pytest.mark.pain(
    "F16", "100,000 mutated chunks", "our OPC UA transport, in process",
    "no frame holds it up (≤ 100 ms) or gets an exception out; memory flat",
)  # fmt: skip
def test_f16_opcua_chunks(row: Row) -> None:
    random = Random(19)
    trial = Trial(())
    chunks = _chunks()

    async def story() -> None:
        for chunk in chunks:  # what is made once, at the first of its kind, is no frame's time
            _opened().data_received(chunk)
        for number in range(FRAMES):
            protocol = _opened()
            waiting: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            protocol._callbackmap[1] = waiting
            frame = mutated(chunks[number % len(chunks)], random)
            trial.run(lambda p=protocol, f=frame: p.data_received(f))  # type: ignore[misc]
            waiting.cancel() or waiting.exception()
            assert protocol.receive_buffer is None

    asyncio.run(story())
    trial.report(row)
