"""Sensors told from machines on generated plants: what counts as right, and what as wrong."""

import numpy as np
import pytest

from analytics.evaluation.sensors import KINDS, MACHINES, SENSORS, instrumented, told
from tests.patience import FULL

PLANTS = 3 if FULL else 2


@pytest.mark.parametrize("kind", ["stuck", "dropped out", "saturated", "no value"])
def test_plain_fault_of_a_sensor_is_named_right_and_the_machine_is_not_blamed(kind: str) -> None:
    found = told(kind, 8, range(PLANTS))
    assert (found.plants, found.right, found.elsewhere) == (PLANTS, PLANTS, 0)
    assert (found.named, found.standing) == ({str(SENSORS[kind][0]): PLANTS}, 0)


@pytest.mark.parametrize("kind", ["several signals", "stop"])
def test_fault_of_the_machine_is_alarmed_and_called_nobodys(kind: str) -> None:
    found = told(kind, 8, range(PLANTS))
    assert (found.alarmed, found.right, found.elsewhere, found.named) == (PLANTS, 0, 0, {})


def test_healthy_plants_name_nobody() -> None:
    found = told("healthy", 8, range(PLANTS))
    assert (found.elsewhere, found.right) == (0, 0)


def test_kinds_have_one_name_each() -> None:
    assert len(KINDS) == 1 + len(SENSORS) + len(MACHINES) == len(set(KINDS))


def test_plant_has_levels_units_and_rounding() -> None:
    rows, units = instrumented(np.random.default_rng(0), 30, 300)
    assert set(units) == {"bar", "Cel", "A"}
    assert abs(rows).min() > 5, "a zero is far from every level"
    steps = [len(np.unique(column)) for column in rows.T]
    assert min(steps) < 60 < 300 == max(steps)
