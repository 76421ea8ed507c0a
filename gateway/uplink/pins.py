"""The samples around an incident, which a sink keeps whole whatever it keeps of the others.

A pin (see `gateway.pins`) is told when an alarm is raised, before the samples up to its stop have
come, and again as the stop moves out: what counts is the last word on each alarm, once the source
has passed its stop.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gateway.journal import Journal, SampleRecord
from gateway.journal.pins import PIN
from gateway.pins import Pin, pin_from
from gateway.uplink.parcels import MOST_POINTS
from plant.samples import Batch
from plant.tags import TagHandle

MOST_PINS = 1000
PATIENCE_S = 600.0
"""A source that is so late for the stop of a pin, s, is not waited for any longer."""


class Pins:
    """Finds the samples that pins ask for; one for each courier.

    Parameters
    ----------
    journal
        Where the samples are.
    handles
        Every tag of which the journal may hold samples; an asset's are those below its path.
    """

    def __init__(self, journal: Journal, handles: Sequence[TagHandle]) -> None:
        self._journal = journal
        self._unripe: dict[int, float] = {}
        found: dict[str, dict[str, list[int]]] = {}
        self._awaited: dict[str, set[str]] = {}
        for one in handles:
            if not one.retired:
                self._awaited.setdefault(one.tag.asset, set()).add(one.tag.source)
            found.setdefault(one.tag.asset, {}).setdefault(one.tag.source, []).append(one.handle)
        self._own = {
            asset: {name: np.array(own, np.int32) for name, own in sources.items()}
            for asset, sources in found.items()
        }

    def ripe(self, cursor: int, upto: int) -> Iterator[tuple[int, Iterator[SampleRecord]]]:
        """Give position and samples of the pins behind `cursor`, in order, up to one that waits.

        One that a later word on the same alarm replaces has no samples, nor has `upto`, the
        position with which there is no pin left.
        """
        told = self._journal.told(PIN, cursor, MOST_PINS)
        pins = {at: pin for at, event in told if (pin := pin_from(event)) is not None}
        last = {pin.alarm: position for position, pin in pins.items()}
        for position, pin in pins.items():
            if last[pin.alarm] != position:
                yield position, iter(())
            elif self._is_ripe(position, pin):
                yield position, self.samples(pin)
            else:
                return
        if upto > max([cursor, *(position for position, _ in told)]) and len(told) < MOST_PINS:
            yield upto, iter(())

    def _is_ripe(self, position: int, pin: Pin) -> bool:
        sources = self._awaited.get(pin.asset, ())
        newest = min((self._journal.newest_at(name) for name in sources), default=pin.stop)
        if newest >= pin.stop:
            self._unripe.pop(position, None)
            return True
        left = (pin.stop - newest) / 1e9
        until = self._unripe.setdefault(position, time.monotonic() + left + PATIENCE_S)
        return time.monotonic() >= until

    def samples(self, pin: Pin) -> Iterator[SampleRecord]:
        """Give the samples of a pinned stretch, in pieces none of which is too long for a call."""
        for source, own in self._own.get(pin.asset, {}).items():
            for record in self._journal.samples_between(source, pin.start, pin.stop + 1):
                at = record.batch.at
                mine = np.isin(record.batch.tag, own) & (at >= pin.start) & (at <= pin.stop)
                places = np.flatnonzero(mine)
                for first in range(0, len(places), MOST_POINTS):
                    yield _part(record, places[first : first + MOST_POINTS])


def _part(record: SampleRecord, places: NDArray[np.intp]) -> SampleRecord:
    batch: Batch = record.batch
    part = replace(
        batch,
        tag=batch.tag[places],
        at=batch.at[places],
        value=batch.value[places],
        status=batch.status[places],
        served=None if batch.served is None else batch.served[places],
        context=(),
    )
    return SampleRecord(part, record.verdict[places])


def bundled(pieces: Iterable[SampleRecord]) -> Iterator[list[SampleRecord]]:
    """Put what goes in one call together: a call for each scan would be thousands of small ones."""
    bundle: list[SampleRecord] = []
    points = 0
    for piece in pieces:
        if bundle and points + len(piece.batch) > MOST_POINTS:
            yield bundle
            bundle, points = [], 0
        bundle.append(piece)
        points += len(piece.batch)
    if bundle:
        yield bundle
