"""With accounts: who is let in, who may what, and that each refusal is written down."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gateway.accounts.access import QUEUE, WRONG
from gateway.accounts.roles import RIGHTS, Right, Role
from gateway.accounts.sessions import LONGEST_S
from gateway.accounts.waits import FAILURES, FAILURES_FROM_ADDRESS
from gateway.console.app import doors, setpoint_doors
from gateway.console.doors import is_near, recognised
from gateway.console.entrance import Entrance, no_records
from gateway.console.setpoints import Setpoints
from gateway.console.stream import Stream
from tests.gateway.console.guarded import (
    METRICS,
    PASSWORD,
    Browser,
    People,
    frames,
    gathered,
)

if TYPE_CHECKING:
    from tests.gateway.console.conftest import Console, Plant

pytestmark = pytest.mark.journey
SAID = {"actor": "Napoleon", "note": "seen"}
PUMP = {"target": "pump-2", "actor": "Napoleon", "note": "belt"}


@pytest.fixture
def browser_of(locked: Console) -> Browser:
    return Browser(locked)


# who is let in


@pytest.mark.parametrize(
    "path", ["/api/line", "/api/tags", "/api/audit", "/events", "/api/session"]
)
def test_stranger_sees_nothing_of_the_plant(browser_of: Browser, path: str) -> None:
    assert browser_of.get(path).status == 401


@pytest.mark.parametrize("path", ["/", "/alarms?id=12", "/login", "/static/console.js"])
def test_stranger_gets_the_pages_which_hold_nothing(browser_of: Browser, path: str) -> None:
    assert browser_of.get(path).status == 200


@pytest.mark.parametrize("name", ["the-viewer", "The-Viewer", " the-viewer "])
def test_login_lets_in_however_the_name_is_typed(
    browser_of: Browser, people: People, name: str
) -> None:
    session = browser_of.login(name).get("/api/session").content

    assert (session["accounts"], session["name"], session["role"]) == (True, "the-viewer", "viewer")
    (row,) = people.told("login")
    assert (row["who"], row["role"], row["place"]) == ("the-viewer", "viewer", "127.0.0.1")


def test_cookie_is_for_this_site_and_no_script(browser_of: Browser) -> None:
    cookie = browser_of.try_login("the-viewer", PASSWORD).headers["set-cookie"]

    assert cookie.startswith("wheeltapper=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} < set(cookie.split("; "))


@pytest.mark.parametrize(
    ("name", "password", "who", "why"),
    [
        ("the-admin", "wrong wrong wrong", "the-admin", "wrong password"),
        ("the-admin", "", "the-admin", "wrong password"),
        ("the-admin", PASSWORD.upper(), "the-admin", "wrong password"),
        ("nobody", PASSWORD, "", "no such account"),
        ("", "", "", "no such account"),
        ("<script>", PASSWORD, "", "no such account"),
        ("x" * 5000, "x" * 5000, "", "no such account"),
        ("\ud800", "\x00", "", "no such account"),
    ],
)
def test_wrong_login_is_refused_alike_and_written_down(
    browser_of: Browser, people: People, name: str, password: str, who: str, why: str
) -> None:
    answer = browser_of.try_login(name, password)

    assert (answer.status, answer.content) == (401, {"error": WRONG})
    assert "set-cookie" not in answer.headers
    (row,) = people.told("login failed")
    assert (row["who"], row["words"], row["place"]) == (who, why, "127.0.0.1")


@pytest.mark.parametrize(
    "content", [{}, [], {"name": "the-admin"}, {"name": 3, "password": None}, "x"]
)
def test_login_that_is_none_is_told_so(browser_of: Browser, content: object) -> None:
    assert browser_of.post("/api/login", content).status == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"\xff\xfe", 400), (b"[" * 10_000, 400), (b"{" * 20_000, 413)],
)
def test_body_that_is_no_json_is_refused(locked: Console, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json", "Origin": locked.url}

    answer = locked.ask("/api/login", method="POST", headers=headers, body=body)

    assert (answer.status, "error" in answer.content) == (status, True)


def test_disabled_account_is_refused_as_a_wrong_password_is(
    browser_of: Browser, people: People
) -> None:
    people.change("the-viewer", enabled=False)

    answer = browser_of.try_login("the-viewer", PASSWORD)

    assert (answer.status, answer.content) == (401, {"error": WRONG})
    assert people.told("login failed")[0]["words"] == "the account is disabled"


def test_password_in_the_field_of_the_name_is_kept_nowhere(
    browser_of: Browser, people: People
) -> None:
    browser_of.try_login(PASSWORD, "the-admin")

    assert PASSWORD not in str(people.events)


@pytest.mark.parametrize("name", ["the-admin", "nobody"])
def test_too_many_wrong_passwords_lock_out_even_the_right_one(
    browser_of: Browser, people: People, name: str
) -> None:
    for _ in range(FAILURES):
        assert browser_of.try_login(name, "wrong wrong wrong").status == 401

    answer = browser_of.try_login(name, PASSWORD)

    assert (answer.status, answer.headers["retry-after"]) == (429, "30")
    assert answer.content["error"] == "Too many wrong passwords. Try again in 30 s."
    assert "for the name from this address: 30 s" in people.told("locked out")[0]["words"]
    assert people.told("refused")[0]["words"] == "login: locked out"


def test_lock_out_ends_and_others_are_not_locked_out(browser_of: Browser, people: People) -> None:
    for _ in range(FAILURES):
        browser_of.try_login("the-admin", "wrong wrong wrong")
    browser_of.login("the-viewer")
    assert browser_of.try_login("the-admin", PASSWORD).status == 429

    people.clock.now += 30

    browser_of.login("the-admin")


def test_administrator_ends_a_lock_out(browser_of: Browser, people: People) -> None:
    for _ in range(FAILURES):
        browser_of.try_login("the-viewer", "wrong wrong wrong")

    people.change("the-viewer", unlocked="2026-11-30T11:00:00Z")
    people.access.look()

    browser_of.login("the-viewer")
    assert people.told("account")[0]["words"] == "the-viewer: need not wait any longer"


def test_address_that_tries_names_is_locked_out(browser_of: Browser, people: People) -> None:
    browser_of.login("the-viewer")
    for number in range(FAILURES_FROM_ADDRESS):
        browser_of.try_login(f"guess-{number}", PASSWORD)

    assert browser_of.try_login("the-admin", PASSWORD).status == 429
    # Whoever was let in here is not shut out by strangers behind the same proxy.
    browser_of.login("the-viewer")
    assert "for the address" in people.told("locked out")[0]["words"]


def test_many_at_once_cannot_try_more_than_one_by_one(browser_of: Browser, people: People) -> None:
    answers = gathered(QUEUE, lambda: browser_of.try_login("the-admin", "wrong wrong wrong"))

    statuses = sorted(answer.status for answer in answers)
    assert statuses == [401] * FAILURES + [429] * (QUEUE - FAILURES)


# sessions


@pytest.mark.parametrize(
    "cookie",
    [
        "wheeltapper=forged",
        "wheeltapper=" + "A" * 43,
        'wheeltapper="><script>"',
        "wheeltapper=\xff\xfe",
        "wheeltapper=" + "x" * 4000,
    ],
)
def test_forged_cookie_is_refused_and_written_down(
    locked: Console, people: People, cookie: str
) -> None:
    assert Browser(locked, cookie).get("/api/line").status == 401
    (row,) = people.told("refused")
    assert row["words"] == "GET /api/line: a cookie of no session"


@pytest.mark.parametrize(
    ("passed", "why"), [(1800.0, "nobody was at it"), (LONGEST_S, "it has lasted its time")]
)
def test_expired_cookie_is_refused_and_its_end_written_down(
    browser_of: Browser, people: People, passed: float, why: str
) -> None:
    operator = browser_of.login("the-operator")
    people.clock.now += passed

    assert operator.get("/api/line").status == 401
    (row,) = people.told("session ended")
    assert (row["who"], row["words"]) == ("the-operator", why)
    assert people.told("refused")[0]["words"].endswith("a cookie of no session")


def test_page_that_asks_by_itself_is_no_sign_of_life(browser_of: Browser, people: People) -> None:
    operator = browser_of.login("the-operator")
    for _ in range(3):
        people.clock.now += 600
        operator.get("/api/alarms")

    assert operator.get("/api/alarms").status == 401


def test_hand_at_the_page_is_one(browser_of: Browser, people: People) -> None:
    operator = browser_of.login("the-operator")
    for _ in range(4):
        people.clock.now += 600
        assert operator.post("/api/session").status == 200

    assert operator.get("/api/alarms").status == 200


def test_logout_ends_the_session_for_good(browser_of: Browser, people: People) -> None:
    operator = browser_of.login("the-operator")

    answer = operator.post("/api/logout")

    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert operator.get("/api/line").status == 401
    assert people.told("logout")[0]["who"] == "the-operator"


def test_login_ends_the_session_before_it(browser_of: Browser) -> None:
    before = browser_of.login("the-operator")
    before.login("the-viewer")

    assert before.get("/api/line").status == 401


@pytest.mark.parametrize(
    "change",
    [{"enabled": False}, {"password": "$argon2id$v=19$m=64,t=1,p=1$" + "A" * 22 + "$" + "A" * 43}],
)
def test_change_of_the_account_ends_its_sessions(
    browser_of: Browser, people: People, change: dict[str, Any]
) -> None:
    operator = browser_of.login("the-operator")

    people.change("the-operator", **change)

    assert operator.get("/api/line").status == 401


def test_removed_account_is_out(browser_of: Browser, people: People) -> None:
    operator = browser_of.login("the-operator")

    people.remove("the-operator")

    assert operator.get("/api/line").status == 401
    assert people.told("account")[0]["words"] == "the-operator: removed"


def test_new_role_holds_from_the_next_request_on(browser_of: Browser, people: People) -> None:
    person = browser_of.login("the-viewer")

    people.change("the-viewer", role=Role.ADMIN)

    assert person.get("/api/audit").status == 200
    assert people.told("account")[0]["words"] == "the-viewer: is admin, was viewer"


def test_file_that_vanishes_lets_nobody_in(browser_of: Browser, people: People) -> None:
    admin = browser_of.login("the-admin")

    people.file.unlink()

    assert admin.get("/api/line").status == 401
    assert browser_of.try_login("the-admin", PASSWORD).status == 401


def test_file_with_a_slip_leaves_all_as_it_was_and_is_told(
    browser_of: Browser, people: People
) -> None:
    admin = browser_of.login("the-admin")

    people.file.write_text("[[account]\n")

    assert admin.get("/api/line").status == 200
    assert "is no TOML" in people.told("accounts unreadable")[0]["words"]


def test_start_tells_what_changed_while_the_gateway_was_down(people: People) -> None:
    assert {row["words"] for row in people.told("account")} == {
        f"the-{role}: added as {role}" for role in Role
    }
    people.events.clear()
    people.remove("the-viewer")

    people.open()

    (row,) = people.told("account")
    assert (row["who"], row["words"]) == ("root", "the-viewer: removed")


def test_stream_ends_with_its_session(locked: Console, people: People, browser_of: Browser) -> None:
    cookie = browser_of.login("the-viewer").cookie

    async def journey() -> bytes:
        reader, writer = await frames(locked, cookie)
        people.remove("the-viewer")
        async with asyncio.timeout(60):
            rest = await reader.readuntil(b"\r\n0\r\n\r\n")  # the last chunk of the answer
        writer.close()
        return rest

    assert asyncio.run(journey()).endswith(b"0\r\n\r\n")
    assert browser_of.console.ask("/events", headers={"Cookie": cookie}).status == 401


# one's own password

NEW = "a lorry full of gravel"


def test_owner_changes_the_password_and_other_sessions_end(
    browser_of: Browser, people: People
) -> None:
    here, elsewhere = browser_of.login("the-viewer"), browser_of.login("the-viewer")

    answer = here.post("/api/password", {"old": PASSWORD, "new": NEW})

    assert (answer.status, here.get("/api/line").status) == (200, 200)
    assert elsewhere.get("/api/line").status == 401
    assert browser_of.try_login("the-viewer", PASSWORD).status == 401
    browser_of.login("the-viewer", NEW)
    assert people.told("password changed")[0]["who"] == "the-viewer"
    assert NEW not in str(people.events) + people.file.read_text()


@pytest.mark.parametrize(
    ("said", "status", "why"),
    [
        ({"old": "wrong wrong wrong", "new": NEW}, 403, "present password is wrong"),
        ({"old": PASSWORD, "new": "short"}, 403, "12 characters or more"),
        ({"old": PASSWORD, "new": "the-viewerthe-viewer"}, 403, "not the name"),
        ({"old": PASSWORD}, 400, "are needed"),
        ({"old": 1, "new": []}, 400, "are needed"),
    ],
)
def test_password_that_will_not_do_changes_nothing(
    browser_of: Browser, people: People, said: dict[str, object], status: int, why: str
) -> None:
    before = people.file.read_bytes()

    answer = browser_of.login("the-viewer").post("/api/password", said)

    assert (answer.status, why in answer.content["error"]) == (status, True)
    assert people.file.read_bytes() == before


def test_stolen_session_cannot_try_passwords_without_end(browser_of: Browser) -> None:
    person = browser_of.login("the-viewer")
    said = {"old": "wrong wrong wrong", "new": NEW}
    for _ in range(FAILURES):
        person.post("/api/password", said)

    answer = person.post("/api/password", {**said, "old": PASSWORD})

    assert "Too many wrong passwords" in answer.content["error"]


# cross-site requests


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}"])
def test_cross_site_request_is_refused_and_written_down(
    browser_of: Browser, people: People, plant: Plant, origin: str
) -> None:
    plant.alarmed()
    operator = browser_of.login("the-operator")
    headers = {"Origin": origin.format(port=operator.console.port)}

    answer = operator.post("/api/alarms/12/acknowledge", SAID, **headers)

    assert (answer.status, plant.alarm_state) == (403, "UNACK")
    assert "another site" in people.told("refused")[0]["words"]


@pytest.mark.parametrize("headers", [{"Origin": ""}, {"Sec_Fetch_Site": "cross-site"}])
def test_cookie_without_its_page_changes_nothing(
    browser_of: Browser, people: People, plant: Plant, headers: dict[str, str]
) -> None:
    plant.alarmed()
    operator = browser_of.login("the-operator")

    answer = operator.post("/api/alarms/12/acknowledge", SAID, **headers)

    assert (answer.status, plant.alarm_state) == (403, "UNACK")
    assert "from no page" in people.told("refused")[0]["words"]


def test_login_from_another_site_is_refused(browser_of: Browser) -> None:
    said = {"name": "the-admin", "password": PASSWORD}

    assert browser_of.post("/api/login", said, Origin="http://evil.example").status == 403


# rights


def asked(plant: Plant) -> list[tuple[str, str, bool]]:
    found = doors(plant, Stream(plant), Entrance(None, no_records))
    found += setpoint_doors(Setpoints(None, None))
    return [(door.path, door.right, door.changes) for door in found]


def test_every_endpoint_that_changes_something_asks_for_a_right(plant: Plant) -> None:
    changing = {path: right for path, right, changes in asked(plant) if changes}

    without = {path for path, right in changing.items() if right in (Right.OPEN, Right.MEASURE)}
    assert without == {"/api/login", "/api/logout"}
    # Of oneself; and a stop, which asks for nothing.
    of_all = {path for path, right in changing.items() if right is Right.READ}
    assert of_all == {"/api/session", "/api/password", "/api/setpoints/stop"}


def test_there_is_no_way_in_beside_the_doors(locked: Console, plant: Plant) -> None:
    from gateway.console.app import create_app
    from gateway.console.doors import Door

    assert all(type(route) is Door for route in create_app(plant).routes)


MATRIX = [
    ("GET", "/api/line", {}, Right.READ),
    ("GET", "/api/asset?path=works/hall-2/line1/pump-2", {}, Right.READ),
    (
        "GET",
        "/api/asset/scores?path=works/hall-2/line1/pump-2&start_ms=0&stop_ms=1",
        {},
        Right.READ,
    ),
    ("GET", "/api/trend?tag=works/hall-2/line1/pump-2/flow&start_ms=0&stop_ms=1", {}, Right.READ),
    ("GET", "/api/alarms", {}, Right.READ),
    ("GET", "/api/alarms/12", {}, Right.READ),
    ("GET", "/api/holds", {}, Right.READ),
    ("GET", "/api/instruments", {}, Right.READ),
    ("GET", "/api/report", {}, Right.READ),
    ("GET", "/api/parts", {}, Right.READ),
    ("GET", "/api/tags", {}, Right.READ),
    ("GET", "/api/sources", {}, Right.READ),
    ("GET", "/api/sinks", {}, Right.READ),
    ("GET", "/api/savings", {}, Right.READ),
    ("GET", "/api/setpoints/proposers", {}, Right.READ),
    ("GET", "/api/setpoints", {}, Right.READ),
    ("GET", "/api/setpoints/switch", {}, Right.READ),
    ("POST", "/api/setpoints/stop", {}, Right.READ),
    ("POST", "/api/setpoints/start", {}, Right.APPROVE),
    ("POST", "/api/setpoints/approve", {}, Right.APPROVE),
    ("POST", "/api/setpoints/reject", {}, Right.APPROVE),
    ("POST", "/api/setpoints/revert", {}, Right.ACKNOWLEDGE),
    ("POST", "/api/setpoints/unlock", {}, Right.APPROVE),
    ("GET", "/api/gaps", {}, Right.READ),
    ("GET", "/api/models", {}, Right.READ),
    ("GET", "/api/session", {}, Right.READ),
    ("GET", "/api/audit", {}, Right.AUDIT),
    ("GET", "/health", {}, Right.MEASURE),
    ("GET", "/metrics", {}, Right.MEASURE),
    ("POST", "/api/session", {}, Right.READ),
    ("POST", "/api/password", {}, Right.READ),
    ("POST", "/api/alarms/12/acknowledge", SAID, Right.ACKNOWLEDGE),
    ("POST", "/api/alarms/12/feedback", {**SAID, "label": "false"}, Right.FEEDBACK),
    (
        "POST",
        "/api/alarms/12/feedback",
        {**SAID, "label": "false", "new_normal": True},
        Right.ACCEPT,
    ),
    ("POST", "/api/holds", {**PUMP, "kind": "shelved", "seconds": 60}, Right.SHELVE),
    ("POST", "/api/holds", {**PUMP, "kind": "suppressed", "seconds": 60}, Right.SUPPRESS),
    ("POST", "/api/holds", {**PUMP, "kind": "out-of-service"}, Right.SUPPRESS),
    ("POST", "/api/holds/release", {**PUMP, "kind": "shelved"}, Right.SHELVE),
    ("POST", "/api/holds/release", {**PUMP, "kind": "suppressed"}, Right.SUPPRESS),
    ("POST", "/api/holds/release", {**PUMP, "kind": "out-of-service"}, Right.SUPPRESS),
    ("POST", "/api/instruments/trust", {**PUMP, "target": "flow"}, Right.ACCEPT),
    ("POST", "/api/models/promote", PUMP, Right.MODELS),
    ("POST", "/api/models/return", PUMP, Right.MODELS),
    ("POST", "/api/models/discard", PUMP, Right.MODELS),
    (
        "POST",
        "/api/parts/label",
        {**SAID, "asset": "press-1", "number": "1186", "label": "good"},
        Right.FEEDBACK,
    ),
    ("POST", "/api/parts/normal", {**SAID, "asset": "press-1"}, Right.ACCEPT),
]
ASK = {
    "GET": lambda one, path, _: one.get(path),
    "POST": lambda one, path, said: one.post(path, said),
}


def test_matrix_holds_every_endpoint_that_is_not_open(plant: Plant) -> None:
    tried = {
        (path.partition("?")[0].replace("12", "{alarm:int}"), how) for how, path, _, _ in MATRIX
    }
    there = {
        (path, "POST" if changes else "GET")
        for path, right, changes in asked(plant)
        if right is not Right.OPEN
    }

    assert there - tried == {("/events", "GET")}  # the test of the stream has it


@pytest.mark.parametrize("role", Role)
def test_every_role_may_what_the_table_says_and_nothing_else(
    browser_of: Browser, people: People, plant: Plant, role: Role
) -> None:
    person = browser_of.login(f"the-{role}")
    let_in = {}
    for how, path, said, _ in MATRIX:
        plant.reset()
        plant.alarmed()
        plant.stuck = True
        answer = ASK[how](person, path, said)
        let_in[how, path, str(said)] = answer.status not in (401, 403)

    assert let_in == {
        (how, path, str(said)): right in RIGHTS[role] for how, path, said, right in MATRIX
    }


def test_viewer_who_acknowledges_is_refused_by_name_and_written_down(
    browser_of: Browser, people: People, plant: Plant
) -> None:
    plant.alarmed()

    answer = browser_of.login("the-viewer").post("/api/alarms/12/acknowledge", SAID)

    words = (
        "the-viewer is viewer; only operator, engineer, approver or admin may acknowledge alarms."
    )
    assert (answer.status, answer.content["error"], plant.alarm_state) == (403, words, "UNACK")
    (row,) = people.told("refused")
    assert (row["who"], row["words"]) == (
        "the-viewer",
        f"POST /api/alarms/12/acknowledge: {words}",
    )


def test_event_bears_the_account_whatever_the_browser_says(
    browser_of: Browser, plant: Plant
) -> None:
    plant.alarmed()

    row = browser_of.login("the-operator").post("/api/alarms/12/acknowledge", SAID).content

    assert row["actor"] == "the-operator"


def test_browser_need_not_say_a_name(browser_of: Browser, plant: Plant) -> None:
    plant.alarmed()
    said = {"note": "seen"}

    assert browser_of.login("the-operator").post("/api/alarms/12/acknowledge", said).status == 200
    assert plant.actor == "the-operator"


# commands and programs


def test_command_with_the_gateways_token_may_all_and_is_told_from_accounts(
    browser_of: Browser, people: People, plant: Plant
) -> None:
    plant.alarmed()
    token = {"Authorization": f"Bearer {people.access.token}", "Origin": ""}

    answer = browser_of.post("/api/alarms/12/acknowledge", {**SAID, "actor": "the-admin"}, **token)

    assert (answer.status, plant.actor) == (200, "the-admin (local)")


def test_command_has_to_say_who_does_it(browser_of: Browser, people: People) -> None:
    token = {"Authorization": f"Bearer {people.access.token}", "Origin": ""}

    assert browser_of.post("/api/alarms/12/acknowledge", {"note": "x"}, **token).status == 400


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer forged",
        "Basic dGhlLWFkbWluOng=",
        "Bearer \xff",
        f"bearer {METRICS}x",
    ],
)
def test_other_tokens_are_refused_and_written_down(
    browser_of: Browser, people: People, header: str
) -> None:
    assert browser_of.get("/api/line", Authorization=header).status == 401
    assert "a token that is none of ours" in people.told("refused")[0]["words"]


def test_program_reads_figures_and_nothing_else(browser_of: Browser) -> None:
    token = {"Authorization": f"Bearer {METRICS}"}

    assert browser_of.get("/metrics", **token).status == 200
    assert browser_of.get("/health", **token).status == 200
    assert browser_of.get("/api/line", **token).status == 403
    assert browser_of.post("/api/alarms/12/acknowledge", SAID, **token).status == 403


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_this_machine_reads_figures_without_a_token(browser_of: Browser, path: str) -> None:
    assert browser_of.get(path).status == 200


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.5", False),
        ("10.0.0.5", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_this_machine_is_known_by_its_addresses(address: str, near: bool) -> None:
    assert is_near({"client": (address, 1)}) is near


@pytest.mark.parametrize("token", ["token", "metrics_token"])
def test_token_of_the_commands_holds_from_this_machine_alone(people: People, token: str) -> None:
    header = (b"authorization", f"Bearer {getattr(people.access, token)}".encode())
    scope = {"type": "http", "client": ("10.0.0.5", 1), "headers": [header]}

    who, _ = recognised(people.access, scope)

    assert Right.READ not in who.rights


# the audit


def test_admin_reads_the_audit(browser_of: Browser) -> None:
    browser_of.try_login("the-viewer", "wrong wrong wrong")

    found = browser_of.login("the-admin").get("/api/audit").content["audit"]

    assert [row["what"] for row in found][:2] == ["login", "login failed"]


# without accounts


def test_without_accounts_nobody_logs_in_and_everybody_may(console: Console) -> None:
    session = console.ask("/api/session").content

    assert (session["accounts"], session["name"], session["role"]) == (False, "", None)
    assert set(session["rights"]) == {str(right) for right in Right}
    assert Browser(console).try_login("the-admin", PASSWORD).status == 409
