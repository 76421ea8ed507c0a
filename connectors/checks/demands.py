"""What the contract suites are made of: demands that say in a sentence what was broken."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from plant.errors import PlantError

LEAVING_S = 6.0
"""Longest that leaving may take, s: three times what it may on a machine of its own."""
TURN_S = 0.01

Hook = TypeVar("Hook")


def require(condition: object, sentence: str) -> None:
    """Demand that `condition` holds."""
    if not condition:
        raise AssertionError(sentence)


def given(hook: Hook | None, where: str, name: str) -> Hook:
    """Give the hook `name` of the description `where`; a check that needs it cannot pass over."""
    if hook is None:
        raise AssertionError(f"give {where}.{name}, or exempt this check with a reason")
    return hook


@contextmanager
def raises(*expected: type[PlantError], when: str) -> Iterator[None]:
    """Demand that the block raises one of `expected`."""
    try:
        yield
    except expected:
        return
    raise AssertionError(f"{when} raises {' or '.join(kind.__name__ for kind in expected)}")


async def a_while(seconds: float) -> None:
    """Let so much time pass in short turns of the loop.

    A process that stood still has then heard what came meanwhile, as it would have on an idle
    machine.
    """
    for _ in range(round(seconds / TURN_S)):
        await asyncio.sleep(TURN_S)


@contextmanager
def soon(what: str) -> Iterator[None]:
    """Demand that the block takes no longer than leaving may."""
    started = time.monotonic()
    yield
    require(time.monotonic() - started <= LEAVING_S, f"{what} takes at most {LEAVING_S} s")


def descriptors() -> set[tuple[str, str]]:
    """Tell the open files and sockets of this process, by number and what each leads to.

    Not how many: one of somebody else's may be collected meanwhile, and make up for one left open.
    """
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # it was that of looking
            found.add((each.name, str(each.readlink())))
    return found


@contextmanager
def nothing_left() -> Iterator[None]:
    """Demand that every file and socket that the block opened has gone when it ends, or soon."""
    before = descriptors()
    yield
    deadline = time.monotonic() + LEAVING_S
    while not descriptors() <= before and time.monotonic() < deadline:
        time.sleep(0.01)
    require(descriptors() <= before, "a socket or file is left open")


Suite = TypeVar("Suite", bound=Callable[..., object])


def without(suite: tuple[Suite, ...], exempt: Mapping[Suite, str]) -> list[Suite]:
    """Give every check but the exempt ones; each exemption needs its reason in words."""
    require(all(reason.strip() for reason in exempt.values()), "an exemption has a reason")
    return [check for check in suite if check not in exempt]
