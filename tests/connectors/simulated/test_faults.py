"""Each fault strikes its culprits, strongest first, and nothing else."""

import numpy as np
import pytest

from connectors.simulated.faults import KINDS
from connectors.simulated.line import PERIOD, SimulatedLine
from plant.tags import Role

LIVE = 2 * 3600


def twins(seed: int, kind: str) -> tuple[SimulatedLine, SimulatedLine, int]:
    """Give the struck line, its healthy twin and the row of the onset."""
    struck = SimulatedLine(seed, fault=kind, start=0, live_from=LIVE)
    twin = SimulatedLine(seed, fault="none", start=0, live_from=LIVE)
    assert struck.fault is not None
    return struck, twin, struck.fault.onset // PERIOD


@pytest.mark.parametrize("seed", [1, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_culprits_leave_their_normal_within_a_minute_and_in_order(kind: str, seed: int) -> None:
    struck, twin, onset = twins(seed, kind)
    assert struck.fault is not None
    names = [tag.name for tag in struck.tags]
    healthy = twin.values(0, onset)
    running = healthy[:, names.index(f"{struck.fault.asset}/mode")] == 1
    spread = healthy[running].std(0)
    change = np.abs(struck.values(onset + 50, 10) - twin.values(onset + 50, 10)).mean(0)
    culprits = [names.index(name) for name in struck.fault.culprits]
    sizes = change[culprits] / spread[culprits]
    assert (sizes >= 3.0).all(), sizes
    assert (np.diff(sizes) < 0).all(), sizes


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_else_changes_and_nothing_before_the_onset(kind: str) -> None:
    struck, twin, onset = twins(3, kind)
    assert struck.fault is not None
    others = [i for i, tag in enumerate(struck.tags) if tag.name not in struck.fault.culprits]
    ill, well = (line.values(0, onset + 600) for line in (struck, twin))
    np.testing.assert_array_equal(ill[:, others], well[:, others])
    np.testing.assert_array_equal(ill[: onset + 1], well[: onset + 1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_persists(kind: str) -> None:
    struck, twin, onset = twins(2, kind)
    assert struck.fault is not None
    names = [tag.name for tag in struck.tags]
    worst = names.index(struck.fault.culprits[0])
    mode = names.index(f"{struck.fault.asset}/mode")
    rows, calm = struck.values(onset, 3600), twin.values(onset, 3600)
    late = (np.arange(3600) > 60) & (rows[:, mode] == 1)
    change = np.abs(rows - calm)[late, worst]
    assert change.min() > 0.5 * change.max() > 0


def test_worn_bearing_vibrates_three_times_its_normal() -> None:
    struck, twin, onset = twins(1, "bearing_wear")
    assert struck.fault is not None
    vibration = [tag.name for tag in struck.tags].index(struck.fault.culprits[0])
    ratio = struck.values(onset + 50, 20)[:, vibration] / twin.values(onset + 50, 20)[:, vibration]
    assert ratio.mean() == pytest.approx(3.0, rel=0.1)


def test_culprits_are_signals_of_the_struck_machine() -> None:
    for seed in range(40):
        line = SimulatedLine(seed, start=0)
        assert line.fault is not None
        roles = {tag.name: tag.role for tag in line.tags}
        assert {roles[name] for name in line.fault.culprits} == {Role.SIGNAL}
        assert all(name.startswith(f"{line.fault.asset}/") for name in line.fault.culprits)


def test_seeds_reach_every_machine_and_every_kind() -> None:
    faults = [SimulatedLine(seed, start=0).fault for seed in range(150)]
    assert {fault.kind for fault in faults if fault} == set(KINDS)
    assert len({fault.asset for fault in faults if fault}) == 3


def test_a_healthy_line_has_no_fault() -> None:
    assert SimulatedLine(1, fault="none", start=0).fault is None


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'rust' is unknown; choose random, none, bearing_wear"):
        SimulatedLine(1, fault="rust", start=0)
