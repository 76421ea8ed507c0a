import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.pdu.bit_message import ReadCoilsResponse

from connectors.modbus.address import REGISTERS, Address, Order, Table
from connectors.modbus.registers import Decoder, byte_places, encode, encode_text, text_at
from plant.errors import Rejected
from plant.quality import Status
from plant.tags import ValueType

KINDS = ModbusClientMixin.DATATYPE
THEIRS = {
    ValueType.INT16: KINDS.INT16,
    ValueType.UINT16: KINDS.UINT16,
    ValueType.INT32: KINDS.INT32,
    ValueType.UINT32: KINDS.UINT32,
    ValueType.INT64: KINDS.INT64,
    ValueType.UINT64: KINDS.UINT64,
    ValueType.FLOAT32: KINDS.FLOAT32,
    ValueType.FLOAT64: KINDS.FLOAT64,
}
EXACT = 2**53
VALUES: dict[ValueType, st.SearchStrategy[Any]] = {
    ValueType.INT16: st.integers(-(2**15), 2**15 - 1),
    ValueType.UINT16: st.integers(0, 2**16 - 1),
    ValueType.INT32: st.integers(-(2**31), 2**31 - 1),
    ValueType.UINT32: st.integers(0, 2**32 - 1),
    ValueType.INT64: st.integers(-EXACT, EXACT),
    ValueType.UINT64: st.integers(0, EXACT),
    ValueType.FLOAT32: st.floats(width=32, allow_nan=False, allow_infinity=False),
    ValueType.FLOAT64: st.floats(allow_nan=False, allow_infinity=False),
}
TYPE_AND_VALUE = st.sampled_from(list(VALUES)).flatmap(
    lambda kind: st.tuples(st.just(kind), VALUES[kind])
)


def wire(registers: np.ndarray) -> bytes:
    return registers.astype(">u2").tobytes()


def at(offset: int, kind: ValueType, order: Order = Order.ABCD, bit: int = 0) -> Address:
    return Address(1, Table.HOLDING, offset, kind, order, bit, REGISTERS.get(kind, 1))


@given(TYPE_AND_VALUE, st.sampled_from(Order), st.integers(0, 121))
def test_a_value_survives_every_order(
    pair: tuple[ValueType, Any], order: Order, before: int
) -> None:
    kind, number = pair
    payload = bytes(2 * before) + wire(encode([number], kind, order))
    value, status = Decoder([at(before, kind, order)], 0).decode(payload)
    assert value.tolist() == [float(number)]
    assert status.tolist() == [Status.GOOD]


@given(TYPE_AND_VALUE)
def test_agrees_with_pymodbus_on_word_order(pair: tuple[ValueType, Any]) -> None:
    kind, number = pair
    big = encode([number], kind, Order.ABCD).tolist()
    little = encode([number], kind, Order.CDAB).tolist()
    assert ModbusClientMixin.convert_from_registers(big, THEIRS[kind]) == number
    assert ModbusClientMixin.convert_from_registers(little, THEIRS[kind], "little") == number


@pytest.mark.parametrize(
    ("order", "registers"),
    [
        (Order.ABCD, [0x0A0B, 0x0C0D]),
        (Order.CDAB, [0x0C0D, 0x0A0B]),
        (Order.BADC, [0x0B0A, 0x0D0C]),
        (Order.DCBA, [0x0D0C, 0x0B0A]),
    ],
)
def test_orders_mean_what_their_letters_say(order: Order, registers: list[int]) -> None:
    assert encode([0x0A0B0C0D], ValueType.UINT32, order).tolist() == registers


def test_places_of_64_bits() -> None:
    assert byte_places(4, Order.CDAB).tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    assert byte_places(4, Order.DCBA).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


@given(st.lists(st.tuples(TYPE_AND_VALUE, st.sampled_from(Order)), min_size=1, max_size=30))
def test_a_block_keeps_its_values_apart(
    entries: list[tuple[tuple[ValueType, Any], Order]],
) -> None:
    addresses, registers, expected = [], [], []
    for (kind, number), order in entries:
        addresses.append(at(len(registers), kind, order))
        registers.extend(encode([number], kind, order).tolist())
        expected.append(float(number))
    value, status = Decoder(addresses, 0).decode(wire(np.array(registers)))
    assert value.tolist() == expected
    assert not status.any()


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (ValueType.INT64, struct.pack(">q", EXACT + 1)),
        (ValueType.INT64, struct.pack(">q", -EXACT - 1)),
        (ValueType.UINT64, struct.pack(">Q", EXACT + 1)),
        (ValueType.UINT64, b"\xff" * 8),
        (ValueType.FLOAT32, struct.pack(">f", float("nan"))),
        (ValueType.FLOAT64, struct.pack(">d", float("-inf"))),
    ],
)
def test_what_is_no_exact_number_is_bad(kind: ValueType, raw: bytes) -> None:
    good = at(REGISTERS[kind], ValueType.INT16)
    value, status = Decoder([at(0, kind), good], 0).decode(raw + b"\x00\x07")
    assert np.isnan(value[0])
    assert value[1] == 7
    assert status.tolist() == [Status.BAD_OUT_OF_RANGE, Status.GOOD]


@given(st.integers(0, 0xFFFF), st.integers(0, 15))
def test_a_bit_of_a_register(register: int, bit: int) -> None:
    value, _ = Decoder([at(5, ValueType.BOOL, bit=bit)], 5).decode(register.to_bytes(2, "big"))
    assert value[0] == register >> bit & 1


@given(st.lists(st.booleans(), min_size=1, max_size=64))
def test_bits_of_a_bit_table(bits: list[bool]) -> None:
    packed = np.packbits(bits, bitorder="little").tobytes()
    addresses = [Address(1, Table.COIL, 30 + i, ValueType.BOOL) for i in range(len(bits))]
    value, _ = Decoder(addresses, 30).decode(packed)
    assert value.tolist() == [float(bit) for bit in bits]


@pytest.mark.parametrize(
    ("raw", "order", "found"),
    [
        (b"RECIPE 7\0\0", Order.ABCD, ("RECIPE 7", Status.GOOD)),
        (b"ERIC\0  \0 \0", Order.BADC, ("RECI", Status.GOOD)),
        (b"\0" * 10, Order.ABCD, ("", Status.GOOD)),
        (b"\xff" * 10, Order.ABCD, ("", Status.BAD_DECODING_ERROR)),
    ],
)
def test_texts(raw: bytes, order: Order, found: tuple[str, int]) -> None:
    address = Address(1, Table.HOLDING, 12, ValueType.TEXT, order, length=5)
    assert text_at(b"\x11" * 4 + raw, address, 10) == found


@pytest.mark.parametrize(
    ("number", "kind"),
    [(70000, ValueType.UINT16), (-1, ValueType.UINT32), (1.5, ValueType.INT16)],
)
def test_encoding_refuses_what_does_not_fit(number: float, kind: ValueType) -> None:
    with pytest.raises(Rejected, match="does not fit"):
        encode([number], kind)


GOLDEN = [
    (ValueType.UINT32, 0x01020304, ["01020304", "03040102", "02010403", "04030201"]),
    (ValueType.INT32, -2, ["fffffffe", "fffeffff", "fffffeff", "feffffff"]),
    (ValueType.FLOAT32, 3.25, ["40500000", "00004050", "50400000", "00005040"]),
    (
        ValueType.UINT64,
        0x0001020304050607,
        ["0001020304050607", "0607040502030001", "0100030205040706", "0706050403020100"],
    ),
    (
        ValueType.FLOAT64,
        -1.5,
        ["bff8000000000000", "000000000000bff8", "f8bf000000000000", "000000000000f8bf"],
    ),
]


@pytest.mark.parametrize(("kind", "number", "written"), GOLDEN)
def test_golden_bytes_of_every_order(kind: ValueType, number: float, written: list[str]) -> None:
    assert [wire(encode([number], kind, order)).hex() for order in Order] == written
    payloads = [bytes.fromhex(one) for one in written]
    read = [
        Decoder([at(0, kind, order)], 0).decode(payload)[0][0]
        for order, payload in zip(Order, payloads, strict=True)
    ]
    assert read == [number] * 4


@pytest.mark.parametrize(("kind", "number", "written"), GOLDEN)
def test_golden_words_of_pymodbus(kind: ValueType, number: float, written: list[str]) -> None:
    """What is in pymodbus' range has the word order that we take it to have."""
    for word_order, hexadecimal in (("big", written[0]), ("little", written[1])):
        registers = np.frombuffer(bytes.fromhex(hexadecimal), ">u2").tolist()
        to = ModbusClientMixin.convert_to_registers(number, THEIRS[kind], word_order)
        assert to == registers
        back = ModbusClientMixin.convert_from_registers(registers, THEIRS[kind], word_order)
        assert back == number


def test_golden_bits_of_pymodbus() -> None:
    """The bit order changed in 3.10 and came back in 3.11."""
    answer = ReadCoilsResponse()
    answer.decode(b"\x02\xcd\x01")
    assert answer.bits[:10] == [bit == "1" for bit in "1011001110"]
    coils = [Address(1, Table.COIL, 19 + i, ValueType.BOOL) for i in range(10)]
    ours, _ = Decoder(coils, 19).decode(b"\xcd\x01")
    assert ours.tolist() == [float(bit) for bit in answer.bits[:10]]


PRINTABLE = st.text(st.characters(min_codepoint=1, max_codepoint=126), max_size=20)


@given(
    PRINTABLE.map(lambda text: text.rstrip("\0 ")),
    st.sampled_from([Order.ABCD, Order.BADC]),
    st.integers(10, 14),
)
def test_a_text_survives_both_orders(text: str, order: Order, length: int) -> None:
    payload = wire(encode_text(text, length, order))
    address = Address(1, Table.HOLDING, 3, ValueType.TEXT, order, length=length)
    assert text_at(b"\xff" * 6 + payload, address, 0) == (text, Status.GOOD)


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(Order))
def test_all_64_bits_are_written(number: int, order: Order) -> None:
    places = byte_places(4, order)
    written = np.frombuffer(wire(encode([number], ValueType.INT64, order)), np.uint8)
    assert int.from_bytes(written[places].tobytes(), "little", signed=True) == number
