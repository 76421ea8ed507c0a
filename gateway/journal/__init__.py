"""The journal: every batch, score and event of a gateway, on disk before it counts."""

from gateway.journal.journal import Journal
from gateway.journal.records import (
    JSON,
    DamagedRecord,
    Entry,
    EventRecord,
    Record,
    SampleRecord,
    ScoreRecord,
)
from gateway.journal.trends import ScoreTrend, Trend

__all__ = [
    "JSON",
    "DamagedRecord",
    "Entry",
    "EventRecord",
    "Journal",
    "Record",
    "SampleRecord",
    "ScoreRecord",
    "ScoreTrend",
    "Trend",
]
