"""The guard over its socket: what is malformed, floods or hangs up does it no harm."""

import ast
import asyncio
import json
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts.waits import FAILURES
from gateway.guard.desk import QUEUE
from gateway.guard.server import Server
from gateway.guard.words import FOLDER, MOST_BYTES, SOCKET, framed, new_id, request_of, tell
from plant.errors import Rejected, Unreachable
from tests.gateway.guard.rig import SPEED, TEMP, TOKEN, WALL, WORD, Rig


def served(tmp_path: Path, say: Callable[[Rig], Any]) -> Rig:
    """Serve a guard while `say` talks to it from another thread."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    rig = Rig(folder)

    async def story() -> None:
        ended, begun = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(Server(rig.guard, folder).run(ended, begun.set))
        await begun.wait()
        try:
            await asyncio.to_thread(say, rig)
        finally:
            ended.set()
            await serving

    asyncio.run(story())
    return rig


def said(rig: Rig, value: object = 51.0, **more: Any) -> dict[str, Any]:
    now = rig.clock.wall
    return {
        "op": "request", "name": "speeds", "token": TOKEN,
        "request": {
            "id": new_id(now), "key": new_id(now), "tag": SPEED, "value": value, "unit": "1/min",
            "reason": "less load", "not_after": now + 20 * 10**9, "model": "speeds",
            "version": "1", "based_on": [{"tag": TEMP, "at": now, "status": 0}], **more,
        },
    }  # fmt: skip


def test_a_request_its_approval_and_its_state(tmp_path: Path) -> None:
    def say(rig: Rig) -> None:
        assert stat.S_IMODE((tmp_path / FOLDER / SOCKET).stat().st_mode) == 0o600
        asked = tell(tmp_path / FOLDER, said(rig))["request"]
        assert asked["state"] == "pending"
        waiting = tell(tmp_path / FOLDER, {"op": "pending"})["requests"]
        assert [one["id"] for one in waiting] == [asked["id"]]
        who = {"name": "ana", "password": WORD}
        held = tell(tmp_path / FOLDER, {"op": "approve", "id": asked["id"], **who})["request"]
        assert (held["state"], held["approvals"]) == ("held", ["ana"])
        state = tell(tmp_path / FOLDER, {"op": "state", "id": asked["id"]})
        assert {key: state[key] for key in ("state", "code")} == {"state": "held", "code": ""}
        assert set(state) == {"ok", "id", "state", "code"}
        assert tell(tmp_path / FOLDER, {"op": "status"})["setpoints"][SPEED]["value"] == 51.0
        assert tell(tmp_path / FOLDER, {"op": "stop", "name": "otto"})["stopped"]
        assert tell(tmp_path / FOLDER, {"op": "start", **who})["stopped"] is False

    rig = served(tmp_path, say)
    assert rig.plc.attempts == 1
    with pytest.raises(Unreachable, match="no guard is running"):
        tell(tmp_path / FOLDER, {"op": "status"})


MALFORMED: list[dict[str, Any]] = [
    {"value": "51"}, {"value": None}, {"value": True}, {"unit": 7}, {"id": "1"}, {"key": ""},
    {"reason": "a\nb"}, {"reason": "x" * 1001}, {"not_after": 1.5}, {"not_after": -1},
    {"based_on": {}}, {"based_on": [{}]}, {"based_on": [{"tag": "a|b", "at": 1, "status": 0}]},
    {"based_on": [{"tag": "a", "at": True, "status": 0}]}, {"healthy": 1}, {"mode": "fast"},
    {"clamp": True}, {"based_on": [{"tag": "a", "at": 1, "status": 0}] * 65},
]  # fmt: skip


@pytest.mark.parametrize("wrong", MALFORMED)
def test_what_is_malformed_is_refused(wrong: dict[str, Any]) -> None:
    right = {
        "id": new_id(WALL), "key": "k", "tag": SPEED, "value": 51, "unit": "1/min",
        "reason": "why", "not_after": WALL,
    }  # fmt: skip
    assert request_of(right, "speeds").value == 51.0
    with pytest.raises(Rejected, match="malformed"):
        request_of({**right, **wrong}, "speeds")


def test_a_number_that_is_none_reaches_the_check_that_says_so(tmp_path: Path) -> None:
    def say(rig: Rig) -> None:
        assert tell(tmp_path / FOLDER, said(rig, float("nan")))["request"]["code"] == "no number"
        assert tell(tmp_path / FOLDER, said(rig, 10**400))["request"]["code"] == "no number"
        assert tell(tmp_path / FOLDER, said(rig, unit="Hz"))["request"]["code"] == "wrong unit"
        guessed = {**said(rig), "token": "guess"}
        assert tell(tmp_path / FOLDER, guessed)["request"]["code"] == "stranger"

    served(tmp_path, say)


JUNK = [
    b"", b"\0", b"\0\0\0\x05", (MOST_BYTES + 1).to_bytes(4, "big"), b"\xff" * 100,
    b"\0\0\0\x02[]", b"\0\0\0\x03{}}", framed({"op": "sing"}), framed({"op": ["status"]}),
    b"\0\0\xff\xff" + b"[" * 65_535, framed({"op": "approve", "id": 7}),
]  # fmt: skip


def test_junk_and_half_words_are_survived(tmp_path: Path) -> None:
    def say(_rig: Rig) -> None:
        for junk in JUNK:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.connect(str(tmp_path / FOLDER / SOCKET))
                line.sendall(junk)
        assert tell(tmp_path / FOLDER, {"op": "status"})["ok"]

    served(tmp_path, say)


def rejecting(place: str, password: str) -> dict[str, Any]:
    return {"op": "reject", "id": "x", "name": "ana", "password": password, "place": place}


def test_wrong_passwords_at_one_place_keep_nobody_waiting_at_another(tmp_path: Path) -> None:
    def say(rig: Rig) -> None:
        def refused(place: str, password: str) -> str:
            with pytest.raises(Rejected) as caught:
                tell(tmp_path / FOLDER, rejecting(place, password))
            return str(caught.value)

        guesses = [refused("203.0.113.9", "a guess") for _ in range(FAILURES)]
        assert guesses == ["name or password is wrong"] * FAILURES
        waits = "too many wrong passwords for ana: try again in 30 s"
        assert refused("203.0.113.9", WORD) == waits
        assert [refused(place, WORD) for place in ("10.0.0.5", "")] == [
            "x is not known: only what is pending can be decided"
        ] * 2
        rig.clock.move(30)
        assert refused("203.0.113.9", WORD).startswith("x is not known")

    served(tmp_path, say)


def test_many_guesses_at_once_are_no_more_than_one_by_one(tmp_path: Path) -> None:
    def say(rig: Rig) -> None:
        def refused(_number: int) -> str:
            with pytest.raises(Rejected) as caught:
                tell(tmp_path / FOLDER, rejecting("203.0.113.9", "a guess"))
            return str(caught.value)

        with ThreadPoolExecutor(QUEUE) as pool:
            answers = sorted(pool.map(refused, range(QUEUE)))
        looked_at = ["name or password is wrong"] * FAILURES
        assert answers[:FAILURES] == looked_at
        assert all("too many wrong" in answer for answer in answers[FAILURES:])

    served(tmp_path, say)


def test_a_flood_over_the_socket_is_named_and_others_are_heard(tmp_path: Path) -> None:
    def say(rig: Rig) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(str(tmp_path / FOLDER / SOCKET))
            for _ in range(260):
                line.sendall(framed(said(rig, "many")))
                length = int.from_bytes(line.recv(4, socket.MSG_WAITALL), "big")
                assert not json.loads(line.recv(length, socket.MSG_WAITALL))["ok"]
        status = tell(tmp_path / FOLDER, {"op": "status"})
        assert list(status["off"]) == ["speeds"]
        assert status["alarms"]["proposer speeds"].startswith("floods: switched off")
        assert tell(tmp_path / FOLDER, said(rig))["request"]["code"] == "flooding"
        asked = {**said(rig, based_on=[]), "name": "eve", "password": WORD}
        assert tell(tmp_path / FOLDER, asked)["request"]["state"] == "pending"

    rig = served(tmp_path, say)
    assert len(rig.events("malformed")) < 30


def test_the_process_of_the_guard_knows_nothing_that_learns() -> None:
    code = (
        "import sys, wheeltapper.guard, gateway.guard.starting, connectors.modbus.actuator\n"
        "import connectors.opcua.actuator, gateway.config.loader\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ran.stdout
    for learner in ("analytics", "sklearn", "scipy", "river", "joblib", "dask", "skops"):
        assert f"'{learner}'" not in loaded


def test_the_guard_stays_small() -> None:
    folder = Path(__file__).parents[3] / "gateway" / "guard"
    assert sum(code_lines(path) for path in folder.glob("*.py")) < 3250


def code_lines(path: Path) -> int:
    """Count the lines on which something begins that is no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.expr)]
    words = [n for n in nodes if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    said = {line for one in words for line in range(one.lineno, (one.end_lineno or 0) + 1)}
    return len({node.lineno for node in nodes} - said)


def test_an_answer_that_is_too_long_is_said_to_be(tmp_path: Path) -> None:
    def say(rig: Rig) -> None:
        rig.guard.book.alarms["a"] = "x" * MOST_BYTES
        with pytest.raises(Rejected, match="are the most"):
            tell(tmp_path / FOLDER, {"op": "status"})

    served(tmp_path, say)
