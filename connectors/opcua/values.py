"""Values of nodes as readings, and setpoints as values of nodes."""

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from asyncua import ua

from connectors.setpoint_words import engineering, raw_of
from plant.errors import Rejected
from plant.quality import Status, status_name
from plant.setpoints import Reading, Setpoint
from plant.tags import Tag

_FIELDS = {
    ua.VariantType.SByte: (-(2**7), 2**7 - 1),
    ua.VariantType.Byte: (0, 2**8 - 1),
    ua.VariantType.Int16: (-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: (0, 2**16 - 1),
    ua.VariantType.Int32: (-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Int64: (-(2**53), 2**53),
    ua.VariantType.UInt64: (0, 2**53),
}
_FLOATS = {
    ua.VariantType.Float: 3.4028234663852886e38,
    ua.VariantType.Double: math.inf,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_STATUS = cast("ua.StatusCode", None)


def refusal(status: int) -> ua.DataValue:
    """Give what is read of a node that is not there."""
    return ua.DataValue(None, ua.StatusCode(ua.UInt32(status)))


def status_of(value: ua.DataValue) -> int:
    """Give its StatusCode; none is Good."""
    return int(value.StatusCode.value) if value.StatusCode is not None else int(Status.GOOD)


def reading_of(tag: Tag, value: ua.DataValue) -> Reading:
    """Give a node's value in the unit of the tag; what is no finite number is Bad."""
    content = value.Value.Value if value.Value is not None else None
    status = status_of(value)
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    number = math.nan
    if isinstance(content, bool | int | float):
        number = engineering(tag, float(content))
        if not math.isfinite(number) and status < Status.BAD:
            number, status = math.nan, int(Status.BAD_OUT_OF_RANGE)
    elif status < Status.BAD:
        status = int(Status.BAD_TYPE_MISMATCH)
    return Reading(tag.name, number, status, _source_time(value), time.monotonic())


def _source_time(value: ua.DataValue) -> int:
    told = value.SourceTimestamp or value.ServerTimestamp
    if told is None:
        return time.time_ns()
    aware = told if told.tzinfo is not None else told.replace(tzinfo=UTC)
    return (cast("datetime", aware) - _EPOCH) // timedelta(microseconds=1) * 1000


def numbers_of(value: ua.DataValue, count: int, tag: str) -> tuple[int, ...]:
    """Give the words of a block's node.

    Raises
    ------
    Rejected
        It does not hold so many.
    """
    content = value.Value.Value if value.Value is not None else None
    good = status_of(value) < Status.UNCERTAIN
    if not good or not isinstance(content, list) or len(content) != count:
        raise Rejected(
            f"{tag}: the server does not show its setpoint block as {count} words "
            f"({status_name(status_of(value))}); nothing was written"
        )
    return tuple(int(word) & 0xFFFF for word in content)


def words_value(words: Sequence[int]) -> ua.DataValue:
    """Give words as the value of a block's node."""
    return _bare(ua.Variant([ua.UInt16(word) for word in words], ua.VariantType.UInt16))


def plain_value(setpoint: Setpoint, tag: Tag, held: ua.DataValue) -> ua.DataValue:
    """Give a setpoint as a value of the type that the node holds now.

    Raises
    ------
    Rejected
        It does not fit that exactly, or the node holds no number.
    """
    kind = held.Value.VariantType if held.Value is not None else ua.VariantType.Null
    whole = kind in _FIELDS
    if not whole and kind not in _FLOATS:
        raise Rejected(
            f"{tag.name}: the node holds no number now ({status_name(status_of(held))}, "
            f"{kind.name}); nothing was written"
        )
    raw = raw_of(tag, setpoint, whole=whole)
    low, high = _FIELDS[kind] if whole else (-_FLOATS[kind], _FLOATS[kind])
    if not low <= raw <= high:
        raise Rejected(f"{tag.name}: {setpoint.value:.10g} does not fit {kind.name}")
    return _bare(ua.Variant(int(raw) if whole else raw, kind))


def _bare(variant: ua.Variant) -> ua.DataValue:
    # Many servers take a value only without a status and times of ours.
    return ua.DataValue(variant, _NO_STATUS)
