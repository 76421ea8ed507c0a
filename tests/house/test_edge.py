"""What a gateway imports: nothing that only training needs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OFFLINE = ("sklearn", "joblib", "dask", "distributed", "threadpoolctl", "analytics.training")
SEEN = "import sys; import {}; print(*(name for name in {!r} if name in sys.modules))"


def imported(module: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SEEN.format(module, OFFLINE)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.parametrize("module", ["gateway.runtime", "gateway.entry", "analytics.modelfiles"])
def test_a_gateway_imports_nothing_of_training(module: str) -> None:
    assert imported(module) == []


def test_the_search_finds_what_it_looks_for() -> None:
    assert {"sklearn", "analytics.training"} <= set(imported("analytics.training.training"))
