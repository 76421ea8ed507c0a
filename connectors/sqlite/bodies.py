"""Windows ↔ the bytes of one row: packed columns, and a CRC-32 behind them; pure."""

import struct
import zlib

import numpy as np

from plant.columns import pack, unpack
from plant.errors import Rejected
from plant.records import SUMMARY_COLUMNS, SummaryRecord

_CRC = struct.Struct("<I")
_COLUMNS = [np.dtype(dtype).newbyteorder("<") for dtype in SUMMARY_COLUMNS.values()]


def encode(windows: SummaryRecord) -> bytes:
    """Encode windows whose tags are the numbers of this file; source and length are not kept."""
    body = pack([column for _, column, _ in windows.columns()])
    return body + _CRC.pack(zlib.crc32(body))


def decode(blob: bytes, every: int) -> SummaryRecord:
    """Decode the output of `encode` as windows of `every` ns.

    Raises
    ------
    Rejected
        Anything else: it was changed after it was written.
    """
    body = blob[: -_CRC.size]
    if len(blob) < _CRC.size or _CRC.unpack(blob[-_CRC.size :])[0] != zlib.crc32(body):
        raise Rejected("the checksum does not fit: the file was damaged after it was written")
    return SummaryRecord("", every, *unpack(body, _COLUMNS))
