"""Sends records to an InfluxDB."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from connectors.contract import Refusal
from connectors.influx.answers import Refused
from connectors.influx.config import InfluxConfig
from connectors.influx.points import Points
from connectors.influx.schema import TAG, bucket_of, buckets_of
from connectors.influx.server import Server
from plant.errors import Unreachable
from plant.records import Record
from plant.tags import TagHandle

LINES = 5000
"""Most lines in one request, as the makers advise."""
_DAY_NS = 86_400_000_000_000


class InfluxSink:
    """Keeps summaries, scores and events in an InfluxDB; samples where they are handed to it.

    Every line counts as kept only after a 2xx of its own request. What the server refuses is looked
    for by halving, so that its neighbours arrive.

    Parameters
    ----------
    config
        Where to, and what.
    tags
        Every tag of which a record may speak, with its handle.
    gateway
        Name of this gateway.
    """

    def __init__(self, config: InfluxConfig, tags: Sequence[TagHandle], gateway: str) -> None:
        self.name = config.name
        self.left_out = 0
        """Points of which nothing could be written: no number in them."""
        self._config = config
        self._points = Points(tags, gateway, config.lengths)
        self._server: Server | None = None
        self._described = False
        self._sent_before = 0
        self.sent_rows = 0
        """Lines that the server has said it has, since it was made."""

    @property
    def sent_bytes(self) -> int:
        """Bytes that were sent since it was made, as they went over the wire."""
        return self._sent_before + (self._server.sent_bytes if self._server else 0)

    def __enter__(self) -> Self:
        server = Server(self._config)
        try:
            for bucket in buckets_of(self._config):
                server.prove(bucket)
        except BaseException:
            server.close()
            raise
        self._server, self._described = server, False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            self._sent_before += self._server.sent_bytes
            self._server = None

    def write(self, records: Sequence[Record]) -> Sequence[Refusal]:
        """Keep the records; see `connectors.contract.Sink`."""
        server = self._server
        if server is None:
            raise Unreachable(f"{self.name}: is not connected")
        made = self._points.encode(records)
        refusals = made.refusals
        buckets: dict[str, list[str]] = defaultdict(list)
        for measurement, lines in made.lines.items():
            buckets[bucket_of(measurement, self._config)] += lines
        if buckets and not self._described:
            today = time.time_ns() // _DAY_NS * _DAY_NS
            buckets[bucket_of(TAG, self._config)] += self._points.described(today)
        for bucket, lines in buckets.items():
            refused: list[Refusal] = []
            for start in range(0, len(lines), LINES):
                refused += _delivered(server, bucket, lines[start : start + LINES])
            self.sent_rows += len(lines) - len(refused)
            refusals += refused
        self._described |= bool(buckets)
        self.left_out += made.left_out
        return refusals


def body(lines: Sequence[str]) -> bytes:
    """Put the lines of a request together, each series in one piece: alike beside alike packs best.

    Of a series the lines keep their order, for what was said last of a moment is what holds.
    """
    return "\n".join(sorted(lines, key=_series)).encode()


def _series(line: str) -> str:
    return line.partition(" ")[0]


def _delivered(server: Server, bucket: str, lines: Sequence[str]) -> Iterator[Refusal]:
    """Send lines; on refusal halve them until the bad ones stand alone."""
    try:
        server.write(bucket, body(lines))
    except Refused as refused:
        if len(lines) == 1 or refused.dropped == len(lines):
            # A server that dropped all has said so: asking line by line would change nothing.
            for line in lines:
                yield Refusal(line, refused.message)
            return
        middle = len(lines) // 2
        yield from _delivered(server, bucket, lines[:middle])
        yield from _delivered(server, bucket, lines[middle:])
