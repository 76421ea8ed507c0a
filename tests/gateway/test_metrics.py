"""Figures in the Prometheus text format."""

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Metrics


def values(metrics: Metrics) -> dict[str, float]:
    return {
        sample.name + "".join(sorted(map(str, sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def test_delays_are_counted_by_arrays() -> None:
    metrics = Metrics()
    metrics.figures.verdict.observe(np.array([0.0004, 0.004, 0.004, 99.0]))
    found = values(metrics)
    assert found["wheeltapper_verdict_seconds_bucket0.0005"] == 1
    assert found["wheeltapper_verdict_seconds_bucket0.005"] == 3
    assert found["wheeltapper_verdict_seconds_bucket+Inf"] == 4
    assert found["wheeltapper_verdict_seconds_count"] == 4
    np.testing.assert_allclose(found["wheeltapper_verdict_seconds_sum"], 99.0084)


def test_samples_are_counted_a_source() -> None:
    metrics = Metrics()
    metrics.figures.read("plc", 5000, 0.001)
    metrics.figures.read("plc", 2000, 0.001)
    metrics.figures.read("meter", 7, 0.001)
    found = values(metrics)
    assert found["wheeltapper_samples_totalplc"] == 7000
    assert found["wheeltapper_samples_totalmeter"] == 7
    assert found["wheeltapper_read_seconds_countplc"] == 2
