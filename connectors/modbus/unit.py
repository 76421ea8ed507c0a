"""One unit on a line: its requests, what it refuses, its silence."""

import time
from collections.abc import Sequence

import numpy as np

from connectors.modbus.address import Address
from connectors.modbus.blocks import Block, Limits, block_of, coalesce
from connectors.modbus.connection import Connection
from connectors.modbus.explorer import Explorer, Learnt
from connectors.modbus.scan import Piece, Scan
from connectors.modbus.stamps import Stamps
from connectors.modbus.wire import Answer
from plant.quality import Status

LONGEST_WAIT_S = 4.0
"""A dead unit is probed at least that often, where the line has the time."""
MISSED = 1
"""Failures in a row up to which a unit that answered before is asked again whatever it costs the
others: a link that flaps may hit one unit twice, and that does not make it one of the dead."""


class Unit:
    """Reads one unit.

    Parameters
    ----------
    addresses
        All values of the source, in reading order.
    columns
        Indices of those that stand in this unit, not empty.
    limits
        How much one request may ask.
    scan_s
        Period of the scan, seconds.
    """

    def __init__(
        self, addresses: Sequence[Address], columns: Sequence[int], limits: Limits, scan_s: float
    ) -> None:
        self.number = addresses[columns[0]].unit
        self.learnt = Learnt(limits.lessons())
        self.requests = 0
        """Asked in the latest scan."""
        self.heard_at = 0.0
        self.silent_since: float | None = None
        """Wall time, s, of the first of the failures in a row."""
        self.retry_at = 0.0
        self._addresses = addresses
        self._limits = limits
        self._scan_s = scan_s
        self._columns = np.array(columns, np.intp)
        self._failures = 0
        self._answer = Answer(Status.BAD_WAITING_FOR_INITIAL_DATA)
        self._pieces: list[Piece] = []
        self._pending: list[tuple[Piece, Answer]] = []
        self._plan()

    @property
    def dead(self) -> bool:
        """Whether it did not answer the last time; then it is only probed."""
        return self._answer.dead

    @property
    def silent(self) -> bool:
        """Whether nothing at all came back the last time."""
        return self._answer.silent

    @property
    def heard(self) -> bool:
        """Whether Modbus came back the last time."""
        return self._answer.heard

    @property
    def missed(self) -> bool:
        """Whether it answered a moment ago, and is expected back at once."""
        return self.dead and bool(self.heard_at) and self._failures <= MISSED

    def recall(self, learnt: Learnt) -> None:
        """Take over what was known before the connection was lost."""
        self.learnt = learnt
        self._plan()

    async def read(self, connection: Connection, scan: Scan, stamps: Stamps) -> None:
        """Ask everything and fill the scan; once the unit is silent, nothing more is asked."""

        async def ask(piece: Piece) -> Answer:
            return self._answer if self.dead else await self._ask(connection, piece.block)

        self.requests = 0
        explorer = Explorer(
            ask, lambda piece, answer: piece.fill(scan, answer, stamps.next()), self.learnt
        )
        await self._try_holes(connection)
        for status, columns in self.learnt.holes.groups:
            scan.fail(columns, status, stamps.next())
        for piece in self._pieces:
            await explorer.read(piece)
        for piece, answer in self._pending:
            await explorer.go_on(piece, answer)
        self._pieces, self._pending = explorer.kept, explorer.pending
        self._taught |= explorer.taught
        if self._taught and not self._pending:
            self._plan()

    async def probe(self, connection: Connection) -> None:
        """Ask one block, only to hear whether the unit is there."""
        known = [*self._pieces, *(piece for piece, _ in self._pending)]
        await self._ask(connection, known[0].block if known else self._hole_blocks()[0])

    def excuse(self, scan: Scan, at: int) -> None:
        """Fill the scan with the reason for which the unit was not asked."""
        scan.fail(self._columns, self._answer.status, at)

    async def _ask(self, connection: Connection, block: Block) -> Answer:
        self.requests += 1
        mute = self.dead or not self.heard_at
        self._answer = await connection.ask(
            block.unit, block.table, block.start, block.count, mute=mute
        )
        now = time.monotonic()
        if self._answer.dead:
            self._failures += 1
            self.silent_since = self.silent_since or time.time()
        else:
            self._failures, self.silent_since = 0, None
        if self._answer.heard:
            self.heard_at = now
        self.retry_at = now + min(LONGEST_WAIT_S, self._scan_s * 2.0 ** min(self._failures, 32))
        return self._answer

    async def _try_holes(self, connection: Connection) -> None:
        """Ask one block of refused values whole, or one of its values, taking turns.

        A unit that refuses everything may be starting up: then both are asked in every scan.
        """
        if self.learnt.holes.due or not self._asked:
            await self._try_hole(connection)
        if self._answer.refused and not self._asked:
            await self._try_hole(connection)

    async def _try_hole(self, connection: Connection) -> None:
        holes, blocks = self.learnt.holes, self._hole_blocks()
        sizes = [sorted({len(block.columns), 1}, reverse=True) for block in blocks]
        trials = [(block, size) for block, own in zip(blocks, sizes, strict=True) for size in own]
        turn = holes.turn(len(trials))
        block, size = trials[turn % len(trials)]
        first = turn // len(trials) % (len(block.columns) - size + 1)
        trial = block_of(self._addresses, block.columns[first : first + size])
        if (await self._ask(connection, trial)).status is not Status.GOOD:
            return
        for healed in [block] if self._asked else blocks:
            holes.heal(healed.columns)
            self.learnt.lessons[healed.table].forget(healed.start, healed.end)
            self._pieces.append(Piece(healed, self._addresses))
        self._taught = True

    @property
    def _asked(self) -> bool:
        return bool(self._pieces or self._pending)

    def _hole_blocks(self) -> list[Block]:
        return coalesce(self._addresses, sorted(self.learnt.holes.found), self._limits.lessons())

    def _plan(self) -> None:
        self._pending, self._taught = [], False
        holes = self.learnt.holes.found
        readable = [column for column in self._columns.tolist() if column not in holes]
        blocks = coalesce(self._addresses, readable, self.learnt.lessons)
        self._pieces = [Piece(block, self._addresses) for block in blocks]
