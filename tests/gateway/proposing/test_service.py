"""Proposers that raise, hang, spin, lie or flood: throttled, named, switched off; nothing waits."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.guard.line import GuardLine
from gateway.guard.server import Server
from gateway.guard.words import FOLDER
from gateway.proposing import service
from gateway.proposing.contract import Look
from gateway.proposing.rule import Rule
from gateway.proposing.service import FILE, Proposing, Seat, read_file
from gateway.proposing.worker import Worker
from plant.errors import Rejected, Unreachable
from plant.setpoints import Request
from tests.gateway.guard.rig import Rig
from tests.gateway.proposing.scenes import SETPOINT, alarmed, rule

GENEROUS_S = 60.0


@dataclass
class Line(GuardLine):
    """A way to a guard that advises whatever it is asked, and can be away."""

    path: Path = Path()
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    away: bool = False

    async def tell(self, said: Mapping[str, Any], answer_s: float = 1.0) -> dict[str, Any]:
        if self.away:
            raise Unreachable("no guard answers")
        answers: dict[str, Callable[[], dict[str, Any]]] = {"status": dict, "request": self.take}
        self.asked += [said] * (said["op"] == "request")
        return answers[said["op"]]()

    def take(self) -> dict[str, Any]:
        return {"request": {"state": "advised", "code": "", "why": ""}}


class Odd(Rule):
    """Does something with each look, by name."""

    def __init__(self, do: Callable[[Look, Request], Any]) -> None:
        super().__init__(rule().plan, SETPOINT)
        self.do, self.calls = do, 0
        self.threads: set[int] = set()

    def propose(self, seen: Look) -> Any:
        self.calls += 1
        self.threads.add(threading.get_ident())
        made = rule().propose(seen)
        assert made is not None
        return self.do(seen, replace(made, proposer=self.name))


def raising(_look: Look, _made: Request) -> None:
    raise ZeroDivisionError("by nobody")


def hanging(_look: Look, _made: Request) -> None:
    threading.Event().wait()


def spinning(_look: Look, _made: Request) -> None:
    while True:
        pass


def flooding(_look: Look, made: Request) -> Request:
    return made


@dataclass
class Story:
    """A service with its proposers, the beat of the loop beside it, and what was announced."""

    folder: Path
    proposers: list[Any]
    line: Line = field(default_factory=Line)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    beats: int = 0

    def __post_init__(self) -> None:
        self.seats = [
            Seat(one, "t" * 40, "1/min", 0.0, Worker(f"story {number}"))
            for number, one in enumerate(self.proposers)
        ]
        self.service = Proposing(
            self.seats, alarmed, self.line, self.folder,
            lambda kind, body: self.told.append((kind, dict(body))),
        )  # fmt: skip

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(0.005)
            self.beats += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.service.run()), asyncio.create_task(self._beat())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, so: Callable[[], Any]) -> None:
        deadline = time.monotonic() + GENEROUS_S
        while not so():
            assert time.monotonic() < deadline, self.service.rows()
            await asyncio.sleep(0.01)

    def off(self) -> list[str]:
        return [body["proposer"] for kind, body in self.told if body.get("state") == "off"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rounds follow one another at once, and nobody wait for minutes."""
    for name, value in (
        ("ROUND_S", 0.01), ("BUDGET_S", 3.0), ("HUNG_S", 3.0), ("LONGEST_WAIT_S", 0.02),
        ("AWAY_S", (0.05,)), ("KEEP_S", 0.5), ("POLL_S", 0.02),
    ):  # fmt: skip
        monkeypatch.setattr(service, name, value)


LIES: dict[str, Callable[[Look, Request], Any]] = {
    "not a number": lambda _, made: replace(made, value=float("nan")),
    "a string": lambda _, made: replace(made, value="fast"),
    "another unit": lambda _, made: replace(made, unit="Hz"),
    "no request": lambda _, made: [made],
    "another setpoint": lambda _, made: replace(made, tag="n/l/conveyor/load"),
}
MISBEHAVIOUR = {
    "raises": (raising, "raised ZeroDivisionError('by nobody'), 5 times in a row"),
    "hangs": (hanging, "has not returned for"),
    "spins": (spinning, "has not returned for"),
    "floods": (flooding, "floods: 30 requests too many"),
    **{name: (lie, "asks for what is no request") for name, lie in LIES.items()},
}


@pytest.mark.parametrize("how", MISBEHAVIOUR)
def test_it_is_named_and_switched_off_and_its_neighbour_goes_on(how: str, tmp_path: Path) -> None:
    do, words = MISBEHAVIOUR[how]
    odd, good = Odd(do), rule()
    odd.name = "odd"
    story = Story(tmp_path, [odd, good])

    async def play() -> None:
        async with story.running():
            await story.until(lambda: story.seats[0].off)
            beats = story.beats
            await story.until(lambda: story.beats > beats + 20)
            await story.until(lambda: good.why.startswith("has asked"))
            calls = odd.calls
            await story.until(lambda: story.beats > beats + 60)
            assert odd.calls == calls
            assert words in story.service.troubles()["odd"]

    asyncio.run(play())
    assert story.off() == ["odd"]
    assert "bearing" not in story.service.troubles()
    assert [one["name"] for one in story.line.asked].count("bearing") == 1
    assert words in read_file(tmp_path / FILE)["odd"]["off"]


def test_a_loop_that_never_ends_is_ended(tmp_path: Path) -> None:
    odd = Odd(spinning)
    story = Story(tmp_path, [odd])

    async def play() -> None:
        async with story.running():
            await story.until(lambda: story.seats[0].off)
            (thread,) = odd.threads
            await story.until(lambda: thread not in [one.ident for one in threading.enumerate()])

    asyncio.run(play())


def test_one_that_is_always_slow_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BUDGET_S", 0.01)
    odd = Odd(lambda _look, _made: time.sleep(0.1))
    story = Story(tmp_path, [odd])

    async def play() -> None:
        async with story.running():
            await story.until(lambda: story.seats[0].off)

    asyncio.run(play())
    assert story.seats[0].off == "took longer than 0.01 s, 5 times in a row"
    assert (odd.calls, story.line.asked) == (service.STRIKES, [])


def test_one_that_was_slow_once_hears_that_it_was_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BUDGET_S", 1.0)
    slow, waits = rule(), iter([2.0])
    propose = slow.propose

    def late(seen: Look) -> Request | None:
        time.sleep(next(waits, 0.0))
        return propose(seen)

    monkeypatch.setattr(slow, "propose", late)
    monkeypatch.setattr("gateway.proposing.rule.AGAIN_S", 0.0)
    story = Story(tmp_path, [slow])

    async def play() -> None:
        async with story.running():
            await story.until(lambda: slow.why.startswith("has asked"))

    asyncio.run(play())
    assert len(story.line.asked) == 1


def test_one_slip_is_forgiven(tmp_path: Path) -> None:
    slips = iter([True, True])

    def once(seen: Look, made: Request) -> Request | None:
        return raising(seen, made) if next(slips, False) else None

    story = Story(tmp_path, [Odd(once)])

    async def play() -> None:
        async with story.running():
            await story.until(lambda: [body["state"] for _, body in story.told][-1:] == ["ok"])

    asyncio.run(play())
    assert [body["state"] for _, body in story.told] == ["throttled", "ok"]
    assert story.service.troubles() == {}


def test_of_a_flood_a_few_are_passed_on(tmp_path: Path) -> None:
    story = Story(tmp_path, [Odd(flooding)])

    async def play() -> None:
        async with story.running():
            await story.until(lambda: story.seats[0].off)

    asyncio.run(play())
    assert service.BURST <= len(story.line.asked) <= service.BURST + GENEROUS_S * service.PER_S


def test_a_guard_that_is_away_is_told_of_once_and_looked_for_again(tmp_path: Path) -> None:
    story = Story(tmp_path, [rule()])
    story.line.away = True

    async def play() -> None:
        async with story.running():
            await story.until(lambda: story.told)
            beats = story.beats
            await story.until(lambda: story.beats > beats + 60)
            assert story.service.troubles() == {"guard": "no guard answers"}
            assert story.service.rows()[0]["why"] == "no guard answers"
            story.line.away = False
            await story.until(lambda: not story.service.troubles())

    asyncio.run(play())
    assert [(kind, body["state"]) for kind, body in story.told] == [
        ("guard", "away"), ("guard", "back"),
    ]  # fmt: skip


def test_one_that_hangs_is_switched_off_while_there_is_no_guard(tmp_path: Path) -> None:
    odd = Odd(hanging)
    story = Story(tmp_path, [odd])

    async def play() -> None:
        async with story.running():
            await story.until(lambda: odd.calls)
            story.line.away = True
            story.service._gone("no guard answers")
            await story.until(lambda: story.seats[0].off)

    asyncio.run(play())


def test_what_was_asked_is_known_after_a_restart(tmp_path: Path) -> None:
    first, second = Story(tmp_path, [rule(back=True)]), Story(tmp_path, [rule(back=True)])

    async def play(story: Story) -> None:
        async with story.running():
            await story.until(lambda: story.seats[0].proposer.why.startswith(("has asked", "asks")))

    asyncio.run(play(first))
    asyncio.run(play(second))
    assert (len(first.line.asked), len(second.line.asked)) == (1, 0)
    assert second.service.rows()[0]["last"] == first.service.rows()[0]["last"]
    (tmp_path / FILE).write_text("{")
    assert read_file(tmp_path / FILE) == {}


def test_another_rule_of_that_name_begins_anew(tmp_path: Path) -> None:
    first, second = Story(tmp_path, [rule()]), Story(tmp_path, [rule(change_percent=-4.0)])

    async def play(story: Story) -> None:
        async with story.running():
            await story.until(lambda: story.line.asked)

    asyncio.run(play(first))
    asyncio.run(play(second))
    assert second.line.asked[0]["request"]["value"] == 48.0


def test_the_line_to_a_real_guard(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    line = GuardLine(folder)

    async def play() -> None:
        with pytest.raises(Unreachable, match="no guard is running"):
            await line.tell({"op": "status"})
        ended, begun = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(Server(Rig(folder).guard, folder).run(ended, begun.set))
        await begun.wait()
        try:
            assert (await line.tell({"op": "status"}))["mode"] == "auto"
            with pytest.raises(Rejected, match="there is no 'sing' here"):
                await line.tell({"op": "sing"})
            with pytest.raises(Rejected, match="are the most"):
                await line.tell({"op": "status", "more": "x" * 70_000})
        finally:
            ended.set()
            await serving

    asyncio.run(play())


JUNK = [b"", b"\0", b"\0\0\0\x02[]", b"\0\0\0\x02{}", b"\xff\xff\xff\xff", b"\0\0\0\x05{"]


@pytest.mark.parametrize("junk", JUNK)
def test_what_answers_and_is_no_guard(tmp_path: Path, junk: bytes) -> None:
    line = GuardLine(tmp_path)

    async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        writer.write(junk)
        writer.close()

    async def play() -> None:
        async with await asyncio.start_unix_server(rubbish, str(line.path)):
            with pytest.raises((Unreachable, Rejected)):
                await line.tell({"op": "status"}, 5.0)

    asyncio.run(play())


def test_a_guard_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    line = GuardLine(tmp_path)

    async def play() -> None:
        left = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            left.set()

        async with await asyncio.start_unix_server(silent, str(line.path)):
            with pytest.raises(Unreachable, match="has not answered within"):
                await line.tell({"op": "status"}, 0.1)
            await asyncio.wait_for(left.wait(), GENEROUS_S)

    asyncio.run(play())
