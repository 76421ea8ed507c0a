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
