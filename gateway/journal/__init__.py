"""The journal: every batch, score and event of a gateway, on disk before it counts."""

from gateway.journal.damage import DamagedRecord, Entry
from gateway.journal.journal import Journal
from gateway.journal.trends import ScoreTrend, Trend
from plant.records import JSON, EventRecord, Record, SampleRecord, ScoreRecord, SummaryRecord

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
    "SummaryRecord",
    "Trend",
]
