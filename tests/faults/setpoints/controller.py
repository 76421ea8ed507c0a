"""A controller in a process of its own, its log, and the writers that are held against it."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self, cast

from connectors.contract import Beating, Outlet
from connectors.modbus.actuator import ModbusActuator
from connectors.modbus.config import ModbusConfig
from connectors.opcua.actuator import OpcUaActuator
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.strict import StrictSession
from connectors.simulated.setpoint_opcua import SPACE
from plant.errors import PlantError, Unreachable
from plant.setpoints import Doubtful, Readback, Setpoint
from plant.tags import Tag

START_S = 120.0
SCALE = 0.1
FIRST = 100.0
"""Every setpoint at the beginning."""
WANTED = 103.0
PATIENCE_S = 3.0


@dataclass
class Controller:
    """The process; an async context manager.

    Parameters
    ----------
    loops
        How many control loops it has.
    host
        Address that it listens at.
    prefix
        Words before the command, such as ``ip netns exec plc``.
    fronts
        What it speaks.
    """

    loops: int
    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    fronts: tuple[str, ...] = ("modbus", "opcua")
    log: list[dict[str, Any]] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        words = [word for front in self.fronts for word in (f"--{front}", "0")]
        self._process = await asyncio.create_subprocess_exec(
            *self.prefix,
            *(sys.executable, "-m", "connectors.simulated.setpoint_process"),
            *("--host", self.host, "--loops", str(self.loops), *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self._process.stdout
        async with asyncio.timeout(START_S):
            self.ports = json.loads(await self._process.stdout.readline())["ready"]
        self._reading = asyncio.create_task(self._read(self._process.stdout))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            self.log.append(json.loads(line))

    def freeze(self) -> None:
        """Stop it where it stands: the system still takes bytes for it."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it move again."""
        self._process.send_signal(signal.SIGCONT)

    def of(self, what: str, loop: int, place: str, since: int = 0) -> list[dict[str, Any]]:
        """Give the entries of one setpoint from a moment on, ns."""
        return [
            row
            for row in self.log
            if (row["what"], row["loop"], row["place"]) == (what, loop, place)
            and row["at"] >= since
        ]


class Gate:
    """Lets writers through all at once, when all have come."""

    def __init__(self, writers: int) -> None:
        self._missing = writers
        self._all, self._open = asyncio.Event(), asyncio.Event()

    async def arrived(self) -> None:
        """Wait until all stand before it."""
        await self._all.wait()

    def open(self) -> None:
        """Let them through."""
        self._open.set()

    async def passed(self) -> None:
        """Come to it and wait."""
        self._missing -= 1
        if not self._missing:
            self._all.set()
        await self._open.wait()


@dataclass
class Writer:
    """One actuator with one setpoint to write, and what came of it."""

    protocol: str
    place: str
    loop: int
    actuator: ModbusActuator | OpcUaActuator
    tag: str
    sequence: int = 1
    failed_at: int = 0
    outcome: str = "written"
    said: Readback | None = None

    async def arm(self) -> None:
        """Connect, and make a block ready."""
        await self.actuator.__aenter__()
        if self.place == "block":
            said = await cast("Beating", self.actuator).beat(self.tag)
            self.sequence = int(said.accepted or 0) + 1

    def gated(self, gate: Gate) -> None:
        """Have it stop at the gate right before the bytes of the write leave."""
        if isinstance(self.actuator, ModbusActuator):
            put = self.actuator._put

            async def asked(request: Any, tag: str) -> None:
                await gate.passed()
                await put(request, tag)

            self.actuator._put = asked  # type: ignore[method-assign]
        else:
            fresh = self.actuator._new_session

            def stopping(session: StrictSession) -> StrictSession:
                write = session.write

                async def written(name: str, value: Any, *look: Any) -> None:
                    await gate.passed()
                    await write(name, value, *look)

                session.write = written  # type: ignore[method-assign]
                return session

            # Reading back goes on over another session, and writes with that one from then on.
            self.actuator._new_session = lambda: stopping(fresh())  # type: ignore[method-assign]
            stopping(self.actuator._session)

    async def write(self, left_s: float = 30.0) -> None:
        """Try once, and note what came of it and when."""
        deadline = time.time_ns() + int(left_s * 1e9)
        try:
            await self.actuator.write(Setpoint(self.tag, WANTED, "/min", deadline, self.sequence))
        except Doubtful:
            self.outcome = "doubtful"
        except Unreachable:
            self.outcome = "unreachable"
        except PlantError as error:
            self.outcome = f"{type(error).__name__}: {error}"
        self.failed_at = time.time_ns()

    async def read_back(self) -> None:
        """Ask what is in force, over a fresh connection."""
        self.said = await self.actuator.read_back(self.tag)

    @property
    def changed(self) -> bool:
        """Whether reading back showed another value than before the write."""
        return self.said is not None and abs(self.said.setpoint.value - FIRST) > SCALE / 2

    async def leave(self) -> None:
        await self.actuator.__aexit__(None, None, None)


def writer(
    controller: Controller, protocol: str, place: str, loop: int, patience_s: float = PATIENCE_S
) -> Writer:
    """Give a writer to one setpoint of a controller."""
    tag = Tag(name=f"site/loop-{loop}/{place}", source="plc", address="", unit="/min", scale=SCALE)
    host, port = controller.host, controller.ports[protocol]
    if protocol == "modbus":
        plain = replace(tag, address=f"unit {loop}, holding 0, int32")
        outlet = Outlet(tag=tag, block=f"unit {loop}, holding 100")
        config = ModbusConfig(name="plc", host=host, port=port)
        made: Any = ModbusActuator(
            config, [], [Outlet(tag=plain) if place == "plain" else outlet], patience_s
        )
    else:
        plain = replace(tag, address=f"nsu={SPACE};s=Loop{loop}.Setpoint")
        outlet = Outlet(tag=tag, block=f"nsu={SPACE};s=Loop{loop}.Block")
        own = OpcUaConfig(name="plc", url=f"opc.tcp://{host}:{port}/", security="none")
        made = OpcUaActuator(
            own, [], [Outlet(tag=plain) if place == "plain" else outlet], patience_s
        )
    return Writer(protocol, place, loop, made, tag.name)


async def through(writers: Sequence[Writer], broken: Callable[[], Awaitable[None] | None]) -> None:
    """Have all of them write at once, with the link broken right before the bytes leave."""
    for one in writers:
        await one.arm()
    gate = Gate(len(writers))
    for one in writers:
        one.gated(gate)
    writing = [asyncio.create_task(one.write()) for one in writers]
    await gate.arrived()
    done = broken()
    if done is not None:
        await done
    gate.open()
    await asyncio.gather(*writing)


def late(controller: Controller, writers: Sequence[Writer], what: str = "applied") -> int:
    """Count what the controller did of a write after the caller had seen it fail."""
    return sum(len(controller.of(what, one.loop, one.place, one.failed_at)) for one in writers)
