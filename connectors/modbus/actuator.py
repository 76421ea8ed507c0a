"""Setpoints over Modbus: one attempt on a connection of its own, and a reset at the first doubt.

For TCP and TLS. On a serial line answers carry no number, and a device server keeps a frame that
our reset no longer reaches: nobody could promise that it is not applied late.
"""

import math
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from connectors.contract import Cells, Outlet
from connectors.modbus.address import LAST_OFFSET, Address, Table, address_of, parse_address
from connectors.modbus.config import ModbusConfig
from connectors.modbus.lines import line_of
from connectors.modbus.registers import Decoder
from connectors.modbus.strict import StrictConnection
from connectors.modbus.wire import Request, read, write_registers
from connectors.modbus.writing import request_of
from connectors.setpoint_words import (
    ANSWER_AT,
    BEAT_AT,
    BLOCK_WORDS,
    BlockAnswer,
    beat_words,
    counts_of,
    engineering,
    left_s,
    raw_of,
    said_of,
    timely_words,
)
from plant.errors import Misconfigured, Rejected, Unreachable
from plant.quality import Status, status_name
from plant.setpoints import Doubtful, Readback, Reading, Setpoint
from plant.tags import Tag, ValueType

PATIENCE_S = 3.0
"""Longest wait for a connection and for one answer."""
NOT_DONE = (1, 2, 3, 6, 10)
"""Exceptions after which nothing was written (Modbus Application Protocol V1.1b3 §7): function,
address, value, busy, no path. A failure (4), a promise (5) and a gateway's silent device (11) leave
it open."""
_BROKEN = (ValueType.FLOAT32, ValueType.FLOAT64)
_BLOCK_EXAMPLE = "unit 3, holding 400"


class ModbusActuator:
    """Writes to one device.

    Parameters
    ----------
    config
        The device, as its source names it.
    tags
        What may be read.
    outlets
        What may be written.
    patience_s
        Longest wait for one answer, s.

    Raises
    ------
    Misconfigured
        An address cannot be used, or the transport has no numbered answers.
    """

    def __init__(
        self,
        config: ModbusConfig,
        tags: Sequence[Tag],
        outlets: Sequence[Outlet],
        patience_s: float = PATIENCE_S,
    ) -> None:
        if config.serial:
            raise Misconfigured(
                f'{config.name}: transport "{config.transport}" carries no setpoints, for nobody '
                'could call a late frame back; write over "tcp" or "tls"'
            )
        self.name = config.name
        own = [*tags, *(outlet.active for outlet in outlets if outlet.active is not None)]
        own += [outlet.tag for outlet in outlets if outlet.block is None]
        self._tags = {tag.name: tag for tag in own}
        self._addresses = {tag.name: address_of(tag) for tag in own}
        self._outlets = {outlet.tag.name: outlet for outlet in outlets}
        self._blocks = {o.tag.name: _block(o.block, o.tag) for o in outlets if o.block is not None}
        self._line, self._patience_s = line_of(config), patience_s
        self._connection = StrictConnection(self._line, patience_s)
        self.places: Mapping[str, Cells] = {}
        """See `Actuator`."""

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._open(self._connection)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take leave; nothing is under way."""
        self._connection.close()

    async def read(self, tags: Sequence[str]) -> Sequence[Reading]:
        """Read these tags now."""
        with _nothing_sent():
            return [await self._one(name) for name in tags]

    async def write(self, setpoint: Setpoint, last_look: Callable[[], None] = lambda: None) -> None:
        """Try once."""
        outlet = self._outlet(setpoint.tag)
        if outlet.block is None:
            address = self._addresses[setpoint.tag]
            raw = raw_of(outlet.tag, setpoint, whole=address.type not in _BROKEN)
            request = request_of(address, raw)
            left_s(setpoint, time.time_ns(), self._patience_s)
        else:
            request = await self._block_request(setpoint, outlet.tag)
        last_look()
        await self._put(request, setpoint.tag)

    async def read_back(self, tag: str) -> Readback:
        """Ask over a fresh connection what the device keeps."""
        outlet = self._outlet(tag)
        async with self._fresh() as connection:
            if outlet.block is not None:
                return said_of(outlet.tag, await self._block_answer(connection, tag))
            setpoint = await self._reading(connection, outlet.tag)
            if outlet.active is None:
                return Readback(setpoint)
            return Readback(setpoint, await self._reading(connection, outlet.active))

    async def beat(self, tag: str, *, enable: bool = True) -> Readback:
        """Show the block of this tag that the guard lives, and read it."""
        outlet = self._outlet(tag)
        if outlet.block is None:
            raise Rejected(f"{tag} is set without a block; there is nothing to beat for")
        with _nothing_sent():
            answer = await self._block_answer(self._connection, tag)
        place = self._blocks[tag]
        words = beat_words(answer.clock, enable=enable)
        await self._put(write_registers(place.unit, place.offset + BEAT_AT, words), tag)
        return said_of(outlet.tag, answer)

    async def _open(self, connection: StrictConnection) -> None:
        """Connect, and say what of the device that was reached each setpoint takes up."""
        await connection.open()
        taken = {tag: self._blocks.get(tag) or self._addresses[tag] for tag in self._outlets}
        self.places = {
            tag: frozenset((connection.device, *cell) for cell in address.cells)
            for tag, address in taken.items()
        }

    async def _one(self, tag: str) -> Reading:
        if tag in self._blocks:
            answer = await self._block_answer(self._connection, tag)
            return said_of(self._outlets[tag].tag, answer).setpoint
        if tag not in self._tags:
            raise Rejected(f"{self.name}: {tag} is none of this actuator's tags")
        return await self._reading(self._connection, self._tags[tag])

    def _outlet(self, tag: str) -> Outlet:
        if tag not in self._outlets:
            raise Rejected(f"{self.name}: {tag} is none of the setpoints that are written here")
        return self._outlets[tag]

    async def _block_request(self, setpoint: Setpoint, tag: Tag) -> Request:
        count, begun = counts_of(tag, setpoint), time.monotonic()
        with _nothing_sent():
            answer = await self._block_answer(self._connection, tag.name)
        patience = self._patience_s - (time.monotonic() - begun)
        words = timely_words(setpoint, count, answer.clock, time.time_ns(), patience)
        place = self._blocks[tag.name]
        return write_registers(place.unit, place.offset, words)

    async def _put(self, request: Request, tag: str) -> None:
        answer = await self._connection.ask(request)
        if answer.status is Status.GOOD:
            return
        if answer.exception in NOT_DONE:
            raise Rejected(
                f"{tag}: the device refuses the write (exception {answer.exception}, "
                f"{status_name(answer.status)}); nothing was written"
            )
        self._connection.cut()
        raise Doubtful(f"{tag}: the device failed in the write (exception {answer.exception})")

    async def _reading(self, connection: StrictConnection, tag: Tag) -> Reading:
        address = self._addresses[tag.name]
        request = read(address.unit, address.table, address.offset, address.length)
        answer = await connection.ask(request)
        value, status = math.nan, int(answer.status)
        if answer.status is Status.GOOD and address.type is ValueType.TEXT:
            status = Status.BAD_TYPE_MISMATCH
        elif answer.status is Status.GOOD:
            numbers, statuses = Decoder([address], address.offset).decode(answer.payload)
            value, status = engineering(tag, float(numbers[0])), int(statuses[0])
        return _read_now(tag, value, status)

    async def _block_answer(self, connection: StrictConnection, tag: str) -> BlockAnswer:
        place = self._blocks[tag]
        answer = await connection.ask(read(place.unit, place.table, place.offset, BLOCK_WORDS))
        if answer.status is not Status.GOOD:
            raise Rejected(
                f"{tag}: the device does not show its setpoint block at {place.table} "
                f"{place.offset} ({status_name(answer.status)}); nothing was written"
            )
        return BlockAnswer.of(struct.unpack(f">{BLOCK_WORDS}H", answer.payload)[ANSWER_AT:])

    @asynccontextmanager
    async def _fresh(self) -> AsyncIterator[StrictConnection]:
        """Give another connection in place of the first: devices have few.

        After a doubt it is for this reading alone.
        """
        kept = self._connection.alive
        self._connection.close()
        connection = StrictConnection(self._line, self._patience_s)
        await self._open(connection)
        try:
            with _nothing_sent():
                yield connection
        except BaseException:
            connection.cut()
            raise
        if kept:
            self._connection = connection
        else:
            connection.close()


@contextmanager
def _nothing_sent() -> Iterator[None]:
    """Turn a doubt into a lost link: who only reads leaves nothing behind."""
    try:
        yield
    except Doubtful as doubt:
        raise Unreachable(str(doubt)) from doubt


def _block(text: str, tag: Tag) -> Address:
    try:
        place = parse_address(text, ValueType.UINT16)
    except Misconfigured as error:
        raise Misconfigured(f"tag {tag.name}: {error}") from None
    last = place.offset + BLOCK_WORDS - 1
    if place.table is not Table.HOLDING or last > LAST_OFFSET:
        raise Misconfigured(
            f'tag {tag.name}: block "{text}" should be the first of {BLOCK_WORDS} holding '
            f'registers, like "{_BLOCK_EXAMPLE}"'
        )
    return replace(place, length=BLOCK_WORDS)


def _read_now(tag: Tag, value: float, status: int) -> Reading:
    return Reading(tag.name, value, int(status), time.time_ns(), time.monotonic())
