"""Values of tags over a recorded time, from a CSV file or a gateway's own journal."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plant.errors import Misconfigured
from plant.quality import Status
from plant.setpoints import Reading

PERIODS = 10
"""A value counts as long as so many usual periods of its tag; after that nobody knows it."""
NS = 10**9


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One tag: times (n,), ns, ascending; values and StatusCodes (n,); how long one counts, ns."""

    at: NDArray[np.int64]
    value: NDArray[np.float64]
    status: NDArray[np.uint32]
    counts_ns: int

    def changes(self) -> NDArray[np.int64]:
        """Give the times at which a good value differs from the good one before."""
        good = np.isfinite(self.value) & (self.status < Status.UNCERTAIN)
        at, value = self.at[good], self.value[good]
        return np.asarray(at[1:][value[1:] != value[:-1]], np.int64)


class Recorded:
    """All tags of a recording, as a device would have given them.

    Parameters
    ----------
    courses
        By tag.
    assumed
        Values of tags that were not recorded.
    """

    def __init__(self, courses: Mapping[str, Course], assumed: Mapping[str, float]) -> None:
        self.courses, self._assumed = dict(courses), dict(assumed)
        self.begin = min((int(one.at[0]) for one in courses.values()), default=0)
        self.end = max((int(one.at[-1]) for one in courses.values()), default=0)

    def known(self, tag: str) -> bool:
        """Tell whether there is anything to read."""
        return tag in self.courses or tag in self._assumed

    def reading(self, tag: str, now: int, mono: float) -> Reading | None:
        """Give a tag as its device shows it at a time, ns; None where it did not answer then."""
        course = self.courses.get(tag)
        if course is None:
            return (
                Reading(tag, self._assumed[tag], int(Status.GOOD), now, mono)
                if self.known(tag)
                else None
            )
        place = int(course.at.searchsorted(now, "right")) - 1
        if place < 0 or now - int(course.at[place]) > course.counts_ns:
            return None
        # A device shows what it has with the time of its scan, not with that of the last change.
        return Reading(tag, float(course.value[place]), int(course.status[place]), now, mono)


def course_of(
    at: NDArray[np.int64], value: NDArray[np.float64], status: NDArray[np.uint32]
) -> Course:
    """Make a course of samples in any order."""
    order = np.argsort(at, kind="stable")
    at = at[order]
    usual = float(np.median(np.diff(at))) if len(at) > 1 else float(NS)
    return Course(at, value[order], status[order], int(PERIODS * max(usual, NS)))


def from_csv(file: Path, wanted: Iterable[str]) -> dict[str, Course]:
    """Read the columns that bear the names of tags, whole or their last parts.

    Raises
    ------
    Misconfigured
        The file cannot be used, or a column's name fits several tags.
    """
    from connectors.replay.recording import read_recording

    recording = read_recording(file)
    columns = {tag.address: place for place, tag in enumerate(recording.tags)}
    found: dict[str, Course] = {}
    for tag in wanted:
        names = [name for name in columns if tag == name or tag.endswith("/" + name)]
        if not names:
            continue
        value = recording.values[:, columns[max(names, key=len)]]
        status = np.where(np.isnan(value), np.uint32(Status.BAD), np.uint32(Status.GOOD))
        found[tag] = course_of(recording.at, value, status.astype(np.uint32))
    return found


def from_journal(
    file: Path, wanted: Iterable[str], start: int, stop: int, moved: Callable[[int, int], None]
) -> dict[str, Course]:
    """Read the samples of a gateway's journal.

    Parameters
    ----------
    start, stop
        ns since 1970 UTC.
    moved
        Is told how many records are behind, of how many.

    Raises
    ------
    Misconfigured
        There is no journal.
    """
    from gateway.journal import DamagedRecord
    from gateway.journal.excerpt import Excerpt

    if not file.is_file():
        raise Misconfigured(f"{file.parent}: no journal there; give --recording FILE.csv")
    excerpt = Excerpt(file, start, stop)
    names = {handle: name for handle, (name, _) in excerpt.tags().items() if name in set(wanted)}
    pieces: dict[str, list[tuple[NDArray[np.int64], ...]]] = {}
    for done, known, record in excerpt.records():
        moved(done, known)
        if isinstance(record, DamagedRecord):
            continue
        batch = record.batch
        for handle in np.intersect1d(batch.tag, np.fromiter(names, np.int64, len(names))):
            mine = (batch.tag == handle) & (batch.at >= start) & (batch.at < stop)
            piece = (batch.at[mine], batch.value[mine], batch.status[mine])
            pieces.setdefault(names[int(handle)], []).append(piece)
    return {
        name: course_of(
            np.concatenate([at for at, _, _ in parts]),
            np.concatenate([value for _, value, _ in parts]),
            np.concatenate([status for _, _, status in parts]),
        )
        for name, parts in pieces.items()
        if any(len(at) for at, _, _ in parts)
    }
