"""Whatever happens in whatever order, no write is outside what was signed."""

import sys
from pathlib import Path

import pytest

from tests.gateway.guard.rig import LIMITS
from tests.gateway.guard.sequences import many
from tests.patience import FULL

TWO = LIMITS.replace("persons = 1", "persons = 2")
QUICK, LONG = 400, 1_000_000 if FULL else 30_000


@pytest.mark.parametrize("text", [LIMITS, TWO], ids=["one person", "two people"])
def test_no_sequence_writes_what_was_not_signed(tmp_path: Path, text: str) -> None:
    outcome = many(tmp_path, QUICK, text, steps=30)
    assert outcome.broken == []
    assert outcome.writes > 15
    assert len(outcome.seen) > 12


@pytest.mark.setpointfaults
@pytest.mark.timeout(36_000)
def test_a_great_many_sequences(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = many(tmp_path, LONG, LIMITS, first=10**6, steps=12)
    with capfd.disabled():
        sys.stdout.write(
            f"\n{outcome.sequences:,} sequences of {outcome.steps:,} steps, {outcome.writes:,} "
            f"writes, {len(outcome.broken)} outside what was signed; {dict(outcome.seen)}\n"
        )
    assert outcome.broken == []
    assert outcome.writes > LONG / 100
