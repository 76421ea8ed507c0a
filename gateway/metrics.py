"""The gateway's own figures in the Prometheus text format; no label a tag.

Verdicts are counted a batch at a time, in numpy, so that the figures cost nothing per sample.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

LATENCY_S = np.array(
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
)


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


class Figures(Collector):
    """What the gateway counts while it runs."""

    def __init__(self) -> None:
        self.verdict = Latency()
        self.reads: dict[str, Latency] = {}
        self.samples: dict[str, int] = {}
        self.unscored = 0
        self.losses: dict[str, int] = {}

    def read(self, source: str, samples: int, seconds: float) -> None:
        """Count one batch of a source and how long it was in work here."""
        self.samples[source] = self.samples.get(source, 0) + samples
        self.reads.setdefault(source, Latency()).observe(np.array([seconds]))

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
        yield counted("wheeltapper_gaps", "Times the link of a source was lost", self.losses)
        yield CounterMetricFamily(
            "wheeltapper_unscored_samples", "Samples journalled unscored", value=self.unscored
        )


def counted(name: str, text: str, counts: dict[str, int]) -> CounterMetricFamily:
    """Make a counter with one label, the source."""
    family = CounterMetricFamily(name, text, labels=["source"])
    for source, count in counts.items():
        family.add_metric([source], count)
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
            "last_sample_age_seconds", "Since the source was last heard", "source"
        )
        self.alarms_open = self._gauge("alarms_open", "Alarms not yet closed", "priority")
        self.journal_bytes = self._gauge("journal_bytes", "Size of the journal on disk")
        self.journal_pending = self._gauge("journal_pending_samples", "Samples not yet on disk")

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"wheeltapper_{name}", text, labels, registry=self._registry)

    def text(self) -> bytes:
        """Write all figures down."""
        return generate_latest(self._registry)
