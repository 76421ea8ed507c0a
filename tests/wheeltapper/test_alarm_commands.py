"""The commands of alarm discipline against a gateway that runs, and then against its journal."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.judgements import Judgement, Transition
from gateway import runtime
from gateway.config.plan import ConsolePlan, Plan
from gateway.runtime import Gateway
from plant.alarms import AlarmAction
from plant.assets import asset_of
from plant.reasons import Contribution, Reason, Trend
from plant.samples import Batch
from plant.tags import Tag

Command = Callable[..., Any]
TAGS = tuple(
    Tag(name=f"s/a/l/{name}/{signal}", source="plc", address="")
    for name in ("pump-1", "pump-2")
    for signal in ("vibration", "flow")
)
PUMP = "s/a/l/pump-2"
WHO = ("--actor", "Anna", "--reason", "belt is off")


class Plc:
    """A source that delivers a row of both pumps each 20 ms."""

    name = "plc"

    def __init__(self, handles: list[int]) -> None:
        self._handles = np.array(handles, np.int32)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go."""

    async def read(self) -> Batch:
        await asyncio.sleep(0.02)
        now, size = time.time_ns(), len(self._handles)
        return Batch(
            source=self.name,
            tag=self._handles,
            at=np.full(size, now, np.int64),
            value=np.arange(size, dtype=np.float64),
            status=np.zeros(size, np.uint32),
            upto=now,
            received=now,
            heard=time.monotonic_ns(),
        )


class Line:
    """A gateway over two pumps whose watches say what the test wants."""

    def __init__(self, data: Path) -> None:
        config: Any = SimpleNamespace(name="plc")
        assets = tuple(asset_of(f"s/a/l/{name}", TAGS) for name in ("pump-1", "pump-2"))
        self.plan = Plan(
            name="t",
            data=data,
            sources=(config,),
            tags=TAGS,
            assets=assets,
            console=ConsolePlan(port=0),
        )
        self.ready = threading.Event()
        self.wanted: list[AlarmAction] = []
        self.judged = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._gateway = Gateway(self.plan, on_event=self._hear)
        await self._gateway.run(self._stop)

    def _hear(self, kind: str, _row: dict[str, Any]) -> None:
        if kind == "first_value":
            watch = self._gateway._pipeline.assets[1].watch
            watch.judge = self._judge  # type: ignore[method-assign]
            self.ready.set()

    def _judge(
        self, at: NDArray[np.int64], rows: NDArray[np.float64], mode: NDArray[np.int64]
    ) -> Judgement:
        part = Contribution(f"{PUMP}/vibration", 1.0, 7.0, 2.0, 1.0, 3.0, "mm/s", 0, Trend.RISING)
        self.judged += 1
        moves, self.wanted = self.wanted[:1], self.wanted[1:]
        last = int(at[-1])
        told = tuple(Transition(last, last, one, Reason(6.0, 3.0, (part,))) for one in moves)
        score, limit = np.ones(len(at)), np.full(len(at), 3.0)
        return Judgement(at, score, limit, np.ones(len(at), np.bool_), score > limit, told)

    def happens(self, *actions: AlarmAction) -> None:
        self.wanted = list(actions)
        until = time.monotonic() + 60
        while self.wanted and time.monotonic() < until:
            time.sleep(0.02)
        # What followed from the last of them has been told once the watch is asked again.
        judged = self.judged
        while self.judged < judged + 2 and time.monotonic() < until:
            time.sleep(0.02)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.ready.wait(60)
        return self

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self.end()


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    def build(_config: object, handles: list[Any]) -> Plc:
        return Plc([handle.handle for handle in handles])

    monkeypatch.setattr(runtime, "build", build)
    with Line(tmp_path / "data") as running:
        yield running


RAISE, CLEAR = AlarmAction.RAISE, AlarmAction.CLEAR


def rows(ended: Any) -> list[dict[str, Any]]:
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(text) for text in ended.out.splitlines()]


def test_a_shift_at_the_line(line: Line, command: Command) -> None:
    data = ("--data", line.plan.data)
    line.happens(RAISE)

    shelved = command("alarms", "shelve", "pump-2", "--for", "2h", *WHO, *data)
    assert shelved.out.startswith(f"{PUMP} is shelved until 20")
    (listed,) = rows(command("alarms", "list", *data, "--json"))
    (quiet,) = rows(command("alarms", "quiet", *data, "--json"))
    assert (listed["state"], quiet["actor"], quiet["note"]) == ("SHLVD", "Anna", "belt is off")
    assert "shelved" in command("alarms", "quiet", *data).out

    assert "told again" in command("alarms", "unshelve", "1", *WHO, *data).out
    (listed,) = rows(command("alarms", "list", *data, "--json"))
    assert listed["state"] == "UNACK"

    product = ("--expected", "product change", "--actor", "Anna")
    said = command("alarms", "feedback", "1", *product, *data).out
    assert said.startswith("alarm 1 is kept as expected: product change\n")
    line.happens(CLEAR, RAISE)
    shown = command("alarms", "show", "2", *data).out
    assert "priority 3: held back, like #1, called expected (product change) by Anna" in shown
    assert "(100%): called expected by Anna: product change" in shown

    command("alarms", "feedback", "1", "--false", "--note", "loose", "--actor", "Kim", *data)
    assert "called a false alarm by Kim: loose" in command("alarms", "show", "2", *data).out
    command("alarms", "feedback", "1", *product, *data)

    (label,) = rows(command("alarms", "labels", *data, "--json"))
    assert (label["asset"], label["label"], label["actor"]) == (PUMP, "expected", "Anna")
    assert label["contributors"] == [{"signal": f"{PUMP}/vibration", "share": 1.0}]
    assert label["since"] < label["until"]

    (report,) = rows(command("alarms", "report", *data, "--json"))
    assert (report["incidents"], report["annunciated"]) == (2, 2)
    assert report["kept_quiet"] == {"SHLVD": 1, "DSUPR": 0, "OOSRV": 0, "FSUPR": 1}
    assert report["labels"] == {"real": 0, "false": 0, "expected": 1}

    line.end()
    assert [row["id"] for row in rows(command("alarms", "list", *data, "--json"))] == [2, 1]
    (after,) = rows(command("alarms", "report", *data, "--json"))
    grows = {"stop": 0, "asset_weeks": 0, "false_week": 0, "counts": 0, "mean": 0}
    assert after | grows == report | grows
    picture = line.plan.data / "report.html"
    drawn = command("alarms", "report", *data, "--html", picture)
    assert drawn.out.endswith(f"drawn: {picture}\n")
    assert "too little time to tell" in drawn.out
    html = picture.read_text(encoding="utf-8")
    assert html.count("<svg") == 4
    assert PUMP in html


@pytest.mark.parametrize(
    ("begin", "end", "state", "word"),
    [
        (("suppress", "--for", "2d"), "unsuppress", "DSUPR", "suppressed"),
        (("out-of-service",), "in-service", "OOSRV", "out of service"),
    ],
)
def test_a_machine_is_kept_quiet_and_heard_again(
    line: Line, command: Command, begin: tuple[str, ...], end: str, state: str, word: str
) -> None:
    data = ("--data", line.plan.data)
    kind, *length = begin
    assert word in command("alarms", kind, PUMP, *length, *WHO, *data).out
    line.happens(RAISE)
    (listed,) = rows(command("alarms", "list", *data, "--json"))
    assert listed["state"] == state
    assert f"no longer {word}" in command("alarms", end, PUMP, *WHO, *data).out
    (listed,) = rows(command("alarms", "list", *data, "--json"))
    assert listed["state"] == "UNACK"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("shelve", "pump-2", "--for", "9h", *WHO), "shelved for 8 h at most"),
        (("shelve", "pump-9", *WHO), "There is no asset or alarm 'pump-9'."),
        (("unshelve", "pump-2", *WHO), "is not shelved"),
        (("feedback", "7", "--real", "--actor", "a"), "There is no alarm 7."),
        (("show", "7"), "There is no alarm 7."),
    ],
)
def test_what_cannot_be_done_is_said_why(
    line: Line, command: Command, arguments: tuple[str, ...], why: str
) -> None:
    ended = command("alarms", *arguments, "--data", line.plan.data)
    assert ended.code == 2
    assert why in ended.err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("shelve", "1", "--for", "soon", *WHO), "write a length of time as 30m, 4h or 2d"),
        (("shelve", "1", "--for", "-1h", *WHO), "write a length of time as 30m, 4h or 2d"),
        (("feedback", "1", "--actor", "a"), "say one of --real, --false, --expected"),
        (("feedback", "1", "--actor", "a", "--real", "--false"), "say one of --real"),
        (("report", "--from", "yesterday"), "--from 'yesterday': write a span"),
    ],
)
def test_wrong_words_are_refused_with_the_right_ones(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], why: str
) -> None:
    ended = command("alarms", *arguments, "--data", tmp_path)
    assert ended.code == 2
    assert why in " ".join(ended.err.replace("│", " ").split())


def test_orders_need_a_gateway_that_runs(command: Command, tmp_path: Path) -> None:
    ended = command("alarms", "shelve", "1", *WHO, "--data", tmp_path)
    assert ended.code == 3
    assert "no gateway runs on this folder" in ended.err
