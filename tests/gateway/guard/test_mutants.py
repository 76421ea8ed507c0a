"""Of the mistakes that can be put into what decides, the tests notice nearly all."""

import json
import subprocess
import sys

import pytest

from tests.gateway.guard.mutants import ROOT
from tests.patience import FULL

EVERY = 1 if FULL else 4
LEAST = 0.95


@pytest.mark.setpointfaults
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("module", ["checks", "lifecycle", "limits", "policy"])
def test_mistakes_are_noticed(module: str, capfd: pytest.CaptureFixture[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tests.gateway.guard.mutants", f"{module}:{EVERY}"],
        check=True, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    found = json.loads(said.stdout)
    killed = found["mutants"] - len(found["left"])
    with capfd.disabled():
        sys.stdout.write(f"\n{module}: {killed} of {found['mutants']} mistakes noticed\n")
    assert killed >= LEAST * found["mutants"], found["left"]
