"""What a gateway takes of its disk once everything that it keeps is full, and whether it fits."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.catalogue import SinkConfig
from connectors.sqlite.config import SqliteConfig
from gateway.config.plan import Plan
from plant.summaries import LENGTHS
from plant.tags import ValueType

GB = 1e9
_WORDS = dict(zip(LENGTHS, ("10 s", "1 min", "1 h"), strict=True))
_DAYS = ((365.0, "year"), (1.0, "day"), (1 / 24, "hour"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One file.

    Parameters
    ----------
    what
        What it is, for people.
    path
        Where it lies.
    full
        Bytes once it is full.
    present
        Bytes that it has now.
    """

    what: str
    path: Path
    full: int
    present: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """What lies on one disk, and the bytes of it that are free now."""

    kept: tuple[Kept, ...]
    free: int

    @property
    def short(self) -> int:
        """Bytes that will be missing; 0 if all fits."""
        growth = sum(max(0, one.full - one.present) for one in self.kept)
        return max(0, growth - self.free)

    @property
    def words(self) -> str:
        """Say what is expected."""
        told = ", ".join(f"{one.what} up to {size(one.full)}" for one in self.kept)
        return f"{told}; {size(sum(one.present for one in self.kept))} now, {size(self.free)} free"

    @property
    def mend(self) -> str:
        """Say what to do about it; empty if all fits."""
        if not self.short:
            return ""
        return (
            f"{size(self.short)} will be missing: lower max_gb of [journal], keep fewer days "
            "(days_10s, days_1m, days_1h of the history), or take a larger disk"
        )


def footprint(plan: Plan) -> list[Disk]:
    """Give what a plan keeps, disk by disk; reads nothing but sizes."""
    disks: dict[int, tuple[Path, list[Kept]]] = {}
    for one in _kept(plan):
        there = next(folder for folder in one.path.absolute().parents if folder.is_dir())
        disks.setdefault(there.stat().st_dev, (there, []))[1].append(one)
    return [
        Disk(kept=tuple(kept), free=shutil.disk_usage(there).free) for there, kept in disks.values()
    ]


def _kept(plan: Plan) -> Iterator[Kept]:
    yield _file("journal", plan.data / "journal.db", round(plan.journal.max_gb * GB))
    tags = sum(tag.type is not ValueType.TEXT for tag in plan.tags)
    for config in _histories(plan.sinks):
        days = ", ".join(
            f"{_WORDS[every]} for {_span(kept / 86_400e9)}"
            for every, kept in sorted(config.kept_ns.items())
        )
        what = f"{config.name} of {tags:,} tags ({days})"
        yield _file(what, plan.data / config.file, tags * config.bytes_a_tag)


def _histories(sinks: Sequence[SinkConfig]) -> list[SqliteConfig]:
    return [one for one in sinks if isinstance(one, SqliteConfig)]


def _file(what: str, path: Path, full: int) -> Kept:
    parts = (path.with_name(path.name + end) for end in ("", "-wal", ".reserve"))
    present = sum(part.stat().st_size for part in parts if part.is_file())
    return Kept(what=what, path=path, full=full, present=present)


def _span(days: float) -> str:
    """Say how long something is kept.

    Examples
    --------
    >>> _span(7), _span(1), _span(1830), _span(0.5)
    ('7 days', '1 day', '5 years', '12 hours')
    """
    length, unit = next((one for one in _DAYS if days >= 1.99 * one[0]), _DAYS[-1])
    if days == 1:
        length, unit = 1.0, "day"
    count = round(days / length, 1)
    return f"{count:g} {unit}{'' if count == 1 else 's'}"


def size(count: float) -> str:
    """Write bytes in MB or GB of 10^6 and 10^9.

    Examples
    --------
    >>> size(20e9), size(4.21e9), size(38e6), size(999_700_000)
    ('20 GB', '4.2 GB', '38 MB', '1 GB')
    """
    if count < 999.5e6:
        return f"{count / 1e6:.0f} MB"
    return f"{round(count / 1e9, 1):g} GB"
