"""The connections that write: opened when needed, cut on the first doubt, one request at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from connectors.contract import Actuator, Beating, Cells
from gateway.guard.outlets import shared
from plant.errors import PlantError, Rejected, Unreachable
from plant.setpoints import Doubtful, Readback, Reading, Setpoint

READ_S, WRITE_S, OPEN_S = 3.0, 4.0, 5.0
T = TypeVar("T")


class Devices:
    """All devices, by name.

    Parameters
    ----------
    makers
        Make a fresh actuator for each device.
    device_of
        The device of each tag.
    """

    def __init__(
        self, makers: Mapping[str, Callable[[], Actuator]], device_of: Mapping[str, str]
    ) -> None:
        self._makers = makers
        self._device_of = device_of
        self._places: dict[str, Cells] = {}
        self.twins: dict[str, str] = {}
        """Setpoints that turned out to be one with another, and with which."""
        self._open: dict[str, Actuator] = {}
        self._locks = {name: asyncio.Lock() for name in makers}
        self._busy = {name: asyncio.Lock() for name in makers}

    def lock(self, tag: str) -> asyncio.Lock:
        """Give the lock of a tag's device: held from the reading that decides to the read-back."""
        return self._locks[self._device_of[tag]]

    async def read(self, tags: Iterable[str]) -> dict[str, Reading]:
        """Read tags now; those that cannot be read are missing, and their connection is cut."""
        by_device: dict[str, list[str]] = {}
        for tag in dict.fromkeys(tags):
            device = self._device_of.get(tag)
            if device in self._makers:
                by_device.setdefault(str(device), []).append(tag)
        found: dict[str, Reading] = {}
        for device, wanted in by_device.items():
            try:
                readings = await self._use(device, READ_S, partial(_read, wanted))
            except (PlantError, OSError, TimeoutError):
                await self.cut(device)
                continue
            found |= {reading.tag: reading for reading in readings if reading.tag in wanted}
        return found

    async def write(self, setpoint: Setpoint, last_look: Callable[[], None]) -> None:
        """Write once.

        Parameters
        ----------
        last_look
            Is called right before the frame leaves, after all waiting for the connection and the
            device; what it raises keeps the frame here.

        Raises
        ------
        Rejected
            The device said no; nothing was written.
        Unreachable
            There was no connection to begin with; nothing was written.
        Doubtful
            Nobody knows; the connection was cut.
        """
        device = self._device_of[setpoint.tag]
        async with self._busy[device]:
            if device not in self._open:
                # What the decision rests on was read over a connection that is gone.
                raise Unreachable(f"{device}: the connection was lost")
            try:
                async with asyncio.timeout(WRITE_S):
                    await self._open[device].write(setpoint, last_look)
            except Rejected:
                raise
            except Unreachable:
                await self.cut(device)
                raise
            except (PlantError, OSError, TimeoutError) as error:
                await self.cut(device)
                raise Doubtful(str(error) or type(error).__name__) from error

    async def read_back(self, tag: str, *, anew: bool = False) -> Readback:
        """Read a setpoint back; `anew`: over another connection. Unreachable when it cannot be."""
        device = self._device_of[tag]
        if anew:
            async with self._busy[device]:
                await self.cut(device)
        try:
            return await self._use(device, READ_S, lambda one: one.read_back(tag))
        except (PlantError, OSError, TimeoutError) as error:
            await self.cut(device)
            raise Unreachable(str(error) or type(error).__name__) from error

    async def cut(self, device: str) -> None:
        """Cut a connection; the next use opens another."""
        gone = self._open.pop(device, None)
        if gone is not None:
            with suppress(PlantError, OSError, TimeoutError):
                async with asyncio.timeout(OPEN_S):
                    await gone.__aexit__(None, None, None)

    async def beat(self, tag: str, *, enable: bool = True) -> None:
        """Show the block of a tag that the guard lives, or hand its loop back; tried once."""
        device = self._device_of[tag]
        with suppress(PlantError, OSError, TimeoutError):
            await self._use(device, READ_S, partial(_beat, tag, enable))
            return
        await self.cut(device)

    async def close(self) -> None:
        """Cut all connections."""
        for device in list(self._open):
            await self.cut(device)

    async def _use(self, device: str, most_s: float, what: Callable[[Actuator], Awaitable[T]]) -> T:
        async with self._busy[device]:
            actuator = await self._opened(device)
            async with asyncio.timeout(most_s):
                done = await what(actuator)
            self._place(actuator.places)
            return done

    def _place(self, found: Mapping[str, Cells]) -> None:
        """Take note of where setpoints are; what was one once is not believed to be two later."""
        if found.items() <= self._places.items():
            return
        self._places |= found
        for one, other in shared(self._places):
            self.twins |= {one: other, other: one}

    async def _opened(self, device: str) -> Actuator:
        """Give the open connection; Unreachable when there is none to be had."""
        if device not in self._open:
            actuator = self._makers[device]()
            try:
                async with asyncio.timeout(OPEN_S):
                    await actuator.__aenter__()
            except (PlantError, OSError, TimeoutError) as error:
                raise Unreachable(f"{device}: {error or type(error).__name__}") from error
            self._open[device] = actuator
        return self._open[device]


async def _beat(tag: str, enable: bool, actuator: Actuator) -> None:
    if isinstance(actuator, Beating):
        await actuator.beat(tag, enable=enable)


async def _read(tags: Sequence[str], actuator: Actuator) -> Sequence[Reading]:
    return await actuator.read(tags)
