"""The gateway's own figures in the Prometheus text format; no label a tag.

Verdicts are counted a batch at a time, in numpy, so that the figures cost nothing per sample.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.console.view import SinkRow, SourceRow
from plant.gaps import Gap
from plant.parts import PartVerdict
from plant.samples import Batch

LATENCY_S = np.array(
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
)

SINK_COUNTS: tuple[tuple[Literal["sent", "sent_bytes", "refused", "damaged"], str, str], ...] = (
    ("sent", "wheeltapper_sink_sent_points", "Rows that a sink has taken"),
    ("sent_bytes", "wheeltapper_sink_sent_bytes", "Bytes that this took, where it counts them"),
    ("refused", "wheeltapper_sink_refused_points", "Rows that a sink refused and that are kept"),
    ("damaged", "wheeltapper_sink_damaged_records", "Records that could not be read to be sent"),
)

GAPS_KNOWN = 1000
"""Gaps whose cost is remembered, so that it is counted once."""


class Latency:
    """A histogram of seconds, filled by arrays."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(LATENCY_S) + 1, np.int64)
        self._sum = 0.0

    def observe(self, seconds: NDArray[np.float64]) -> None:
        """Count delays (n,)."""
        slot = np.searchsorted(LATENCY_S, seconds, side="left")
        self._counts += np.bincount(slot, minlength=len(self._counts))
        self._sum += float(seconds.sum())

    def buckets(self) -> list[tuple[str, float]]:
        """Give the cumulative buckets as Prometheus wants them."""
        bounds = [*(f"{bound:g}" for bound in LATENCY_S), "+Inf"]
        total = np.cumsum(self._counts)
        return [(bound, float(count)) for bound, count in zip(bounds, total, strict=True)]

    def total(self) -> float:
        """Sum of all delays, s."""
        return self._sum

    def counts(self) -> NDArray[np.int64]:
        """Give how many delays fell up to each of `LATENCY_S`, and how many beyond, (16,)."""
        return self._counts.copy()


class Figures(Collector):
    """What the gateway counts while it runs."""

    def __init__(self) -> None:
        self.verdict = Latency()
        self.reads: dict[str, Latency] = {}
        self.samples: dict[str, int] = {}
        self.unscored = 0
        self.gaps: dict[str, int] = {}
        self.lost: dict[str, int] = {}
        self.recovered: dict[str, int] = {}
        self.sinks: dict[str, SinkRow] = {}
        self.parts: dict[str, Mapping[PartVerdict, int]] = {}
        self._known: dict[int, int | None] = {}

    def read(self, source: str, samples: int, seconds: float) -> None:
        """Count one batch of a source and how long it was in work here."""
        self.samples[source] = self.samples.get(source, 0) + samples
        self.reads.setdefault(source, Latency()).observe(np.array([seconds]))

    def recover(self, batch: Batch) -> None:
        """Count samples that filled a gap."""
        name = batch.source
        self.recovered[name] = self.recovered.get(name, 0) + len(batch) + len(batch.context)

    def gap(self, gap: Gap) -> None:
        """Count a gap, and what it has cost since it was last told."""
        if gap.id not in self._known:
            self.gaps[gap.source] = self.gaps.get(gap.source, 0) + 1
        before = self._known.get(gap.id) or 0
        self._known[gap.id] = gap.lost
        self.lost[gap.source] = self.lost.get(gap.source, 0) + max(0, (gap.lost or 0) - before)
        while len(self._known) > GAPS_KNOWN:
            del self._known[next(iter(self._known))]

    def collect(self) -> Iterator[Metric]:
        """Give every figure, as prometheus_client asks for them."""
        yield HistogramMetricFamily(
            "wheeltapper_verdict_seconds",
            "Source time to verdict of live samples",
            buckets=self.verdict.buckets(),
            sum_value=self.verdict.total(),
        )
        reads = HistogramMetricFamily(
            "wheeltapper_read_seconds",
            "From a batch's arrival to its verdicts, a batch",
            labels=["source"],
        )
        for source, latency in self.reads.items():
            reads.add_metric([source], latency.buckets(), latency.total())
        yield reads
        yield counted("wheeltapper_samples", "Samples taken in", self.samples)
        yield counted("wheeltapper_gaps", "Gaps entered in the ledger", self.gaps)
        yield counted("wheeltapper_lost_samples", "Samples missing for good", self.lost)
        yield counted("wheeltapper_recovered_samples", "Samples that filled a gap", self.recovered)
        parts = CounterMetricFamily(
            "wheeltapper_parts", "Parts that were judged", labels=["asset", "verdict"]
        )
        for asset, verdicts in self.parts.items():
            for verdict, count in verdicts.items():
                parts.add_metric([asset, str(verdict)], count)
        yield parts
        for key, name, text in SINK_COUNTS:
            counts = {sink: row[key] or 0 for sink, row in self.sinks.items()}
            yield counted(name, text, counts, "sink")
        yield CounterMetricFamily(
            "wheeltapper_unscored_samples", "Samples journalled unscored", value=self.unscored
        )


def counted(
    name: str, text: str, counts: dict[str, int], label: str = "source"
) -> CounterMetricFamily:
    """Make a counter with one label."""
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


class Metrics:
    """The registry of one gateway."""

    def __init__(self) -> None:
        self.figures = Figures()
        self._registry = CollectorRegistry()
        self._registry.register(self.figures)
        ProcessCollector(namespace="wheeltapper", registry=self._registry)
        self.good_ratio = self._gauge("good_ratio", "Share of tags whose value is Good", "source")
        self.sample_age = self._gauge(
            "last_sample_age_seconds", "How old the newest value of a source is", "source"
        )
        self.overdue = self._gauge(
            "overdue_seconds", "How late values of a source come that are there", "source"
        )
        self.certificate_expiry = self._gauge(
            "certificate_expiry_seconds", "Until a certificate of a source is out of date", "source"
        )
        self.alarms_open = self._gauge("alarms_open", "Alarms not yet closed", "priority")
        self.alarms_kept_quiet = self._gauge(
            "alarms_kept_quiet", "Incidents that are kept and not annunciated", "state"
        )
        self.instruments_at_fault = self._gauge(
            "instruments_at_fault", "Sensors of an asset that are not believed", "asset"
        )
        self.sink_up = self._gauge("sink_up", "1 while a sink takes what it is sent", "sink")
        self.sink_unsent = self._gauge(
            "sink_unsent_seconds", "For how long the oldest unsent record has waited", "sink"
        )
        self.sink_backlog = self._gauge("sink_backlog_records", "Records that wait", "sink")
        self.journal_bytes = self._gauge("journal_bytes", "Size of the journal on disk")
        self.journal_pending = self._gauge("journal_pending_samples", "Samples not yet on disk")

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"wheeltapper_{name}", text, labels, registry=self._registry)

    def show(self, row: SourceRow, overdue_s: float) -> None:
        """Take over the present figures of a source."""
        name, age, days = row["name"], row["age_s"], row["certificate_days"]
        self.good_ratio.labels(name).set(row["good_ratio"])
        self.sample_age.labels(name).set(float("nan") if age is None else age)
        self.overdue.labels(name).set(overdue_s)
        if days is not None:
            self.certificate_expiry.labels(name).set(days * 86_400)

    def show_sink(self, row: SinkRow) -> None:
        """Take over the present figures of a sink."""
        name = row["name"]
        self.figures.sinks[name] = row
        self.sink_up.labels(name).set(row["state"] == "up")
        self.sink_unsent.labels(name).set(row["unsent_s"])
        self.sink_backlog.labels(name).set(row["backlog"])

    def text(self) -> bytes:
        """Write all figures down."""
        return generate_latest(self._registry)
