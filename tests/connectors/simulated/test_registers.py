"""Registers of a value, by the standard's own byte order and the vendors' four."""

import pytest

from connectors.simulated.registers import place_of
from plant.errors import Misconfigured
from plant.tags import Tag, ValueType


def tag(address: str, kind: ValueType | None = None) -> Tag:
    return Tag(name="a/b", source="s", address=address, type=kind)


@pytest.mark.parametrize(
    ("address", "raw", "words"),
    [
        ("unit 1, holding 0, float32 abcd", 3.25, [0x4050, 0x0000]),
        ("unit 1, holding 0, float32 cdab", 3.25, [0x0000, 0x4050]),
        ("unit 1, holding 0, float32 badc", 3.25, [0x5040, 0x0000]),
        ("unit 1, holding 0, float32 dcba", 3.25, [0x0000, 0x5040]),
        ("unit 1, holding 0, uint32", 0x01020304, [0x0102, 0x0304]),
        ("unit 1, holding 0, int32 cdab", -2, [0xFFFE, 0xFFFF]),
        ("unit 1, input 4, int16", -1, [0xFFFF]),
        ("unit 1, input 4, uint16", 40_000, [40_000]),
        ("unit 1, coil 4, bool", 1.0, [1]),
    ],
)
def test_words_of_a_value(address: str, raw: float, words: list[int]) -> None:
    place = place_of(tag(address))
    assert place.words(raw) == words
    assert place.size == len(words)


def test_the_type_may_come_from_the_tag() -> None:
    place = place_of(tag("unit 3, discrete 17", ValueType.BOOL))
    assert (place.unit, place.table, place.at) == (3, "discrete", 17)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("holding 3", ValueType.INT16),
        ("unit 1, holding 3", None),
        ("unit 1, holding 3, float64", None),
        ("unit 1, table 3, int16", None),
        ("unit 1, holding 3", ValueType.TEXT),
    ],
)
def test_what_cannot_be_offered_is_refused(address: str, kind: ValueType | None) -> None:
    with pytest.raises(Misconfigured, match=r"tag a/b: the loopback Modbus server cannot offer"):
        place_of(tag(address, kind))
