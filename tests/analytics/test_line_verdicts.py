"""The whole of detection on the simulated line: the right machine, the right signal, and silence.

The generator is read at full speed: four healthy hours to learn from, then a fault of each of
four seeds (twenty with FULL=1), or four more healthy hours of two of them (eight with FULL=1:
half an asset-week). The budget of one false alarm an asset-week is held against them as chance
would have it; `make weeks` holds it against twelve asset-weeks.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.watch import Transition, Watch, WatchSettings
from connectors.simulated.line import SimulatedLine
from plant.alarms import AlarmAction
from plant.assets import asset_of
from tests.patience import FULL

pytestmark = pytest.mark.timeout(480)  # the first one learns for all
HOUR = 3600
LEARN = 4 * HOUR
SECOND = 10**9
START = 1_700_000_000 * SECOND
SETTINGS = WatchSettings(learn_rows=LEARN)
SEEDS = range(20 if FULL else 4)
HEALTHY, BY_CHANCE = (8, 2) if FULL else (2, 1)
"""So many seeds, and more false alarms come by chance in 2 of 100 cases at most."""


class WatchedAsset:
    """One machine of the line under watch."""

    def __init__(self, line: SimulatedLine, path: str) -> None:
        names = [tag.name for tag in line.tags]
        asset = asset_of(path, line.tags)
        self.path = path
        self._columns = [names.index(name) for name in asset.signals]
        self._mode = names.index(str(asset.mode))
        units = [line.tags[column].unit for column in self._columns]
        self.watch = Watch(asset.signals, units, SETTINGS)

    def read(self, at: NDArray[np.int64], values: NDArray[np.float64]) -> tuple[Transition, ...]:
        mode = values[:, self._mode].astype(np.int64)
        return self.watch.judge(at, values[:, self._columns], mode).transitions


class WatchedLine:
    """All machines of a line under watch, and what was told of them."""

    def __init__(self, seed: int, fault: str) -> None:
        self._line = SimulatedLine(seed, fault=fault, start=START, live_from=LEARN)
        self._assets = [WatchedAsset(self._line, path) for path in self._line.asset_paths]
        self.fault = self._line.fault
        self.transitions: list[tuple[str, Transition]] = []

    def read(self, begin: int, end: int) -> None:
        """Judge the rows from `begin` to `end`."""
        for first in range(begin, end, 1200):
            values = self._line.values(first, min(1200, end - first))
            at = START + (first + np.arange(len(values), dtype=np.int64)) * SECOND
            for asset in self._assets:
                self.transitions += [(asset.path, each) for each in asset.read(at, values)]

    def go_on_from(self, other: "WatchedLine") -> None:
        """Take over what was learnt and told there."""
        self.transitions = other.transitions.copy()
        for own, its in zip(self._assets, other._assets, strict=True):
            own.watch.restore({name: each.copy() for name, each in its.watch.state().items()})

    def raised(self) -> list[tuple[str, Transition]]:
        return [told for told in self.transitions if told[1].action is AlarmAction.RAISE]


def learnt_from(seed: int) -> WatchedLine:
    watched = WatchedLine(seed, "none")
    watched.read(0, LEARN)
    return watched


@pytest.fixture(scope="module")
def learnt() -> dict[int, WatchedLine]:
    """Each line as it was learnt: until its fault begins a line equals its healthy twin."""
    return {seed: learnt_from(seed) for seed in SEEDS}


@pytest.fixture(scope="module")
def verdicts(learnt: dict[int, WatchedLine]) -> dict[int, WatchedLine]:
    told = {seed: WatchedLine(seed, "random") for seed in SEEDS}
    for seed, watched in told.items():
        watched.go_on_from(learnt[seed])
        watched.read(LEARN, LEARN + 300)
    return told


@pytest.mark.parametrize("seed", SEEDS)
def test_fault_raises_one_alarm_on_its_own_asset_in_time(
    verdicts: dict[int, WatchedLine], seed: int
) -> None:
    fault = verdicts[seed].fault
    assert fault is not None
    (raised,) = [told for asset, told in verdicts[seed].raised() if asset == fault.asset]
    assert 0 < raised.at - fault.onset <= 60 * SECOND


def test_machines_without_a_fault_stay_quiet(verdicts: dict[int, WatchedLine]) -> None:
    wrong = [
        asset
        for verdict in verdicts.values()
        for asset, _ in verdict.raised()
        if verdict.fault is not None and asset != verdict.fault.asset
    ]
    assert len(wrong) <= 1


def test_first_contributor_is_a_true_culprit(verdicts: dict[int, WatchedLine]) -> None:
    right = [
        raised.reason.contributions[0].signal in verdict.fault.culprits
        for verdict in verdicts.values()
        for asset, raised in verdict.raised()
        if verdict.fault is not None and asset == verdict.fault.asset
    ]
    assert sum(right) >= 0.9 * len(SEEDS)


def test_onset_is_estimated_near_the_truth(verdicts: dict[int, WatchedLine]) -> None:
    away = [
        abs(raised.onset - verdict.fault.onset) / SECOND
        for verdict in verdicts.values()
        for asset, raised in verdict.raised()
        if verdict.fault is not None and asset == verdict.fault.asset
    ]
    assert max(away) <= 30
    assert np.median(away) <= 20


def test_shares_sum_to_one_at_most(verdicts: dict[int, WatchedLine]) -> None:
    for verdict in verdicts.values():
        for _, told in verdict.transitions:
            shares = [part.share for part in told.reason.contributions]
            assert sum(shares) <= 1 + 1e-9
            assert shares == sorted(shares, reverse=True)


def test_healthy_hours_keep_the_alarm_budget(learnt: dict[int, WatchedLine]) -> None:
    raised = []
    for seed in range(HEALTHY):
        watched = WatchedLine(seed, "none")
        watched.go_on_from(learnt[seed])
        watched.read(LEARN, LEARN + 4 * HOUR)
        raised += watched.raised()
    assert len(raised) <= BY_CHANCE
