"""The contract suite of proposers: what each has to pass, a plant's own as well.

::

    @pytest.mark.parametrize("check", ALL_CHECKS)
    def test_contract(check):
        check(ProposerUnderTest(make, look, unit="1/min"))
"""

import json
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gateway.proposing.contract import Look, Outcome, Proposer, Remembering
from gateway.proposing.requests import flaw_of
from gateway.proposing.service import BUDGET_S
from plant.quality import Status
from plant.setpoints import Code, Request, State

LONG_S = 7200.0
TIMED = 5
SPELL = 50
"""Looks one after the other in which nothing changes."""


@dataclass(frozen=True, slots=True)
class ProposerUnderTest:
    """How to get at a proposer, and a look at which it asks.

    Parameters
    ----------
    make
        Gives a fresh one.
    look
        Gives a look, so many s later, at which a fresh one asks, once it has looked for `first_s`.
    unit
        Of its setpoint.
    first_s
        For how long it has to see that before it asks.
    """

    make: Callable[[], Proposer]
    look: Callable[[float], Look]
    unit: str
    first_s: float = 0.0


Check = Callable[[ProposerUnderTest], None]


def _require(condition: object, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)


def _begun(case: ProposerUnderTest) -> tuple[Proposer, Request, Look]:
    """Give a fresh one that has asked."""
    proposer, look = case.make(), case.look(0.0)
    request = proposer.propose(look)
    if request is None:
        look = case.look(case.first_s)
        request = proposer.propose(look)
    if request is None:
        raise AssertionError(f"it asks at the look that was given, and says: {proposer.why}")
    return proposer, request, look


def check_fits_protocol(case: ProposerUnderTest) -> None:
    """See that it has the methods of `Proposer`, and says by what it works."""
    proposer = case.make()
    _require(isinstance(proposer, Proposer), f"{type(proposer).__name__} is not a Proposer")
    _require(proposer.name and proposer.tag, "it has a name and a setpoint")
    _require(proposer.model and proposer.version, "it says model and version")
    _require(proposer.tag in proposer.reads(), "it reads its own setpoint")


def check_asks_with_all_it_needs(case: ProposerUnderTest) -> None:
    """See that a request says what, why, by what, on what and until when."""
    proposer, request, look = _begun(case)
    _require(not (why := flaw_of(request, proposer, case.unit, look)), why)
    _require(" " in request.reason, "the reason is a sentence")


def check_rests_on_what_it_used(case: ProposerUnderTest) -> None:
    """See that each value that changes its mind is named in what a request rests on."""
    _, request, look = _begun(case)
    named = {basis.tag for basis in request.based_on}
    _require(request.tag in named, "a request rests on its setpoint")
    for tag in named:
        proposer = case.make()
        for later in (0.0, case.first_s):
            found = proposer.propose(_spoilt(case.look(later), [tag], status=int(Status.BAD)))
            _require(found is None, f"it asks although {tag}, on which it rests, is bad")
    others = [tag for tag in look.places if tag not in named]
    proposer = case.make()
    spoilt = [proposer.propose(_spoilt(case.look(s), others, np.nan)) for s in (0.0, case.first_s)]
    _require(any(spoilt), "it goes by values that it does not name: without them it does not ask")


def check_bad_values_are_no_reason(case: ProposerUnderTest) -> None:
    """See that NaN, infinities, bad, uncertain, stale and future values give nothing."""
    look = case.look(0.0)
    tags = list(case.make().reads())
    spoilt: tuple[dict[str, Any], ...] = (
        {"value": math.nan}, {"value": math.inf}, {"value": -math.inf},
        {"status": int(Status.BAD)}, {"status": int(Status.UNCERTAIN)}, {"status": 0xFFFFFFFF},
        {"age": math.inf}, {"age": 1e9}, {"age": math.nan}, {"age": -1.0}, {"at": -(2**62)},
    )  # fmt: skip
    for one in spoilt:
        proposer = case.make()
        for later in (0.0, case.first_s, LONG_S):
            found = proposer.propose(_spoilt(case.look(later), tags, **one))
            _require(found is None, f"it asks by values with {one}")
            _require(proposer.why, f"it says why it does not ask by values with {one}")
    _require(look.places.keys() >= set(tags), "the look that was given has all that it reads")


def check_missing_tags_are_no_reason(case: ProposerUnderTest) -> None:
    """See that a look without its tags, or without anything, gives nothing."""
    look = case.look(0.0)
    for keep in ((), *((tag,) for tag in look.places)):
        proposer = case.make()
        places = [look.places[tag] for tag in keep]
        few = replace(
            look,
            places={tag: place for place, tag in enumerate(keep)},
            value=look.value[places], status=look.status[places],
            at=look.at[places], age=look.age[places],
        )  # fmt: skip
        asks = set(proposer.reads()) <= set(keep)
        _require(asks or proposer.propose(few) is None, f"it asks with {keep} alone")


def check_does_not_ask_twice(case: ProposerUnderTest) -> None:
    """See that nothing is asked twice while nothing changes, whatever became of it."""
    ends = (
        None, Outcome(State.HELD), Outcome(State.ADVISED), Outcome(State.UNKNOWN),
        Outcome(State.EXPIRED), Outcome(State.REJECTED, str(Code.DENIED)),
        Outcome(State.REJECTED, str(Code.UNREACHABLE)), Outcome(State.REJECTED, "no such code"),
    )  # fmt: skip
    for outcome in ends:
        proposer, first, _ = _begun(case)
        if outcome is not None:
            proposer.heard(outcome)
        for _ in range(SPELL):
            again = proposer.propose(case.look(case.first_s))
            _require(again is None, f"it asks for {first.value:g} again, after {outcome}")


def check_each_request_is_its_own(case: ProposerUnderTest) -> None:
    """See that two requests have two ids and two keys."""
    one, other = _begun(case)[1], _begun(case)[1]
    _require(one.id != other.id and one.key != other.key, "ids and keys are used once")


def check_is_soon_done(case: ProposerUnderTest) -> None:
    """See that a look takes a small part of what it may."""
    proposer = case.make()
    begun = time.thread_time()
    for _ in range(TIMED):
        proposer.propose(case.look(0.0))
    took = (time.thread_time() - begun) / TIMED
    _require(took < BUDGET_S / 10, f"a look takes {took:.3f} s of processor time")


def check_leaves_the_look_alone(case: ProposerUnderTest) -> None:
    """See that it changes nothing of what it is shown, and starts nothing."""
    look = case.look(0.0)
    before = [column.tobytes() for column in (look.value, look.status, look.at, look.age)]
    threads = threading.active_count()
    case.make().propose(look)
    after = [column.tobytes() for column in (look.value, look.status, look.at, look.age)]
    _require(before == after, "a look is left as it was")
    _require(threading.active_count() == threads, "it starts no threads")


def check_remembers(case: ProposerUnderTest) -> None:
    """See that what it keeps for a restart is JSON, and that rubbish in it does no harm."""
    proposer, _, _ = _begun(case)
    if not isinstance(proposer, Remembering):
        return
    kept = json.loads(json.dumps(proposer.memory(), allow_nan=False))
    proposer.heard(Outcome(State.HELD))
    held = json.loads(json.dumps(proposer.memory(), allow_nan=False))
    rubbish: list[dict[str, Any]] = [{}, {key: [] for key in kept}, dict.fromkeys(kept, "x")]
    for memory in (kept, held, *rubbish):
        another = case.make()
        if isinstance(another, Remembering):
            another.recall(memory)
        another.propose(case.look(0.0))
    again = case.make()
    if isinstance(again, Remembering):
        again.recall(held)
    for later in (0.0, case.first_s):
        _require(again.propose(case.look(later)) is None, "after a restart it asks again")


ALL_CHECKS: tuple[Check, ...] = (
    check_fits_protocol, check_asks_with_all_it_needs, check_rests_on_what_it_used,
    check_bad_values_are_no_reason, check_missing_tags_are_no_reason, check_does_not_ask_twice,
    check_each_request_is_its_own, check_is_soon_done, check_leaves_the_look_alone,
    check_remembers,
)  # fmt: skip


def _spoilt(
    look: Look,
    tags: list[str],
    value: float | None = None,
    status: int | None = None,
    age: float | None = None,
    at: int | None = None,
) -> Look:
    """Give a look with other values of some tags."""
    places = [look.places[tag] for tag in tags if tag in look.places]
    columns = {"value": value, "status": status, "age": age, "at": at}
    changed = {}
    for name, one in columns.items():
        column = getattr(look, name).copy()
        if one is not None:
            column[places] = one
        changed[name] = column
    return replace(look, **changed)
