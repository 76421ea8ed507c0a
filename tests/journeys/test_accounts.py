"""A whole gateway on all networks of this machine: its door, its commands, and its audit after."""

import asyncio
import json
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts.passwords import Cost, hashed
from gateway.accounts.register import Account, Accounts, write_accounts
from gateway.accounts.roles import Role
from gateway.config.plan import ConsolePlan, Plan
from gateway.console.tls import own_pair, prepare
from gateway.runtime import Gateway
from plant.assets import asset_of
from plant.errors import Rejected, Unreachable
from plant.tags import Tag
from wheeltapper.alarms import answered, ordered
from wheeltapper.audit import kept
from wheeltapper.running import Console, ask, console_of

pytestmark = pytest.mark.journey
PASSWORD = "oil pump by the north door"
PATIENCE_S = 60
TAGS = (Tag(name="works/press-1/force", source="plc", address=""),)


class Running:
    """A gateway in a thread, as `wheeltapper run` would have it in its process."""

    def __init__(self, data: Path, **console: Any) -> None:
        self.data = data
        self.told: list[tuple[str, dict[str, Any]]] = []
        plan = Plan(
            name="line-1",
            data=data,
            console=ConsolePlan(port=0, **console),
            tags=TAGS,
            assets=(asset_of("works/press-1", TAGS),),
        )
        self._gateway = Gateway(plan, on_event=lambda kind, row: self.told.append((kind, row)))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await self._gateway.run(self._stop)

    def __enter__(self) -> "Running":
        self._thread.start()
        self.until(lambda: any(kind == "console" for kind, _ in self.told))
        return self

    def until(self, met: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not met():
            assert time.monotonic() < deadline
            assert self._thread.is_alive()
            time.sleep(0.05)

    @property
    def console(self) -> Console:
        found = console_of(self.data)
        assert found is not None
        return found

    def login(self, name: str, password: str) -> tuple[int, str]:
        """Log in as a browser that trusts the gateway's own certificate."""
        trusting = ssl.create_default_context(cafile=str(self.data / "tls/console.pem"))
        place = self.console.url.removeprefix("https://")
        connection = HTTPSConnection(place, timeout=PATIENCE_S, context=trusting)
        body = json.dumps({"name": name, "password": password})
        headers = {"Content-Type": "application/json", "Origin": self.console.url}
        connection.request("POST", "/api/login", body, headers)
        answer = connection.getresponse()
        connection.close()
        return answer.status, answer.headers["Set-Cookie"] or ""

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    people = [
        Account(name=name, role=role, password=hashed(PASSWORD, Cost(64, 1, 1)), by="root")
        for name, role in (("ana", Role.ADMIN), ("vera", Role.VIEWER))
    ]
    write_accounts(tmp_path / "accounts.toml", Accounts({one.name: one for one in people}))
    return tmp_path


@pytest.fixture
def running(data: Path) -> Iterator[Running]:
    with Running(data, host="0.0.0.0", tls=True) as one:
        yield one


def audit(running: Running) -> list[tuple[str, str]]:
    rows = ask(running.console, "/api/audit")["audit"]
    return [(row["what"], row["who"]) for row in rows]


def test_people_log_in_and_commands_of_the_gateways_user_need_not(running: Running) -> None:
    assert running.login("ana", "wrong wrong wrong")[0] == 401
    status, cookie = running.login("ana", PASSWORD)

    assert (status, cookie.startswith("__Host-wheeltapper=")) == (200, True)
    running.until(lambda: len(audit(running)) == 4)
    assert audit(running) == [
        ("login", "ana"),
        ("login failed", "ana"),
        ("account", "root"),
        ("account", "root"),
    ]


def test_certificate_is_made_once_and_told(running: Running, data: Path) -> None:
    (made,) = [row for kind, row in running.told if kind == "own-certificate"]

    assert made["thumbprint"] == running.console.thumbprint
    assert {"localhost", "127.0.0.1"} <= set(made["names"])
    assert stat.S_IMODE((data / "gateway.json").stat().st_mode) == 0o600


def test_new_certificate_is_shown_without_a_restart_and_commands_know_it(
    running: Running, data: Path
) -> None:
    first, pair = running.console.thumbprint, own_pair(data)

    assert prepare(pair, ["127.0.0.1", "new.works.example"], ["new.works.example"])
    running.until(lambda: running.console.thumbprint != first)

    assert ask(running.console, "/api/line")["gateway"]["name"] == "line-1"
    assert running.login("ana", PASSWORD)[0] == 200  # by a browser that trusts the new one
    (told,) = [row["why"] for kind, row in running.told if kind == "certificate"]
    assert told == "the console shows the new certificate"


def test_command_says_nothing_to_what_shows_another_certificate(running: Running) -> None:
    there = running.console
    other = Console(there.url, there.token, "0" * 64)

    with pytest.raises(Unreachable, match="another certificate"):
        ask(other, "/api/line")


def test_command_of_another_user_is_told_how(running: Running) -> None:
    there = running.console

    with pytest.raises(Rejected, match="--data"):
        ask(Console(there.url, "", there.thumbprint), "/api/line")
    with pytest.raises(Rejected, match="--data"):
        ask(Console(there.url, "forged", there.thumbprint), "/api/line")


def test_order_of_a_command_bears_its_name_as_said_here(running: Running, data: Path) -> None:
    said = {"target": "no-such", "kind": "shelved", "seconds": 60, "actor": "ana", "note": "belt"}

    with pytest.raises(Rejected, match="There is no asset or alarm 'no-such'"):
        ordered(data, "", "/api/holds", said, "do it again")


def test_an_act_bears_its_address_and_holds_after_a_restart(data: Path) -> None:
    said = {"target": "press-1", "kind": "shelved", "seconds": 600, "actor": "ana", "note": "belt"}
    with Running(data, host="0.0.0.0", tls=True) as running:
        ordered(data, "", "/api/holds", said, "do it again")
        row = ask(running.console, "/api/audit")["audit"][0]
        kept_quiet = ask(running.console, "/api/holds")["holds"]
    with Running(data, host="0.0.0.0", tls=True) as running:
        assert ask(running.console, "/api/audit")["audit"][0] == row
        assert ask(running.console, "/api/holds")["holds"] == kept_quiet

    assert (row["what"], row["place"]) == ("hold", "127.0.0.1")
    assert row["words"] == "works/press-1 shelved: belt"
    assert [one["note"] for one in kept_quiet] == ["belt"]


def test_audit_is_read_from_the_journal_when_none_runs(data: Path) -> None:
    with Running(data, host="0.0.0.0", tls=True) as running:
        running.login("vera", PASSWORD)
    assert not (data / "gateway.json").exists()

    rows = answered(data, "", "/api/audit", kept)["audit"]

    assert [(row["what"], row["who"]) for row in rows] == [
        ("login", "vera"),
        ("account", "root"),
        ("account", "root"),
    ]


def test_second_start_tells_no_change_and_keeps_the_certificate(data: Path) -> None:
    with Running(data, host="0.0.0.0", tls=True) as running:
        first = running.console
    with Running(data, host="0.0.0.0", tls=True) as running:
        second = running.console
        assert audit(running) == [("account", "root")] * 2

    assert (second.thumbprint == first.thumbprint, second.token == first.token) == (True, False)


def test_loopback_without_accounts_is_as_it_was(tmp_path: Path) -> None:
    with Running(tmp_path) as running:
        assert running.console.url.startswith("http://127.0.0.1:")
        assert (running.console.token, running.console.thumbprint) == ("", "")
        assert ask(running.console.url, "/api/line")["gateway"]["name"] == "line-1"
        assert not (tmp_path / "tls").exists()
        assert stat.S_IMODE((tmp_path / "gateway.json").stat().st_mode) == 0o644


def test_loopback_with_accounts_asks_for_a_login(data: Path) -> None:
    with Running(data) as running:
        with pytest.raises(Rejected, match="has accounts"):
            ask(running.console.url, "/api/line")
        assert ask(running.console, "/api/line")["gateway"]["name"] == "line-1"
