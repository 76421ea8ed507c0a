"""Tags: the named values of a plant, and how they are addressed, scaled and used."""

import re
from dataclasses import dataclass
from enum import StrEnum

TAG_NAME = re.compile(r"^[A-Za-z0-9_.:/-]{1,128}$")


class Role(StrEnum):
    """What a tag is for."""

    SIGNAL = "signal"
    """A measurement that monitors and detectors judge."""
    MODE = "mode"
    """The operating mode as a whole number; detectors keep one baseline a mode."""
    TRIGGER = "trigger"
    """Opens a cycle at 1 and closes it at 0."""
    PART = "part"
    """The number of the part, batch or recipe step in work."""
    CONTEXT = "context"
    """Stored and shown, never judged."""


class ValueType(StrEnum):
    """How a value is encoded at its source."""

    BOOL = "bool"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    TEXT = "text"
    """Travels as a context event, never as a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One named value.

    Parameters
    ----------
    name
        ISA-95 path ``site/area/line/asset/signal``; matches `TAG_NAME`.
    source
        Name of the configured source that delivers it.
    address
        The address in the protocol's own words.
    type
        Encoding at the source; ``None`` means what the server declares.
    unit
        UCUM code of the engineering value.
    scale, offset
        Engineering value = raw value · scale + offset.
    deadband
        Smallest change that matters, in the engineering unit.
    role
        What the tag is for.
    low, high
        Engineering limits of a plausible value, or ``None``.
    description
        For people.
    """

    name: str
    source: str
    address: str
    type: ValueType | None = None
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    deadband: float = 0.0
    role: Role = Role.SIGNAL
    low: float | None = None
    high: float | None = None
    description: str = ""

    @property
    def asset(self) -> str:
        """Path of the asset it belongs to: all but the last part of the name."""
        return self.name.rpartition("/")[0]

    @property
    def signal(self) -> str:
        """Name of the signal within its asset: the last part of the name."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class TagHandle:
    """A tag together with the number that stands for it in batches; numbers are never reused.

    One that is `retired` is no longer configured: what was recorded of it still bears its number.
    Of its tag name, source, address, unit and scaling are known, and nothing else.
    """

    handle: int
    tag: Tag
    retired: bool = False
