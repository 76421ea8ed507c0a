"""What a person may say about an embedded history."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from plant.summaries import HOUR, MINUTE, TEN_SECONDS

DAY_NS = 24 * HOUR
WINDOW_BYTES = 36
"""Of one window in the file, its share of pages and indexes included: 33 to 37 were measured, as
``python -m bench.history`` does."""


class SqliteConfig(BaseModel):
    """One file that keeps the windows of every tag.

    Parameters
    ----------
    name
        Name of the sink.
    file
        Where it lies; a relative path is one within the gateway's data folder.
    days_10s, days_1m, days_1h
        How long windows of each length are kept, days.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    type: Literal["sqlite"] = "sqlite"
    name: str = Field(default="history", min_length=1)
    file: Path = Path("history.db")
    days_10s: float = Field(default=7, gt=0, le=36_500)
    days_1m: float = Field(default=92, gt=0, le=36_500)
    days_1h: float = Field(default=1830, gt=0, le=36_500)

    @property
    def kept_ns(self) -> dict[int, int]:
        """How long windows are kept, ns, by their length, ns."""
        return {
            TEN_SECONDS: round(self.days_10s * DAY_NS),
            MINUTE: round(self.days_1m * DAY_NS),
            HOUR: round(self.days_1h * DAY_NS),
        }

    @property
    def bytes_a_tag(self) -> int:
        """Bytes of a tag that always delivers, once it is full."""
        return sum(kept // every for every, kept in self.kept_ns.items()) * WINDOW_BYTES
