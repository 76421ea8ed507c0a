"""The address of a Modbus tag, as a person writes it: ``unit 3, holding 100, float32 abcd``."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from plant.errors import Misconfigured
from plant.tags import Tag, ValueType

EXAMPLE = "unit 3, holding 100, float32 abcd"
LAST_OFFSET = 65535
LONGEST_TEXT = 125
_PLACE = re.compile(r"^(?P<table>[a-z]+) *(?P<offset>[0-9]{1,9})(?:\.(?P<bit>[0-9]{1,9}))?$")
_UNIT = re.compile(r"^unit *(?P<unit>[0-9]{1,9})$")


class Table(StrEnum):
    """The four tables of a device (Modbus Application Protocol V1.1b3 §4.3)."""

    HOLDING = "holding"
    INPUT = "input"
    COIL = "coil"
    DISCRETE = "discrete"

    @property
    def of_bits(self) -> bool:
        """Whether one offset is one bit and not one register."""
        return self in (Table.COIL, Table.DISCRETE)


class Order(StrEnum):
    """Where the bytes of a value stand on the wire; ``a`` is the most significant one.

    For 64-bit values the words are reversed as a whole (``cdab``, ``dcba``) and the two bytes
    within each word are swapped (``badc``, ``dcba``).
    """

    ABCD = "abcd"
    CDAB = "cdab"
    BADC = "badc"
    DCBA = "dcba"

    @property
    def words_reversed(self) -> bool:
        """Whether the least significant register comes first."""
        return self in (Order.CDAB, Order.DCBA)

    @property
    def bytes_swapped(self) -> bool:
        """Whether the low byte of each register comes first."""
        return self in (Order.BADC, Order.DCBA)


REGISTERS = {
    ValueType.INT16: 1,
    ValueType.UINT16: 1,
    ValueType.INT32: 2,
    ValueType.UINT32: 2,
    ValueType.FLOAT32: 2,
    ValueType.INT64: 4,
    ValueType.UINT64: 4,
    ValueType.FLOAT64: 4,
}
"""Registers that one number takes."""
_SHORT_ORDERS = {"ab": Order.ABCD, "ba": Order.BADC}


@dataclass(frozen=True, slots=True)
class Address:
    """Where one value stands and how it is encoded.

    Parameters
    ----------
    unit
        Unit identifier, 0 to 255.
    table, offset
        Table and 0-based offset of the first register or bit.
    type
        Encoding of the value.
    order
        Order of its bytes.
    bit
        Bit of the register, 0 the least significant, for a boolean in a register.
    length
        Registers or bits that it takes.
    """

    unit: int
    table: Table
    offset: int
    type: ValueType
    order: Order = Order.ABCD
    bit: int = 0
    length: int = 1

    @property
    def end(self) -> int:
        """First offset behind the value."""
        return self.offset + self.length

    @property
    def cells(self) -> frozenset[tuple[Hashable, ...]]:
        """What it takes up of its device: each bit of its registers, or the one bit that it is."""
        bits = (self.bit,) if self.type is ValueType.BOOL else range(16)
        offsets = range(self.offset, self.end)
        return frozenset((self.unit, self.table, at, bit) for at in offsets for bit in bits)


def _nearest(word: str, valid: list[str], what: str) -> str:
    close = get_close_matches(word, valid, n=1, cutoff=0.5)
    meant = f'; did you mean "{close[0]}"?' if close else ""
    return f'"{word}" is not {what} ({", ".join(valid)}){meant}'


def _unit(part: str) -> int:
    found = _UNIT.match(part)
    if not found:
        raise Misconfigured(f'"{part}" should be the unit, like "unit 3"')
    unit = int(found["unit"])
    if unit > 255:
        raise Misconfigured(f"unit {unit} does not exist; units are 0 to 255")
    return unit


def _place(part: str) -> tuple[Table, int, int | None]:
    found = _PLACE.match(part)
    if not found:
        raise Misconfigured(f'"{part}" should be a table and an offset, like "holding 100"')
    tables = [str(table) for table in Table]
    if found["table"] not in tables:
        raise Misconfigured(_nearest(found["table"], tables, "a table"))
    table, offset = Table(found["table"]), int(found["offset"])
    if found["bit"] is None:
        return table, offset, None
    if table.of_bits:
        raise Misconfigured(f'"{part}": a {table} is a bit already; leave out ".{found["bit"]}"')
    if int(found["bit"]) > 15:
        raise Misconfigured(f'"{part}": a register has bits 0 to 15')
    return table, offset, int(found["bit"])


def _order(word: str, value_type: ValueType) -> Order:
    short = value_type is ValueType.TEXT or REGISTERS[value_type] == 1
    valid = list(_SHORT_ORDERS) if short else [str(order) for order in Order]
    if word not in valid:
        # No nearest word here: a wrong guess would be followed and read wrong values.
        raise Misconfigured(f'"{word}" is not a byte order of {value_type} ({", ".join(valid)})')
    return _SHORT_ORDERS[word] if short else Order(word)


def _text_length(words: list[str]) -> int:
    found = re.match("[0-9]{1,9}$", words[0]) if words else None
    if not found or not 1 <= int(found[0]) <= LONGEST_TEXT:
        raise Misconfigured(
            f'text needs its number of registers, 1 to {LONGEST_TEXT}, like "text 10"'
        )
    return int(found[0])


def _encoding(part: str) -> tuple[ValueType, int, Order]:
    first, *rest = part.split()
    types = [str(value_type) for value_type in ValueType]
    if first not in types:
        raise Misconfigured(_nearest(first, types, "a type"))
    value_type = ValueType(first)
    length = REGISTERS.get(value_type, 1)
    if value_type is ValueType.TEXT:
        length, rest = _text_length(rest), rest[1:]
    if value_type is ValueType.BOOL and rest:
        raise Misconfigured(f'"{part}": a bool has no byte order')
    if len(rest) > 1:
        raise Misconfigured(f'"{part}" should be a type and an order, like "float32 abcd"')
    return value_type, length, _order(rest[0], value_type) if rest else Order.ABCD


def _declared(
    part: str | None, default: ValueType | None, is_bit: bool
) -> tuple[ValueType, int, Order]:
    if part is None and default is None and not is_bit:
        raise Misconfigured("the type is missing; say how it is encoded, like float32 or uint16")
    if part is not None:
        declared = _encoding(part)
    elif is_bit and default is None:
        declared = (ValueType.BOOL, 1, Order.ABCD)
    else:
        declared = _encoding(str(default))
    if default is not None and declared[0] is not default:
        raise Misconfigured(f"the address says {declared[0]} and the tag's type says {default}")
    return declared


def parse_address(text: str, default: ValueType | None = None) -> Address:
    """Read an address; upper case and extra spaces do not matter.

    Parameters
    ----------
    text
        ``unit <0-255>, <table> <offset>[.<bit>][, <type> [<order>]]``; offsets count from 0.
    default
        The tag's own type, for an address that gives none.

    Raises
    ------
    Misconfigured
        With the word that does not fit and the nearest one that would.

    Examples
    --------
    >>> found = parse_address("Unit 3, holding 100, float32 CDAB")
    >>> found.unit, found.table.value, found.offset, found.type.value, found.order.value
    (3, 'holding', 100, 'float32', 'cdab')
    """
    parts = [" ".join(part.split()).lower() for part in text.split(",")]
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise Misconfigured(f'address "{text}" should look like "{EXAMPLE}"')
    try:
        return _fitting(parts, default)
    except Misconfigured as error:
        raise Misconfigured(f'address "{text}": {error}') from None


def _fitting(parts: list[str], default: ValueType | None) -> Address:
    unit = _unit(parts[0])
    table, offset, bit = _place(parts[1])
    is_bit = table.of_bits or bit is not None
    value_type, length, order = _declared(parts[2] if parts[2:] else None, default, is_bit)
    if is_bit and value_type is not ValueType.BOOL:
        raise Misconfigured(f"{parts[1]} is one bit and cannot hold {value_type}; use bool")
    if value_type is ValueType.BOOL and not is_bit:
        raise Misconfigured(f'say which bit of the register, like "{table} {offset}.0"')
    if offset + length - 1 > LAST_OFFSET:
        raise Misconfigured(f"{value_type} at {offset} ends behind the last offset, {LAST_OFFSET}")
    return Address(unit, table, offset, value_type, order, bit or 0, length)


def address_of(tag: Tag) -> Address:
    """Read the address of a tag; `Misconfigured` names the tag."""
    try:
        return parse_address(tag.address, tag.type)
    except Misconfigured as error:
        raise Misconfigured(f"tag {tag.name}: {error}") from None
