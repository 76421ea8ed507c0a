"""Carries the journal to one sink, in a thread of its own: its calls block, and may hang.

Oldest first, and the cursor moves only when the sink has said yes. While the backlog is older than
a minute a second lane sends the newest records beside it. The backlog sends them again in its turn,
without a jump over what the second lane had: a window that was said twice has to be said last as it
was said last.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from connectors.contract import Refusal, Sink
from gateway.journal import EventRecord, Journal, Record, SampleRecord
from gateway.supervisor import failure_of
from gateway.uplink.delivery import Delivery, DeliveryState
from gateway.uplink.pace import LOOK_S, MISCONFIGURED_S, Backoff, Pace
from gateway.uplink.parcels import MOST_RECORDS, Parcel, gather, rows_of
from gateway.uplink.pins import Pins, bundled
from gateway.uplink.quarantine import Quarantine
from gateway.vitals import AGAIN
from plant.errors import Misconfigured, Rejected
from plant.files import stamp

GATHER_S = 1.0
"""What comes in within this time goes together, s."""
PROMPT = ("alarm", "state", "gap", "instrument")
"""Kinds of events that are waited for: with them all that has gathered goes."""
MOST_PROMPT = 100
"""So many of a second are not looked at one by one."""
FRESH_S = 60.0
"""A backlog older than this has the newest records sent beside it, s; what is gathered, by this
older than it may become by that, or all would be sent twice."""
FRESH_EVERY_S = 1.0
URGENT = ("alarm", "state", "gap", "instrument", "part", "gateway")
"""Kinds of events that are told first when a store is back: what stands now."""
MOST_URGENT = 500
COUNT_EVERY_S = 10.0
PINNED_EVERY_S = 5.0
LET_GO_S = 2.5


@runtime_checkable
class Counting(Protocol):
    """A sink that counts what it has sent, which is less than it was handed where it thins."""

    @property
    def sent_rows(self) -> int:
        """Rows that the other side took since it was built."""
        ...

    @property
    def sent_bytes(self) -> int:
        """Bytes on the wire since it was built."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a courier is to do.

    Parameters
    ----------
    name
        Name of the sink; its cursor is called after it.
    make
        Builds the sink; called before every attempt, since secrets may have been renewed.
    kinds
        Types of records that the sink keeps.
    pinned
        Send the samples around incidents.
    most_per_s
        Gives the points a second with which a backlog may be sent.
    calm_s
        Gather for so long what nobody waits for, s.
    files
        Files with which the sink is let in: when one changes it is tried again at once.
    """

    name: str
    make: Callable[[], Sink]
    kinds: tuple[type[Record], ...]
    pinned: bool
    most_per_s: Callable[[], float]
    calm_s: float = 0.0
    files: tuple[Path, ...] = ()

    @property
    def cursor(self) -> str:
        """Name of the cursor in the journal."""
        return f"sink:{self.name}"

    @property
    def pins(self) -> str:
        """Name of the cursor of the pins."""
        return f"pins:{self.name}"


def is_news(event: EventRecord) -> bool:
    """Tell whether an event is waited for: a state that is told again is not."""
    return event.kind in PROMPT and not event.body.get(AGAIN, False)


class Courier:
    """One sink's thread.

    Parameters
    ----------
    errand
        What to do.
    journal
        Where the records are.
    quarantine
        Keeps what is refused.
    pins
        Find the samples that a pin asks for.
    """

    def __init__(
        self, errand: Errand, journal: Journal, quarantine: Quarantine, pins: Pins
    ) -> None:
        self._errand = errand
        self._journal = journal
        self.quarantine = quarantine
        self._pins = pins
        # The newest samples would take the room of the newest alarms.
        self._live = tuple(kind for kind in errand.kinds if kind is not SampleRecord)
        self._stop = threading.Event()
        self._backoff = Backoff()
        self._pace = Pace()
        self._most = MOST_RECORDS
        self._fresh: int | None = None
        self._freshened = 0.0
        self._counted = 0.0
        self._looked = 0
        self._pinned = -PINNED_EVERY_S
        self.delivery = Delivery(errand.name, cursor=journal.cursor(errand.cursor))
        # One that hangs in a call must not keep the process from its end.
        self._thread = threading.Thread(target=self._run, name=f"sink {errand.name}", daemon=True)

    @property
    def gathers_s(self) -> float:
        """For how long what nobody waits for is gathered, s."""
        return self._errand.calm_s

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def leave(self) -> None:
        """Ask it to end after the call that it is in."""
        self._stop.set()

    def gone(self, seconds: float = LET_GO_S) -> bool:
        """Wait for its end; tell whether it came."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def unsent_s(self) -> float:
        """Give for how long the oldest record that the sink lacks has waited, s."""
        return self._journal.unsent_s(self.delivery.cursor)

    def _run(self) -> None:
        while not self._stop.is_set():
            files = self._stamps()  # before they are read: one that comes meanwhile is not missed
            error = failure_of(self._deliver)
            self.delivery.calling = 0.0
            if error is None:
                return
            if isinstance(error, Misconfigured):
                self.delivery.turn(DeliveryState.MISCONFIGURED, self._told(error))
                failure_of(self._count)
                self._until_mended(files)
            else:
                self.delivery.turn(DeliveryState.DOWN, self._told(error))
                failure_of(self._count)
                self._stop.wait(self._backoff.wait_s(getattr(error, "retry_after", None)))

    def _stamps(self) -> list[tuple[int, ...]]:
        return [stamp(path) for path in self._errand.files]

    def _until_mended(self, files: list[tuple[int, ...]]) -> None:
        """Wait for a person: until one of the files has come or changed, a minute at most."""
        until = time.monotonic() + MISCONFIGURED_S
        while self._stamps() == files and (left := until - time.monotonic()) > 0:
            if self._stop.wait(min(LOOK_S, left)):
                return

    def _told(self, error: Exception) -> str:
        return str(error).removeprefix(f"{self._errand.name}: ")

    def _deliver(self) -> None:
        """Connect, and send until told to stop; raises what keeps it from that."""
        self._fresh = None
        self.delivery.calling = time.monotonic()
        with self._errand.make() as sink:
            self.delivery.calling = 0.0
            if self.delivery.state is DeliveryState.CONNECTING:
                self.delivery.turn(DeliveryState.UP)
            idle = False  # what has waited for a connection waits no longer
            while not self._stop.is_set():
                idle = (idle and self._calm()) or self._send_next(sink)
                self._send_pinned(sink)
                if idle:
                    self._stop.wait(GATHER_S)

    def _calm(self) -> bool:
        """Tell whether what has come in, if anything has, may wait for what comes yet."""
        if self.unsent_s() >= self._errand.calm_s:
            return False
        after, upto = max(self._looked, self.delivery.cursor), self._journal.committed
        self._looked = upto
        waited_for = PROMPT if EventRecord in self._errand.kinds else ()
        told = self._journal.newest(waited_for, after, MOST_PROMPT)
        return len(told) < MOST_PROMPT and not any(map(is_news, told))

    def _send_next(self, sink: Sink) -> bool:
        """Send one parcel of each lane; tell whether nothing is left for now."""
        self._freshen(sink)
        parcel = gather(self._journal, self.delivery.cursor, self._errand.kinds, self._most)
        begun = time.monotonic()
        refusals: Sequence[Refusal] | None
        try:
            refusals = self._write(sink, parcel.records)
        except Rejected as error:
            refusals = self._narrow(parcel, error)
            if refusals is None:
                return False
        else:
            self._most = min(MOST_RECORDS, 2 * self._most)
        self.delivery.refused += self.quarantine.keep(refusals)
        self._advance(parcel)
        if not parcel.whole:
            self._linger(parcel.points, begun)
        else:
            self.delivery.drained = 0.0
        self._count()
        return parcel.whole

    def _advance(self, parcel: Parcel) -> None:
        if parcel.upto > self.delivery.cursor:
            self._journal.advance(self._errand.cursor, parcel.upto)
            self.delivery.cursor = parcel.upto
        self.delivery.damaged += parcel.damaged
        self._backoff.succeeded()
        self.delivery.turn(DeliveryState.UP)

    def _write(self, sink: Sink, records: Sequence[Record]) -> Sequence[Refusal]:
        if not records:
            return ()
        rows, size = (sink.sent_rows, sink.sent_bytes) if isinstance(sink, Counting) else (0, 0)
        self.delivery.calling = time.monotonic()
        refusals = sink.write(records)
        self.delivery.calling = 0.0
        self.delivery.last = time.time_ns()
        if isinstance(sink, Counting):
            self.delivery.sent += sink.sent_rows - rows
            self.delivery.sent_bytes = (self.delivery.sent_bytes or 0) + sink.sent_bytes - size
        else:
            self.delivery.sent += sum(map(rows_of, records)) - len(refusals)
        return refusals

    def _narrow(self, parcel: Parcel, error: Rejected) -> Sequence[Refusal] | None:
        """Find the record for which a whole call was refused; None: look closer first."""
        if len(parcel.records) > 1:
            self._most = (len(parcel.records) + 1) // 2
            return None
        self._most = MOST_RECORDS
        return [Refusal(repr(parcel.records[0])[:10_000], str(error))]

    def _send_pinned(self, sink: Sink) -> None:
        """Send the samples around incidents, those of one pin after another."""
        if not self._errand.pinned or time.monotonic() - self._pinned < PINNED_EVERY_S:
            return
        self._pinned = time.monotonic()
        done = self._journal.cursor(self._errand.pins)
        for position, pieces in self._pins.ripe(done, self.delivery.cursor):
            for bundle in bundled(pieces):
                self.delivery.refused += self.quarantine.keep(self._write(sink, bundle))
                points = sum(len(piece.batch) for piece in bundle)
                pause = self._pace.wait_s(points, self._errand.most_per_s())
                if self._stop.wait(pause):
                    return  # the cursor stays: all of it is sent again
            self._journal.advance(self._errand.pins, position)

    def _freshen(self, sink: Sink) -> None:
        """Send the newest records beside a long backlog, what stands now before all else.

        What is refused here is refused again when the backlog comes to it, and kept then.
        """
        late = self.unsent_s() > FRESH_S + self._errand.calm_s
        self.delivery.catching_up = late
        if not late:
            self._fresh = None
            return
        newest: Sequence[Record]
        if self._fresh is None:
            urgent = URGENT if EventRecord in self._live else ()
            newest = self._journal.newest(urgent, self.delivery.cursor, MOST_URGENT)
            self._fresh = self._journal.committed
        elif time.monotonic() - self._freshened >= FRESH_EVERY_S:
            parcel = gather(self._journal, self._fresh, self._live)
            newest, self._fresh = parcel.records, parcel.upto
        else:
            return
        with suppress(Rejected):
            self._write(sink, newest)
        self._freshened = time.monotonic()

    def _linger(self, points: int, begun: float) -> None:
        """Keep to the rate at which a backlog may be sent."""
        self._stop.wait(self._pace.wait_s(points, self._errand.most_per_s()))
        took = max(time.monotonic() - begun, 1e-6)
        drained = self.delivery.drained or points / took
        self.delivery.drained = 0.9 * drained + 0.1 * points / took

    def _count(self) -> None:
        if self.delivery.cursor >= self._journal.committed:
            self.delivery.backlog = 0
        elif time.monotonic() - self._counted >= COUNT_EVERY_S:
            self._counted = time.monotonic()
            self.delivery.backlog = self._journal.behind(self._errand.cursor)
