"""The simulated plant as a child process: it ends when this process does, however that comes."""

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from plant.errors import Unreachable

READY_S = 90.0
LEAVE_S = 2.0


@dataclass
class Simulator:
    """Runs ``wheeltapper simulate``.

    Parameters
    ----------
    arguments
        Of the command.

    Attributes
    ----------
    ports
        Ports in use, by protocol, once entered.
    injected
        The scripted fault, once left; until then only the child knows it.
    """

    arguments: tuple[str, ...]
    ports: dict[str, int | None] = field(default_factory=dict, init=False)
    injected: dict[str, Any] | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        """Start the child and wait until its servers listen."""
        self._child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wheeltapper", "simulate", *self.arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(READY_S):
                self.ports = await self._line()
        except BaseException as error:
            await self._end()
            if isinstance(error, TimeoutError):
                raise Unreachable("the simulated plant did not start in time") from error
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the child, and hear what it had injected."""
        await self._end()

    async def _line(self) -> dict[str, Any]:
        output = self._child.stdout
        line = await output.readline() if output is not None else b""
        if not line:
            raise Unreachable("the simulated plant did not start; it says why above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _end(self) -> None:
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            async with asyncio.timeout(LEAVE_S):
                if self.ports:
                    self.injected = (await self._line())["injected"]
                await self._child.wait()
        except (TimeoutError, Unreachable):
            with suppress(ProcessLookupError):
                self._child.kill()
            await self._child.wait()
