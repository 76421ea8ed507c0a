"""Samples of a span of time, as the journal holds them; reads beside the gateway that writes."""

from collections.abc import Iterator
from pathlib import Path

from gateway.journal import file, index
from gateway.journal.damage import DamagedRecord
from plant.records import SampleRecord

_TAGS = "SELECT handle, name, unit FROM tag ORDER BY rowid"


class Excerpt:
    """The samples of ``start <= at < stop``, ns, and what they are called.

    Parameters
    ----------
    path
        The journal.
    start, stop
        Source times, ns since 1970 UTC.
    """

    def __init__(self, path: Path, start: int, stop: int) -> None:
        self._path = path
        self._span = start, stop

    def tags(self) -> dict[int, tuple[str, str]]:
        """Give name and unit (UCUM) of each tag by its handle, as they were said last."""
        with file.reader(self._path) as connection:
            rows = connection.execute(_TAGS)
            return {handle: (name, unit) for handle, name, unit in rows}

    def records(self) -> Iterator[tuple[int, int, SampleRecord | DamagedRecord]]:
        """Stream the records that touch the span, in the order of their arrival.

        Yields
        ------
        tuple[int, int, SampleRecord | DamagedRecord]
            How many are behind, of how many; and one that holds samples of the span, beside others.
            What was evicted meanwhile is left out.
        """
        start, stop = self._span
        with file.reader(self._path) as connection:
            places = index.touching(connection, start, stop)
            for done, place in enumerate(places, 1):
                found = index.record_at(connection, place)
                if isinstance(found, SampleRecord | DamagedRecord):
                    yield done, len(places), found
