"""P1 and P5: the link comes back, and so do the values, every time.

Stories run side by side, each with a server, a gateway and a journal of its own: most of their time
is waiting.
"""

import asyncio
import os
from typing import Any

import pytest

from tests.faults.outages import Outcome, Story, play_all
from tests.faults.rows import Row
from tests.lacking import need_node_opcua

BAR_S = 5.0
FULL = os.environ.get("FULL", "") not in ("", "0")
SHORT_LIFE = {"timeout": 5000}
STRONG, STRONGER = "Basic256Sha256", "Aes256_Sha256_RsaPss"


def long(fault: str, outage_s: float, **more: Any) -> Story:
    """20 long outages: in a row with FULL=1, else ten sources side by side suffer two."""
    count = {"repeats": 20} if FULL else {"repeats": 2, "beside": 10}
    return Story(fault, outage_s, **count, **more)


def beyond(fault: str, **more: Any) -> Story:
    """20 outages that outlast the session, four sources side by side suffer five."""
    count = {"repeats": 20} if FULL else {"repeats": 5, "beside": 4}
    return Story(fault, 12.0, settings={**SHORT_LIFE, **more}, **count)


STORIES = {
    "server killed for 5 s": Story("kill", 5),
    "server stopped in its tracks for 5 s": Story("pause", 5),
    "cable pulled for 5 s (nothing passes, nothing is answered)": Story("blackhole", 5),
    "connection refused for 5 s": Story("refuse", 5),
    "connection reset": Story("reset", 1),
    "server killed for 60 s": long("kill", 60),
    "server stopped in its tracks for 60 s": long("pause", 60),
    "cable pulled for 60 s": long("blackhole", 60),
    "cable pulled for longer than the session lives": beyond("blackhole"),
    "cable pulled for longer than the session lives, server keeps history": beyond(
        "blackhole", history=True
    ),
}
SECURED = {
    f"{words} for 5 s, {policy} and a user": Story(fault, 5, policy=policy)
    for policy in (STRONG, STRONGER)
    for fault, words in (("kill", "server killed"), ("blackhole", "cable pulled"))
}
EVERY = STORIES | SECURED


def rows(pain: str, stories: dict[str, Story]) -> list[Any]:
    return [
        pytest.param(
            name,
            id=name,
            marks=pytest.mark.pain(
                pain,
                f"{name}, {story.repeats} times in a row"
                + f", {story.beside} sources side by side" * (story.beside > 1),
                "node-opcua",
                "first good value ≤ 5 s each time; 0 wrong; one live session; "
                "the ledger tells of every gap, and of no less than is lost",
            ),
        )
        for name, story in stories.items()
    ]


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: Any
) -> dict[str, Outcome | BaseException]:
    """What became of the stories that were selected."""
    need_node_opcua()
    own = (item for item in request.session.items if item.path == request.path)
    wanted = {item.callspec.params["name"] for item in own}  # type: ignore[attr-defined]
    stories = {name: story for name, story in EVERY.items() if name in wanted}
    return asyncio.run(play_all(stories, tmp_path_factory.mktemp("returns")))


def judge(outcome: Outcome | BaseException, story: Story, row: Row) -> None:
    assert isinstance(outcome, Outcome), repr(outcome)
    quick = [wait for wait in outcome.waits if wait <= BAR_S]
    row.measured(
        first_good_value=f"{max(outcome.waits):.1f} s at most",
        in_time=f"{len(quick)} of {len(outcome.waits)}",
        lost=outcome.missing,
        ledger_says=outcome.ledger,
        gaps=outcome.gaps,
        wrong=outcome.wrong,
        initial_values_again=outcome.doubled,
        sessions_at_most=f"{outcome.live_at_most} of {story.beside} sources",
    )
    assert outcome.wrong == 0, f"{outcome.wrong} wrong values"
    assert len(outcome.waits) == 20
    assert len(quick) == 20, f"{20 - len(quick)} came too late"
    assert outcome.live_at_most <= story.beside, "more than one live session of ours"
    assert outcome.ledger >= outcome.missing, "the ledger says less than what is lost"
    assert outcome.gaps >= 20 * story.noticed, "a gap is not in the ledger"


@pytest.mark.parametrize("name", rows("P1", STORIES))
def test_p01_the_link_returns_and_so_do_the_values(
    name: str, outcomes: dict[str, Outcome | BaseException], row: Row
) -> None:
    judge(outcomes[name], EVERY[name], row)


@pytest.mark.parametrize("name", rows("P5", SECURED))
def test_p05_security_is_applied_again(
    name: str, outcomes: dict[str, Outcome | BaseException], row: Row
) -> None:
    judge(outcomes[name], EVERY[name], row)
