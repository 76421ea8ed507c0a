"""Reads the tags of one Modbus line, scan by scan."""

import asyncio
import time
from collections.abc import Sequence
from itertools import groupby
from types import TracebackType
from typing import Self

import numpy as np

from connectors.contract import Facts, Ticket
from connectors.modbus.address import Address, address_of
from connectors.modbus.blocks import Limits, check_lengths, reading_order
from connectors.modbus.config import ModbusConfig
from connectors.modbus.connection import Connection
from connectors.modbus.explorer import Learnt
from connectors.modbus.grid import Grid
from connectors.modbus.lines import line_of
from connectors.modbus.probing import Probing
from connectors.modbus.report import facts_of
from connectors.modbus.scan import Scan
from connectors.modbus.stamps import Stamps
from connectors.modbus.unit import Unit
from plant.errors import Misconfigured, Unreachable
from plant.samples import Batch, ContextEvent
from plant.tags import TagHandle, ValueType

_Memory = tuple[Sequence[Address], dict[int, Learnt]]


class ModbusSource:
    """Raw values of all tags, once a period, stamped by the gateway.

    One batch holds one scan of all units. A scan that takes longer than its period is delivered in
    parts. A unit that does not answer is Bad; from then on it is only probed.

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
        self._config = config
        self._period = config.scan_ms / 1000
        line = line_of(config)
        self._connection = Connection(line)
        self._probing = Probing(line.timeout)
        self._lay_out(config, tags)
        self._stamps = Stamps()
        self._texts: dict[int, tuple[str, int]] = {}
        self._left: list[Unit] = []
        self._grid = Grid(0.0, self._period)
        self._entered = False

    def _lay_out(self, config: ModbusConfig, tags: Sequence[TagHandle]) -> None:
        found = [address_of(one.tag) for one in tags]
        order = reading_order(found)
        self._addresses = addresses = [found[i] for i in order]
        self._handles = np.array([tags[i].handle for i in order], np.int32)
        self._numeric = np.array([one.type is not ValueType.TEXT for one in addresses], np.bool_)
        limits = Limits(config.max_registers, config.max_bits, config.gap)
        check_lengths(addresses, limits)
        if config.serial and addresses and addresses[0].unit == 0:
            first = tags[order[0]].tag
            raise Misconfigured(
                f'tag {first.name}: address "{first.address}": on a serial line unit 0 means '
                "everybody, and nobody answers; units are 1 to 247"
            )
        self._units = [
            Unit(addresses, list(own), limits, self._period)
            for _, own in groupby(range(len(addresses)), key=lambda i: addresses[i].unit)
        ]

    async def __aenter__(self) -> Self:
        """Connect, or raise `Unreachable` or `Misconfigured`."""
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
        self._connection.close()
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
        scan = Scan(self._numeric)
        left, self._left = self._left, []
        if not left:
            await self._probe()
            await asyncio.sleep(self._grid.take(time.monotonic()) - time.monotonic())
            left = self._round(scan)
        await self._ask(left, scan)
        if self._units and not any(unit.heard for unit in self._units):
            one = len(self._units) == 1
            raise self._hung(
                f"unit {self._units[0].number} does not answer"
                if one
                else f"none of its {len(self._units)} units answers"
            )
        return self._batch(scan)

    def facts(self) -> Facts:
        """Tell how this line is connected, and what its units do not give."""
        return facts_of(self._config, self._connection, self._units, self._addresses)

    def ticket(self) -> Ticket:
        """Give what was learnt of the units' holes and limits."""
        learnt = {unit.number: unit.learnt for unit in self._units}
        return Ticket({}, held=(self._addresses, learnt))

    def resume(self, ticket: Ticket) -> None:
        """Ask as a former source of the same tags had learnt to ask."""
        match ticket.held:
            case (addresses, dict(learnt)) if addresses == self._addresses:
                for unit in self._units:
                    unit.recall(learnt[unit.number])

    def _hung(self, what: str) -> Unreachable:
        return Unreachable(
            f"{self._config.place} is open, but {what}; "
            "are the unit numbers right, and is the device running?"
        )

    async def _probe(self) -> None:
        began = time.monotonic()
        unit = self._probing.choose(self._units, began, self._grid.spare(began))
        if unit is not None:
            point, missed = self._grid.next(began), unit.missed
            await unit.probe(self._connection)
            now = time.monotonic()
            if not missed:
                self._probing.spent(now, now - began, self._grid.next(now) - point)

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
            began = time.monotonic()
            await unit.read(self._connection, scan, self._stamps)
            if unit.silent:
                self._charge(unit, began)
                await self._see_who_lives()

    def _charge(self, unit: Unit, began: float) -> None:
        """Count the finding out of units that never answered as if they had been probed."""
        if not unit.heard_at:
            now = time.monotonic()
            self._probing.spent(now, now - began, now - began)

    async def _see_who_lives(self) -> None:
        """Ask the unit that answered last: if it is silent too, it is the line and not a unit."""
        alive = [unit for unit in self._units if unit.heard_at and not unit.dead]
        if alive:
            witness = max(alive, key=lambda unit: unit.heard_at)
            await witness.probe(self._connection)
            if witness.silent:
                raise self._hung(f"unit {witness.number}, which answered before, is silent too")

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
