"""The samples around an incident, which a sink keeps whole whatever it keeps of the others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gateway.journal import EventRecord, Journal, SampleRecord
from gateway.uplink.parcels import MOST_POINTS
from plant.samples import Batch
from plant.tags import TagHandle


class Pins:
    """Finds the samples that an event of kind "pin" asks for.

    Its body names the `asset`, and `start` and `stop` on the source's clock, ns.

    Parameters
    ----------
    journal
        Where the samples are.
    handles
        Every tag of the gateway; an asset's are those below its path.
    """

    def __init__(self, journal: Journal, handles: Sequence[TagHandle]) -> None:
        self._journal = journal
        self._own: dict[str, dict[str, NDArray[np.int32]]] = {}
        found: dict[str, dict[str, list[int]]] = {}
        for one in handles:
            found.setdefault(one.tag.asset, {}).setdefault(one.tag.source, []).append(one.handle)
        for asset, sources in found.items():
            self._own[asset] = {name: np.array(own, np.int32) for name, own in sources.items()}

    def samples(self, pin: EventRecord) -> Iterator[SampleRecord]:
        """Give the samples of the pinned stretch, in pieces that go in one call each."""
        body: Mapping[str, object] = pin.body
        start, stop = body.get("start"), body.get("stop")
        if not (isinstance(start, int) and isinstance(stop, int)):
            return
        for source, own in self._own.get(str(body.get("asset")), {}).items():
            for record in self._journal.samples_between(source, start, stop):
                at = record.batch.at
                mine = np.isin(record.batch.tag, own) & (at >= start) & (at < stop)
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
