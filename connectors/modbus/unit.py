"""One unit behind a connection: its requests, its holes, its silence."""

import time
from collections import deque
from collections.abc import Sequence

from connectors.modbus.scan import Piece, Scan
from connectors.modbus.stamps import Stamps
from connectors.modbus.wire import Answer, Connection
from plant.quality import Status

HOLES_FORGOTTEN_S = 60.0
"""Known holes are asked again that often: a device that starts up may refuse every address."""
LONGEST_WAIT_S = 30.0
"""A dead unit is asked at least that often."""


class Unit:
    """Reads one unit.

    Parameters
    ----------
    pieces
        The requests that cover its values, none of them empty.
    scan_s
        Period of the scan, seconds.
    """

    def __init__(self, pieces: Sequence[Piece], scan_s: float) -> None:
        self._plan = list(pieces)
        self._pieces = self._plan
        self._holes: list[Piece] = []
        self._forget_at = 0.0
        self._scan_s = scan_s
        self._failures = 0
        self._answer = Answer(Status.BAD_WAITING_FOR_INITIAL_DATA)
        self.retry_at = 0.0

    @property
    def dead(self) -> bool:
        """Whether it did not answer the last time; then it is asked less and less often."""
        return self._answer.dead

    @property
    def silent(self) -> bool:
        """Whether nothing at all came back the last time."""
        return self._answer.silent

    async def read(self, connection: Connection, scan: Scan, stamps: Stamps) -> None:
        """Ask everything and fill the scan; a dead unit is asked once and not for each block.

        A block that holds an illegal address is halved until the hole is found (at most
        2·log2 n requests a hole, once), so that its other values stay readable.
        """
        pending = deque(self._requests())
        readable: list[Piece] = []
        holes = list(self._holes)
        answer = Answer(Status.BAD_NODE_ID_UNKNOWN)
        for hole in holes:
            hole.fill(scan, answer, stamps.next())
        while pending and not answer.dead:
            piece = pending.popleft()
            answer = await self._ask(connection, piece)
            if answer.status is not Status.BAD_NODE_ID_UNKNOWN:
                piece.fill(scan, answer, stamps.next())
                readable.append(piece)
            elif piece.splittable:
                pending.extendleft(reversed(piece.halves()))
            else:
                piece.fill(scan, answer, stamps.next())
                holes.append(piece)
        for piece in pending:
            piece.fill(scan, answer, stamps.next())
        self._learn([*readable, *pending], holes)

    async def probe(self, connection: Connection) -> None:
        """Ask one block, only to hear whether the unit is back."""
        await self._ask(connection, self._plan[0])

    def excuse(self, scan: Scan, at: int) -> None:
        """Fill the scan with the reason for which the unit was not asked."""
        for piece in self._plan:
            piece.fill(scan, self._answer, at)

    async def _ask(self, connection: Connection, piece: Piece) -> Answer:
        block = piece.block
        self._answer = await connection.ask(block.unit, block.table, block.start, block.count)
        self._failures = self._failures + 1 if self._answer.dead else 0
        wait = min(LONGEST_WAIT_S, self._scan_s * 2.0 ** min(self._failures, 32))
        self.retry_at = time.monotonic() + wait
        return self._answer

    def _requests(self) -> list[Piece]:
        if self._holes and time.monotonic() >= self._forget_at:
            self._pieces, self._holes = self._plan, []
        return self._pieces

    def _learn(self, readable: list[Piece], holes: list[Piece]) -> None:
        if len(holes) > len(self._holes):
            self._forget_at = time.monotonic() + HOLES_FORGOTTEN_S
        self._pieces, self._holes = readable, holes
