"""Programs that ask over HTTP: the guard judges, the console hands through and says one word."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts.roles import Right
from gateway.accounts.waits import FAILURES
from gateway.console import asking
from gateway.console.asking import AT_ONCE, PATH, Asking
from gateway.console.doors import Door
from gateway.console.tls import own_pair, prepare
from gateway.guard.desk import BURST
from gateway.guard.line import GuardLine
from gateway.guard.words import FOLDER, new_id
from tests.gateway.console.conftest import Answer, Console, Plant
from tests.gateway.console.guarded import People
from tests.gateway.guard.rig import SPEED, SWITCH, TEMP, TOKEN, Rig
from tests.gateway.guard.test_server import served

JSON = {"Content-Type": "application/json"}
SHOWN = {**JSON, "Authorization": f"Bearer {TOKEN}"}
WHOLE = {"proposer": "speeds", "tag": SPEED, "value": 51.0, "unit": "1/min", "reason": "less load"}


@contextmanager
def console(data: Path, **options: Any) -> Iterator[Console]:
    with Console(Plant(), guard=GuardLine(data / FOLDER), **options) as server:
        yield server


def wanted(rig: Rig, value: object = 51.0, **more: Any) -> dict[str, Any]:
    now = rig.clock.wall
    return {
        "proposer": "speeds", "tag": SPEED, "value": value, "unit": "1/min", "reason": "less load",
        "model": "speeds", "version": "1", "not_after": now + 20 * 10**9,
        "based_on": [{"tag": TEMP, "at": now, "status": 0}], **more,
    }  # fmt: skip


def ask(server: Console, content: object, headers: dict[str, str] = SHOWN) -> Answer:
    return server.ask(PATH, method="POST", headers=headers, body=json.dumps(content).encode())


def over(tmp_path: Path, say: Callable[[Console, Rig], None], **options: Any) -> Rig:
    """Serve a guard, and a console before it."""

    def spoken(rig: Rig) -> None:
        with console(tmp_path, **options) as server:
            say(server, rig)

    return served(tmp_path, spoken)


def test_a_program_asks_and_looks_what_became_of_it(tmp_path: Path) -> None:
    def say(server: Console, rig: Rig) -> None:
        asked = ask(server, wanted(rig))
        assert (asked.status, asked.content.keys()) == (200, {"id", "state", "code"})
        assert (asked.content["state"], asked.content["code"]) == ("pending", "")
        state = server.ask(f"{PATH}/{asked.content['id']}")
        assert (state.status, state.content) == (200, asked.content)
        assert server.ask(f"{PATH}/{new_id(1)}").status == 404
        assert server.ask(f"{PATH}/nonsense").status == 404

    assert over(tmp_path, say).plc.attempts == 0


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "outside": ({"value": 61.0}, 200, "outside limits"),
    "NaN": ({"value": float("nan")}, 200, "no number"),
    "infinite": ({"value": float("-inf")}, 200, "no number"),
    "another unit": ({"unit": "Hz"}, 200, "wrong unit"),
    "another model": ({"version": "2"}, 200, "model"),
    "not sure": ({"healthy": False}, 200, "model"),
    "on nothing": ({"based_on": []}, 200, "stale"),
    "another name": ({"proposer": "eve"}, 401, "stranger"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_the_guard_turns_down_is_told_in_a_word(tmp_path: Path, what: str) -> None:
    more, status, code = WRONG[what]

    def say(server: Console, rig: Rig) -> None:
        answer = ask(server, wanted(rig, **more))
        told = (answer.status, answer.content["state"], answer.content["code"])
        assert told == (status, "rejected", code)

    over(tmp_path, say)


MALFORMED: dict[str, Any] = {
    "a string": {"value": "51"},
    "nothing": {"value": None},
    "unknown key": {"clamp": True},
    "no reason": {"reason": ""},
    "an id that is none": {"id": "1"},
    "no name": {"proposer": ""},
    "a long name": {"proposer": "x" * 65},
    "too late": {"within_s": 31},
    "no time": {"within_s": "soon"},
    "many values": {"based_on": [{"tag": TEMP, "at": 1, "status": 0}] * 65},
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_malformed_is_refused(tmp_path: Path, what: str) -> None:
    def say(server: Console, rig: Rig) -> None:
        answer = ask(server, wanted(rig, **MALFORMED[what]))
        assert (answer.status, answer.content.keys()) == (400, {"error"})

    over(tmp_path, say)


def test_bodies_that_are_no_request(tmp_path: Path) -> None:
    def say(server: Console, rig: Rig) -> None:
        def sent(body: bytes, headers: dict[str, str] = SHOWN) -> int:
            return server.ask(PATH, method="POST", headers=headers, body=body).status

        whole = json.dumps(wanted(rig)).encode()
        assert [sent(body) for body in (b"", b"[]", b"{", b"\xff", b"[" * 9000)] == [400] * 5
        assert sent(whole + b" " * 20_000) == 413
        assert sent(whole, {**SHOWN, "Content-Type": "text/plain"}) == 415
        assert sent(whole, {**SHOWN, "Origin": "http://evil.example"}) == 403
        assert sent(whole, JSON) == 401
        assert sent(whole, {**JSON, "Authorization": "Basic x"}) == 401
        assert server.ask(PATH).status == 405

    over(tmp_path, say)


def test_a_wrong_token_waits_after_a_while(tmp_path: Path, people: People) -> None:
    def say(server: Console, rig: Rig) -> None:
        wrong = {**JSON, "Authorization": "Bearer guess"}
        tried = [ask(server, wanted(rig), wrong).status for _ in range(FAILURES + 1)]
        assert tried == [401] * FAILURES + [429]
        assert int(ask(server, wanted(rig)).headers["retry-after"]) > 0
        assert "no proposer's token" in people.told("refused")[0]["words"]

    over(tmp_path, say, access=people.access, records=people.records)


def test_a_program_with_a_wrong_token_keeps_no_other_waiting_at_its_address(
    tmp_path: Path, people: People
) -> None:
    def say(server: Console, rig: Rig) -> None:
        wrong, other = {**JSON, "Authorization": "Bearer guess"}, wanted(rig, proposer="loads")
        tried = [ask(server, other, wrong).status for _ in range(FAILURES + 1)]
        assert tried == [401] * FAILURES + [429]
        assert ask(server, wanted(rig)).status == 200

    over(tmp_path, say, access=people.access, records=people.records)


def test_a_wrong_token_counts_whatever_else_is_in_the_way(tmp_path: Path, people: People) -> None:
    def say(server: Console, rig: Rig) -> None:
        wrong = {**JSON, "Authorization": "Bearer guess"}
        rig.plc.values[SWITCH] = 0.0
        answers = [ask(server, wanted(rig), wrong) for _ in range(FAILURES + 1)]
        assert [one.status for one in answers] == [401] * FAILURES + [429]
        assert answers[0].content["code"] == "stranger"

    over(tmp_path, say, access=people.access, records=people.records)


def test_what_is_malformed_does_not_reach_the_guard(tmp_path: Path) -> None:
    def say(server: Console, rig: Rig) -> None:
        wrong = {**JSON, "Authorization": "Bearer guess"}
        assert {ask(server, wanted(rig, unit=7), wrong).status for _ in range(5)} == {400}
        assert rig.events("malformed") == []

    over(tmp_path, say)


def test_a_flood_is_throttled_and_the_console_goes_on(tmp_path: Path) -> None:
    def say(server: Console, rig: Rig) -> None:
        answers = [ask(server, wanted(rig, 61.0)) for _ in range(int(BURST) + 10)]
        last = answers[-1]
        assert (last.status, last.content["code"]) == (429, "flooding")
        assert last.headers["retry-after"]
        assert server.ask("/api/line").status == 200

    over(tmp_path, say)


def test_without_a_guard_nothing_is_asked(tmp_path: Path) -> None:
    with console(tmp_path) as server:
        assert ask(server, WHOLE).status == 503
        assert server.ask(f"{PATH}/{new_id(1)}").status == 503


def test_without_limits_there_is_no_such_way(console: Console) -> None:
    assert ask(console, {"proposer": "speeds"}).status in (404, 405)


def test_people_get_through_however_many_programs_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "AT_ONCE", 0)
    assert AT_ONCE > 0
    with console(tmp_path) as server:
        assert ask(server, WHOLE).status == 503
        assert "on their way" in ask(server, WHOLE).content["error"]
        assert server.ask("/api/line").status == 200


def test_whoever_only_looks_keeps_nobody_from_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "LOOKS_AT_ONCE", 0)

    def say(server: Console, rig: Rig) -> None:
        asked = ask(server, wanted(rig))
        assert asked.content["state"] == "pending"
        assert server.ask(f"{PATH}/{asked.content['id']}").status == 503

    over(tmp_path, say)


def test_a_browser_of_somebody_logged_in_needs_its_page_and_a_token(
    tmp_path: Path, people: People
) -> None:
    from tests.gateway.console.guarded import PASSWORD

    def say(server: Console, rig: Rig) -> None:
        said = json.dumps({"name": "the-admin", "password": PASSWORD}).encode()
        came = server.ask("/api/login", method="POST", headers=JSON, body=said)
        cookie = {"Cookie": came.headers["set-cookie"].partition(";")[0]}
        assert ask(server, wanted(rig), {**JSON, **cookie}).status == 403
        own = {**JSON, **cookie, "Origin": server.url, "Sec-Fetch-Site": "same-origin"}
        assert ask(server, wanted(rig), own).status == 401

    over(tmp_path, say, access=people.access, records=people.records)


def test_with_accounts_and_tls_a_program_needs_its_token_and_nothing_else(
    tmp_path: Path, people: People
) -> None:
    pair = own_pair(tmp_path)
    prepare(pair, ["localhost", "127.0.0.1"], ["localhost", "127.0.0.1"])
    trusting = ssl.create_default_context(cafile=str(pair.certificate))

    def say(server: Console, rig: Rig) -> None:
        asked = ask(server, wanted(rig))
        assert (asked.status, asked.content["state"]) == (200, "pending")
        assert server.ask(f"{PATH}/{asked.content['id']}").content["state"] == "pending"
        assert server.ask("/api/line", headers=SHOWN).status == 401

    over(tmp_path, say, access=people.access, tls=pair, trusting=trusting)


def test_its_doors_ask_for_no_right_since_the_guard_judges() -> None:
    found = Asking(GuardLine(Path())).doors()
    assert [type(door) for door in found] == [Door, Door]
    assert [door.right for door in found] == [Right.OPEN, Right.OPEN]


def test_a_connection_that_is_dropped_half_way_frees_its_slot(tmp_path: Path) -> None:
    def say(server: Console, rig: Rig) -> None:
        for _ in range(AT_ONCE + 2):
            line = HTTPConnection("127.0.0.1", server.port, timeout=30)
            line.putrequest("POST", PATH)
            for name, value in {**SHOWN, "Content-Length": "500"}.items():
                line.putheader(name, value)
            line.endheaders(b"{")
            line.close()
        assert ask(server, wanted(rig)).content["state"] == "pending"

    over(tmp_path, say)
