"""A subscription of the OPC UA load: samples on a fixed grid, packed by numpy, none lost unseen."""

import struct
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.loads.formula import ENCODINGS, OpcUaSignals
from bench.loads.opcua_wire import stamp

VALUE_AND_TIMES = 0x0D
VALUE_STATUS_AND_TIMES = 0x0F
STATUS_AND_TIMES = 0x0E
BAD_SENSOR_FAILURE = 0x808C0000
DATA_CHANGE = 811
OVERFLOW = 0x480
"""Info bits of a value before which others were dropped (OPC 10000-4 §7.39.1)."""
RETAINED = 1_000
"""Sent messages kept for Republish until they are acknowledged."""


@dataclass
class Sent:
    """What left this process, for the bench to compare with what arrived.

    `dropped` never left: its items' queues were full, and the next value of each says Overflow.
    """

    samples: int = 0
    dropped: int = 0
    messages: int = 0
    acknowledged: int = 0
    first_tick: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring monitored items of one data type: rows of one width."""

    tag: NDArray[np.int64]
    rows: NDArray[np.void]
    overflowing: NDArray[np.void]


def _row(dtype: str) -> np.dtype[np.void]:
    fields = [("handle", "<u4"), ("mask", "u1"), ("type", "u1"), ("value", dtype)]
    return np.dtype([*fields, ("source", "<i8"), ("server", "<i8")])


BAD_ROW = np.dtype(
    [("handle", "<u4"), ("mask", "u1"), ("status", "<u4"), ("source", "<i8"), ("server", "<i8")]
)


def _overflowing(dtype: str) -> np.dtype[np.void]:
    fields = [("handle", "<u4"), ("mask", "u1"), ("type", "u1"), ("value", dtype)]
    return np.dtype([*fields, ("status", "<u4"), ("source", "<i8"), ("server", "<i8")])


def _run(encoding: int, tag: NDArray[np.int64], handle: NDArray[np.uint32]) -> Run:
    kind = ENCODINGS[encoding]
    rows = np.zeros(len(tag), _row(kind.dtype))
    rows["handle"], rows["mask"], rows["type"] = handle, VALUE_AND_TIMES, kind.builtin
    told = np.zeros(len(tag), _overflowing(kind.dtype))
    told["handle"], told["mask"], told["type"] = handle, VALUE_STATUS_AND_TIMES, kind.builtin
    told["status"] = OVERFLOW
    return Run(tag, rows, told)


def _bad_row(handle: int, source: int, overflow: bool) -> bytes:
    status = BAD_SENSOR_FAILURE | OVERFLOW * overflow
    row = np.array((handle, STATUS_AND_TIMES, status, source, source), BAD_ROW)
    return row.tobytes()


@dataclass(slots=True)
class Waiting:
    """A message that no PublishRequest has come for yet: page, tick, and whether some were lost."""

    page: int
    tick: int
    overflow: bool = False


@dataclass
class Subscription:
    """Monitored items of one client, in the order in which it asked for them.

    Each item keeps `depth` values while no PublishRequest waits; then the oldest goes.
    """

    id: int
    interval_ms: float
    keep_alive: int
    most: int
    signals: OpcUaSignals
    sent: Sent
    items: dict[int, tuple[int, int]] = field(default_factory=dict)
    depth: int = 1
    sequence: int = 1
    silent: int = 0
    queue: deque[Waiting] = field(default_factory=deque)
    retained: OrderedDict[int, bytes] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        """Start with the next tick."""
        self._tick = time.time_ns() // self.signals.period_ns
        self._pages: list[list[Run]] = []

    def arrange(self) -> None:
        """Cut the items into messages of `most` rows and each of these into runs of one type."""
        pairs = np.array(list(self.items.values()), np.int64).reshape(-1, 2)
        handle, tag = pairs[:, 0].astype(np.uint32), pairs[:, 1]
        encoding = self.signals.encoding(tag)
        self._pages = []
        for start in range(0, len(tag), self.most):
            page = slice(start, start + self.most)
            edges = np.flatnonzero(np.diff(encoding[page])) + 1
            groups = np.split(np.arange(len(tag))[page], edges)
            self._pages.append([_run(int(encoding[g[0]]), tag[g], handle[g]) for g in groups])

    def sample(self) -> None:
        """Queue the messages of every tick that has come since the last call."""
        now = time.time_ns() // self.signals.period_ns
        for tick in range(self._tick + 1, now + 1):
            self.queue += [Waiting(page, tick) for page in range(len(self._pages))]
            self._drop()
            self.sent.first_tick = self.sent.first_tick or tick
        self._tick = max(self._tick, now)

    def _drop(self) -> None:
        pages = len(self._pages)
        while len(self.queue) > self.depth * pages:
            self.sent.dropped += self._count(self.queue.popleft().page)
            # Every page waits once a tick, so the same items' next values stand a round later.
            self.queue[pages - 1].overflow = True

    def _count(self, page: int) -> int:
        return sum(len(run.tag) for run in self._pages[page])

    def _message(self, waiting: Waiting) -> bytes:
        page = self._pages[waiting.page]
        source = stamp(waiting.tick * self.signals.period_ns)
        rows = b"".join(part for run in page for part in self._rows(run, waiting, source))
        count = sum(len(run.tag) for run in page)
        body = struct.pack("<i", count) + rows + struct.pack("<i", -1)
        return struct.pack("<iBBHBi", 1, 1, 0, DATA_CHANGE, 1, len(body)) + body

    def _rows(self, run: Run, waiting: Waiting, source: int) -> Iterator[bytes]:
        ticks = np.full(len(run.tag), waiting.tick)
        rows = run.overflowing if waiting.overflow else run.rows
        rows["value"] = self.signals.values(run.tag, ticks)
        rows["source"] = rows["server"] = source
        start = 0
        for bad in np.flatnonzero(self.signals.bad(run.tag, ticks)):
            yield rows[start:bad].tobytes()
            yield _bad_row(int(rows["handle"][bad]), source, waiting.overflow)
            start = int(bad) + 1
        yield rows[start:].tobytes()

    def next_notification(self) -> bytes | None:
        """Give the body of the next answer from the subscription id on, or ``None`` for silence."""
        if self.queue:
            waiting = self.queue.popleft()
            data = self._message(waiting)
            sequence, self.sequence = self.sequence, self.sequence + 1
            self.sent.samples += self._count(waiting.page)
            self.sent.messages += 1
            self.retained[sequence] = data
            if len(self.retained) > RETAINED:
                self.retained.popitem(last=False)
        elif self.silent >= self.keep_alive:
            sequence, data = self.sequence, struct.pack("<i", 0)
        else:
            return None
        self.silent = 0
        available = list(self.retained)
        head = struct.pack(f"<Ii{len(available)}I", self.id, len(available), *available)
        more = struct.pack("<BIq", bool(self.queue), sequence, stamp(time.time_ns()))
        return head + more + data

    def acknowledge(self, sequence: int) -> bool:
        """Forget a message that the client has; ``False`` when it is not here."""
        known = self.retained.pop(sequence, None) is not None
        self.sent.acknowledged += known
        return known
