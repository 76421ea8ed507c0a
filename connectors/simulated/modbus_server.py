"""The loopback Modbus TCP server; for the demo and for tests, reads only."""

import errno
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from connectors.simulated.ports import HOST, listen
from connectors.simulated.registers import TABLES, Place, Table, place_of
from plant.tags import Tag

_BLOCK_OF: dict[int, Table] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
"""The table that each reading function code serves; there is no other code on offer."""


class _Unit:
    """One unit's registers and bits, as they are to be answered."""

    def __init__(self, number: int, places: Sequence[Place]) -> None:
        self.number = number
        self.tables = {
            table: [0] * max((p.at + p.size for p in places if p.table == table), default=1)
            for table in TABLES
        }

    def put(self, place: Place, raw: float) -> None:
        self.tables[place.table][place.at : place.at + place.size] = place.words(raw)

    def _words(self, table: Table) -> list[int]:
        values = self.tables[table]
        if table in ("holding", "input"):
            return values
        bits = np.packbits(np.array(values, bool), bitorder="little")
        padded = np.append(bits, np.zeros(len(bits) % 2, np.uint8))
        return [int(word) for word in padded.view("<u2")]

    async def answer(
        self,
        code: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Bring the registers up to date just before pymodbus answers from them."""
        del start, address, count
        if written is not None or code not in _BLOCK_OF:
            return ExcCodes.ILLEGAL_FUNCTION
        registers[:] = self._words(_BLOCK_OF[code])
        return None

    def device(self) -> SimDevice:
        bits, words = (
            [
                [SimData(0, count=len(self._words(table)) * size, values=blank, datatype=kind)]
                for table in tables
            ]
            for tables, size, blank, kind in (
                (TABLES[:2], 16, False, DataType.BITS),
                (TABLES[2:], 1, 0, DataType.REGISTERS),
            )
        )
        return SimDevice(
            self.number, simdata=(bits[0], bits[1], words[0], words[1]), action=self.answer
        )


class ModbusServer:
    """Serves columns at their Modbus addresses on 127.0.0.1.

    Parameters
    ----------
    tags
        The columns (p,).
    port
        Wanted port; the next free one is taken. 0 is any. After entering, the one in use.
    """

    def __init__(self, tags: Sequence[Tag], port: int) -> None:
        self.port = port
        self._places = [place_of(tag) for tag in tags]
        numbers = sorted({place.unit for place in self._places})
        self._units = {
            number: _Unit(number, [place for place in self._places if place.unit == number])
            for number in numbers
        }
        self._server: ModbusTcpServer | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        devices = [unit.device() for unit in self._units.values()]

        async def start(port: int) -> None:
            server = ModbusTcpServer(devices, address=(HOST, port))
            try:
                await server.serve_forever(background=True)
            except RuntimeError as error:  # that is all it says when it cannot listen
                raise OSError(errno.EADDRINUSE, str(error)) from error
            self._server = server

        self.port = await listen(self.port, start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and drop the clients."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus

    def put(self, raw: NDArray[np.float64]) -> None:
        """Take over a row of raw values (p,), all at once."""
        for place, value in zip(self._places, raw.tolist(), strict=True):
            self._units[place.unit].put(place, value)
