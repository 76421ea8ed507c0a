"""Known faults of a comparison: a list that cannot be meant is refused, not passed over."""

from pathlib import Path

import pytest

from analytics.federation.consolidated import Consolidated
from plant.errors import Misconfigured
from tests.analytics.federation.agreed import ASSET, terms
from tests.analytics.modelfiles.made import header
from wheeltapper.federating.comparing import Comparison, faults_of

HEAD = "gateway,asset,from,to"


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (f"east,{ASSET},2026-11-23T06:00Z,2026-11-23T05:00Z", "'to' does not lie behind 'from'"),
        (f"east,{ASSET},2026-11-23T06:00Z,tomorrow", "tomorrow"),
    ],
)
def test_a_row_that_cannot_be_meant_is_named(tmp_path: Path, row: str, complaint: str) -> None:
    path = tmp_path / "faults.csv"
    path.write_text(f"{HEAD}\n{row}\n")
    with pytest.raises(Misconfigured, match=f"faults.csv:2: .*{complaint}"):
        faults_of(path)


def test_faults_of_a_site_that_there_is_none_of_are_not_passed_over() -> None:
    known = f"east:{ASSET}"
    card = {"learnt": {}, "scored": {}, "modes": [{"mode": 0, "sites": {known: 1}}]}
    model, faults = Consolidated({}, {0: 1.0}), {f"eats:{ASSET}": [(0, 1)]}
    with pytest.raises(Misconfigured, match=f"'eats:{ASSET}' is no site .* as in: {known}"):
        Comparison(terms(), model, header(card=card), faults)
