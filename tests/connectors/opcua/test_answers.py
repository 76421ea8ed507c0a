import struct
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua.answers import decode_history, decode_read
from plant.errors import Rejected
from plant.quality import Status

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
NS = 1_767_323_045_678_901_000


def value(number: object, status: int = 0) -> ua.DataValue:
    return ua.DataValue(ua.Variant(number), ua.StatusCode(status), WHEN)


def read_response(*values: ua.DataValue) -> bytes:
    whole = ua.ReadResponse()
    whole.ResponseHeader.Timestamp = WHEN
    whole.Results = list(values)
    return struct_to_binary(whole)


def history_response(*results: tuple[int, bytes | None, list[ua.DataValue]]) -> bytes:
    whole = ua.HistoryReadResponse()
    for status, point, values in results:
        data = ua.HistoryData()
        data.DataValues = values
        whole.Results.append(ua.HistoryReadResult(ua.StatusCode(status), point, data))
    return struct_to_binary(whole)


def fault(status: int) -> bytes:
    whole = ua.ServiceFault()
    whole.ResponseHeader.ServiceResult = ua.StatusCode(status)
    return struct_to_binary(whole)


def test_a_read_gives_values_under_handles() -> None:
    said = decode_read(
        read_response(value(1.5), value("text"), value(7, 0x40900000), value([1.0, 2.0])),
        [3, 9, 4, 5],
    )
    assert said.keep_alive
    assert said.published == NS
    assert said.handle.tolist() == [3, 4, 5]
    assert said.value[:2].tolist() == [1.5, 7.0]
    assert said.status.tolist() == [0, 0x40900000, Status.BAD_TYPE_MISMATCH]
    assert said.at.tolist() == [NS] * 3
    assert [(text.handle, text.text, text.at) for text in said.texts] == [(9, "text", NS)]


def test_numbers_wanted_as_text_are_read_as_text() -> None:
    said = decode_read(read_response(value(2**60 + 1)), [12], texts_from=10)
    assert [text.text for text in said.texts] == [str(2**60 + 1)]


def test_many_values_of_one_kind() -> None:
    said = decode_read(read_response(*map(value, map(float, range(300)))), range(300))
    assert said.value.tolist() == [float(i) for i in range(300)]
    assert said.handle.tolist() == list(range(300))


@pytest.mark.parametrize("handles", [[1], [1, 2, 3]])
def test_more_or_fewer_values_than_asked_for_are_rejected(handles: list[int]) -> None:
    with pytest.raises(Rejected, match="were asked for"):
        decode_read(read_response(value(1.0), value(2.0)), handles)


def test_a_refused_read_has_the_reason() -> None:
    assert decode_read(fault(0x80250000), [1]).service == 0x80250000


def test_another_answer_is_rejected() -> None:
    with pytest.raises(Rejected, match="type 667, 634 was expected"):
        decode_read(history_response(), [])


def test_histories_in_the_order_of_the_request() -> None:
    data = history_response(
        (0, b"go on", [value(1.0), value(2.0, 0x80000000)]),
        (0x80730000, None, []),
        (0, None, [value("batch 7")]),
    )
    service, (first, none, texts) = decode_history(data, [5, 6, 7])
    assert service == 0
    assert (first.status, first.point) == (0, b"go on")
    assert first.values.handle.tolist() == [5, 5]
    assert first.values.at.tolist() == [NS, NS]
    assert first.values.status.tolist() == [0, 0x80000000]
    assert (none.status, none.point, len(none.values.handle)) == (0x80730000, b"", 0)
    assert [(text.handle, text.text) for text in texts.values.texts] == [(7, "batch 7")]


def test_a_history_without_data_is_empty() -> None:
    whole = ua.HistoryReadResponse()
    whole.Results.append(ua.HistoryReadResult(ua.StatusCode(0x80710000)))
    _, (one,) = decode_history(struct_to_binary(whole), [5])
    assert (one.status, len(one.values.handle)) == (0x80710000, 0)


def test_a_refused_history_read_has_the_reason() -> None:
    assert decode_history(fault(0x800B0000), [1]) == (0x800B0000, ())


def test_more_histories_than_asked_for_are_rejected() -> None:
    with pytest.raises(Rejected, match="2 histories, 1 were asked for"):
        decode_history(history_response((0, None, []), (0, None, [])), [1])


def test_a_history_longer_than_its_body_is_rejected() -> None:
    data = bytearray(history_response((0, None, [value(1.0)])))
    length = data.rindex(struct.pack("<I", 1), 0, len(data) - 8) - 4
    data[length : length + 4] = struct.pack("<i", 6)
    with pytest.raises(Rejected):
        decode_history(bytes(data), [1])


@given(st.data())
def test_a_mutated_answer_is_read_or_rejected(choose: st.DataObject) -> None:
    data = bytearray(history_response((0, b"p", [value(1.0), value("x")]), (0, None, [])))
    at = choose.draw(st.integers(0, len(data) - 1))
    data[at] = choose.draw(st.integers(0, 255))
    stop = choose.draw(st.integers(0, len(data)))
    with suppress(Rejected):
        decode_history(bytes(data[:stop]), [1, 2])
