"""What a person may say about an embedded history."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from plant.summaries import HOUR, MINUTE, TEN_SECONDS

DAY_NS = 24 * HOUR


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
    days_10s: float = Field(default=30, gt=0, le=36_500)
    days_1m: float = Field(default=366, gt=0, le=36_500)
    days_1h: float = Field(default=3660, gt=0, le=36_500)

    @property
    def kept_ns(self) -> dict[int, int]:
        """How long windows are kept, ns, by their length, ns."""
        return {
            TEN_SECONDS: round(self.days_10s * DAY_NS),
            MINUTE: round(self.days_1m * DAY_NS),
            HOUR: round(self.days_1h * DAY_NS),
        }
