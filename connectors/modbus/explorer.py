"""Finds out why a request was refused: for a value, for what lies between, or for its size."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from connectors.modbus.address import Table
from connectors.modbus.holes import Holes
from connectors.modbus.lessons import Lesson
from connectors.modbus.scan import Piece
from connectors.modbus.wire import Answer
from plant.quality import Status

LEARNING = 32
"""Most requests that one scan may spend on halving what was refused; the next goes on with it."""


@dataclass(slots=True)
class Learnt:
    """What is known of a unit's addresses; outlives the connection."""

    lessons: dict[Table, Lesson]
    holes: Holes = field(default_factory=Holes)


class Explorer:
    """Reads pieces once, and halves those that are refused until it is known what may be asked.

    Parameters
    ----------
    ask
        Asks a piece; a dead unit is not asked again but answered for.
    fill
        Takes the answer of a piece.
    learnt
        Is added to.
    """

    def __init__(
        self,
        ask: Callable[[Piece], Awaitable[Answer]],
        fill: Callable[[Piece, Answer], None],
        learnt: Learnt,
    ) -> None:
        self._ask = ask
        self._fill = fill
        self._learnt = learnt
        self._left = LEARNING
        self.kept: list[Piece] = []
        """What to ask the next time."""
        self.taught = False
        """Whether something was learnt."""
        self.pending: list[tuple[Piece, Answer]] = []
        """Parts of what was refused, for a scan that has the time, and the refusal."""

    async def read(self, piece: Piece) -> bool:
        """Read a piece or its parts; tell whether all of it was answered in one request."""
        block = piece.block
        lesson = self._learnt.lessons[block.table]
        if block.count > lesson.longest and len(block.columns) > 1:
            await self._halve(piece)
            return False
        answer = await self._ask(piece)
        if answer.refused:
            lesson.refused(block.start, block.end)
            await self._refused(piece, answer)
            return False
        self._fill(piece, answer)
        self.kept.append(piece)
        if answer.status is not Status.GOOD:
            return False
        lesson.answered(block.start, block.end)
        return True

    async def go_on(self, piece: Piece, answer: Answer) -> None:
        """Read what was left pending, if this scan has the time."""
        if self._left > 0:
            self._left -= 1
            await self.read(piece)
        else:
            self._fill(piece, answer)
            self.pending.append((piece, answer))

    async def _refused(self, piece: Piece, answer: Answer) -> None:
        columns = piece.block.columns
        self.taught = True
        if len(columns) == 1:
            self._learnt.holes.add(columns[0], answer.status)
            self._fill(piece, answer)
        elif self._left > 0:
            self._left -= 2
            if await self._halve(piece):
                await self._why(piece)
        else:
            self._fill(piece, answer)
            self.pending.extend((half, answer) for half in _halves(piece))

    async def _halve(self, piece: Piece) -> bool:
        return all([await self.read(half) for half in _halves(piece)])

    async def _why(self, piece: Piece) -> None:
        """Both halves can be read, the whole cannot: too long, or something lies between."""
        block, lesson = piece.block, self._learnt.lessons[piece.block.table]
        middle = len(block.columns) // 2
        seam = piece.part(middle - 1, middle + 1)
        if len(block.columns) == 2:
            return
        answer = await self._ask(seam)
        if answer.refused or block.count <= lesson.proven:
            lesson.refused(seam.block.start, seam.block.end)
        elif answer.status is Status.GOOD:
            await self._size(piece)

    async def _size(self, piece: Piece) -> None:
        lesson = self._learnt.lessons[piece.block.table]
        allowed, refused = len(piece.block.columns) // 2, len(piece.block.columns)
        while refused - allowed > 1:
            middle = (allowed + refused) // 2
            answer = await self._ask(piece.part(0, middle))
            if answer.status is Status.GOOD:
                allowed = middle
            elif answer.refused:
                refused = middle
            else:
                return
        lesson.limit(max(lesson.proven, piece.part(0, allowed).block.count))


def _halves(piece: Piece) -> tuple[Piece, Piece]:
    middle = len(piece.block.columns) // 2
    return piece.part(0, middle), piece.part(middle, len(piece.block.columns))
