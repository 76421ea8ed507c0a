"""What the journal gives where a record cannot be read back."""

from dataclasses import dataclass
from typing import TypeAlias

from plant.records import Record


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """Stands where a record cannot be read back, so that a loss is never silent."""

    position: int
    reason: str


Entry: TypeAlias = Record | DamagedRecord
"""What `Journal.read` gives; every reader has to say what it does with damage."""
