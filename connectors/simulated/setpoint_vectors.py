"""Test vectors of the setpoint block: inputs, and the answers that a controller has to give.

``python -m connectors.simulated.setpoint_vectors > docs/plc/vectors.csv`` writes them anew.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TextIO

from connectors.setpoint_words import (
    ANSWER_WORDS,
    CLOCK,
    REQUEST_WORDS,
    beat_words,
    next_sequence,
    request_words,
)
from connectors.simulated.setpoint_block import Fallback, Inputs, Memory, Settings, step

COLUMNS = (
    *("scenario", "step", "what"),
    *("low", "high", "max_step", "slope", "hold_ms", "ahead_ms", "fallback", "safe"),
    *("elapsed_ms", "key_remote", "local_sp"),
    *(f"req_{n}" for n in range(REQUEST_WORDS)),
    *(f"ans_{n}" for n in range(ANSWER_WORDS)),
)


@dataclass
class Scenario:
    """A block that is called over and over, and what came of it.

    A scenario begins with a fresh block, but for what it retains: its first row says them in words
    ``clock=…`` and ``ack_seq=…``.
    """

    name: str
    settings: Settings
    memory: Memory
    inputs: Inputs
    rows: list[tuple[str, Inputs, Memory]]

    def call(self, what: str, times: int = 1, **changed: object) -> "Scenario":
        """Call the block with inputs changed for good."""
        self.inputs = replace(self.inputs, **changed)  # type: ignore[arg-type]
        for _ in range(times):
            self.memory = step(self.settings, self.memory, self.inputs)
            self.rows.append((what, self.inputs, self.memory))
        return self

    def beat(self, what: str = "heartbeat", *, enable: bool = True) -> "Scenario":
        """Show the block its own clock."""
        words = (*self.inputs.request[:6], *beat_words(self.memory.clock, enable=enable))
        return self.call(what, request=words)

    def ask(
        self,
        what: str,
        value: int,
        *,
        ahead: int = 3000,
        skip: int = 0,
        flip: int = 0,
        beat_ago: int = 0,
        enable: bool = True,
    ) -> "Scenario":
        """Ask for a value; with a number that is not the next, or a bit of a word turned over."""
        sequence = next_sequence(self.memory.accepted)
        sequence = (sequence + skip) % (1 << 16)
        clock = self.memory.clock
        words = list(
            request_words(value, sequence, (clock + ahead) % CLOCK, (clock - beat_ago) % CLOCK)
        )
        if flip:
            words[flip] ^= 0x0004
        words[-1] = int(enable)
        return self.call(what, request=tuple(words))


def scenario(name: str, *, clock: int = 100_000, ack: int = 0, **settings: object) -> Scenario:
    """Begin one, in local control at 1000 counts, called every 100 ms."""
    made = Settings(**settings)  # type: ignore[arg-type]
    memory = Memory(clock=clock, accepted=ack)
    begun = Scenario(name, made, memory, Inputs(elapsed_ms=100, local=1000), [])
    return begun.call(f"local; clock={clock} ack_seq={ack}")


def _accepted() -> Iterator[Scenario]:
    yield (
        scenario("accepted and moved at the slope")
        .beat()
        .ask("taken", 1050)
        .call("moves", 6)
        .beat()
        .ask("taken, downwards", 1020)
        .call("moves", 4)
        .beat("handed back", enable=False)
        .call("returns", 3)
        .call("the operator moves at once", local=2000)
    )
    yield scenario("slope below a count a call", slope=3).beat().ask("taken", 1002).call("moves", 9)
    yield (
        scenario("negative values", low=-5000, high=-10)
        .call("local below nought", local=-500)
        .beat()
        .ask("taken", -900)
        .call("moves", 3)
        .ask("above its highest", -9)
        .ask("at its highest", -510)
        .call("moves", 2)
    )
    yield (
        scenario("sequence wraps", ack=65_534)
        .beat()
        .ask("65535", 1001)
        .ask("1 follows", 1002)
        .ask("0 never does", 1003, skip=-2)
    )
    yield (
        scenario("clock wraps", clock=CLOCK - 250)
        .beat()
        .ask("deadline behind the wrap", 1010)
        .call("wraps", 3)
        .beat()
        .ask("taken behind it", 1020)
    )


def _refused() -> Iterator[Scenario]:
    for word, name in enumerate(("value", "value", "sequence", "deadline", "deadline", "sum")):
        yield (
            scenario(f"a bit of word {word} ({name}) turned over")
            .beat()
            .ask("refused", 1010, flip=word or 1)
        )
    yield (
        scenario("duplicate and late")
        .beat()
        .ask("taken", 1010)
        .call("the same frame again: no new request", 2)
        .ask("the number of before", 1020, skip=-1)
        .ask("a number skipped", 1020, skip=1)
        .ask("deadline just over", 1020, ahead=99)
        .ask("deadline just now", 1020, ahead=100)
        .ask("farthest ahead", 1030, ahead=10_100)
        .ask("too far ahead", 1040, ahead=10_101)
    )
    late = scenario("late by a hang").beat()
    clock, sequence = late.memory.clock, next_sequence(late.memory.accepted)
    frame = request_words(1100, sequence, clock + 3000, clock)
    yield late.call("the program stood still", elapsed_ms=8000, request=frame).call(
        "and goes on", 2, elapsed_ms=100
    )
    yield (
        scenario("limits", slope=100_000)
        .beat()
        .ask("step just allowed", 1500)
        .ask("step just too big", 2001)
        .call("local high", local=9900)
        .beat("handed back", enable=False)
        .call("returns", 3)
        .beat()
        .ask("above its highest", 10_001)
        .ask("at its highest", 10_000)
    )
    yield (
        scenario("lowest", low=600)
        .beat()
        .ask("below its lowest", 599)
        .ask("at its lowest", 600)
        .call("stood still: no big move for it", elapsed_ms=4000)
        .call("moves", 2, elapsed_ms=100)
    )
    same = scenario("enabled with the same heartbeat").beat(enable=False)
    yield same.call("enabled", elapsed_ms=100, request=(*same.inputs.request[:8], 1)).ask(
        "taken", 1010
    )
    yield (
        scenario("switch and enable")
        .ask("no heartbeat before, one in the frame", 1010)
        .call("switch to local", 3, key=False)
        .beat()
        .ask("refused at local", 1020)
        .call("switch to remote: the refused one stays refused", 2, key=True)
        .beat("not enabled", enable=False)
        .call("home", 3)
        .ask("refused without enable", 1020, enable=False)
    )
    yield (
        scenario("heartbeat is an old clock")
        .ask("5 s old", 1010, beat_ago=4900)
        .ask("older", 1020, beat_ago=4901)
    )
    yield scenario("heartbeat of the future").ask("refused", 1010, beat_ago=-1000)


def _links() -> Iterator[Scenario]:
    for fallback in Fallback:
        yield (
            scenario(f"link dies: {fallback.name.lower()}", fallback=fallback, safe=900, slope=50)
            .beat()
            .ask("taken", 1100)
            .call("moves", 4)
            .call("silence", 50)
            .call("and on", 6)
            .beat("a heartbeat alone takes nothing back")
            .ask("taken again", 1040)
            .call("moves", 3)
        )
    late = scenario("an old heartbeat does not cover a new one").beat()
    old = beat_words(late.memory.clock - 3000, enable=False)
    yield (
        late.ask("taken", 1010)
        .call("an old frame comes late", 2, request=(*late.inputs.request[:6], *old))
        .call("and on", 2)
    )


def scenarios() -> list[Scenario]:
    """Give all of them."""
    return [*_accepted(), *_refused(), *_links()]


def write(stream: TextIO) -> None:
    """Write them as CSV."""
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(COLUMNS)
    for one in scenarios():
        kept = one.settings
        limits = (kept.low, kept.high, kept.max_step, kept.slope, kept.hold_ms, kept.ahead_ms)
        for number, (what, inputs, memory) in enumerate(one.rows):
            table.writerow(
                (
                    *(one.name, number, what),
                    *(*limits, int(kept.fallback), kept.safe),
                    *(inputs.elapsed_ms, int(inputs.key), inputs.local),
                    *inputs.request,
                    *memory.answer.words(),
                )
            )


if __name__ == "__main__":
    write(sys.stdout)
