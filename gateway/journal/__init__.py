"""The journal: every batch, score and event of a gateway, on disk before it counts."""

from gateway.journal.bodies import Kind
from gateway.journal.damage import DamagedRecord, Entry
from gateway.journal.journal import Journal
from gateway.journal.limits import Holding, Limits
from gateway.journal.readers import PINNED, Takes
from gateway.journal.trends import ScoreTrend, Trend
from plant.records import JSON, EventRecord, Record, SampleRecord, ScoreRecord, SummaryRecord

__all__ = [
    "JSON",
    "PINNED",
    "DamagedRecord",
    "Entry",
    "EventRecord",
    "Holding",
    "Journal",
    "Kind",
    "Limits",
    "Record",
    "SampleRecord",
    "ScoreRecord",
    "ScoreTrend",
    "SummaryRecord",
    "Takes",
    "Trend",
]
