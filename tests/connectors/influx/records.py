"""Records to send, and where they are sent."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from connectors.influx.config import InfluxConfig
from connectors.influx.sink import InfluxSink
from plant.records import EventRecord, SampleRecord, ScoreRecord, SummaryRecord
from plant.samples import Batch
from plant.tags import Tag, TagHandle
from tests.parts.stores.servers import asked, posted

S = 1_000_000_000
T0 = 1_700_000_000 * S
"""A whole multiple of 10 s, in 2023."""
HOUR0 = 1_699_999_200 * S
"""A whole hour before it."""


@dataclass(frozen=True)
class Place:
    """A store that keeps line protocol exactly, and answers InfluxQL.

    Parameters
    ----------
    config
        How the product gets there.
    url, database, token
        How a test gets there past the product.
    writing
        Where lines are posted.
    """

    config: InfluxConfig
    url: str
    database: str
    writing: str
    token: str = ""

    def sink(self, tags: list[TagHandle], **changes: object) -> InfluxSink:
        return InfluxSink(self.config.model_copy(update=changes), tags, "edge-1")

    def write(self, lines: str) -> None:
        """Post lines past the sink; the bytes are those given."""
        posted(self.writing, lines.encode(), self.token)

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Ask past the product."""
        return asked(self.url, self.database, query, self.token)


def tags(*names: str, first: int = 0) -> list[TagHandle]:
    return [
        TagHandle(first + i, Tag(name=name, source="plc", address=str(i), unit="mm/s"))
        for i, name in enumerate(names or ("works/hall/line-1/pump-2/flow",))
    ]


def samples(
    tag: list[int], at: list[int], value: list[float], status: list[int] | None = None
) -> SampleRecord:
    n = len(tag)
    batch = Batch(
        source="plc",
        tag=np.array(tag, np.int32),
        at=np.array(at, np.int64),
        value=np.array(value, np.float64),
        status=np.array(status or [0] * n, np.uint32),
        upto=max(at, default=0),
        received=0,
        heard=0,
    )
    return SampleRecord(batch, np.zeros(n, np.uint8))


def summaries(
    start: list[int], every: int, tag: int = 0, seed: int = 0, good: int = 59
) -> SummaryRecord:
    rng = np.random.default_rng(seed)
    n = len(start)
    low, mean, first, last, high = np.sort(rng.normal(20, 5, (5, n)), axis=0)
    values = {"low": low, "high": high, "mean": mean, "first": first, "last": last}
    return SummaryRecord(
        source="plc",
        every=every,
        tag=np.full(n, tag, np.int32),
        start=np.array(start, np.int64),
        count=np.full(n, 60, np.uint32),
        good=np.full(n, good, np.uint32),
        std=rng.uniform(0, 5, n),
        **values,
    )


def scores(at: list[int], flags: list[int], score: list[float]) -> ScoreRecord:
    return ScoreRecord(
        "works/hall/line-1/pump-2",
        np.array(at, np.int64),
        np.array(score, np.float64),
        np.full(len(at), 3.0),
        np.array(flags, np.uint8),
    )


CONTRIBUTION = {
    "signal": "works/hall/line-1/pump-2/vibration",
    "share": 0.7,
    "actual": 7.1,
    "expected": 2.3,
    "low": 1.9,
    "high": 2.7,
    "unit": "mm/s",
    "since": T0,
    "trend": "rising",
}
ALARM: dict[str, Any] = {
    "id": 12,
    "asset": "works/hall/line-1/pump-2",
    "priority": 2,
    "state": "UNACK",
    "beneath": "UNACK",
    "onset": T0 - 60 * S,
    "raised": T0,
    "changed": T0,
    "occurrences": 1,
    "reason": {"score": 9.0, "threshold": 3.0, "contributions": [CONTRIBUTION], "precedents": []},
    "mode": 1,
    "ended": None,
    "actor": "",
    "note": "",
    "feedback": None,
}
GAP: dict[str, Any] = {
    "id": 3,
    "source": "plc",
    "start": T0,
    "stop": T0 + 5 * S,
    "cause": "link",
    "why": 'line 1 said: "no route",\nthen nothing',
    "republished": 2,
    "history": 3,
    "lost": None,
    "estimated": False,
}


def events() -> list[EventRecord]:
    """One of each kind that is kept, and one that is not."""
    return [
        EventRecord("alarm", T0, ALARM),
        EventRecord("gap", T0 + 5 * S, GAP),
        EventRecord("state", T0, {"asset": ALARM["asset"], "ne107": 3, "machine": 1, "mode": 2}),
        EventRecord("gateway", T0, {"journal_bytes": 10, "rss_mb": 51.5, "version": "0.1"}),
        EventRecord("context", T0, {"tag": 0, "text": 'batch "7"', "status": 0}),
        EventRecord("link", T0, {"source": "plc", "state": "up", "why": ""}),
    ]
