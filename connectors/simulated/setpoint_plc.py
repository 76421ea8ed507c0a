"""A controller that takes setpoints: plain registers, setpoint blocks, and a log that judges.

It is reached over Modbus and over OPC UA at once; both write into the same memory. What it does to
a setpoint, and when, it writes down itself: no client's word counts.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from connectors.setpoint_words import ANSWER_AT, BLOCK_WORDS, REQUEST_WORDS, signed
from connectors.simulated.setpoint_block import Code, Inputs, Memory, Mode, Settings, step

PLAIN_AT, BLOCK_AT = 0, 100
"""Holding registers of a loop: its plain setpoint (int32, two words), and its block."""
PLAIN_WORDS = 2
SCAN_S = 0.02


@dataclass(frozen=True, slots=True)
class Written:
    """One write as it came in.

    Parameters
    ----------
    at
        Wall clock, ns.
    loop
        Number of the loop, from 1.
    peer
        Who wrote: the address of the other end.
    place
        ``plain`` or ``block``.
    words
        What was written.
    """

    at: int
    loop: int
    peer: str
    place: str
    words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """One setpoint that came into force by a write.

    Parameters
    ----------
    at
        Wall clock, ns.
    loop
        Number of the loop.
    place
        ``plain`` or ``block``.
    value
        Counts.
    sequence
        Of a block's request; 0 of a plain register.
    """

    at: int
    loop: int
    place: str
    value: int
    sequence: int


@dataclass
class Loop:
    """One control loop: a plain setpoint and a block beside it.

    Parameters
    ----------
    settings
        Of the block.
    key
        Whether the operator's switch stands at REMOTE.
    local
        The operator's setpoint for the block, counts.
    """

    settings: Settings = field(default_factory=Settings)
    key: bool = True
    local: int = 1000
    plain: list[int] = field(default_factory=lambda: [0, 1000])
    request: list[int] = field(default_factory=lambda: [0] * REQUEST_WORDS)
    memory: Memory = field(default_factory=Memory)

    def words(self, at: int, count: int) -> list[int] | None:
        """Give registers from `at` on; None where there are none."""
        if at >= PLAIN_AT and at + count <= PLAIN_AT + PLAIN_WORDS:
            return self.plain[at - PLAIN_AT :][:count]
        if not (at >= BLOCK_AT and at + count <= BLOCK_AT + BLOCK_WORDS):
            return None
        gap = [0] * (ANSWER_AT - REQUEST_WORDS)
        whole = [*self.request, *gap, *self.memory.answer.words()]
        return whole[at - BLOCK_AT :][:count]


class SetpointPlc:
    """The controller's memory and its scan; servers write into it.

    Enter it to have the blocks called; what was written counts from the moment it comes.

    Parameters
    ----------
    loops
        How many.
    told
        Is given each `Written` and `Applied`, as they happen.

    Attributes
    ----------
    log : list of Written or Applied
        Everything that happened, in order.
    ignoring : bool
        While it is set a write is acknowledged and not taken: the controller lies.
    refusing : bool
        While it is set a write is refused.
    """

    def __init__(
        self,
        loops: int = 1,
        settings: Settings | None = None,
        told: Callable[["Written | Applied"], None] | None = None,
    ) -> None:
        kept = settings or Settings()
        self.loops = {n: Loop(settings=kept) for n in range(1, loops + 1)}
        self.log: list[Written | Applied] = []
        self.ignoring = False
        self.refusing = False
        self._told = told
        self._task: asyncio.Task[None] | None = None
        self._called = time.monotonic()
        self.scan()

    async def __aenter__(self) -> Self:
        """Begin to call the blocks."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def written(self) -> list[Written]:
        """Every write, in order."""
        return [one for one in self.log if isinstance(one, Written)]

    @property
    def applied(self) -> list[Applied]:
        """Every setpoint that came into force by a write, in order."""
        return [one for one in self.log if isinstance(one, Applied)]

    def write(self, number: int, at: int, words: Sequence[int], peer: str) -> bool:
        """Take a write of registers; tell whether they may be written."""
        loop = self.loops.get(number)
        if loop is None or not words or self.refusing:
            return False
        target, first = (loop.plain, PLAIN_AT) if at < BLOCK_AT else (loop.request, BLOCK_AT)
        if at < first or at - first + len(words) > len(target):
            return False
        plain = target is loop.plain
        now = time.time_ns()
        self._note(Written(now, number, peer, "plain" if plain else "block", tuple(words)))
        if self.ignoring:
            return True
        target[at - first : at - first + len(words)] = words
        if plain:
            self._note(Applied(now, number, "plain", signed(*loop.plain), 0))
        return True

    def scan(self) -> None:
        """Call every block once."""
        now = time.monotonic()
        elapsed = int(1000 * (now - self._called))
        self._called += elapsed / 1000
        for number, loop in self.loops.items():
            before = loop.memory
            inputs = Inputs(
                elapsed_ms=elapsed, request=tuple(loop.request), key=loop.key, local=loop.local
            )
            after = loop.memory = step(loop.settings, before, inputs)
            if after.judged != before.judged and after.code is Code.ACCEPTED:
                value, sequence = after.target, after.accepted
                if after.mode is not Mode.REMOTE:
                    value = signed(*after.judged[:2])
                self._note(Applied(time.time_ns(), number, "block", value, sequence))

    async def _run(self) -> None:
        while True:
            self.scan()
            await asyncio.sleep(SCAN_S)

    def _note(self, what: "Written | Applied") -> None:
        self.log.append(what)
        if self._told is not None:
            self._told(what)
