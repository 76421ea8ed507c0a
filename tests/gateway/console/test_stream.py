"""The pushed overview: frames, the bound on clients, and clients that stop reading."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.console import stream as subject
from gateway.console.stream import SOON_S, Stream

if TYPE_CHECKING:
    from tests.gateway.console.conftest import Plant

SCOPE: dict[str, Any] = {"type": "http"}


class Browser:
    """One end of an ASGI conversation that keeps what it is sent."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._stuck = stuck

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self._stuck:
            await asyncio.Event().wait()
        self.got.put_nowait(message)

    async def frame(self) -> dict[str, Any]:
        while not (body := (await self.got.get()).get("body", b"")):
            pass
        event, data = body.decode("ascii").strip().split("\n")
        assert event == "event: line"
        content: dict[str, Any] = json.loads(data.removeprefix("data: "))
        return content

    def listen(self, stream: Stream) -> asyncio.Task[None]:
        return asyncio.create_task(stream(SCOPE, self.receive, self.send))


def test_frames_follow_the_plant(plant: Plant) -> None:
    async def journey() -> None:
        stream, browser = Stream(plant, period=0.01), Browser()
        task = browser.listen(stream)
        assert (await browser.frame())["unacknowledged"] == 0

        plant.alarmed()
        while (await browser.frame())["unacknowledged"] == 0:
            pass
        browser.gone.set()
        await task

    asyncio.run(asyncio.wait_for(journey(), 60))


def test_client_that_leaves_frees_its_place(plant: Plant) -> None:
    async def journey() -> None:
        stream, browser = Stream(plant), Browser()
        task = browser.listen(stream)
        await browser.frame()
        assert stream.clients == 1

        browser.gone.set()
        await task
        assert stream.clients == 0

    asyncio.run(asyncio.wait_for(journey(), 60))


def test_client_beyond_the_bound_is_told_to_wait(plant: Plant) -> None:
    async def journey() -> None:
        stream, first, second = Stream(plant, clients=1), Browser(), Browser()
        task = first.listen(stream)
        await first.frame()

        await second.listen(stream)
        head = await second.got.get()
        assert head["status"] == 503
        assert (b"retry-after", b"5") in head["headers"]
        first.gone.set()
        await task

    asyncio.run(asyncio.wait_for(journey(), 60))


def test_one_frame_is_shared_by_all_clients(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    async def journey() -> None:
        asked = 0
        line = plant.line

        def counted() -> Any:
            nonlocal asked
            asked += 1
            return line()

        monkeypatch.setattr(plant, "line", counted)
        stream, browsers = Stream(plant, period=60), [Browser() for _ in range(20)]
        tasks = [browser.listen(stream) for browser in browsers]
        for browser in browsers:
            await browser.frame()
        assert asked == 1

        stream.close()
        await asyncio.gather(*tasks)

    asyncio.run(asyncio.wait_for(journey(), 60))


def test_client_that_takes_nothing_is_let_go(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "STUCK_S", 0.05)

    async def journey() -> None:
        stream = Stream(plant)

        await Browser(stuck=True).listen(stream)
        assert stream.clients == 0

    asyncio.run(asyncio.wait_for(journey(), 60))


def test_close_completes_every_answer_and_takes_no_new_client(plant: Plant) -> None:
    async def journey() -> None:
        stream, browser, late = Stream(plant), Browser(), Browser()
        task = browser.listen(stream)
        await browser.frame()

        stream.close()
        await task
        assert (await browser.got.get()).get("more_body", False) is False
        await late.listen(stream)
        assert (await late.got.get())["status"] == 503

    asyncio.run(asyncio.wait_for(journey(), 60))


def test_failure_of_the_view_is_not_hidden(plant: Plant) -> None:
    plant.failure = RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(asyncio.wait_for(_listen_once(plant), 60))


async def _listen_once(plant: Any) -> None:
    await Browser().listen(Stream(plant))


def test_news_is_shown_at_once_and_not_with_the_next_second(plant: Plant) -> None:
    async def journey() -> None:
        stream, browser = Stream(plant, period=600), Browser()
        task = browser.listen(stream)
        await browser.frame()

        plant.alarmed()
        stream.nudge()
        frame = await asyncio.wait_for(browser.frame(), 60)
        assert frame["unacknowledged"] == 1
        browser.gone.set()
        await task

    asyncio.run(asyncio.wait_for(journey(), 60))


def test_however_much_there_is_to_tell_frames_keep_their_distance(plant: Plant) -> None:
    async def journey() -> tuple[int, float]:
        stream, browser = Stream(plant, period=600), Browser()
        task = browser.listen(stream)
        await browser.frame()
        begun = asyncio.get_running_loop().time()
        for _ in range(200):
            stream.nudge()
            await asyncio.sleep(0.001)
        browser.gone.set()
        await task
        return browser.got.qsize(), asyncio.get_running_loop().time() - begun

    frames, took = asyncio.run(asyncio.wait_for(journey(), 60))
    assert 0 < frames <= took / SOON_S + 2
