"""Every state with every event: what may happen happens, and nothing else can."""

from itertools import product

import pytest

from gateway.guard.lifecycle import BEFORE, DOUBTFUL, NEXT, OVER, Event, Impossible, after
from plant.setpoints import State

EXPECTED = {
    State.RECEIVED: {Event.KNOWN: State.AUTHENTICATED},
    State.AUTHENTICATED: {Event.FORMED: State.WELL_FORMED},
    State.WELL_FORMED: {Event.ALLOWED: State.ALLOWED},
    State.ALLOWED: {Event.BOUNDED: State.WITHIN_LIMITS},
    State.WITHIN_LIMITS: {Event.PERMITTED: State.PERMITTED},
    State.PERMITTED: {
        Event.ADVISE: State.ADVISED, Event.ASK: State.PENDING, Event.ARM: State.ARMED,
    },
    State.PENDING: {Event.ARM: State.ARMED},
    State.ARMED: {Event.SENT: State.WRITTEN},
    State.WRITTEN: {Event.SEEN: State.READ_BACK},
    State.READ_BACK: {Event.KEPT: State.HELD},
    State.HELD: {Event.REVERT: State.REVERTED},
    State.UNKNOWN: {Event.FOUND: State.HELD, Event.MISSED: State.REJECTED},
    State.ADVISED: {}, State.REJECTED: {}, State.EXPIRED: {}, State.REVERTED: {},
}  # fmt: skip
LEFT_NOTHING = {Event.REJECT: State.REJECTED, Event.EXPIRE: State.EXPIRED}
MAY_HAVE_LEFT = {Event.REJECT: State.REJECTED, Event.DOUBT: State.UNKNOWN}
BEFORE_IT_LEAVES = {
    State.RECEIVED, State.AUTHENTICATED, State.WELL_FORMED, State.ALLOWED, State.WITHIN_LIMITS,
    State.PERMITTED, State.PENDING,
}  # fmt: skip
ON_ITS_WAY = {State.ARMED, State.WRITTEN, State.READ_BACK}
TABLE = {
    (state, event): left
    for state in State
    for event, left in (
        EXPECTED[state]
        | (LEFT_NOTHING if state in BEFORE_IT_LEAVES else {})
        | (MAY_HAVE_LEFT if state in ON_ITS_WAY else {})
    ).items()
}
IMPOSSIBLE = [pair for pair in product(State, Event) if pair not in TABLE]


@pytest.mark.parametrize(("pair", "left"), TABLE.items())
def test_what_may_happen(pair: tuple[State, Event], left: State) -> None:
    assert after(*pair) is left


@pytest.mark.parametrize(("state", "event"), IMPOSSIBLE)
def test_what_cannot(state: State, event: Event) -> None:
    with pytest.raises(Impossible, match=f"{state} cannot be moved by {event}"):
        after(state, event)


def reached(start: State, without: frozenset[State] = frozenset()) -> set[State]:
    found, rest = set(), [start]
    while rest:
        state = rest.pop()
        if state not in found and state not in without:
            found.add(state)
            rest += [left for (at, _), left in NEXT.items() if at is state]
    return found


def test_nothing_is_written_that_did_not_pass_every_step() -> None:
    for step in (
        State.AUTHENTICATED, State.WELL_FORMED, State.ALLOWED, State.WITHIN_LIMITS,
        State.PERMITTED, State.ARMED,
    ):  # fmt: skip
        assert State.WRITTEN not in reached(State.RECEIVED, frozenset({step}))


def test_all_can_be_reached_and_nothing_is_written_twice() -> None:
    assert reached(State.RECEIVED) == set(State)
    assert State.WRITTEN not in reached(State.READ_BACK)
    for state in (*OVER, State.HELD, State.UNKNOWN):
        assert not reached(state) & {State.PENDING, State.ARMED, State.WRITTEN}


def test_what_is_over_is_over() -> None:
    assert {state for state in State if not any(at is state for at, _ in NEXT)} == OVER
    assert set(BEFORE) == BEFORE_IT_LEAVES
    assert set(DOUBTFUL) == ON_ITS_WAY
