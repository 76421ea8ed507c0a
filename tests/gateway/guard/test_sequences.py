"""Whatever happens in whatever order, no write is outside what was signed."""

import sys

import pytest

from gateway.guard.checks import CHECKS
from plant.setpoints import State
from tests.gateway.guard.rig import LIMITS
from tests.gateway.guard.sequences import FIRST, STEPS, many
from tests.patience import FULL

TWO = LIMITS.replace("persons = 1", "persons = 2")
QUICK, LONG = 400, 1_000_000 if FULL else 30_000


@pytest.mark.parametrize("text", [LIMITS, TWO], ids=["one person", "two people"])
def test_no_sequence_writes_what_was_not_signed(text: str) -> None:
    outcome = many(QUICK, text, steps=30)
    assert outcome.broken == []
    assert outcome.writes > 15
    assert set(outcome.rejecting) == set(range(1, len(CHECKS) + 1))
    assert set(outcome.reached) == set(State)


@pytest.mark.setpointfaults
@pytest.mark.timeout(36_000)
def test_a_great_many_sequences(capfd: pytest.CaptureFixture[str]) -> None:
    outcome = many(LONG, LIMITS, first=FIRST, steps=STEPS)
    with capfd.disabled():
        sys.stdout.write(f"\n{outcome.words()}; {dict(outcome.seen)}\n")
    assert outcome.broken == []
    assert outcome.writes > LONG / 20
    assert set(outcome.rejecting) == set(range(1, len(CHECKS) + 1))
    assert set(outcome.reached) == set(State)
