"""A console with accounts: one of each role, cheap hashes, and an audit that tests can read."""

import asyncio
import json
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from gateway.accounts.access import Access
from gateway.accounts.audit import Audit, AuditRow, rows
from gateway.accounts.passwords import Cost, hashed
from gateway.accounts.register import Account, Accounts, read_accounts, write_accounts
from gateway.accounts.roles import Role
from gateway.journal import EventRecord

if TYPE_CHECKING:
    from tests.gateway.console.conftest import Answer, Console

PASSWORD = "oil pump by the north door"
HASH = hashed(PASSWORD, Cost(64, 1, 1))
METRICS = "0123456789abcdef" * 4
JSON = {"Content-Type": "application/json"}


@dataclass
class People:
    """The accounts of a console, who is let in by them, and what was written down."""

    file: Path
    events: list[EventRecord] = field(default_factory=list)
    clock: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(now=0.0))
    known: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        people = (Account(name=f"the-{role}", role=role, password=HASH) for role in Role)
        write_accounts(self.file, Accounts({one.name: one for one in people}))
        self.access = self.open()

    def open(self) -> Access:
        """Begin as a gateway that starts does."""
        return Access(
            self.file,
            Audit(self.events.append, lambda: float(self.clock.now)),
            metrics_token=METRICS,
            known=self.known.get("accounts"),
            tell=self.known.update,
            clock=lambda: float(self.clock.now),
        )

    def change(self, name: str, **changes: Any) -> None:
        """Change an account as a command beside the gateway does."""
        accounts = read_accounts(self.file)
        changed = replace(accounts.get(name), by="root", **changes)
        write_accounts(self.file, accounts.put(changed))

    def remove(self, name: str) -> None:
        """Remove an account as a command beside the gateway does."""
        write_accounts(self.file, replace(read_accounts(self.file).without(name), by="root"))

    def records(self, most: int) -> list[EventRecord]:
        """Give the newest events of the audit."""
        return self.events[-most:]

    def told(self, what: str) -> list[AuditRow]:
        """Give what was written down of one kind, newest first."""
        return [row for row in rows(list(self.events)) if row["what"] == what]


@dataclass(frozen=True)
class Browser:
    """What a browser would send: its cookie, and with what changes something its Origin."""

    console: "Console"
    cookie: str = ""

    def get(self, path: str, **headers: str) -> "Answer":
        return self.console.ask(path, headers=self._own() | _headers(headers))

    def post(self, path: str, content: object = (), **headers: str) -> "Answer":
        sent = JSON | {"Origin": self.console.url} | self._own() | _headers(headers)
        body = json.dumps(content or {}).encode()
        kept = {name: value for name, value in sent.items() if value}
        return self.console.ask(path, method="POST", headers=kept, body=body)

    def login(self, name: str, password: str = PASSWORD) -> "Browser":
        answer = self.try_login(name, password)
        assert answer.status == 200, answer.body
        return Browser(self.console, answer.headers["set-cookie"].partition(";")[0])

    def try_login(self, name: str, password: str) -> "Answer":
        return self.post("/api/login", {"name": name, "password": password})

    def _own(self) -> dict[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}


def _headers(named: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in named.items()}


def gathered(count: int, act: Any) -> list[Any]:
    """Do something at the same time in so many threads."""
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(act())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


async def frames(console: "Console", cookie: str) -> tuple[asyncio.StreamReader, Any]:
    """Open the stream and read its first frame."""
    reader, writer = await asyncio.open_connection("127.0.0.1", console.port)
    head = f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{console.port}\r\nCookie: {cookie}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"data: ")
    return reader, writer
