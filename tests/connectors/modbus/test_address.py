import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.address import Address, Order, Table, address_of, parse_address
from plant.errors import Misconfigured
from plant.tags import Tag, ValueType


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "unit 3, holding 100, float32 abcd",
            Address(3, Table.HOLDING, 100, ValueType.FLOAT32, Order.ABCD, length=2),
        ),
        (
            " UNIT 3 ,Holding   100,  FLOAT32  cdab ",
            Address(3, Table.HOLDING, 100, ValueType.FLOAT32, Order.CDAB, length=2),
        ),
        ("unit3,coil5", Address(3, Table.COIL, 5, ValueType.BOOL)),
        ("unit 255, discrete 65535, bool", Address(255, Table.DISCRETE, 65535, ValueType.BOOL)),
        ("unit 0, input 9.15", Address(0, Table.INPUT, 9, ValueType.BOOL, bit=15)),
        ("unit 1, input 0, int16 ba", Address(1, Table.INPUT, 0, ValueType.INT16, Order.BADC)),
        (
            "unit 1, input 0, uint64 dcba",
            Address(1, Table.INPUT, 0, ValueType.UINT64, Order.DCBA, length=4),
        ),
        ("unit 1, holding 7, text 10", Address(1, Table.HOLDING, 7, ValueType.TEXT, length=10)),
        (
            "unit 1, holding 7, text 10 ba",
            Address(1, Table.HOLDING, 7, ValueType.TEXT, Order.BADC, length=10),
        ),
    ],
)
def test_reads_what_a_person_writes(text: str, found: Address) -> None:
    assert parse_address(text) == found


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "should look like"),
        ("unit 3", "should look like"),
        ("unit 3, holding 1, int16, ab", "should look like"),
        ("slave 3, holding 1, int16", 'should be the unit, like "unit 3"'),
        ("unit 256, holding 1, int16", "units are 0 to 255"),
        ("unit 3, holdng 1, int16", 'did you mean "holding"?'),
        ("unit 3, holding, int16", "a table and an offset"),
        ("unit 3, holding -1, int16", "a table and an offset"),
        ("unit 3, holding 1, flot32", 'did you mean "float32"?'),
        ("unit 3, holding 1, float32 abdc", "byte order of float32 (abcd, cdab, badc, dcba)"),
        ("unit 3, holding 1, int16 abcd", "byte order of int16 (ab, ba)"),
        ("unit 3, holding 1, float32 abcd big", "a type and an order"),
        ("unit 3, holding 1", "the type is missing"),
        ("unit 3, holding 1, bool", 'like "holding 1.0"'),
        ("unit 3, holding 1.16", "bits 0 to 15"),
        ("unit 3, holding 1.3, int16", "cannot hold int16"),
        ("unit 3, coil 1.3", 'leave out ".3"'),
        ("unit 3, coil 1, float32", "cannot hold float32"),
        ("unit 3, coil 1, bool ab", "a bool has no byte order"),
        ("unit 3, holding 1, text", 'like "text 10"'),
        ("unit 3, holding 1, text 126", "1 to 125"),
        ("unit 3, holding 65534, float64", "behind the last offset"),
        ("unit 3, holding 65536, int16", "behind the last offset"),
    ],
)
def test_says_what_is_wrong(text: str, part: str) -> None:
    with pytest.raises(Misconfigured) as error:
        parse_address(text)
    assert part in str(error.value)
    assert f'address "{text}"' in str(error.value)


def test_the_tag_may_give_the_type() -> None:
    assert parse_address("unit 1, input 4", ValueType.INT32).type is ValueType.INT32


def test_two_types_have_to_agree() -> None:
    with pytest.raises(Misconfigured, match="the address says int16 and the tag's type says int32"):
        parse_address("unit 1, input 4, int16", ValueType.INT32)


def test_the_message_names_the_tag() -> None:
    tag = Tag(name="site/area/line/press-1/force", source="plc", address="unit x, input 4")
    with pytest.raises(Misconfigured, match="tag site/area/line/press-1/force: address"):
        address_of(tag)


@given(st.text(max_size=60) | st.from_regex(r"unit \w*, ?\w* ?\d*\.?\d*,? ?\w* ?\w*"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Misconfigured):
        assert parse_address(text).end <= 65536
