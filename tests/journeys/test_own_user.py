"""A guard that is a user of its own: real processes of two users, and what the gateway's may not.

The users need no entry on the machine; the group is one that is there.
"""

import asyncio
import grp
import http.cookiejar
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from connectors.simulated.setpoint_modbus import SetpointModbus
from connectors.simulated.setpoint_plc import SetpointPlc
from gateway.accounts.passwords import Cost, hashed
from gateway.accounts.register import Account, Accounts, write_accounts
from gateway.checkpoints import KIND
from gateway.guard.audit import records_of, verify
from gateway.guard.keys import make_key
from gateway.guard.stopping import STOP, STOPS
from gateway.guard.words import AUDIT, SOCKET
from gateway.journal import Journal
from plant.errors import PlantError
from plant.keys import read_public
from tests.gateway.guard.sealing import seal
from tests.journeys.setpoint_stage import CONFIG, LIMITS, PEOPLE, SPEED, WORD, until
from tests.lacking import lacking
from wheeltapper.running import console_of

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]
GUARD, GATEWAY, STRANGER = 61_001, 61_002, 61_003
GROUP = "users"
PATIENCE_S = 120.0
OWN = """\
[setpoints]
mode = "approve"
limits = "limits.toml"
keys = ["engineer.pub"]
access = "write-access.toml"
folder = "{folder}"
group = "{group}"
"""
ASKING = """
import sys
from pathlib import Path
from gateway.guard.words import tell
print(tell(Path(sys.argv[1]), {"op": "status"})["mode"])
"""
STOPPING = """
import sys
from pathlib import Path
from gateway.guard.stopping import pull
pull(Path(sys.argv[1]), "somebody")
"""


ROOT = Path(__file__).parents[2]
PYTHONS = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
"""That of a virtual environment may lie where only root comes."""


def runs(python: str) -> bool:
    """Tell whether every user can run the product with it."""
    try:
        return ran(STRANGER, "-c", "import wheeltapper.app, numpy", python=python)[0] == 0
    except OSError:
        return False


@cache
def python_of_all() -> str:
    found = next(filter(runs, PYTHONS), None)
    return found or lacking("a checkout and a Python that every user can read — clone below /srv")


def started(
    user: int, words: list[str], *, member: bool = True, python: str = ""
) -> "subprocess.Popen[str]":
    """Start something as a user who is in the group, or is not."""
    packages = [str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return subprocess.Popen(
        [python or python_of_all(), *words], user=user, group=user, umask=0o077, cwd="/",
        extra_groups=[grp.getgrnam(GROUP).gr_gid] * member, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1",
             "PYTHONPATH": os.pathsep.join(packages)},
    )  # fmt: skip


def ran(user: int, *words: str, member: bool = True, python: str = "") -> tuple[int, str]:
    """Run something as a user; give its code, and all that it said."""
    process = started(user, list(words), member=member, python=python)
    said = "".join(process.communicate(timeout=PATIENCE_S))
    return process.returncode, said


class Site:
    """What is root's, the guard's folder, the gateway's, and a controller that writes down."""

    def __init__(self, base: Path) -> None:
        self.etc, self.folder, self.data = base / "etc", base / "guard", base / "data"
        self.config = self.etc / "plant.toml"
        self.plc = SetpointPlc(2)
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._controller()))
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._cookies)
        )
        self.guard: subprocess.Popen[str] | None = None
        self.gateway: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)

    def end(self) -> None:
        for process in (self.guard, self.gateway):
            if process is not None and process.poll() is None:
                process.terminate()
                process.communicate(timeout=PATIENCE_S)
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE_S)

    async def _controller(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self.plc, SetpointModbus(self.plc) as server:
            self._commission(server.port)
            self._ready.set()
            await self._over.wait()

    def _commission(self, port: int) -> None:
        for folder, owner in ((self.etc, 0), (self.folder, GUARD), (self.data, GATEWAY)):
            folder.mkdir(mode=0o700)
            os.chown(folder, owner, owner)
        self.etc.chmod(0o755)
        said = CONFIG.format(port=port).replace("[console]", f'data = "{self.data}"\n[console]')
        said = said.replace("port = 0", f'port = 0\naccounts = "{self.etc}/accounts.toml"')
        self.config.write_text(said + OWN.format(folder=self.folder, group=GROUP))
        cheap = Cost(memory=64, passes=1, lanes=1)
        people = {
            name: Account(name=name, role=role, password=hashed(WORD, cheap))
            for name, role in PEOPLE.items()
        }
        accounts = self.etc / "accounts.toml"
        write_accounts(accounts, Accounts(people))
        os.chown(accounts, 0, grp.getgrnam(GROUP).gr_gid)
        accounts.chmod(0o640)
        access = self.etc / "write-access.toml"
        access.write_text("[plc]\n")
        access.chmod(0o600)
        os.chown(access, GUARD, GUARD)
        key = make_key(self.etc / "engineer.key")
        seal(self.etc, LIMITS, key, time.time_ns())

    def start_guard(self) -> dict[str, Any]:
        self.guard = started(GUARD, ["-m", "wheeltapper", "guard", str(self.config), "--json"])
        assert self.guard.stdout is not None
        line = self.guard.stdout.readline()
        assert line, self.guard.communicate()[1]
        told: dict[str, Any] = json.loads(line)
        return told

    def end_guard(self, how: int) -> None:
        assert self.guard is not None
        self.guard.send_signal(how)
        self.guard.communicate(timeout=PATIENCE_S)

    def start_gateway(self) -> None:
        self.gateway = started(GATEWAY, ["-m", "wheeltapper", "run", str(self.config), "--json"])
        until(lambda: console_of(self.data))

    def call(self, path: str, said: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Ask the console, as a browser does."""
        console = console_of(self.data)
        assert console is not None
        body = None if said is None else json.dumps(said).encode()
        headers = {"Content-Type": "application/json", "Origin": console.url}
        asked = urllib.request.Request(console.url + path, body, headers)
        try:
            with self._opener.open(asked, timeout=PATIENCE_S) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)

    def login(self, name: str) -> None:
        self._cookies.clear()
        assert self.call("/api/login", {"name": name, "password": WORD})[0] == 200

    def by(self, user: int, *words: str, member: bool = True) -> tuple[int, str]:
        """Run a command about setpoints as a user of the machine."""
        said = ("setpoints", *words, "--data", str(self.config), "--json")
        return ran(user, "-m", "wheeltapper", *said, member=member)

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(records_of(self.folder / AUDIT))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if os.geteuid() != 0:
        lacking("two users — run: sudo .venv/bin/pytest tests/journeys/test_own_user.py")
    python_of_all()
    base = Path(tempfile.mkdtemp(prefix="own-user-"))
    base.chmod(0o755)
    site = Site(base)
    site.begin()
    site.start_guard()
    site.start_gateway()
    yield site
    site.end()
    shutil.rmtree(base)


def test_a_request_goes_through_both_users(site: Site, tmp_path: Path) -> None:
    word = Path(tempfile.mkdtemp(prefix="own-user-")) / "word"
    word.parent.chmod(0o755)
    word.write_text(WORD)
    code, said = site.by(
        GATEWAY, "request", SPEED, "51", "--unit", "1/min", "--reason", "P2", "--as", "eve",
        "--password-file", str(word),
    )  # fmt: skip
    shutil.rmtree(word.parent)
    assert code == 0, said
    site.login("ana")
    until(lambda: site.call("/api/setpoints")[1]["pending"])
    key = site.call("/api/setpoints")[1]["pending"][0]["id"]
    code, held = site.call("/api/setpoints/approve", {"target": key, "password": WORD})
    assert (code, held["state"]) == (200, "held")
    assert [one.value * 0.05 for one in site.plc.applied] == [51.0]
    # The page reads the audit; so does whoever is in the group.
    seen = until(lambda: site.call("/api/setpoints")[1]["history"])
    assert (seen[0]["state"], seen[0]["approvals"]) == ("held", ["ana"])
    assert '"state": "held"' in site.by(GATEWAY, "history")[1].replace('":"', '": "')


def test_the_kernel_says_who_speaks(site: Site) -> None:
    assert site.by(GATEWAY, "stop")[0] == 0
    assert site.events[-1]["actor"].endswith(f"(uid {GATEWAY})")
    site.login("ana")
    assert site.call("/api/setpoints/start", {"password": WORD}) == (200, {"stopped": False})


def test_what_the_gateways_user_may_not(site: Site) -> None:
    """Each file is tried as the gateway's user, group and all: to read it, and to change it."""
    (site.folder / "store.json").stat()
    tried = """
import os, sys
def goes(act):
    try:
        act()
    except OSError:
        return False
    return True
for path in sys.argv[1:]:
    folder = os.path.dirname(path)
    print(os.path.basename(path),
        *(int(goes(act)) for act in (
            lambda: os.close(os.open(path, os.O_RDONLY)),
            lambda: os.close(os.open(path, os.O_WRONLY)),
            lambda: os.chmod(path, 0o777),
            lambda: os.unlink(path),
            lambda: os.rename(path, path + "x"),
            lambda: os.close(os.open(folder + "/new", os.O_CREAT | os.O_WRONLY)),
            lambda: os.close(os.open(folder, os.O_RDONLY)) if folder.endswith("guard") else 1 / 1,
        )))
"""
    names = ("audit.jsonl", "audit.key", "store.json", STOP)
    files = [str(site.folder / name) for name in names[:3]]
    files += [
        str(site.etc / name) for name in ("write-access.toml", "limits.toml", "accounts.toml")
    ]
    files += [str(site.etc / "engineer.pub"), str(site.config)]
    code, said = ran(GATEWAY, "-c", tried, *files)
    assert code == 0, said
    may = {line.split()[0]: line.split()[1:] for line in said.splitlines()}
    # Of the guard's folder not even the list: whoever could open it could hold its lock.
    assert may["audit.jsonl"] == ["1", "0", "0", "0", "0", "0", "0"]
    assert may["audit.key"] == may["store.json"] == ["0"] * 7
    assert may["write-access.toml"] == [*"000000", "1"]
    for name in ("limits.toml", "accounts.toml", "engineer.pub", "plant.toml"):
        assert may[name] == [*"100000", "1"], name


def test_who_is_not_in_the_group_neither_asks_nor_stops(site: Site) -> None:
    code, said = ran(STRANGER, "-c", ASKING, str(site.folder), member=False)
    assert (code != 0, "this user may not speak to the guard" in said) == (True, True), said
    code, said = ran(STRANGER, "-c", STOPPING, str(site.folder), member=False)
    assert (code != 0, "PermissionError" in said) == (True, True), said
    assert ran(STRANGER, "-c", ASKING, str(site.folder)) == (0, "approve\n")


def test_a_dead_guard_is_stopped_by_the_console_and_only_an_approver_starts(site: Site) -> None:
    site.end_guard(signal.SIGKILL)
    site.login("vic")
    assert site.call("/api/setpoints/stop", {})[0] == 200
    seen = site.call("/api/setpoints/switch")[1]
    assert (seen["running"], seen["stopped"]["who"]) == (
        False, f"vic from 127.0.0.1 (uid {GATEWAY})",
    )  # fmt: skip
    own = site.folder / STOPS / str(GATEWAY)
    assert own.stat().st_uid == GATEWAY

    assert site.start_guard()["stopped"] == "stopped"
    until(lambda: site.events[-1]["event"] == "stopped")
    assert (site.folder / STOP).exists()
    assert site.events[-1]["actor"] == f"vic from 127.0.0.1 (uid {GATEWAY})"
    # Whoever has pulled it takes his file away again: nothing is started by that.
    assert ran(GATEWAY, "-c", f"import os; os.unlink({str(own)!r})") == (0, "")
    site.end_guard(signal.SIGTERM)
    assert site.start_guard()["stopped"] == "stopped"

    assert ran(GATEWAY, "-c", STOPPING, str(site.folder))[0] == 0
    site.login("ana")
    until(lambda: site.call("/api/setpoints/switch")[1]["running"])
    assert site.call("/api/setpoints/start", {"password": "wrong"})[0] == 409
    assert site.call("/api/setpoints/start", {"password": WORD}) == (200, {"stopped": False})
    assert list((site.folder / STOPS).iterdir()) == []
    site.end_guard(signal.SIGTERM)
    assert site.start_guard()["stopped"] == ""


def test_what_a_taken_gateway_puts_among_the_stops_gives_nothing_away(site: Site) -> None:
    stops = site.folder / STOPS
    bait = f"import os; os.symlink({str(site.etc / 'write-access.toml')!r}, '{stops}/a')"
    assert ran(GATEWAY, "-c", bait) == (0, "")
    assert ran(GATEWAY, "-c", f"import os; os.mkfifo('{stops}/b')") == (0, "")
    until(lambda: site.events[-1]["event"] == "stopped")
    assert (site.folder / STOP).exists()
    assert site.events[-1]["actor"] == f"somebody (uid {GATEWAY})"
    site.login("ana")
    assert site.call("/api/setpoints/start", {"password": WORD}) == (200, {"stopped": False})


def test_the_gateway_reads_the_checkpoints_of_the_other_user(site: Site, tmp_path: Path) -> None:
    site.end_guard(signal.SIGTERM)
    found = verify(site.folder / AUDIT, [read_public(site.folder / "audit.pub")])
    assert (found.bad, found.signed) == (0, found.records)
    last = site.events[-1]

    def told(folder: Path) -> bool:
        journal = Journal.open(folder / "journal.db")
        heads = [event.body.get("head") for event in journal.newest({KIND}, 0, 10)]
        journal.close()
        return last["head"] in heads

    def told_so_far() -> bool:
        """Look at a copy: the journal belongs to the gateway that runs."""
        copy = Path(tempfile.mkdtemp(dir=tmp_path))
        for file in site.data.glob("journal.db*"):
            shutil.copy(file, copy)
        with suppress(PlantError, OSError, sqlite3.Error):  # it was copied in the midst of a write
            return told(copy)
        return False

    site.gateway.terminate()  # type: ignore[union-attr]
    site.gateway.communicate(timeout=PATIENCE_S)  # type: ignore[union-attr]
    site.start_gateway()
    until(told_so_far)
    site.gateway.terminate()  # type: ignore[union-attr]
    site.gateway.communicate(timeout=PATIENCE_S)  # type: ignore[union-attr]
    assert told(site.data)


def test_check_and_doctor_say_that_they_are_two(site: Site) -> None:
    code, said = ran(0, "-m", "wheeltapper", "setpoints", "check", str(site.config), "--json")
    assert code == 0, said
    (row,) = json.loads(said)["users"]
    assert (row["verdict"], row["result"]) == (
        "good",
        f"the guard is uid {GUARD}, the gateway uid {GATEWAY}; who is in the group {GROUP} may "
        "ask, and stop",
    )
    os.chown(site.etc / "engineer.pub", GATEWAY, GATEWAY)
    code, said = ran(0, "-m", "wheeltapper", "setpoints", "check", str(site.config), "--json")
    refused = ran(GUARD, "-m", "wheeltapper", "guard", str(site.config))
    os.chown(site.etc / "engineer.pub", 0, 0)
    (row,) = json.loads(said)["users"]
    assert (code, row["verdict"]) == (2, "wrong")
    assert f"engineer.pub: uid {GATEWAY} can change what the guard goes by" in row["result"]
    assert (refused[0], "give it to root" in refused[1]) == (2, True)


def test_a_guard_that_was_begun_as_another_user_says_so(site: Site) -> None:
    code, said = ran(STRANGER, "-m", "wheeltapper", "guard", str(site.config))
    assert code == 2, said
    assert str(site.folder) in said
    assert (site.folder / SOCKET).exists() is False
