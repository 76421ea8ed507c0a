import contextlib
import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.opcua.decode import EPOCH, Published, decode_publish
from plant.errors import Rejected
from plant.quality import Status
from plant.samples import NO_TIME

T = ua.VariantType
NOW = 1_700_000_000_000_000_000
DAY = datetime(2026, 3, 4, 5, 6, 7, 891_011, tzinfo=UTC)
DAY_NS = (DAY - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
HEAD = b"\x01\x00\x3d\x03" + struct.pack("<qII", EPOCH, 1, 0) + b"\x00" + bytes(4) + bytes(3)


def message(*parts: bytes, sequence: int = 5, published: int = EPOCH, more: int = 0) -> bytes:
    """A PublishResponse with these notification parts, as OPC 10000-6 writes it."""
    body = struct.pack("<Ii", 7, 0) + struct.pack("<BIq", more, sequence, published)
    return HEAD + body + struct.pack("<i", len(parts)) + b"".join(parts) + bytes(8)


def data_change(*rows: bytes) -> bytes:
    body = struct.pack("<i", len(rows)) + b"".join(rows) + struct.pack("<i", -1)
    return b"\x01\x00\x2b\x03\x01" + struct.pack("<i", len(body)) + body


def one_row(row: bytes) -> Published:
    return decode_publish(message(data_change(row)), NOW)


def response(values: Sequence[ua.DataValue]) -> ua.PublishResponse:
    items = [ua.MonitoredItemNotification(i, value) for i, value in enumerate(values)]
    whole = ua.PublishResponse()
    whole.Parameters.SubscriptionId = 7
    whole.Parameters.MoreNotifications = False
    whole.Parameters.NotificationMessage = ua.NotificationMessage(
        SequenceNumber=5, PublishTime=DAY, NotificationData=[ua.DataChangeNotification(items)]
    )
    return whole


def test_ticks_and_picoseconds_are_exact() -> None:
    ticks = EPOCH + 17_000_000_001_234_567
    row = struct.pack("<IBBdqHqH", 3, 0b111101, 11, 2.5, ticks, 4321, EPOCH, 9)
    said = one_row(row)
    assert said.at.tolist() == [1_700_000_000_123_456_743]
    assert said.value.tolist() == [2.5]
    assert said.handle.tolist() == [3]


def test_more_than_9999_tens_of_picoseconds_count_as_9999() -> None:
    said = one_row(struct.pack("<IBBdqH", 0, 0b010101, 11, 1.0, EPOCH, 65535))
    assert said.at.tolist() == [99]


@pytest.mark.parametrize(
    ("source", "server", "at"),
    [
        (EPOCH + 30, EPOCH + 20, 3000),
        (0, EPOCH + 20, 2000),
        (2**63 - 1, EPOCH + 20, 2000),
        (-(2**63) + EPOCH, EPOCH + 20, 2000),
        (0, 0, 1000),
        (0, 2**63 - 1, 1000),
    ],
    ids=["source", "null source", "far source", "odd source", "published", "far server"],
)
@pytest.mark.parametrize("rows", [1, 40])
def test_time_is_the_sources_else_the_servers_else_the_publishes(
    source: int, server: int, at: int, rows: int
) -> None:
    row = struct.pack("<IBBdqq", 0, 0b1101, 11, 1.0, source, server)
    data = message(data_change(*[row] * rows), published=EPOCH + 10)
    assert decode_publish(data, NOW).at.tolist() == [at] * rows


@pytest.mark.parametrize(
    ("server", "pico", "served"),
    [
        (EPOCH + 20, 0, 2000),
        (EPOCH + 20, 4300, 2043),
        (EPOCH + 20, 65535, 2099),
        (0, 0, NO_TIME),
        (2**63 - 1, 0, NO_TIME),
    ],
    ids=["ticks", "picoseconds", "too many", "null", "far"],
)
@pytest.mark.parametrize("rows", [1, 40])
def test_the_servers_own_time_is_kept_beside_the_sources(
    server: int, pico: int, served: int, rows: int
) -> None:
    row = struct.pack("<IBBdqqH", 0, 0b101101, 11, 1.0, EPOCH + 30, server, pico)
    said = decode_publish(message(data_change(*[row] * rows), published=EPOCH + 10), NOW)
    assert said.at.tolist() == [3000] * rows
    assert said.served.tolist() == [served] * rows


def test_without_any_time_the_gateways_clock_stands_in() -> None:
    row = struct.pack("<IBBd", 0, 1, 11, 1.0)
    said = decode_publish(message(data_change(row), published=0), NOW)
    assert (said.published, said.at.tolist()) == (NOW, [NOW])


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize(
    ("kind", "code", "raw", "value"),
    [
        (1, "B", 0, 0.0),
        (1, "B", 255, 1.0),
        (2, "b", -128, -128.0),
        (3, "B", 255, 255.0),
        (4, "h", -32768, -32768.0),
        (5, "H", 65535, 65535.0),
        (6, "i", -(2**31), -(2.0**31)),
        (7, "I", 2**32 - 1, 2.0**32 - 1),
        (8, "q", -(2**53), -(2.0**53)),
        (9, "Q", 2**53, 2.0**53),
        (10, "f", 0.5, 0.5),
        (11, "d", -1e300, -1e300),
    ],
)
def test_every_fixed_width_number(
    rows: int, kind: int, code: str, raw: float, value: float
) -> None:
    row = struct.pack(f"<IBB{code}I", 4, 0b11, kind, raw, 0x40900000)
    said = decode_publish(message(data_change(*[row] * rows)), NOW)
    assert said.value.tolist() == [value] * rows
    assert said.status.tolist() == [0x40900000] * rows


OUT = Status.BAD_OUT_OF_RANGE
NULL = Status.BAD_WAITING_FOR_INITIAL_DATA
OTHER = Status.BAD_TYPE_MISMATCH
UNUSABLE = {
    "int64": (b"\x08" + struct.pack("<q", 2**53 + 1), OUT),
    "negative": (b"\x08" + struct.pack("<q", -(2**53) - 1), OUT),
    "uint64": (b"\x09" + struct.pack("<Q", 2**64 - 1), OUT),
    "nan": (b"\x0b" + struct.pack("<d", math.nan), OUT),
    "signalling nan": (b"\x0a" + b"\x01\x00\x80\x7f", OUT),
    "infinity": (b"\x0b" + struct.pack("<d", math.inf), OUT),
    "null": (b"\x00", NULL),
    "time": (b"\x0d" + struct.pack("<q", EPOCH), OTHER),
    "array": (b"\x8b" + struct.pack("<idd", 2, 2.0, 3.0), OTHER),
    "empty array": (b"\x8b" + struct.pack("<i", 0), OTHER),
    "array of no type": (b"\x80" + struct.pack("<i", 0), OTHER),
    "bytes": (b"\x0f" + struct.pack("<i", 1) + b"x", OTHER),
}


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize(
    ("own", "kept"), [(0, False), (0x40900000, False), (0x808C0000, True)], ids=hex
)
@pytest.mark.parametrize("name", UNUSABLE)
def test_what_is_no_number_is_bad(name: str, own: int, kept: bool, rows: int) -> None:
    variant, ours = UNUSABLE[name]
    row = struct.pack("<IB", 4, 0b111) + variant + struct.pack("<Iq", own, EPOCH + 1)
    said = decode_publish(message(data_change(*[row] * rows)), NOW)
    assert np.isnan(said.value).all()
    assert said.status.tolist() == [own if kept else ours] * rows
    assert said.at.tolist() == [100] * rows


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("dimensions", [b"", struct.pack("<iii", 2, 1, 1)], ids=["1-d", "2-d"])
@pytest.mark.parametrize(
    ("kind", "code", "raw", "value"),
    [(1, "B", 255, 1.0), (8, "q", 2**53, 2.0**53), (11, "d", -2.5, -2.5)],
)
def test_an_array_of_one_element_is_its_element(
    kind: int, code: str, raw: float, value: float, dimensions: bytes, rows: int
) -> None:
    form = kind | 0x80 | 0x40 * bool(dimensions)
    row = struct.pack(f"<IBBi{code}", 4, 0b111, form, 1, raw) + dimensions
    data = message(data_change(*[row + struct.pack("<Iq", 0x40900000, EPOCH + 1)] * rows))
    said = decode_publish(data, NOW)
    assert said.value.tolist() == [value] * rows
    assert said.status.tolist() == [0x40900000] * rows
    assert said.at.tolist() == [100] * rows
    texts = decode_publish(data, NOW, texts_from=4).texts
    assert [one.at for one in texts] == [100] * rows


@pytest.mark.parametrize("at", [0, 20, 39])
def test_an_array_of_another_length_among_single_ones_is_bad(at: int) -> None:
    rows = [struct.pack("<IBBid", i, 1, 0x8B, 1, float(i)) for i in range(40)]
    rows[at] = struct.pack("<IBBidd", at, 1, 0x8B, 2, 1.0, 2.0)
    said = decode_publish(message(data_change(*rows)), NOW)
    assert said.status[at] == OTHER
    assert np.flatnonzero(np.isnan(said.value)).tolist() == [at]
    assert np.nansum(said.value) == sum(range(40)) - at


def test_an_array_of_one_text_is_that_text() -> None:
    row = struct.pack("<IBBii", 1, 1, 0x8C, 1, 2) + b"ja"
    assert [one.text for one in one_row(row).texts] == ["ja"]


def test_a_row_without_value_has_its_status() -> None:
    said = one_row(struct.pack("<IBIq", 4, 0b110, 0x80310000, EPOCH))
    assert said.status.tolist() == [0x80310000]
    assert np.isnan(said.value).all()


def test_texts_stand_apart_with_status_and_time() -> None:
    text = struct.pack("<IBBi", 1, 0b111, 12, 3) + b"M\xc3\xbc" + struct.pack("<Iq", 1, EPOCH + 1)
    local = struct.pack("<IBBBi", 2, 0b1, 21, 2, 2) + b"ja"
    number = struct.pack("<IBBd", 3, 1, 11, 1.0)
    data = message(data_change(text, local, number), published=EPOCH + 2)
    said = decode_publish(data, NOW)
    assert [(one.handle, one.text, one.at, one.status) for one in said.texts] == [
        (1, "Mü", 100, 1),
        (2, "ja", 200, 0),
    ]
    assert said.handle.tolist() == [3]


def test_numbers_wanted_as_text_keep_every_digit() -> None:
    rows = [struct.pack("<IBBQ", i, 1, 9, 2**64 - 1) for i in range(40)]
    said = decode_publish(message(data_change(*rows)), NOW, texts_from=20)
    assert said.handle.tolist() == list(range(20))
    assert {one.text for one in said.texts} == {"18446744073709551615"}


def test_keep_alive_says_when() -> None:
    said = decode_publish(message(sequence=9, published=EPOCH + 70), NOW)
    assert said.keep_alive
    assert (said.sequence, said.published, len(said.handle)) == (9, 7000, 0)


def test_status_change_ends_the_subscription() -> None:
    part = b"\x01\x00\x34\x03\x01" + struct.pack("<iIB", 5, 0x800A0000, 0)
    said = decode_publish(message(part), NOW)
    assert (said.ended, said.keep_alive) == (0x800A0000, False)


def test_parts_are_joined_and_events_skipped() -> None:
    event = b"\x01\x00\x94\x03\x01" + struct.pack("<i", 3) + b"abc"
    parts = [data_change(struct.pack("<IBBd", i, 1, 11, float(i))) for i in range(2)]
    said = decode_publish(message(parts[0], event, parts[1], more=1), NOW)
    assert said.value.tolist() == [0.0, 1.0]
    assert said.more


def test_refused_acknowledgements_are_counted() -> None:
    data = message()[:-8] + struct.pack("<iIIIi", 3, 0, 0x807A0000, 0x807A0000, -1)
    assert decode_publish(data, NOW).refused == 2


def test_service_fault() -> None:
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(0x80790000)
    assert decode_publish(struct_to_binary(fault), NOW).service == 0x80790000


def test_unusual_response_header() -> None:
    whole = response([ua.DataValue(ua.Variant(1.0, T.Double))])
    whole.ResponseHeader.ServiceDiagnostics = ua.DiagnosticInfo(AdditionalInfo="x", SymbolicId=2)
    whole.ResponseHeader.StringTable = ["a", "bc"]
    assert decode_publish(struct_to_binary(whole), NOW).value.tolist() == [1.0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        struct_to_binary(ua.ReadResponse()),
        message(data_change(struct.pack("<IBBd", 0, 1, 11, 1.0)))[:-30],
        message(b"\x01\x00\x2b\x03\x01" + struct.pack("<ii", 4, 2**31 - 1)),
        message(b"\x01\x00\x2b\x03\x00"),
        message(b"\x01\x00\x2b\x03\x01" + struct.pack("<ii", 4, 1) + bytes(20)),
        HEAD + struct.pack("<Ii", 7, 2**31 - 1),
    ],
    ids=range(8),
)
def test_what_is_no_publish_response_is_rejected(data: bytes) -> None:
    with pytest.raises(Rejected):
        decode_publish(data, NOW)


NUMBERS = {
    T.Boolean: st.booleans(),
    T.SByte: st.integers(-128, 127),
    T.Byte: st.integers(0, 255),
    T.Int16: st.integers(-(2**15), 2**15 - 1),
    T.UInt16: st.integers(0, 2**16 - 1),
    T.Int32: st.integers(-(2**31), 2**31 - 1),
    T.UInt32: st.integers(0, 2**32 - 1),
    T.Int64: st.integers(-(2**63), 2**63 - 1),
    T.UInt64: st.integers(0, 2**64 - 1),
    T.Float: st.floats(width=32),
    T.Double: st.floats(),
}
OTHERS = [
    st.just(ua.Variant(None, T.Null)),
    st.text(max_size=5).map(lambda text: ua.Variant(text, T.String)),
    st.binary(max_size=5).map(lambda data: ua.Variant(data, T.ByteString)),
    st.lists(st.floats(), max_size=3).map(lambda some: ua.Variant(some, T.Double, is_array=True)),
    st.just(ua.Variant(ua.LocalizedText("local", "en"), T.LocalizedText)),
    st.just(ua.Variant(ua.EUInformation("urn:u", 5), T.ExtensionObject)),
    st.datetimes().map(lambda when: ua.Variant(when.replace(tzinfo=UTC), T.DateTime)),
]
VARIANTS = st.one_of(
    *(
        values.map(lambda value, kind=kind: ua.Variant(value, kind))  # type: ignore[misc]
        for kind, values in NUMBERS.items()
    ),
    *OTHERS,
)
MOMENTS = st.none() | st.integers(-8 * 10**15, 8 * 10**15).map(
    lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)
STATUSES = st.none() | st.sampled_from([0, 0x40900000, 0x80050000, 0x00000480, 0xC0000000])
# asyncua writes picoseconds behind the server time, against OPC 10000-6 §5.2.2.17: left out.
VALUES = st.builds(
    lambda variant, status, source, server: ua.DataValue(
        variant,
        None if status is None else ua.StatusCode(status),
        SourceTimestamp=source,
        ServerTimestamp=server,
    ),
    VARIANTS,
    STATUSES,
    MOMENTS,
    MOMENTS,
)
RUNS = st.lists(st.tuples(VALUES, st.integers(1, 90)), max_size=6).map(
    lambda runs: [value for value, length in runs for _ in range(length)]
)


def nanoseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def asyncua_says(data: bytes) -> list[tuple[object, ...]]:
    """The same message through asyncua's decoder: handle, time, status and value or text."""
    whole = struct_from_binary(ua.PublishResponse, Buffer(data)).Parameters.NotificationMessage
    (part,) = whole.NotificationData
    return [
        (
            item.ClientHandle,
            nanoseconds(item.Value.SourceTimestamp or item.Value.ServerTimestamp or DAY),
            *plain(item.Value.Value, item.Value.StatusCode.value if item.Value.StatusCode else 0),
        )
        for item in part.MonitoredItems
    ]


def plain(variant: ua.Variant | None, status: int) -> tuple[int, object]:
    """Status and value as the product words them, told from asyncua's Python objects."""
    kind = variant.VariantType if variant else T.Null
    value = variant.Value if variant else None
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if kind in {T.String, T.LocalizedText} and not isinstance(value, list):
        return status, str(value if kind is T.String else value.Text)
    numeric = kind in NUMBERS and not isinstance(value, list)
    exact = (
        numeric and math.isfinite(value) and (kind in {T.Float, T.Double} or abs(value) <= 2**53)
    )
    ours = OUT if numeric else NULL if kind is T.Null else OTHER
    return (
        status if exact or status >= 0x80000000 else int(ours),
        float(value) if exact else None,
    )


def we_say(said: Published) -> list[tuple[object, ...]]:
    rows = zip(
        said.handle.tolist(),
        said.at.tolist(),
        said.status.tolist(),
        [None if math.isnan(value) else value for value in said.value.tolist()],
        strict=True,
    )
    texts = [(one.handle, one.at, one.status, one.text) for one in said.texts]
    return sorted([*rows, *texts], key=lambda row: int(row[0]))


@settings(max_examples=300, deadline=None)
@given(RUNS)
def test_says_the_same_as_asyncua(values: list[ua.DataValue]) -> None:
    data = struct_to_binary(response(values))
    assert we_say(decode_publish(data, NOW)) == asyncua_says(data)


@settings(max_examples=150, deadline=None)
@given(RUNS, st.data())
def test_a_shortened_message_is_rejected(values: list[ua.DataValue], data: st.DataObject) -> None:
    whole = struct_to_binary(response(values))
    # The last four bytes are the diagnostics of acknowledgements, which nobody reads.
    length = data.draw(st.integers(0, len(whole) - 5))
    with pytest.raises(Rejected):
        decode_publish(whole[:length], NOW)


@settings(max_examples=400, deadline=None)
@given(RUNS, st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_mutated_message_is_read_or_rejected(
    values: list[ua.DataValue], changes: list[tuple[float, int]]
) -> None:
    data = bytearray(struct_to_binary(response(values)))
    for place, byte in changes:
        data[int(place * (len(data) - 1))] = byte
    with contextlib.suppress(Rejected):
        said = decode_publish(bytes(data), NOW)
        assert len(said.handle) == len(said.at) == len(said.value) == len(said.status)
        assert len(said.handle) + len(said.texts) <= len(data) // 5
        assert np.isfinite(said.value[said.status < 0x80000000]).all()


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_header_are_read_or_rejected(data: bytes) -> None:
    with contextlib.suppress(Rejected):
        decode_publish(HEAD + struct.pack("<Ii", 7, 0) + data, NOW)
