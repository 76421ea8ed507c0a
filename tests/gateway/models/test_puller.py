"""The registry is looked into by a process of its own; what it says is told once."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.models.puller import Puller

OK = {"state": "ok", "why": "", "refused": [], "stale_since": None}
NO = {"asset": "a/b/c/d", "version": 7, "reason": "mismatch", "why": "other bytes"}
PATIENCE_S = 60.0


def saying(text: str, code: int = 0) -> list[str]:
    script = f"import sys; sys.stdout.write({text!r}); sys.exit({code})"
    return [sys.executable, "-c", script]


async def heard(command: list[str], count: int) -> tuple[list[tuple[str, Any]], str]:
    """Pull until so many things were told, and twice at least."""
    told: list[tuple[str, Any]] = []
    puller = Puller(command, 0.05, lambda kind, body: told.append((kind, body)))
    pulls = 0
    take = puller._take

    def counted(outcome: Any) -> None:
        nonlocal pulls
        take(outcome)
        pulls += 1

    puller._take = counted  # type: ignore[method-assign]
    running = asyncio.create_task(puller.run())
    async with asyncio.timeout(PATIENCE_S):
        while len(told) < count or pulls < 2:
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return told, puller.words


def test_when_all_is_well_nothing_is_told() -> None:
    assert asyncio.run(heard(saying(json.dumps(OK)), 0)) == ([], "")


def test_what_is_refused_is_told_once() -> None:
    told, words = asyncio.run(heard(saying(json.dumps(OK | {"refused": [NO]}), 1), 1))
    refused = {"asset": "a/b/c/d", "file": "version 7", "cause": "mismatch", "why": "other bytes"}
    assert told == [("model-refused", refused)]
    assert words == ""


@pytest.mark.parametrize(
    ("command", "state", "words"),
    [
        (
            saying(json.dumps(OK | {"state": "unreachable", "why": "nobody answers"}), 3),
            "unreachable",
            "nobody answers",
        ),
        (
            saying(json.dumps(OK | {"stale_since": 5})),
            "ok",
            "updates are stale; the models that are here go on",
        ),
        (saying("no JSON", 2), "failed", "the pull ended with 2 and said: nothing"),
        ([str(Path("/nowhere/python"))], "failed", "/nowhere/python: No such file or directory"),
    ],
)
def test_updates_that_do_not_come_are_told_once(command: list[str], state: str, words: str) -> None:
    told, shown = asyncio.run(heard(command, 1))
    ((kind, body),) = told
    assert (kind, body["state"], body["why"], shown) == ("models-pull", state, words, words)


def test_a_pull_ends_with_the_gateway() -> None:
    async def story() -> None:
        hanging = [sys.executable, "-c", "import time; time.sleep(600)"]
        running = asyncio.create_task(Puller(hanging, 0.01, lambda *_: None).run())
        await asyncio.sleep(0.5)
        running.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
