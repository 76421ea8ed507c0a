"""What a person may say about one recording."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LateRows = Literal["refuse", "drop"]
"""What to do with rows whose time lies before that of a row above."""


class ReplayConfig(BaseModel):
    """One CSV file that is read as if it happened now.

    Parameters
    ----------
    name
        Name of the source; tags refer to it. A tag's address is the name of its column.
    file
        The CSV file, plain or gzipped.
    speed
        How many times faster than it was recorded; 0 is as fast as possible.
    labels
        Columns that say what was wrong when; drawn, never delivered.
    time
        Name of the time column.
    late_rows
        ``"refuse"`` stops at a row whose time lies before that of a row above, ``"drop"`` leaves
        such rows out (a clock that was set back).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["replay"] = "replay"
    name: str = Field(min_length=1)
    file: Path
    speed: float = Field(default=1.0, ge=0.0, le=1e6, allow_inf_nan=False)
    labels: tuple[str, ...] = ()
    time: str = Field(default="time", min_length=1)
    late_rows: LateRows = "refuse"
