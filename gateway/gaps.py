"""The gap ledger: every interval for which a source could not be read, and what became of it.

A fold over the journal. What changes a gap is decided once, from the state before, and journalled
as an event that holds the whole gap; folding that event again changes it in the same way.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.stages.delivery import Delivery, dropped, newest, overflowed
from gateway.stages.sieve import NEVER, Sieve
from plant.gaps import Gap, GapCause
from plant.samples import Batch, ContextEvent, Recovery
from plant.tags import TagHandle

KEPT = 1000
"""Closed gaps kept in memory; the journal keeps them all."""
UNSETTLED = 20
"""Gaps of one source that wait for their recovery; of more, the oldest is given up."""
TOLD_NS = 1_000_000_000
TOGETHER_NS = 60_000_000_000
"""Losses of a link that stands make one gap when they are no farther apart than this."""
WHY_LIMIT = 500
KILLED = "the gateway broke off: it was killed, or its machine failed"
ENDED = "the gateway was stopped"
CROWDED = "so many values came at once that not all of what was recovered could be taken"
GIVEN_UP = "not recovered: too many gaps followed"
OVERFLOWED = "a queue of the server overflowed before it was read"
SKIPPED = "scans were missed: the source, or this gateway, could not keep up"


def gap_body(gap: Gap) -> dict[str, Any]:
    """Write a gap as plain data."""
    return asdict(gap)


def gap_from(body: Mapping[str, Any]) -> Gap:
    """Read a gap back from plain data."""
    return Gap(**{**body, "cause": GapCause(body["cause"])})


class GapLedger:
    """Every gap of the sources it watches, newest last.

    Methods that change a gap give it back as it now is; the caller journals it.

    Parameters
    ----------
    handles
        Every tag with its journal handle.
    watched
        Period of the scans of each source that can have gaps, ns; 0 where it is not polled.
    """

    def __init__(self, handles: Sequence[TagHandle], watched: Mapping[str, int]) -> None:
        self._handles = {
            name: np.array(sorted(h.handle for h in handles if h.tag.source == name), np.int32)
            for name in watched
        }
        self._source = {h.handle: h.tag.source for h in handles}
        self._deliveries = {name: Delivery(period) for name, period in watched.items()}
        self._last_at = np.full(max((h.handle for h in handles), default=-1) + 1, NEVER, np.int64)
        self._gaps: dict[int, Gap] = {}
        self._sieves: dict[int, Sieve] = {}
        self._last = 0
        self._ended = False
        self.tickets: dict[str, dict[str, int | float | str | None]] = {}

    def losing(self, source: str, now: int) -> Gap | None:
        """Give the overload of a source that goes on, at ns `now` on its clock, if any."""
        gap = self.newest(source)
        if gap is None or gap.cause is not GapCause.OVERLOAD:
            return None
        return gap if now <= (gap.stop or now) + TOGETHER_NS else None

    def gaps(self) -> list[Gap]:
        """List all gaps kept, oldest first."""
        return list(self._gaps.values())

    def newest(self, source: str) -> Gap | None:
        """Give the last gap of a source, if any is kept."""
        return next((gap for gap in reversed(self._gaps.values()) if gap.source == source), None)

    def open(self, source: str) -> Gap | None:
        """Give the gap of a source that lasts, if any."""
        of_source = (gap for gap in reversed(self._gaps.values()) if gap.source == source)
        return next((gap for gap in of_source if gap.stop is None), None)

    def unsettled(self, source: str) -> list[Gap]:
        """List the gaps of a source that are over and wait for their recovery, oldest first."""
        waiting = (self._gaps[number] for number in sorted(self._sieves))
        return [gap for gap in waiting if gap.source == source]

    def rate(self, source: str) -> float:
        """Give the usual samples a second of a source."""
        return self._deliveries[source].rate if source in self._deliveries else 0.0

    def begin(self, at: int) -> list[Gap]:
        """Open a gap for each source that delivered before the gateway started, at ns `at`."""
        why = ENDED if self._ended else KILLED
        opened = [
            self.put(self._new(name, GapCause.STOPPED, why, at))
            for name, delivery in self._deliveries.items()
            if delivery.upto and self.open(name) is None
        ]
        return opened + [self._orphaned(gap, at) for gap in self.gaps() if self._is_orphan(gap)]

    def _is_orphan(self, gap: Gap) -> bool:
        return gap.lost is None and gap.source not in self._deliveries

    def _orphaned(self, gap: Gap, at: int) -> Gap:
        why = _joined(gap.why, "the source was taken out of the configuration")
        stop = max(gap.start, at) if gap.stop is None else gap.stop
        return self.put(replace(gap, stop=stop, lost=0, estimated=True, why=why))

    def lose(self, source: str, cause: GapCause, why: str, at: int) -> list[Gap]:
        """Take note that a source cannot be read; at ns `at` where it never delivered."""
        if source not in self._deliveries:
            return []
        gap = self.open(source)
        if gap is None:
            return [*self._told(source), self.put(self._new(source, cause, why, at))]
        if cause is GapCause.MISCONFIGURED and gap.cause is GapCause.LINK:
            return [self.put(replace(gap, cause=cause, why=why[:WHY_LIMIT]))]
        if gap.cause is GapCause.STOPPED and gap.why in (ENDED, KILLED):
            return [self.put(replace(gap, why=_joined(gap.why, f"then {why}")))]
        return []

    def _new(self, source: str, cause: GapCause, why: str, at: int) -> Gap:
        """Make a gap that begins where the source was last delivered, or else at ns `at`."""
        ends = [gap.stop or 0 for gap in self.unsettled(source)]
        start = max([self._deliveries[source].upto, *ends]) or at
        return Gap(id=self._last + 1, source=source, start=start, cause=cause, why=why[:WHY_LIMIT])

    def resume(self, batch: Batch) -> list[Gap]:
        """Close what lasts as a live batch comes; decided before it is observed."""
        delivery = self._delivery(batch)
        if delivery is None:
            return []
        told = self._told(batch.source) if self._due(delivery, batch) else []
        gap = self.open(batch.source)
        if gap is None:
            return told
        stop = delivery.resumed_at(batch)
        start = gap.start
        if not delivery.upto:
            # It began on our clock: nothing was known of the source's.
            start -= batch.received - batch.upto
        closed = self.put(replace(gap, start=start, stop=max(start, stop)))
        return [*told, *self._given_up(batch.source), closed]

    def miss(self, batch: Batch, why: str) -> list[Gap]:
        """Take note that messages before a live batch are missing; decided before it is observed.

        The gap is over as it is found, and waits for its recovery.
        """
        delivery = self._delivery(batch)
        if delivery is None or self.open(batch.source) is not None:
            return []
        found = self._new(batch.source, GapCause.MESSAGES, why, batch.upto)
        closed = self.put(replace(found, stop=max(found.start, batch.upto)))
        return [*self._given_up(batch.source), closed]

    def _given_up(self, source: str) -> list[Gap]:
        return [
            settled
            for gap in self.unsettled(source)[:-UNSETTLED]
            for settled in self.settle(gap.id, complete=False, why=GIVEN_UP)
        ]

    def _delivery(self, batch: Batch) -> Delivery | None:
        """Give the deliveries of the source that sent `batch`; None if we made it ourselves."""
        delivery = self._deliveries.get(batch.source)
        return delivery if delivery is not None and delivery.up and not batch.replayed else None

    def _due(self, delivery: Delivery, batch: Batch) -> bool:
        return bool(delivery.missed) and batch.upto - delivery.missed_from >= TOLD_NS

    def _told(self, source: str) -> list[Gap]:
        """Bring what was missed while the link stood into the ledger."""
        delivery = self._deliveries[source]
        if not delivery.missed:
            return []
        last = self.newest(source)
        same = last is not None and last.cause is GapCause.OVERLOAD and last.stop is not None
        if last and same and delivery.missed_from <= (last.stop or 0) + TOGETHER_NS:
            lost = (last.lost or 0) + delivery.missed
            return [self.put(replace(last, stop=delivery.missed_upto, lost=lost))]
        gap = Gap(
            id=self._last + 1,
            source=source,
            start=delivery.missed_from,
            cause=GapCause.OVERLOAD,
            why=SKIPPED if delivery.period else OVERFLOWED,
            stop=delivery.missed_upto,
            lost=delivery.missed,
            estimated=not delivery.period,
        )
        return [self.put(gap)]

    def sieve(self, number: int, batch: Batch) -> Batch | None:
        """Give what is new of a recovered batch, bound to its gap by `upto`; None if nothing is."""
        gap, sieve = self._gaps.get(number), self._sieves.get(number)
        if gap is None or sieve is None or gap.stop is None:
            return None
        new = sieve.admit(batch.tag, batch.at, batch.recovered)
        said = np.array([(event.tag, event.at) for event in batch.context], np.int64)
        said = said.reshape(-1, 2)
        told = sieve.admit(said[:, 0].astype(np.int32), said[:, 1], batch.recovered)
        if not (new.any() or told.any()):
            return None
        return replace(
            batch,
            tag=batch.tag[new],
            at=batch.at[new],
            value=batch.value[new],
            status=batch.status[new],
            served=None if batch.served is None else batch.served[new],
            upto=gap.stop,
            context=tuple(event for event, one in zip(batch.context, told, strict=True) if one),
        )

    def count(self, number: int, batch: Batch) -> Gap:
        """Count what `sieve` gave."""
        gap = self._gaps[number]
        column = "republished" if batch.recovered is Recovery.REPUBLISH else "history"
        samples = getattr(gap, column) + len(batch) + len(batch.context)
        return self.put(replace(gap, **{column: samples}))

    def settle(self, number: int, *, complete: bool, why: str = "") -> list[Gap]:
        """End the recovery of a gap, and say what is missing for good; once."""
        gap = self._gaps.get(number)
        if gap is None or number not in self._sieves:
            return []
        if self._sieves[number].crowded:
            complete, why = False, _joined(why, CROWDED) if why else CROWDED
        missing = 0 if complete else self._missing(gap)
        polled = gap.source in self._deliveries and self._deliveries[gap.source].period > 0
        estimated = not complete and not polled
        told = _joined(gap.why, why) if why else gap.why
        return [self.put(replace(gap, lost=missing, estimated=estimated, why=told))]

    def _missing(self, gap: Gap) -> int:
        delivery = self._deliveries.get(gap.source)
        if delivery is None or gap.stop is None:
            return 0
        span = gap.stop - gap.start
        if delivery.period:
            # The scan that ended it is among those that were brought.
            expected = round(span / delivery.period) * self._delivering(gap.source)
        else:
            expected = round(delivery.rate * span / 1e9)
        sieve = self._sieves.get(gap.id)
        return max(0, expected - gap.recovered - (sieve.brought if sieve else 0))

    def _delivering(self, source: str) -> int:
        """Count the tags of a source that deliver; all of them if none ever did."""
        handles = self._handles[source]
        return int(np.count_nonzero(self._last_at[handles] > NEVER)) or len(handles)

    def put(self, gap: Gap) -> Gap:
        """Take over a gap as it stands in an event."""
        self._gaps[gap.id] = gap
        self._last = max(self._last, gap.id)
        delivery = self._deliveries.get(gap.source)
        if delivery is not None and gap.stop is None:
            delivery.linked(up=False)
        if delivery is not None and gap.cause is GapCause.OVERLOAD:
            delivery.noted()
        if gap.lost is not None:
            self._sieves.pop(gap.id, None)
        elif gap.stop is not None and gap.id not in self._sieves:
            handles = self._handles.get(gap.source, np.empty(0, np.int32))
            unheard = gap.cause is not GapCause.STOPPED
            self._sieves[gap.id] = Sieve(handles, self._last_at[handles], gap.stop, unheard=unheard)
        self._forget()
        return gap

    def _forget(self) -> None:
        while len(self._gaps) > KEPT:
            number = next((n for n, gap in self._gaps.items() if gap.lost is not None), None)
            if number is None:
                return
            del self._gaps[number]

    def observe(self, batch: Batch) -> None:
        """Take note of a batch as it stands in the journal."""
        if batch.recovered:
            self._fill(batch.source, batch.upto, batch.tag, batch.at, batch.recovered)
            return
        delivery = self._delivery(batch)
        if delivery is None:
            return
        waiting = self.unsettled(batch.source)
        for gap in waiting:
            self._sieves[gap.id].bring(batch.tag, batch.at)
        queued = any(batch.upto <= (gap.stop or 0) for gap in waiting)
        # What is missing before a batch that comes from a gap is reckoned there.
        lost = 0 if queued else self._dropped(delivery, batch)
        newest(self._last_at, batch.tag, batch.at)
        delivery.take(batch, self._delivering(batch.source) if delivery.period else 0, lost)

    def _dropped(self, delivery: Delivery, batch: Batch) -> int:
        flagged = overflowed(batch)
        if not flagged.any():
            return 0
        rate = delivery.rate / self._delivering(batch.source)
        return dropped(batch, flagged, self._last_at, rate)

    def _fill(
        self,
        source: str,
        stop: int,
        tag: NDArray[np.int32],
        at: NDArray[np.int64],
        kind: Recovery,
    ) -> None:
        for gap in self.unsettled(source):
            if gap.stop == stop:
                self._sieves[gap.id].fill(tag, at, kind)
            elif kind is Recovery.REPUBLISH:
                # It may belong to another gap than to the one whose recovery brought it.
                self._sieves[gap.id].bring(tag, at)

    def say(self, event: ContextEvent, kind: Recovery = Recovery.NONE, stop: int = 0) -> None:
        """Take note of a text, which came in its turn or fills the gap that ends at `stop`."""
        source = self._source.get(event.tag, "")
        tag, at = np.array([event.tag], np.int32), np.array([event.at], np.int64)
        if kind:
            self._fill(source, stop, tag, at, kind)
        elif source in self._deliveries and self._deliveries[source].up:
            for gap in self.unsettled(source):
                self._sieves[gap.id].bring(tag, at)
            newest(self._last_at, tag, at)

    def linked(self, source: str, *, up: bool) -> None:
        """Take note that a link came up or was lost."""
        self._ended = False
        if source in self._deliveries:
            self._deliveries[source].linked(up=up)

    def end(self) -> None:
        """Take note that the gateway was stopped in order."""
        self._ended = True

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything held, as arrays."""
        held = {
            "last": self._last,
            "ended": self._ended,
            "gaps": [gap_body(gap) for gap in self._gaps.values()],
            "deliveries": {name: one.state() for name, one in self._deliveries.items()},
            "tickets": self.tickets,
        }
        sieves = {
            f"{number}.{name}": array
            for number, sieve in self._sieves.items()
            for name, array in sieve.state().items()
        }
        text = np.frombuffer(json.dumps(held).encode(), np.uint8)
        return {"ledger": text, "last_at": self._last_at.copy(), **sieves}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state; sources and tags added since begin anew."""
        held = json.loads(state["ledger"].tobytes())
        self._last, self._ended = held["last"], held["ended"]
        self._gaps = {body["id"]: gap_from(body) for body in held["gaps"]}
        self.tickets = held["tickets"]
        for name, said in held["deliveries"].items():
            if name in self._deliveries:
                period = self._deliveries[name].period
                self._deliveries[name] = Delivery(**{**said, "period": period})
        known = min(len(self._last_at), len(state["last_at"]))
        self._last_at[:known] = state["last_at"][:known]
        parts: dict[int, dict[str, NDArray[Any]]] = {}
        for key, array in state.items():
            number, dot, name = key.partition(".")
            if dot:
                parts.setdefault(int(number), {})[name] = array
        self._sieves = {number: Sieve.restored(part) for number, part in parts.items()}


def _joined(why: str, more: str) -> str:
    return f"{why}; {more}"[:WHY_LIMIT]
