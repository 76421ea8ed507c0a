"""The centre: the merged model is the central one, and nothing is published of too few."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.federation.centre import collect, limited, merged, origin
from analytics.federation.consolidated import Consolidated
from analytics.federation.contribution import enough, scores_of
from analytics.federation.messages import write_contribution
from analytics.federation.refusals import Refused, Why
from analytics.federation.rows import Rows
from analytics.federation.sketch import Sketch
from analytics.federation.statistics import Statistics
from tests.analytics.federation.agreed import (
    ASSET,
    KEYS,
    RUN,
    SITES,
    contribution,
    healthy,
    message,
    rows_of,
    terms,
)

PLAN = terms()
LOADS = dict(zip(SITES, (0.2, 0.5, 0.8, 0.6), strict=True))
OWN = {site: healthy(place, LOADS[site]) for place, site in enumerate(SITES)}
FILES = {f"{site}.wtm": message(site, OWN[site], PLAN) for site in SITES}
POOLED = np.concatenate(list(OWN.values()))
ALL = {RUN: frozenset(f"{site}:{ASSET}" for site in SITES)}


def test_merged_model_is_the_central_one_to_a_billionth() -> None:
    model = merged(collect(FILES.items(), PLAN).statistics, PLAN).model
    central = Consolidated.of({RUN: Statistics.of(POOLED)}, PLAN)
    judged = healthy(99, 0.4)
    judged[::5] += (5.0, -0.5, 2.0)
    mode = np.full(len(judged), RUN)
    apart = model.scores(judged, mode) / central.scores(judged, mode) - 1
    assert np.abs(apart).max() < 1e-9
    for one, other in zip(
        model.detectors[RUN].state().values(), central.detectors[RUN].state().values(), strict=True
    ):
        assert one.dtype.kind != "f" or np.allclose(one, other, rtol=1e-9, atol=1e-12)


@settings(max_examples=6, deadline=None)
@given(st.permutations(sorted(FILES)))
def test_order_of_the_files_does_not_change_a_bit(order: list[str]) -> None:
    one = collect(((name, FILES[name]) for name in order), PLAN)
    state = merged(one.statistics, PLAN).model.state()
    usual = merged(collect(FILES.items(), PLAN).statistics, PLAN).model.state()
    assert {name: each.tobytes() for name, each in state.items()} == {
        name: each.tobytes() for name, each in usual.items()
    }
    assert origin(one.taken) == origin(collect(FILES.items(), PLAN).taken)


def test_limits_are_those_of_the_pooled_scores() -> None:
    model = merged(collect(FILES.items(), PLAN).statistics, PLAN).model
    told = [
        contribution(site, rows_of(healthy(50 + n, LOADS[site]), 10), PLAN, model=model, sha256="a")
        for n, site in enumerate(SITES)
    ]
    whole, counts = limited(model, told, PLAN, ALL)
    pooled = np.concatenate([healthy(50 + n, LOADS[site]) for n, site in enumerate(SITES)])
    scores = model.scores(pooled, np.full(len(pooled), RUN))
    assert counts == {RUN: len(pooled)}
    assert whole.limits[RUN] == Sketch.of(scores).quantile(1 - PLAN.false_share)
    assert abs(whole.limits[RUN] / np.quantile(scores, 0.999) - 1) < 0.02
    assert whole.complete
    assert (whole.judge(pooled, np.full(len(pooled), RUN)) > 1).mean() < 0.002
    assert (whole.judge(pooled, np.full(len(pooled), 0)) == 0).all()


def test_a_fault_is_beyond_and_the_culprit_told() -> None:
    model = Consolidated.of({RUN: Statistics.of(POOLED)}, PLAN)
    mode = np.full(3000, RUN)
    whole = model.limited(model.sketches(healthy(7), mode), PLAN.false_share)
    struck = healthy(8)
    struck[:, 1] -= 1.0
    assert (whole.judge(struck, mode) > 1).mean() > 0.99
    assert whole.contributions(struck, mode).mean(axis=0).argmax() == 1


def test_a_file_that_comes_twice_counts_once() -> None:
    found = collect([*FILES.items(), ("again.wtm", FILES["north.wtm"])], PLAN)
    assert len(found.taken) == 4
    assert found.turned == []


def test_overlapping_windows_are_refused() -> None:
    later = message("north", healthy(9, 0.2), PLAN, hour=4)
    found = collect([("a-later.wtm", later), *FILES.items()], PLAN)
    (turned,) = found.turned
    assert (turned.file, turned.why) == ("a-later.wtm", Why.OVERLAP)
    apart = message("north", healthy(9, 0.2), PLAN, hour=3000 * 10 / 3600)
    assert collect([("a.wtm", apart), *FILES.items()], PLAN).turned == []


def test_windows_one_after_the_other_are_one_site() -> None:
    apart = message("north", healthy(9, 0.2), PLAN, hour=9)
    whole = merged(collect([("a.wtm", apart), *FILES.items()], PLAN).statistics, PLAN)
    assert whole.sites[RUN][f"north:{ASSET}"] == 6000
    assert whole.statistics[RUN].n == 15_000


@pytest.mark.parametrize("sites", [(), ("north",), ("north", "east")])
def test_fewer_than_three_publish_nothing(sites: tuple[str, ...]) -> None:
    found = collect(((name, FILES[f"{name}.wtm"]) for name in sites), PLAN)
    with pytest.raises(Refused, match="3 participants are the least") as refused:
        merged(found.statistics, PLAN)
    assert refused.value.why is Why.FEW_SITES


def test_three_machines_of_one_gateway_are_one_participant() -> None:
    told = [
        contribution("north", rows_of(healthy(n)), PLAN, asset=f"{ASSET}-{n}") for n in range(3)
    ]
    with pytest.raises(Refused) as refused:
        merged(told, PLAN)
    assert refused.value.why is Why.FEW_SITES


def test_an_outlying_site_is_dropped_and_named() -> None:
    wrong = OWN["west"].copy()
    wrong[:, 1] = 9.9  # of a sensor that stands at its end
    files = FILES | {"west.wtm": message("west", wrong, PLAN)}
    whole = merged(collect(files.items(), PLAN).statistics, PLAN)
    (dropped,) = whole.dropped[RUN]
    assert (dropped.site, PLAN.signals[dropped.signal]) == (f"west:{ASSET}", "pressure")
    assert f"west:{ASSET}" not in whole.sites[RUN]
    told = str(whole.card(PLAN)["dropped"])
    assert "pressure" in told
    assert "west" in told


def test_of_three_an_outlying_one_leaves_too_few_and_says_so() -> None:
    wrong = np.clip(OWN["south"] * (1.0, 1.0, 9.0), 0, 50)
    files = [*list(FILES.items())[:2], ("south.wtm", message("south", wrong, PLAN))]
    with pytest.raises(Refused, match=rf"far outside: south:{ASSET} \(current\)"):
        merged(collect(files, PLAN).statistics, PLAN)


def test_scores_of_a_site_that_was_dropped_do_not_count() -> None:
    model = Consolidated.of({RUN: Statistics.of(POOLED)}, PLAN)
    told = [
        contribution(site, rows_of(healthy(n), 10), PLAN, model=model, sha256="a")
        for n, site in enumerate(SITES)
    ]
    three = {RUN: ALL[RUN] - {f"west:{ASSET}"}}
    assert limited(model, told, PLAN, three)[1] == {RUN: 9000}
    two = {RUN: three[RUN] - {f"east:{ASSET}"}}
    with pytest.raises(Refused) as refused:
        limited(model, told, PLAN, two)
    assert refused.value.why is Why.FEW_SITES


def test_a_mode_with_too_few_rows_stays_where_it_is() -> None:
    both = np.concatenate([healthy(1), healthy(2, rows=500)])
    rows = rows_of(both)
    mixed = Rows(rows.at, rows.values, np.repeat([RUN, 0], [3000, 500]), {})
    assert enough(mixed, PLAN) == ([RUN], {0: 500})
    told = contribution("north", mixed, PLAN)
    assert list(told.statistics) == [RUN]
    write_contribution(told, PLAN, KEYS["north"])


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (rows_of(healthy(1, rows=0)), Why.NO_DATA),
        (rows_of(healthy(1, rows=2500)), Why.SHORT),
        (rows_of(healthy(1), mode=5), Why.FEW_ROWS),
    ],
)
def test_too_little_is_withheld(rows: Rows, why: Why) -> None:
    with pytest.raises(Refused) as refused:
        enough(rows, PLAN)
    assert refused.value.why is why


def test_scores_of_modes_that_the_model_lacks_are_withheld() -> None:
    model = Consolidated.of({0: Statistics.of(POOLED)}, PLAN)
    with pytest.raises(Refused, match="none that the model knows"):
        scores_of(rows_of(healthy(1)), PLAN, model)
