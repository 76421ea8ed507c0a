"""The witness: a node-opcua server in a process of its own that writes down what it does."""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from plant.tags import Role, Tag
from tests.lacking import NODE_OPCUA
from tests.ports import free_port

SPACE = "urn:plant:line"
START_S = 120.0


def tags_of(
    source: str, count: int, form: str = "s=Line1.T{}", role: Role = Role.SIGNAL
) -> list[Tag]:
    """The tags T0 … of one witness, below an asset named after the source."""
    return [
        Tag(
            name=f"site/{source}/T{i}",
            source=source,
            address=f"nsu={SPACE};{form.format(i)}",
            role=role,
        )
        for i in range(count)
    ]


@dataclass
class Witness:
    """A server over any number of starts, with its log.

    Parameters
    ----------
    folder
        Where its certificates lie.
    settings
        As in ``witness.js``.
    prefix
        Words before the command, such as ``ip netns exec plc``.

    Attributes
    ----------
    ticks : list[int]
        Every n for which it has set its values, in order.
    log : list[dict]
        Everything else that it told.
    """

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    ticks: list[int] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self._told = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def period(self) -> int:
        """Milliseconds between two values of a tag."""
        return int(self.settings.get("period", 100))

    @property
    def url(self) -> str:
        return f"opc.tcp://{self.settings.get('host', '127.0.0.1')}:{self.port}/UA/plc"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()

    async def start(self, **changed: Any) -> int:
        """Start it, with settings changed for good; give the moment it listened, ns."""
        self.settings |= changed
        settings = {"port": self.port, "pki": str(self.folder / "plc-pki"), **self.settings}
        self._process = await asyncio.create_subprocess_exec(
            *self.prefix,
            "node",
            "witness.js",
            json.dumps(settings),
            cwd=NODE_OPCUA,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        row = await self.heard("up")
        return int(row["at"]) * 1_000_000

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            if not line.startswith(b"{"):
                continue
            row = json.loads(line)
            if set(row) == {"n"}:
                self.ticks.append(row["n"])
                continue
            self.log.append(row)
            self._told.set()

    async def heard(self, word: str) -> dict[str, Any]:
        """Wait for the next row with this word."""
        seen = len(self.log)
        async with asyncio.timeout(START_S):
            while True:
                for row in self.log[seen:]:
                    if word in row:
                        return row
                self._told.clear()
                await self._told.wait()

    async def until(self, met: Callable[["Witness"], object]) -> None:
        """Wait until it has told enough: what it tells comes after what it does."""
        async with asyncio.timeout(START_S):
            while not met(self):
                await asyncio.sleep(0.02)

    async def moved(self, ticks: int) -> None:
        """Wait until it has set its values so often from now on: tick n is of its n-th period."""
        now = time.time_ns() // 1_000_000 // self.period
        await self.until(lambda one: sum(n > now for n in one.ticks) >= ticks)

    async def order(self, **order: str) -> int:
        """Give an order, as in `witness.js`, and wait until it is done; give the moment, ns."""
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self.heard("done")
        return time.time_ns()

    async def forget(self) -> None:
        """End every session and forget what was told of them; the ticks stand in the history."""
        await self.order(forget="sessions")
        self.log.clear()

    async def kill(self) -> None:
        """Kill it: no goodbye to its clients."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        await process.wait()
        await self._reading

    def freeze(self) -> None:
        """Stop it where it stands: its connections stay, nothing moves."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> int:
        """Let it move again; give the moment, ns."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)
        return time.time_ns()

    @property
    def live_at_most(self) -> int:
        """The most sessions that were ever open at once."""
        return max((row["live"] for row in self.log if "session" in row), default=0)

    def count(self, session: str) -> int:
        """How many sessions were created, or closed."""
        return sum(row.get("session") == session for row in self.log)
