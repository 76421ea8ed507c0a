"""Every detector runs the whole contract suite, and the suite catches detectors that break it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from river.anomaly import HalfSpaceTrees, OneClassSVM

from analytics import checks
from analytics.checks import CHECKS, Check, Factory
from analytics.contract import Detector
from analytics.detectors.forest import HalfSpaceForest
from analytics.detectors.two_statistic import TwoStatistic

DETECTORS: dict[str, Factory] = {
    "two_statistic": lambda signals, seed: TwoStatistic(signals),
    "forest": lambda signals, seed: HalfSpaceForest(signals, seed=seed),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("detector", DETECTORS)
def test_detector_keeps_the_contract(detector: str, check: Check) -> None:
    check(DETECTORS[detector])


@pytest.mark.parametrize("stock", [HalfSpaceTrees, OneClassSVM])
def test_stock_river_detectors_fit_without_an_adapter(stock: Callable[[], Any]) -> None:
    assert isinstance(stock(), Detector)


class _Peeking(TwoStatistic):
    """Learns while it scores."""

    def score_rows(self, rows: Any) -> Any:
        self.learn_rows(rows)
        return super().score_rows(rows)


class _Forgetful(TwoStatistic):
    """Restores without its centre."""

    @classmethod
    def restore(cls, state: Any) -> Any:
        return super().restore({**state, "centre": np.zeros_like(state["centre"])})


class _Hoarding(TwoStatistic):
    """Keeps every row; says nothing of what it is given."""

    def __init__(self, signals: Sequence[str]) -> None:
        super().__init__(signals)
        self.hoard: list[Any] = []

    def learn_row(self, row: Any) -> None:
        self.hoard.append(row)
        super().learn_row(row)

    def state(self) -> Any:
        return {**super().state(), "hoard": np.array(self.hoard)}


class _Upside(TwoStatistic):
    """Calls the normal strange."""

    def score_one(self, x: Any) -> float:
        return -super().score_one(x)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (_Peeking, checks.check_scoring_is_pure),
        (_Forgetful, checks.check_state_round_trip),
        (_Hoarding, checks.check_memory_is_bounded),
        (_Hoarding, checks.check_parameters_documented),
        (_Upside, checks.check_finds_faults),
        (_Upside, checks.check_rows_equal_ones),
    ],
)
def test_suite_catches(broken: Callable[[Any], Any], check: Check) -> None:
    with pytest.raises(AssertionError):
        check(lambda signals, seed: broken(signals))
