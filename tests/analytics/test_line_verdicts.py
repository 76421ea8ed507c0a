"""The whole of detection on the simulated line: the right machine, the right signal, and silence.

The generator is read at full speed: four healthy hours to learn from, then a fault of each of
twenty seeds, or four more healthy hours of six of them. Fewer healthy hours, to keep the run short:
these are hours of silence, not a rate of false alarms.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.watch import Transition, Watch, WatchSettings
from connectors.simulated.faults import Fault
from connectors.simulated.line import SimulatedLine
from plant.alarms import AlarmAction
from plant.assets import asset_of

HOUR = 3600
LEARN = 4 * HOUR
SECOND = 10**9
START = 1_700_000_000 * SECOND
SETTINGS = WatchSettings(learn_rows=LEARN)


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


@dataclass(frozen=True)
class Verdict:
    fault: Fault | None
    transitions: tuple[tuple[str, Transition], ...]

    def raised(self) -> list[tuple[str, Transition]]:
        return [told for told in self.transitions if told[1].action is AlarmAction.RAISE]


def watched(seed: int, fault: str, rows: int) -> Verdict:
    line = SimulatedLine(seed, fault=fault, start=START, live_from=LEARN)
    assets = [WatchedAsset(line, path) for path in line.asset_paths]
    told = []
    for first in range(0, rows, 1200):
        values = line.values(first, min(1200, rows - first))
        at = START + (first + np.arange(len(values), dtype=np.int64)) * SECOND
        for asset in assets:
            told += [(asset.path, each) for each in asset.read(at, values)]
    return Verdict(line.fault, tuple(told))


@pytest.fixture(scope="module")
def verdicts() -> dict[int, Verdict]:
    return {seed: watched(seed, "random", LEARN + 300) for seed in range(20)}


@pytest.mark.parametrize("seed", range(20))
def test_fault_raises_one_alarm_on_its_own_asset_in_time(
    verdicts: dict[int, Verdict], seed: int
) -> None:
    fault = verdicts[seed].fault
    ((asset, raised),) = verdicts[seed].raised()
    assert fault is not None
    assert (asset, raised.action) == (fault.asset, AlarmAction.RAISE)
    assert 0 < raised.at - fault.onset <= 60 * SECOND


def test_first_contributor_is_a_true_culprit(verdicts: dict[int, Verdict]) -> None:
    right = [
        raised.reason.contributions[0].signal in verdict.fault.culprits
        for verdict in verdicts.values()
        for _, raised in verdict.raised()
        if verdict.fault is not None
    ]
    assert sum(right) >= 18


def test_onset_is_estimated_near_the_truth(verdicts: dict[int, Verdict]) -> None:
    away = [
        abs(raised.onset - verdict.fault.onset) / SECOND
        for verdict in verdicts.values()
        for _, raised in verdict.raised()
        if verdict.fault is not None
    ]
    assert max(away) <= 30
    assert np.median(away) <= 15


def test_shares_sum_to_one_at_most(verdicts: dict[int, Verdict]) -> None:
    for verdict in verdicts.values():
        for _, told in verdict.transitions:
            shares = [part.share for part in told.reason.contributions]
            assert sum(shares) <= 1 + 1e-9
            assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("seed", [0, 4, 8, 12, 16, 19])
def test_four_healthy_hours_raise_nothing(seed: int) -> None:
    assert watched(seed, "none", LEARN + 4 * HOUR).transitions == ()
