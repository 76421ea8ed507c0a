"""Assets: the machines that are judged, each with its signals (ISA-95 equipment)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from plant.tags import Role, Tag


class Health(IntEnum):
    """State of an asset (NAMUR NE 107; OPC 10000-100 DeviceHealthEnumeration)."""

    NORMAL = 0
    FAILURE = 1
    CHECK_FUNCTION = 2
    """Cannot be judged: not read, or still learning. Never shown as normal."""
    OFF_SPEC = 3
    MAINTENANCE_REQUIRED = 4


@dataclass(frozen=True, slots=True)
class Asset:
    """One machine: its path and the names of the tags that describe it."""

    path: str
    signals: tuple[str, ...]
    mode: str | None = None
    trigger: str | None = None
    part: str | None = None

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]


def asset_of(path: str, tags: Iterable[Tag]) -> Asset:
    """Gather the tags directly below `path` into an `Asset`, in the order given."""
    own = [tag for tag in tags if tag.asset == path]

    def first(role: Role) -> str | None:
        return next((tag.name for tag in own if tag.role is role), None)

    return Asset(
        path=path,
        signals=tuple(tag.name for tag in own if tag.role is Role.SIGNAL),
        mode=first(Role.MODE),
        trigger=first(Role.TRIGGER),
        part=first(Role.PART),
    )
