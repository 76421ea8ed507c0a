"""Reads the tags of one Modbus TCP device or gateway, scan by scan."""

import asyncio
import time
from collections.abc import Sequence
from itertools import groupby
from types import TracebackType
from typing import Self

import numpy as np

from connectors.modbus.address import address_of
from connectors.modbus.blocks import Limits, coalesce, reading_order
from connectors.modbus.config import ModbusConfig
from connectors.modbus.grid import Grid
from connectors.modbus.scan import Piece, Scan
from connectors.modbus.stamps import Stamps
from connectors.modbus.unit import Unit
from connectors.modbus.wire import Connection
from plant.errors import Unreachable
from plant.samples import Batch, ContextEvent
from plant.tags import TagHandle, ValueType


class ModbusSource:
    """Raw values of all tags, once a period, stamped by the gateway.

    One batch holds one scan of all units. A scan that takes longer than its period is delivered in
    parts. A unit that does not answer is Bad; from then on at most one such unit is asked between
    two scans, less and less often.

    Parameters
    ----------
    config
        The connection.
    tags
        What to read, with addresses as `connectors.modbus.address` reads them.

    Raises
    ------
    Misconfigured
        When an address cannot be read; names the tag.
    """

    def __init__(self, config: ModbusConfig, tags: Sequence[TagHandle]) -> None:
        self.name = config.name
        self._period = config.scan_ms / 1000
        self._place = f"{config.host}:{config.port}"
        self._connection = Connection(config.host, config.port, config.timeout_ms / 1000)
        self._lay_out(config, tags)
        self._stamps = Stamps()
        self._texts: dict[int, tuple[str, int]] = {}
        self._left: list[Unit] = []
        self._grid = Grid(0.0, self._period)
        self._entered = False

    def _lay_out(self, config: ModbusConfig, tags: Sequence[TagHandle]) -> None:
        found = [address_of(one.tag) for one in tags]
        order = reading_order(found)
        addresses = [found[i] for i in order]
        self._handles = np.array([tags[i].handle for i in order], np.int32)
        self._numeric = np.array([one.type is not ValueType.TEXT for one in addresses], np.bool_)
        limits = Limits(config.max_registers, config.max_bits, config.max_gap)
        blocks = coalesce(addresses, limits)
        self._units = [
            Unit([Piece(block, addresses) for block in own], self._period)
            for _, own in groupby(blocks, key=lambda block: block.unit)
        ]

    async def __aenter__(self) -> Self:
        """Connect, or raise `Unreachable`."""
        await self._connection.open()
        self._grid = Grid(time.monotonic(), self._period)
        self._entered = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection at once."""
        self._entered = False
        self._connection.reset()
        # The loop closes the socket in its next turn.
        await asyncio.sleep(0)

    async def read(self) -> Batch:
        """Wait for the next scan and deliver it.

        Raises
        ------
        Unreachable
            When the connection is lost and cannot be opened again, when no unit answers any more,
            or when the source is not entered.
        """
        if not self._entered:
            raise Unreachable(f"source {self.name} is not open; enter it before reading")
        scan = Scan(len(self._handles))
        left, self._left = self._left, []
        if not left:
            await self._probe()
            await asyncio.sleep(self._grid.take(time.monotonic()) - time.monotonic())
            left = self._round(scan)
        await self._ask(left, scan)
        if self._units and all(unit.silent for unit in self._units):
            raise Unreachable(
                f"{self._place} accepts connections, but none of its {len(self._units)} units "
                "answers; are the unit numbers right, and is the device running?"
            )
        return self._batch(scan)

    async def _probe(self) -> None:
        now = time.monotonic()
        due = [unit for unit in self._units if unit.dead and unit.retry_at <= now]
        if due:
            await min(due, key=lambda unit: unit.retry_at).probe(self._connection)

    def _round(self, scan: Scan) -> list[Unit]:
        at = self._stamps.next()
        for unit in self._units:
            if unit.dead:
                unit.excuse(scan, at)
        return [unit for unit in self._units if not unit.dead]

    async def _ask(self, left: list[Unit], scan: Scan) -> None:
        deadline = time.monotonic() + self._period
        for number, unit in enumerate(left):
            if number and time.monotonic() > deadline:
                self._left = left[number:]
                return
            await unit.read(self._connection, scan, self._stamps)

    def _batch(self, scan: Scan) -> Batch:
        at = self._stamps.next()
        told = np.flatnonzero(scan.said & self._numeric)
        return Batch(
            source=self.name,
            tag=self._handles[told],
            at=scan.at[told],
            value=scan.value[told],
            status=scan.status[told],
            upto=at,
            received=time.time_ns(),
            heard=time.monotonic_ns(),
            stamped=True,
            context=self._context(scan),
        )

    def _context(self, scan: Scan) -> tuple[ContextEvent, ...]:
        changed = {
            column: found
            for column, found in scan.texts.items()
            if self._texts.get(column) != found
        }
        self._texts.update(changed)
        return tuple(
            ContextEvent(int(self._handles[column]), int(scan.at[column]), text, status)
            for column, (text, status) in changed.items()
        )
