"""What an alarm budget still allows: spent by what people are asked, and it comes back."""

from hypothesis import given
from hypothesis import strategies as st

from analytics.allowance import OVERDRAWN, WEEK_NS, Allowance
from analytics.feedback import MARGIN

HIGHEST = MARGIN ** (1 + OVERDRAWN)
STORY = st.lists(st.tuples(st.integers(0, 3 * WEEK_NS), st.floats(1.0, 3.0)), max_size=60)


def asked(allowance: Allowance, story: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Give time and severity of those alarms that are told."""
    told, now = [], 0
    for gap, severity in story:
        now += gap
        if severity >= allowance.bar(now):
            allowance.spend(now)
            told.append((now, severity))
    return told


@given(story=STORY, budget=st.floats(0.1, 10.0))
def test_the_bar_is_never_below_the_limit_nor_above_the_highest(
    story: list[tuple[int, float]], budget: float
) -> None:
    allowance = Allowance(budget)
    now = 0
    for gap, severity in story:
        now += gap
        needed = allowance.bar(now)
        assert 1.0 <= needed <= HIGHEST * (1 + 1e-12)
        if severity >= needed:
            allowance.spend(now)
    assert allowance.bar(now + round(2 * WEEK_NS / budget)) == 1.0


@given(gaps=st.lists(st.integers(0, WEEK_NS // 3), max_size=90), budget=st.floats(0.1, 10.0))
def test_what_just_crosses_its_limit_is_told_no_more_often_than_the_budget_says(
    gaps: list[int], budget: float
) -> None:
    told = asked(Allowance(budget), [(gap, 1.0) for gap in gaps])
    weeks = sum(gaps) / WEEK_NS
    assert len(told) <= 1 + budget * weeks * (1 + 1e-9)


@given(story=STORY, severity=st.floats(1.0, 3.0))
def test_what_stands_is_told_when_it_is_due_and_not_before(
    story: list[tuple[int, float]], severity: float
) -> None:
    allowance = Allowance(1.0)
    asked(allowance, story)
    now = allowance.at
    due = allowance.due(severity, now)
    assert due - now <= (1 + OVERDRAWN) * WEEK_NS + 1
    assert due == now or allowance.bar(now) > severity * (1 - 1e-9)
    assert allowance.bar(due) <= severity * (1 + 1e-9)


def test_a_clock_that_goes_back_brings_nothing_back() -> None:
    allowance = Allowance(1.0)
    allowance.spend(WEEK_NS)
    needed = allowance.bar(WEEK_NS + WEEK_NS // 2)
    assert allowance.bar(0) == needed
    assert allowance.bar(WEEK_NS + WEEK_NS // 2) == needed


def test_an_alarm_that_was_real_gives_it_all_back() -> None:
    allowance = Allowance(1.0)
    allowance.spend(0)
    allowance.spend(0)
    allowance.renew()
    assert allowance.bar(0) == 1.0
