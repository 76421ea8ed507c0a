"""Modbus addresses of the line and the words of a value (Modbus application protocol 1.1b3 §4.2).

Registers are 16 bits, high byte first; the order of the two words, and of their bytes, of a
32-bit value is the vendor's choice: abcd, cdab, badc or dcba.
"""

import re
import struct
from dataclasses import dataclass
from typing import Literal

from plant.errors import Misconfigured
from plant.tags import Tag, ValueType

Table = Literal["coil", "discrete", "holding", "input"]
TABLES: tuple[Table, ...] = ("coil", "discrete", "holding", "input")
_ADDRESS = re.compile(
    r"unit (?P<unit>\d+), (?P<table>coil|discrete|holding|input) (?P<at>\d+)"
    r"(, (?P<type>\w+)( (?P<order>abcd|cdab|badc|dcba))?)?"
)
_PACKED = {
    ValueType.BOOL: ">H",
    ValueType.INT16: ">h",
    ValueType.UINT16: ">H",
    ValueType.INT32: ">i",
    ValueType.UINT32: ">I",
    ValueType.FLOAT32: ">f",
}
_WHOLE = set(_PACKED) - {ValueType.FLOAT32}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in the registers of a unit, and how it is packed."""

    unit: int
    table: Table
    at: int
    type: ValueType
    order: str

    @property
    def size(self) -> int:
        """Registers, or bits, that it takes."""
        return struct.calcsize(_PACKED[self.type]) // 2

    def words(self, raw: float) -> list[int]:
        """Give the registers of a raw value; a whole number must fit its type.

        Examples
        --------
        >>> place = Place(1, "holding", 0, ValueType.UINT32, "cdab")
        >>> [f"{word:04x}" for word in place.words(0x01020304)]
        ['0304', '0102']
        """
        value = int(raw) if self.type in _WHOLE else raw
        packed = struct.pack(_PACKED[self.type], value)
        if self.size == 1:
            return list(struct.unpack(">H", packed))
        ordered = bytes(packed["abcd".index(letter)] for letter in self.order)
        return list(struct.unpack(">HH", ordered))


def place_of(tag: Tag) -> Place:
    """Parse the Modbus address of a tag of the line.

    Raises
    ------
    Misconfigured
        If the address cannot be parsed or its type cannot be served.
    """
    found = _ADDRESS.fullmatch(tag.address)
    kind = tag.type
    if found and found["type"] in {known.value for known in _PACKED}:
        kind = ValueType(found["type"])
    if not found or kind not in _PACKED:
        raise Misconfigured(
            f"tag {tag.name}: the loopback Modbus server cannot offer {tag.address!r}; "
            f"write for example 'unit 1, holding 10, float32 abcd'"
        )
    table = next(known for known in TABLES if known == found["table"])
    return Place(int(found["unit"]), table, int(found["at"]), kind, found["order"] or "abcd")
