"""Assets: the machines that are judged, each with its signals (ISA-95 equipment)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from plant.tags import Role, Tag


class Health(IntEnum):
    """State of an asset (NAMUR NE 107; OPC 10000-100 DeviceHealthEnumeration but for the last)."""

    NORMAL = 0
    FAILURE = 1
    """F: an incident of the highest priority stands."""
    CHECK_FUNCTION = 2
    """C: it is being worked on, and its alarms are suppressed."""
    OFF_SPEC = 3
    """S: an incident stands; it runs outside of what is normal for it."""
    MAINTENANCE_REQUIRED = 4
    """M: an incident of the lowest priority stands; it runs, and wants a look before long."""
    CANNOT_JUDGE = 5
    """Not read, still learning, or benched. Never shown as normal."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One machine: its path, the names of the tags that describe it, and what its modes are called.

    `modes` pairs numbers of the mode tag with words for people.
    """

    path: str
    signals: tuple[str, ...]
    mode: str | None = None
    trigger: str | None = None
    part: str | None = None
    modes: tuple[tuple[int, str], ...] = ()

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]

    def mode_name(self, mode: int) -> str:
        """Name an operating mode: the plant's word for it, or its number."""
        return dict(self.modes).get(mode, f"mode {mode}")


def asset_of(path: str, tags: Iterable[Tag], modes: Iterable[tuple[int, str]] = ()) -> Asset:
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
        modes=tuple(modes),
    )
