"""What the console asks of the guard, and what it does when that one is dead, hung or odd."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.console import setpoints
from gateway.guard.line import GuardLine
from gateway.guard.stopping import STOP, stopped
from gateway.guard.words import LENGTH, SOCKET, framed, unframed
from tests.gateway.console.conftest import Console, Plant
from tests.gateway.console.guarded import Browser, People

SPEED = "l/c/speed"
STANDS: dict[str, Any] = {
    "tag": SPEED, "unit": "1/min", "locked": "unknown: no answer", "last": None, "value": 50.0,
}  # fmt: skip
WAITS: dict[str, Any] = {
    "id": "7", "tag": SPEED, "value": 52.0, "unit": "1/min", "reason": "P2", "effect": "",
    "proposer": "eve", "model": "", "version": "", "state": "pending", "code": "", "why": "",
    "approvals": [], "before": 50.0, "received": 10**18, "not_after": 10**18 + 1,
    "based_on": [{"tag": SPEED, "at": 10**18, "status": 0}],
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "status": {"mode": "approve", "stopped": "", "serial": 1, "signer": "s", "expires": 10**18,
               "alarms": {}, "off": {}, "setpoints": {}},
    "setpoints": {"setpoints": [STANDS], "left": 0},
    "pending": {"requests": [WAITS]},
    "approve": {"request": {**WAITS, "state": "held"}},
    "reject": {"request": {**WAITS, "state": "rejected", "code": "denied"}},
    "revert": {"to": 50.0},
    "unlock": {"value": 50.0},
    "stop": {"stopped": True},
    "start": {"stopped": False},
}  # fmt: skip
Answering = Callable[[dict[str, Any]], bytes]


def rightly(said: dict[str, Any]) -> bytes:
    if said.get("password") == "wrong":
        return framed({"ok": False, "why": "name or password is wrong"})
    return framed({"ok": True, **ANSWERS[said["op"]]})


class Double:
    """Takes the guard's place at its socket; what it was told stands in `told`."""

    def __init__(self, folder: Path, answering: Answering) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.told: list[dict[str, Any]] = []
        self._answering = answering
        self._own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._own.bind(str(folder / SOCKET))
        self._own.listen(64)
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._own.accept()
            except OSError:
                return
            self._kept.append(line)
            with line.makefile("rb") as heard:
                said = unframed(heard.read(int.from_bytes(heard.read(LENGTH), "big")))
            self.told.append(said)
            answer = self._answering(said)
            line.sendall(answer)
            # One that says nothing hangs; it does not hang up.
            (line.close if answer else lambda: None)()

    def close(self) -> None:
        self._own.shutdown(socket.SHUT_RDWR)
        self._own.close()
        for line in self._kept:
            line.close()


@contextmanager
def guarded(folder: Path, people: People, answering: Answering) -> Iterator[tuple[Double, Browser]]:
    double = Double(folder, answering)
    with open_console(folder, people) as browser:
        yield double, browser
    double.close()


@contextmanager
def open_console(folder: Path, people: People) -> Iterator[Browser]:
    options: dict[str, Any] = {
        "access": people.access,
        "records": people.records,
        "guard": GuardLine(folder),
    }
    with Console(Plant(), **options) as console:
        yield Browser(console)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "guard"


ACTS = [
    ("approve", {"target": "7", "note": "fine"}, "the-approver", "setpoint approved"),
    ("reject", {"target": "7", "note": "not now"}, "the-approver", "setpoint rejected"),
    ("revert", {"target": SPEED}, "the-operator", "setpoint reverted"),
    ("unlock", {"target": SPEED}, "the-approver", "setpoint unlocked"),
    ("start", {}, "the-approver", "setpoints started"),
]


@pytest.mark.parametrize(("act", "content", "who", "what"), ACTS)
def test_an_act_goes_to_the_guard_with_account_password_and_address_and_into_the_audit(
    folder: Path, people: People, act: str, content: dict[str, str], who: str, what: str
) -> None:
    with guarded(folder, people, rightly) as (double, browser):
        # Whoever is logged in cannot speak for another.
        sent = {**content, "password": "a word", "actor": "somebody else"}
        answer = browser.login(who).post(f"/api/setpoints/{act}", sent)
    assert answer.status == 200, answer.body
    (said,) = [one for one in double.told if one["op"] == act]
    assert (said["name"], said["password"], said["place"]) == (who, "a word", "127.0.0.1")
    assert said.get("id", said.get("tag", "")) == content.get("target", "")
    (row,) = people.told(what)
    assert (row["who"], row["place"]) == (who, "127.0.0.1")


@pytest.mark.parametrize(("act", "content", "who", "what"), ACTS)
def test_what_the_guard_refuses_is_said_in_its_words_and_written_down(
    folder: Path, people: People, act: str, content: dict[str, str], who: str, what: str
) -> None:
    with guarded(folder, people, rightly) as (_, browser):
        answer = browser.login(who).post(f"/api/setpoints/{act}", {**content, "password": "wrong"})
    assert (answer.status, answer.content["error"]) == (409, "name or password is wrong.")
    assert people.told(what) == []
    (row,) = people.told("refused")
    assert row["who"] == who
    assert row["words"].startswith(act)
    assert "wrong" in row["words"]


@pytest.mark.parametrize(
    ("act", "who"),
    [
        ("approve", "the-engineer"), ("approve", "the-operator"), ("reject", "the-admin"),
        ("revert", "the-viewer"), ("unlock", "the-operator"), ("start", "the-engineer"),
    ],
)  # fmt: skip
def test_who_may_not_is_not_even_passed_on(
    folder: Path, people: People, act: str, who: str
) -> None:
    with guarded(folder, people, rightly) as (double, browser):
        answer = browser.login(who).post(f"/api/setpoints/{act}", {"password": "a word"})
    assert answer.status == 403
    assert double.told == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"target": "7"}, "Your password is needed"),
        ({"target": 7, "password": "a word"}, "'target'"),
        ({"target": "7", "password": "a\nword"}, "'password'"),
        ({"target": "7", "password": "x" * 600}, "'password'"),
        ({"target": "7", "password": "a word", "note": "x" * 1000}, "'note'"),
    ],
)
def test_an_order_that_is_none_is_refused_and_says_why(
    folder: Path, people: People, content: dict[str, object], why: str
) -> None:
    with guarded(folder, people, rightly) as (double, browser):
        answer = browser.login("the-approver").post("/api/setpoints/approve", content)
    assert answer.status == 400
    assert why in answer.content["error"]
    assert double.told == []


def test_everybody_who_is_let_in_may_stop_and_nobody_else(folder: Path, people: People) -> None:
    with guarded(folder, people, rightly) as (double, browser):
        assert browser.post("/api/setpoints/stop", {}).status == 401
        answer = browser.login("the-viewer").post("/api/setpoints/stop", {})
    assert answer.status == 200
    assert [one["name"] for one in double.told] == ["the-viewer from 127.0.0.1"]
    assert answer.content["stopped"]["who"] == "the-viewer from 127.0.0.1"
    # The guard has made the file; a real one does.
    assert stopped(folder) is None
    (row,) = people.told("setpoints stopped")
    assert (row["who"], row["place"]) == ("the-viewer", "127.0.0.1")


@pytest.mark.parametrize(
    "content", [{"actor": "otto\u00a0m."}, {"actor": "x" * 999}, {"actor": 7}, {"note": "\n"}, [1]]
)
def test_no_name_keeps_a_stop_from_being_pulled(
    folder: Path, people: People, content: object
) -> None:
    with guarded(folder, people, rightly) as (double, browser):
        assert browser.login("the-viewer").post("/api/setpoints/stop", content).status == 200
    assert [one["name"] for one in double.told] == ["the-viewer from 127.0.0.1"]


@pytest.mark.parametrize(
    "answer", [b"", framed({"ok": False, "why": "no"}), b"\x00\x00\x00\x03[1]", b"\xff\xff\xff\xff"]
)
def test_a_stop_works_whatever_the_guard_does(folder: Path, people: People, answer: bytes) -> None:
    with guarded(folder, people, lambda _said: answer) as (_, browser):
        assert browser.login("the-operator").post("/api/setpoints/stop", {}).status == 200
    found = stopped(folder)
    assert found is not None
    assert found.who == "the-operator from 127.0.0.1"


def test_a_stop_works_without_a_guard_and_says_when_it_does_not(
    folder: Path, people: People
) -> None:
    with open_console(folder, people) as browser:
        seen = browser.login("the-viewer")
        assert seen.post("/api/setpoints/stop", {}).status == 200
        told = seen.get("/api/setpoints/switch").content
        assert told["stopped"]["who"] == "the-viewer from 127.0.0.1"
        assert told["running"] is False
        (folder / STOP).unlink()
        folder.rmdir()
        folder.write_text("no folder")
        answer = seen.post("/api/setpoints/stop", {})
    assert answer.status == 503
    assert "use the stop at the plant" in answer.content["error"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "has not answered within"), (b"\x00\x00\x00\x03[1]", "malformed"),
        (b"\xff\xff\xff\xff", "is no guard"), (b"\x00\x00\x00\x09{", "hung up"),
    ],
)  # fmt: skip
def test_a_guard_that_hangs_or_talks_nonsense_is_said_to_be_gone_and_holds_up_nobody(
    folder: Path, people: People, answer: bytes, why: str
) -> None:
    with guarded(folder, people, lambda _said: answer) as (_, browser):
        seen = browser.login("the-viewer")
        told = seen.get("/api/setpoints").content
        assert (told["running"], told["setpoints"], told["pending"]) == (False, [], [])
        assert why in told["why"]
        assert seen.get("/api/line").status == 200


def test_what_the_guard_says_is_shown_with_times_in_ms(folder: Path, people: People) -> None:
    with guarded(folder, people, rightly) as (_, browser):
        seen = browser.login("the-viewer")
        told = seen.get("/api/setpoints").content
        switch = seen.get("/api/setpoints/switch").content
    assert told["setpoints"][0]["locked"] == "unknown: no answer"
    (waits,) = told["pending"]
    assert (waits["received"], waits["not_after"]) == (1e12, 1e12)
    assert waits["based_on"][0]["at"] == 1e12
    assert "key" not in waits
    assert switch["locked"] == [{"tag": SPEED, "why": "unknown: no answer"}]
    assert [one["id"] for one in switch["pending"]] == ["7"]


def test_many_pages_at_once_ask_the_guard_once(
    folder: Path, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setpoints, "FRESH_S", 600.0)
    with guarded(folder, people, rightly) as (double, browser):
        seen = browser.login("the-viewer")
        threads = [threading.Thread(target=lambda: seen.get("/api/setpoints")) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len([one for one in double.told if one["op"] == "status"]) == 1


def test_without_a_guard_in_the_configuration_nothing_is_asked_and_nothing_ordered(
    locked: Console,
) -> None:
    seen = Browser(locked).login("the-approver")
    assert seen.get("/api/setpoints").content == {"configured": False}
    assert seen.get("/api/setpoints/switch").content == {"configured": False}
    for act in ("stop", "start", "approve"):
        answer = seen.post(f"/api/setpoints/{act}", {"password": "a word"})
        assert (answer.status, "docs/setpoints.md" in answer.content["error"]) == (409, True)
