"""The setpoint block: its vectors, its text, and what may never happen whatever is written."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.setpoint_words import (
    CLOCK,
    REQUEST_WORDS,
    BlockAnswer,
    beat_words,
    crc,
    next_sequence,
    pair,
    request_words,
    signed,
)
from connectors.simulated.hostile.modbus_frames import crc as rtu_sum
from connectors.simulated.setpoint_block import (
    Code,
    Fallback,
    Inputs,
    Memory,
    Mode,
    Settings,
    step,
)
from connectors.simulated.setpoint_vectors import write
from tests.connectors.simulated.structured_text import Instance, Program
from tests.patience import FULL

PLC = Path(__file__).parents[3] / "docs" / "plc"
TEXT = Program((PLC / "setpoint_block.st").read_text("utf-8"))
VECTORS = list(csv.DictReader((PLC / "vectors.csv").read_text("utf-8").splitlines()))
SCENARIOS = list(dict.fromkeys(row["scenario"] for row in VECTORS))
EXAMPLES = 2000 if FULL else 100


def retained(clock: int, accepted: int, limits: Settings) -> Instance:
    """Give the block of the text as it wakes up."""
    block = TEXT.instance("SETPOINT_BLOCK")
    block.names |= {
        "CLOCK": clock, "ACK_SEQ": accepted, "LOW": limits.low, "HIGH": limits.high,
        "MAX_STEP": limits.max_step, "SLOPE": limits.slope, "HOLD_MS": limits.hold_ms,
        "AHEAD_MS": limits.ahead_ms, "FALLBACK": int(limits.fallback), "SAFE": limits.safe,
    }  # fmt: skip
    return block


def called(block: Instance, inputs: Inputs) -> BlockAnswer:
    block.names["REQ"] = list(inputs.request)
    block.call(ELAPSED_MS=inputs.elapsed_ms, KEY_REMOTE=inputs.key, LOCAL_SP=inputs.local)
    return BlockAnswer.of(block.names["ANS"])


def numbers(row: dict[str, str], prefix: str, count: int) -> tuple[int, ...]:
    return tuple(int(row[f"{prefix}_{n}"]) for n in range(count))


def test_the_vectors_are_those_of_the_logic() -> None:
    made = io.StringIO()
    write(made)
    assert made.getvalue() == (PLC / "vectors.csv").read_text("utf-8")


def test_the_vectors_reach_every_code_state_and_fallback() -> None:
    answers = [BlockAnswer.of(numbers(row, "ans", 10)) for row in VECTORS]
    assert {one.code for one in answers} == {int(code) for code in Code}
    assert {one.state for one in answers} == {int(mode) for mode in Mode}
    assert {int(row["fallback"]) for row in VECTORS} == {int(one) for one in Fallback}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_text_gives_the_answers_of_the_vectors(scenario: str) -> None:
    rows = [row for row in VECTORS if row["scenario"] == scenario]
    names = ("low", "high", "max_step", "slope", "hold_ms", "ahead_ms", "safe")
    first = rows[0]
    limits = Settings(
        **{name: int(first[name]) for name in names}, fallback=Fallback(int(first["fallback"]))
    )
    kept = dict(re.findall(r"(clock|ack_seq)=(\d+)", first["what"]))
    block = retained(int(kept["clock"]), int(kept["ack_seq"]), limits)
    for row in rows:
        inputs = Inputs(
            elapsed_ms=int(row["elapsed_ms"]),
            request=numbers(row, "req", REQUEST_WORDS),
            key=row["key_remote"] == "1",
            local=int(row["local_sp"]),
        )
        assert called(block, inputs).words() == numbers(row, "ans", 10), row["step"]


LIMITS = Settings(low=-2000, high=3000, max_step=700, slope=333, hold_ms=900, ahead_ms=1500)
words = st.integers(0, 0xFFFF)


@st.composite
def written(draw: st.DrawFn) -> dict[str, int]:
    """What somebody writes in one call: mostly nearly right."""
    return {
        "kind": draw(st.sampled_from(["ask", "ask", "beat", "same", "again", "noise", "release"])),
        "value": draw(st.integers(-2300, 3300)),
        "skip": draw(st.sampled_from([0, 0, 0, 0, 1, -1])),
        "ahead": draw(st.integers(-200, 1800)),
        "ago": draw(st.integers(-50, 1200)),
        "bit": draw(st.sampled_from([-1] * 8 + list(range(96)))),
        "elapsed": draw(st.sampled_from([20, 100, 100, 100, 700, 2500])),
        "key": draw(st.sampled_from([1, 1, 1, 1, 1, 0])),
        "local": draw(st.sampled_from([0, 0, 100, 2500])),
        "noise": draw(st.integers(0, 2**144 - 1)),
    }


def frame(order: dict[str, int], memory: Memory, sent: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Give the words in the registers after what was written."""
    clock, now = memory.clock, sent[-1]
    beat = (clock - order["ago"]) % CLOCK
    asked = list(
        request_words(
            order["value"],
            (next_sequence(memory.accepted) + order["skip"]) % (1 << 16),
            (clock + order["ahead"]) % CLOCK,
            beat,
        )
    )
    bit = order["bit"]
    asked[max(bit, 0) // 16] ^= (1 << bit % 16) * (bit >= 0)
    frames = {
        "ask": tuple(asked),
        "beat": (*now[:6], *beat_words(beat, enable=True)),
        "release": (*now[:6], *beat_words(beat, enable=False)),
        "same": now,
        "again": sent[len(sent) // 2],
        "noise": tuple(order["noise"] >> 16 * n & 0xFFFF for n in range(REQUEST_WORDS)),
    }
    return frames[str(order["kind"])]


@settings(max_examples=EXAMPLES)
@given(st.lists(written(), max_size=25), st.sampled_from([0, 5000, CLOCK - 900]), st.integers(0, 3))
def test_whatever_is_written(orders: list[dict[str, int]], clock: int, fallback: int) -> None:
    limits = Settings(
        **{n: getattr(LIMITS, n) for n in LIMITS.__slots__ if n != "fallback"},  # type: ignore[attr-defined]
        fallback=Fallback(fallback),
    )
    memory, block = Memory(clock=clock), retained(clock, 0, limits)
    sent = [(0,) * REQUEST_WORDS]
    steps = []
    for order in orders:
        sent.append(frame(order, memory, sent))
        inputs = Inputs(
            elapsed_ms=order["elapsed"],
            request=sent[-1],
            key=bool(order["key"]),
            local=order["local"],
        )
        after = step(limits, memory, inputs)
        assert called(block, inputs) == after.answer
        steps.append((memory, inputs, after))
        memory = after
    taken = [
        (before, inputs, after)
        for before, inputs, after in steps
        if after.accepted != before.accepted
    ]
    for before, inputs, after in taken:
        value, deadline = signed(*inputs.request[:2]), inputs.request[3] << 16 | inputs.request[4]
        assert crc(inputs.request[:5]) == inputs.request[5]
        assert after.accepted == inputs.request[2] == next_sequence(before.accepted)
        assert (deadline - after.clock) % CLOCK <= limits.ahead_ms
        assert limits.low <= value <= limits.high
        assert abs(value - before.active) <= limits.max_step
        assert inputs.key
        assert after.enabled
        assert after.age_ms <= limits.hold_ms
    for before, inputs, after in steps:
        moved = abs(after.active - before.active)
        free = before.mode is Mode.LOCAL and after.mode is Mode.LOCAL
        most = limits.slope * min(inputs.elapsed_ms, 1000) // 1000 + 1
        assert free or moved <= most
        assert after.mode is not Mode.REMOTE or (inputs.key and after.age_ms <= limits.hold_ms)


@given(st.lists(words, max_size=8))
def test_the_sum_is_that_of_modbus(some: list[int]) -> None:
    frame_ = b"".join(word.to_bytes(2, "big") for word in some)
    assert crc(some).to_bytes(2, "little") == rtu_sum(frame_)


@given(st.integers(-(2**31), 2**31 - 1))
def test_words_give_the_number_back(number: int) -> None:
    assert signed(*pair(number)) == number


def test_sequences_go_round_without_nought() -> None:
    assert [next_sequence(n) for n in (0, 65_534, 65_535)] == [1, 65_535, 1]
