"""Walking OPC UA binary data without trusting it (OPC 10000-6 §5.2).

Every function takes a buffer and a position, and gives the position behind what it read; every
length is held against the buffer first. A Variant that is no plain number is skipped, never built:
asyncua's decoder follows negative lengths backwards, builds arrays of 2^31 nulls from five bytes,
cuts times to microseconds and takes picoseconds and server time in the wrong order.
"""

import struct

from plant.errors import Rejected

_COUNT = struct.Struct("<i")
_DEEPEST = 64
"""Nesting of Variants, DataValues and DiagnosticInfos that is followed."""

FIXED = {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8, 14: 16, 19: 4}
"""Bytes of the built-in types of fixed width (OPC 10000-6, table 1)."""

STRING, BYTE_STRING, XML, NODE_ID, EXPANDED_NODE_ID = 12, 15, 16, 17, 18
QUALIFIED_NAME, LOCALIZED_TEXT, EXTENSION_OBJECT = 20, 21, 22
DATA_VALUE, VARIANT, DIAGNOSTIC_INFO = 23, 24, 25
ARRAY, DIMENSIONS, TYPE = 0x80, 0x40, 0x3F
_NODE_ID_BYTES = {0: 1, 1: 3, 2: 6, 4: 18}


def need(data: bytes, at: int, size: int) -> int:
    """Give the position `size` bytes on; raise `Rejected` when the message ends before."""
    stop = at + size
    if size < 0 or stop > len(data):
        raise Rejected(f"OPC UA message of {len(data)} bytes ends inside a value at byte {at}")
    return stop


def count(data: bytes, at: int, smallest: int) -> tuple[int, int]:
    """Read an array length whose elements take at least `smallest` bytes; null counts as 0."""
    behind = need(data, at, 4)
    (number,) = _COUNT.unpack_from(data, at)
    if number * smallest > len(data) - behind:
        raise Rejected(f"OPC UA message announces {number} elements at byte {at}, more than it has")
    return max(number, 0), behind


def skip_bytes(data: bytes, at: int) -> int:
    """Skip a String, ByteString or XmlElement."""
    number, behind = count(data, at, 1)
    return behind + number


def string(data: bytes, at: int) -> tuple[str, int]:
    """Read a String; null is empty, bytes that are no UTF-8 are shown as replaced."""
    number, behind = count(data, at, 1)
    stop = behind + number
    return data[behind:stop].decode("utf-8", "replace"), stop


def localized_text(data: bytes, at: int) -> tuple[str, int]:
    """Read the text of a LocalizedText."""
    behind = need(data, at, 1)
    mask = data[at]
    if mask & 1:
        behind = skip_bytes(data, behind)
    return string(data, behind) if mask & 2 else ("", behind)


def skip_node_id(data: bytes, at: int) -> int:
    """Skip a NodeId or ExpandedNodeId."""
    behind = need(data, at, 1)
    form = data[at] & TYPE
    if form in _NODE_ID_BYTES:
        behind = need(data, behind, _NODE_ID_BYTES[form])
    elif form in (3, 5):
        behind = skip_bytes(data, need(data, behind, 2))
    else:
        raise Rejected(f"OPC UA message has a node identifier of unknown form {form} at byte {at}")
    if data[at] & 0x80:
        behind = skip_bytes(data, behind)
    return need(data, behind, 4) if data[at] & 0x40 else behind


def skip_extension_object(data: bytes, at: int) -> int:
    """Skip an ExtensionObject; its body carries its own length."""
    behind = skip_node_id(data, at)
    form = behind
    behind = need(data, behind, 1)
    return skip_bytes(data, behind) if data[form] else behind


def skip_diagnostic_info(data: bytes, at: int, depth: int = 0) -> int:
    """Skip a DiagnosticInfo."""
    behind = need(data, at, 1)
    mask = data[at]
    _shallow(depth, at)
    for bit in (0x01, 0x02, 0x04, 0x08):
        if mask & bit:
            behind = need(data, behind, 4)
    if mask & 0x10:
        behind = skip_bytes(data, behind)
    if mask & 0x20:
        behind = need(data, behind, 4)
    return skip_diagnostic_info(data, behind, depth + 1) if mask & 0x40 else behind


def skip_variant(data: bytes, at: int, depth: int = 0) -> int:
    """Skip a Variant, scalar or array."""
    behind = need(data, at, 1)
    form = data[at]
    _shallow(depth, at)
    kind = form & TYPE
    if not form & ARRAY:
        return _skip_scalar(data, behind, kind, depth)
    size = FIXED.get(kind, 1)
    number, behind = count(data, behind, size)
    if kind in FIXED:
        behind += number * size
    elif kind == 0 and number:
        raise Rejected(f"OPC UA message has an array of {number} nulls at byte {at}")
    else:
        for _ in range(number):
            behind = _skip_scalar(data, behind, kind, depth)
    if form & DIMENSIONS:
        number, behind = count(data, behind, 4)
        behind += 4 * number
    return behind


def skip_data_value(data: bytes, at: int, depth: int = 0) -> int:
    """Skip a DataValue."""
    behind = need(data, at, 1)
    mask = data[at]
    if mask & 0x01:
        behind = skip_variant(data, behind, depth + 1)
    for bit, size in ((0x02, 4), (0x04, 8), (0x10, 2), (0x08, 8), (0x20, 2)):
        if mask & bit:
            behind = need(data, behind, size)
    return behind


def _shallow(depth: int, at: int) -> None:
    if depth > _DEEPEST:
        raise Rejected(f"OPC UA message is nested more than {_DEEPEST} deep at byte {at}")


def _skip_qualified_name(data: bytes, at: int) -> int:
    return skip_bytes(data, need(data, at, 2))


def _skip_localized_text(data: bytes, at: int) -> int:
    return localized_text(data, at)[1]


_SKIP = {
    STRING: skip_bytes,
    BYTE_STRING: skip_bytes,
    XML: skip_bytes,
    NODE_ID: skip_node_id,
    EXPANDED_NODE_ID: skip_node_id,
    QUALIFIED_NAME: _skip_qualified_name,
    LOCALIZED_TEXT: _skip_localized_text,
    EXTENSION_OBJECT: skip_extension_object,
}
_SKIP_NESTED = {
    DATA_VALUE: skip_data_value,
    VARIANT: skip_variant,
    DIAGNOSTIC_INFO: skip_diagnostic_info,
}


def _skip_scalar(data: bytes, at: int, kind: int, depth: int) -> int:
    if kind in FIXED:
        return need(data, at, FIXED[kind])
    if kind == 0:
        return at
    if kind in _SKIP_NESTED:
        return _SKIP_NESTED[kind](data, at, depth + 1)
    # Types 26 to 31 are reserved and travel as ByteStrings (OPC 10000-6 §5.2.2.16).
    return _SKIP.get(kind, skip_bytes)(data, at)
