"""Figures in the Prometheus text format."""

from typing import Any

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Metrics
from plant.gaps import Gap, GapCause
from plant.parts import PartVerdict


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


def gap(number: int, lost: int | None) -> Gap:
    return Gap(id=number, source="plc", start=1, cause=GapCause.LINK, why="", stop=2, lost=lost)


def test_a_gap_is_counted_once_and_so_is_what_it_cost() -> None:
    metrics = Metrics()
    for told in (gap(1, None), gap(1, 5), gap(1, 5), gap(1, 8), gap(2, 0)):
        metrics.figures.gap(told)
    found = values(metrics)
    assert found["wheeltapper_gaps_totalplc"] == 2
    assert found["wheeltapper_lost_samples_totalplc"] == 8


def test_present_figures_of_a_source() -> None:
    metrics = Metrics()
    row: Any = {"name": "plc", "age_s": 0.5, "certificate_days": 2.0, "good_ratio": 0.75}
    metrics.show(row, 7.0)
    metrics.show({**row, "name": "meter", "age_s": None, "certificate_days": None}, 0.0)
    found = values(metrics)
    assert found["wheeltapper_last_sample_age_secondsplc"] == 0.5
    assert found["wheeltapper_certificate_expiry_secondsplc"] == 172_800
    assert found["wheeltapper_overdue_secondsplc"] == 7
    assert np.isnan(found["wheeltapper_last_sample_age_secondsmeter"])
    assert "wheeltapper_certificate_expiry_secondsmeter" not in found


def test_present_figures_of_a_sink() -> None:
    metrics = Metrics()
    row: Any = {"name": "central", "state": "down", "unsent_s": 61.0, "backlog": 7}
    counts = {"sent": 90, "sent_bytes": None, "refused": 2, "damaged": 1}
    metrics.show_sink({**row, **counts})
    metrics.show_sink({**row, **counts, "name": "history", "state": "up"})
    found = values(metrics)
    assert found["wheeltapper_sink_upcentral"] == 0
    assert found["wheeltapper_sink_uphistory"] == 1
    assert found["wheeltapper_sink_unsent_secondscentral"] == 61
    assert found["wheeltapper_sink_backlog_recordscentral"] == 7
    assert found["wheeltapper_sink_sent_points_totalcentral"] == 90
    assert found["wheeltapper_sink_refused_points_totalcentral"] == 2
    assert found["wheeltapper_sink_damaged_records_totalcentral"] == 1


def test_parts_are_counted_by_machine_and_verdict() -> None:
    metrics = Metrics()
    metrics.figures.parts["s/a/l/press-1"] = {PartVerdict.GOOD: 40, PartVerdict.SUSPECT: 2}
    found = values(metrics)
    assert found["wheeltapper_parts_totalgoods/a/l/press-1"] == 40
    assert found["wheeltapper_parts_totals/a/l/press-1suspect"] == 2
