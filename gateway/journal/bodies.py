"""Records ↔ the bytes of one journal row; pure.

The checksum covers the row's index columns and the name it is filed under as well, so that a body
moved to another row, or an index that no longer fits its body, is found.
"""

import json
import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from plant import columns as codec
from plant.errors import Rejected
from plant.records import (
    SUMMARY_COLUMNS,
    EventRecord,
    Record,
    SampleRecord,
    ScoreRecord,
    SummaryRecord,
)
from plant.samples import Batch, ContextEvent, Recovery

MAX_TEXT = 1 << 20
"""Most bytes of JSON in one record."""

_SAMPLES = struct.Struct("<qqqBI")
_STAMPED, _REPLAYED = 1, 2
_RECOVERED = 4
"""`Recovery` stands in the two bits from here on."""
_SERVED = 16
_CRC = struct.Struct("<I")
_ROW = struct.Struct("<qqqqqq")
_SAMPLE_COLUMNS = [np.dtype(name) for name in ("<i4", "<i8", "<u4", "u1", "<f8")]
_SERVED_COLUMN = np.dtype("<i8")
_SUMMARY_COLUMNS = [
    np.dtype("<i8"),
    *(np.dtype(dtype).newbyteorder("<") for dtype in SUMMARY_COLUMNS.values()),
]
"""Length of the windows, then what stands in a `SummaryRecord`."""
_SCORE_COLUMNS = [np.dtype(name) for name in ("<i8", "<f8", "<f8", "u1")]


class Kind(IntEnum):
    """Kind of a row; stored, so never renumbered."""

    SAMPLES = 1
    SCORES = 2
    EVENT = 3
    SUMMARIES = 4


KINDS: dict[type, Kind] = {
    SampleRecord: Kind.SAMPLES,
    ScoreRecord: Kind.SCORES,
    EventRecord: Kind.EVENT,
    SummaryRecord: Kind.SUMMARIES,
}


@dataclass(frozen=True, slots=True)
class Row:
    """The index columns of a record: what can be selected by without decoding.

    `subject` is the number of a name: the source, the asset or the event's kind. `first_at` and
    `last_at` span its source times (the watermark where there is no sample), ns; windows reach to
    their last ns, so that the record of one window tells its length.
    """

    position: int
    kind: int
    subject: int
    first_at: int
    last_at: int
    samples: int

    def columns(self) -> tuple[int, int, int, int, int, int]:
        """Give them in the order in which they are stored."""
        return (
            self.position, self.kind, self.subject, self.first_at, self.last_at, self.samples,
        )  # fmt: skip

    def packed(self) -> bytes:
        """Give them as they stand before the body in the checksum."""
        return _ROW.pack(*self.columns())


_BESIDE = re.compile(r"(.+)@(shadow|former)\.(\d+)", re.DOTALL)
"""How the name ends under which scores are filed that are not those of the model in force; what is
configured has no @ in its path."""


def score_subject(asset: str, role: str = "", version: int = 0) -> str:
    """Name that scores of an asset are filed under; those of a model beside have their own.

    Examples
    --------
    >>> score_subject("line-1/pump-2"), score_subject("line-1/pump-2", "shadow", 7)
    ('line-1/pump-2', 'line-1/pump-2@shadow.7')
    """
    return f"{asset}@{role}.{version}" if role else asset


def beside_of(subject: str) -> tuple[str, int] | None:
    """Give role and version of the model whose scores are filed so; None: of the one in force.

    Examples
    --------
    >>> beside_of("line-1/pump-2@shadow.7"), beside_of("line-1/pump-2")
    (('shadow', 7), None)
    """
    whose = _BESIDE.fullmatch(subject)
    return None if whose is None else (whose[2], int(whose[3]))


def subject_of(record: Record) -> str:
    """Name that the record is filed under."""
    match record:
        case SampleRecord():
            return record.batch.source
        case ScoreRecord():
            return score_subject(record.asset, record.role, record.version)
        case EventRecord():
            return record.kind
        case SummaryRecord():
            return record.source


def index(record: Record, position: int, subject: int) -> Row:
    """Give the index columns of `record`."""
    kind = KINDS[type(record)]
    if isinstance(record, EventRecord):
        return Row(position, kind, subject, record.at, record.at, 0)
    match record:
        case SampleRecord():
            at = record.batch.at
        case ScoreRecord():
            at = record.at
        case SummaryRecord():
            at = record.start
    if len(at):
        reach = record.every - 1 if isinstance(record, SummaryRecord) else 0
        return Row(position, kind, subject, int(at.min()), int(at.max()) + reach, len(at))
    quiet = record.batch.upto if isinstance(record, SampleRecord) else 0
    return Row(position, kind, subject, quiet, quiet, 0)


def check(record: Record) -> None:
    """Refuse now what could not be encoded later, when it would hold up its neighbours.

    Raises
    ------
    Rejected
        Too many rows, too much text, or a body that is not JSON.
    """
    match record:
        case SampleRecord():
            rows = len(record.batch)
            _context(record.batch)
        case ScoreRecord():
            rows = len(record.at)
        case SummaryRecord():
            rows = len(record)
        case EventRecord():
            rows = 0
            _json(record.kind, record.body)
    if rows > codec.MAX_ROWS:
        raise Rejected(
            f"a record of {subject_of(record)} has {rows} rows: split it below {codec.MAX_ROWS}"
        )


def _json(subject: str, body: object) -> bytes:
    try:
        text = json.dumps(body, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise Rejected(f"the text of {subject} is not JSON: {error}") from None
    if len(text) > MAX_TEXT:
        raise Rejected(f"the text of {subject} has {len(text)} bytes, at most {MAX_TEXT} are kept")
    return text


def _context(batch: Batch) -> bytes:
    if not batch.context:
        return b""
    return _json(batch.source, [[c.tag, c.at, c.text, c.status] for c in batch.context])


def _encode_samples(record: SampleRecord) -> bytes:
    batch = record.batch
    flags = (
        batch.stamped * _STAMPED
        | batch.replayed * _REPLAYED
        | int(batch.recovered) * _RECOVERED
        | (batch.served is not None) * _SERVED
    )
    context = _context(batch)
    head = _SAMPLES.pack(batch.upto, batch.received, batch.heard, flags, len(context))
    columns: list[NDArray[Any]] = [batch.tag, batch.at, batch.status, record.verdict, batch.value]
    if batch.served is not None:
        # Mostly equal to the source's: a column of zeros takes eight bytes.
        columns.append(batch.served - batch.at)
    return head + context + codec.pack(columns)


def encode(record: Record, row: Row) -> bytes:
    """Encode `record` for the row `row`, its checksum last."""
    match record:
        case SampleRecord():
            body = _encode_samples(record)
        case ScoreRecord():
            body = codec.pack((record.at, record.score, record.threshold, record.flags))
        case EventRecord():
            body = _json(record.kind, record.body)
        case SummaryRecord():
            # A column that is the same all the way down takes eight bytes.
            every = np.full(len(record), record.every)
            body = codec.pack([every, *(column for _, column, _ in record.columns())])
    return body + _CRC.pack(checksum(row.packed(), subject_of(record), body))


def _decode_samples(body: bytes, source: str) -> SampleRecord:
    if len(body) < _SAMPLES.size:
        raise Rejected(f"{len(body)} bytes are too few for a sample record")
    upto, received, heard, flags, context_size = _SAMPLES.unpack_from(body)
    start = _SAMPLES.size + context_size
    context = _parse(body[_SAMPLES.size : start]) if context_size else []
    kinds = [*_SAMPLE_COLUMNS, _SERVED_COLUMN] if flags & _SERVED else _SAMPLE_COLUMNS
    tag, at, status, verdict, value, *later = codec.unpack(body[start:], kinds)
    batch = Batch(
        source=source,
        tag=tag,
        at=at,
        value=value,
        status=status,
        upto=upto,
        received=received,
        heard=heard,
        stamped=bool(flags & _STAMPED),
        replayed=bool(flags & _REPLAYED),
        recovered=Recovery(flags // _RECOVERED & 3),
        served=later[0] + at if later else None,
        context=tuple(ContextEvent(*fields) for fields in context),
    )
    return SampleRecord(batch, verdict)


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Rejected(f"the text of a record is not JSON: {error}") from None


def packed(rows: NDArray[np.int64]) -> list[bytes]:
    """Give what `Row.packed` gives, for rows of index columns, int64 (n, 6)."""
    whole = rows.astype("<i8").tobytes()
    return [whole[begin : begin + _ROW.size] for begin in range(0, len(whole), _ROW.size)]


def checksum(packed_row: bytes, subject: str, body: bytes) -> int:
    """CRC-32 of the index columns, the subject's name and the body."""
    return zlib.crc32(body, zlib.crc32(packed_row + subject.encode()))


def fits(packed_row: bytes, subject: str, blob: bytes) -> bool:
    """Tell whether the checksum of a body fits its row and the name it is filed under."""
    return owner(packed_row, (subject,), blob) is not None


def owner(packed_row: bytes, subjects: Iterable[str], blob: bytes) -> str | None:
    """Give the one of some names under which the checksum of a body fits; None if none does."""
    body, own = blob[: -_CRC.size], int.from_bytes(blob[-_CRC.size :], "little")
    if len(blob) >= _CRC.size:
        for subject in subjects:
            if checksum(packed_row, subject, body) == own:
                return subject
    return None


def decode(row: Row, subject: str, blob: bytes) -> Record:
    """Decode the body of `row`.

    Raises
    ------
    Rejected
        The checksum does not fit: something was changed after it was written.
    """
    body = blob[: -_CRC.size]
    if not isinstance(blob, bytes):  # a flipped bit of the page turns a blob into a text
        raise Rejected("its content is not what was written: the file was damaged afterwards")
    if not fits(row.packed(), subject, blob):
        raise Rejected("the checksum does not fit: the file was damaged after it was written")
    if row.kind == Kind.SAMPLES:
        return _decode_samples(body, subject)
    if row.kind == Kind.SCORES:
        at, score, threshold, flags = codec.unpack(body, _SCORE_COLUMNS)
        whose = beside_of(subject)
        if whose is None:
            return ScoreRecord(subject, at, score, threshold, flags)
        return ScoreRecord(subject.rpartition("@")[0], at, score, threshold, flags, *whose)
    if row.kind == Kind.SUMMARIES:
        every, *columns = codec.unpack(body, _SUMMARY_COLUMNS)
        return SummaryRecord(subject, int(every[0]) if len(every) else 0, *columns)
    return EventRecord(subject, row.first_at, cast("dict[str, Any]", _parse(body)))
