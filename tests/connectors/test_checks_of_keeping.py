"""Every check of sinks and histories against one that breaks it, and against one that does not."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest

from connectors.checks import histories, sinks
from connectors.checks.histories import HistoryUnderTest
from connectors.checks.sinks import HOSTILE, TAGS, SinkUnderTest
from connectors.contract import Refusal
from plant.errors import Rejected, Unreachable
from plant.records import Record, SummaryRecord
from plant.summaries import LENGTHS, MINUTE, Windows
from plant.tags import TagHandle

Key = tuple[int, str, int]


@dataclass
class Shelf:
    """What outlives a sink: a row for each length, tag and start."""

    rows: dict[Key, tuple[Any, ...]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    up: bool = True
    room: int = 10**9


class Memory:
    """A sink and a history over a shelf."""

    name = "memory"
    piece = 10_000

    def __init__(self, shelf: Shelf, tags: Sequence[TagHandle] = ()) -> None:
        self.shelf = shelf
        self.known = {one.handle: one.tag for one in tags}
        self.open = False

    def __enter__(self) -> Self:
        if not self.shelf.up:
            raise Unreachable("the shelf is gone")
        self.open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open = False

    def _demand_open(self) -> None:
        if not self.open:
            raise Unreachable("not open")

    def write(self, records: Sequence[Record]) -> Sequence[Refusal]:
        self._demand_open()
        refused: list[Refusal] = []
        for record in records:
            if isinstance(record, SummaryRecord):
                refused += self._keep(record)
        return refused

    def _keep(self, record: SummaryRecord) -> Iterator[Refusal]:
        columns = [column.tolist() for _, column, _ in record.columns()]
        for tag, start, *rest in zip(*columns, strict=True):
            if len(self.shelf.rows) >= self.shelf.room:
                raise Unreachable("the shelf is full")
            if tag not in self.known:
                yield Refusal(f"handle {tag}", "unknown")
                continue
            self.shelf.rows[record.every, self.known[tag].name, start] = tuple(rest)
            self.shelf.units[self.known[tag].name] = self.known[tag].unit

    def tags(self) -> dict[str, str]:
        return dict(self.shelf.units)

    def lengths(self) -> tuple[int, ...]:
        return LENGTHS

    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        self._demand_open()
        if every not in LENGTHS:
            raise Rejected("windows of 10, 60 and 3600 s are kept")
        for place, name in enumerate(tags):
            starts = sorted(
                at for length, tag, at in self.shelf.rows
                if (length, tag) == (every, name) and start <= at < stop
            )  # fmt: skip
            for begin in range(0, len(starts), self.piece):
                yield self._windows(place, name, starts[begin : begin + self.piece], every)

    def _windows(self, place: int, name: str, starts: list[int], every: int) -> Windows:
        rows = [self.shelf.rows[every, name, at] for at in starts]
        count, good, *values = zip(*rows, strict=True)
        return Windows(
            np.full(len(starts), place, np.int32),
            np.array(starts, np.int64),
            np.array(count, np.int64),
            np.array(good, np.int64),
            *(np.array(column, np.float64) for column in values),
        )


def sink_under_test(make: type[Memory] = Memory) -> SinkUnderTest:
    shelf = Shelf()

    @contextmanager
    def full() -> Iterator[None]:
        shelf.room = len(shelf.rows) + 2
        yield
        shelf.room = 10**9

    return SinkUnderTest(
        make=lambda tags: make(shelf, tags),
        history=lambda: Memory(shelf),
        unreachable=lambda tags: make(Shelf(up=False), tags),
        failing=full,
        patience=0.0,
    )


def history_under_test(make: type[Memory] = Memory) -> HistoryUnderTest:
    shelf = Shelf()

    def keep(tags: Sequence[TagHandle], records: Sequence[SummaryRecord]) -> None:
        with Memory(shelf, tags) as sink:
            sink.write(records)

    return HistoryUnderTest(
        make=lambda: make(shelf), keep=keep, unreachable=lambda: make(Shelf(up=False))
    )


@pytest.mark.parametrize("check", sinks.applicable({}), ids=lambda check: check.__name__)
def test_a_sink_that_keeps_the_contract_passes(check: sinks.Check) -> None:
    check(sink_under_test())


@pytest.mark.parametrize("check", histories.applicable({}), ids=lambda check: check.__name__)
def test_a_history_that_keeps_the_contract_passes(check: histories.Check) -> None:
    check(history_under_test())


class Nameless(Memory):
    name = ""


class Another(Memory):
    def __enter__(self) -> Any:
        super().__enter__()
        return Memory(self.shelf)


class Raises(Memory):
    def __exit__(self, *_: object) -> None:
        raise OSError("gone")


class AlwaysOpen(Memory):
    def __enter__(self) -> Self:
        return self

    def _demand_open(self) -> None:
        pass


class RefusesAll(Memory):
    def write(self, records: Sequence[Record]) -> Sequence[Refusal]:
        return [Refusal("x", "y"), *super().write(records)]


class OneKind(Memory):
    def write(self, records: Sequence[Record]) -> Sequence[Refusal]:
        return [r for one in records for r in self._keep(one)]  # type: ignore[arg-type]


class Forgets(Memory):
    def _keep(self, record: SummaryRecord) -> Iterator[Refusal]:
        yield from super()._keep(record.take(np.arange(1, len(record))))


class Shifted(Memory):
    """Keeps the same again under another time."""

    def _keep(self, record: SummaryRecord) -> Iterator[Refusal]:
        for (every, name, start), row in list(self.shelf.rows.items()):
            self.shelf.rows[every, name, start + every // 2] = row
        yield from super()._keep(record)


class FirstSaid(Memory):
    def _keep(self, record: SummaryRecord) -> Iterator[Refusal]:
        before = dict(self.shelf.rows)
        yield from super()._keep(record)
        self.shelf.rows |= before


class Rounds(Memory):
    def _keep(self, record: SummaryRecord) -> Iterator[Refusal]:
        yield from super()._keep(record)
        for key, row in self.shelf.rows.items():
            self.shelf.rows[key] = tuple(float(f"{value:.12g}") for value in row)


class Finite(Memory):
    def _keep(self, record: SummaryRecord) -> Iterator[Refusal]:
        yield from super()._keep(record)
        for key, row in self.shelf.rows.items():
            self.shelf.rows[key] = tuple(np.nan_to_num(row, nan=np.nan, posinf=1e308).tolist())


class Mixes(Memory):
    def __init__(self, shelf: Shelf, tags: Sequence[TagHandle] = ()) -> None:
        super().__init__(shelf, tags)
        hostile = {one.handle for one in HOSTILE}
        self.known |= {handle: TAGS[0].tag for handle in self.known if handle in hostile}


class PassesOverStrangers(Memory):
    def write(self, records: Sequence[Record]) -> Sequence[Refusal]:
        super().write(records)
        return ()


class SwallowsFailure(Memory):
    def write(self, records: Sequence[Record]) -> Sequence[Refusal]:
        try:
            return super().write(records)
        except Unreachable:
            if not self.open:
                raise
            return ()


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        (sinks.check_fits_protocol, Nameless),
        (sinks.check_open_close_twice, Another),
        (sinks.check_close_without_open, Raises),
        (sinks.check_close_after_failed_open, AlwaysOpen),
        (sinks.check_write_after_close_raises, AlwaysOpen),
        (sinks.check_writes_nothing, RefusesAll),
        (sinks.check_takes_every_kind, OneKind),
        (sinks.check_keeps_what_was_written, Forgets),
        (sinks.check_same_twice_is_once, Shifted),
        (sinks.check_last_said_holds, FirstSaid),
        (sinks.check_numbers_come_back, Rounds),
        (sinks.check_no_infinity_becomes_a_number, Finite),
        (sinks.check_hostile_names, Mixes),
        (sinks.check_unknown_handles_are_refused, PassesOverStrangers),
        (sinks.check_repeats_after_a_failure, SwallowsFailure),
    ],
    ids=lambda one: one.__name__,
)
def test_a_sink_that_breaks_it_is_caught(check: sinks.Check, broken: type[Memory]) -> None:
    with pytest.raises((AssertionError, AttributeError, OSError)):
        check(sink_under_test(broken))


class NoHistory:
    def __init__(self, *_: object) -> None:
        pass


class Sticky(Memory):
    """Keeps a file open when somebody stops reading in the middle."""

    held: list[Any] = []  # noqa: RUF012 - what is left behind outlives it

    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        self.held.append(open("/dev/null"))  # noqa: SIM115, PTH123 - that is the fault
        yield from super().read(tags, start, stop, every)


class Inventive(Memory):
    def tags(self) -> dict[str, str]:
        return {"a/tag": "m"}


class Unitless(Memory):
    def tags(self) -> dict[str, str]:
        return dict.fromkeys(super().tags(), "")


class OneLength(Memory):
    def lengths(self) -> tuple[int, ...]:
        return (MINUTE,)


class AnyLength(Memory):
    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        return iter(()) if every not in LENGTHS else super().read(tags, start, stop, every)


class MinutesOnly(Memory):
    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        return super().read(tags, start, stop, MINUTE)


class Closed(Memory):
    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        return super().read(tags, start, stop + 1, every)


class Backwards(Memory):
    def _windows(self, place: int, name: str, starts: list[int], every: int) -> Windows:
        return super()._windows(place, name, starts[::-1], every)


class SkipsUnknown(Memory):
    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        return super().read([one for one in tags if one in self.shelf.units], start, stop, every)


class Whole(Memory):
    piece = 10**9

    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        pieces = list(super().read(tags, start, stop, every))
        columns = [[getattr(one, name) for one in pieces] for name in Windows.__slots__]
        yield Windows(*map(np.concatenate, columns))


class EmptyPieces(Memory):
    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        for piece in super().read(tags, start, stop, every):
            yield Windows(*(getattr(piece, name)[:0] for name in Windows.__slots__))
            yield piece


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        (histories.check_fits_protocol, NoHistory),
        (histories.check_open_close_twice, Another),
        (histories.check_close_after_failed_open, AlwaysOpen),
        (histories.check_read_after_close_raises, AlwaysOpen),
        (histories.check_left_in_the_middle, Sticky),
        (histories.check_empty_at_first, Inventive),
        (histories.check_tells_tags_with_units, Unitless),
        (histories.check_tells_lengths, OneLength),
        (histories.check_unkept_length_rejected, AnyLength),
        (histories.check_lengths_do_not_mix, MinutesOnly),
        (histories.check_bounds_are_half_open, Closed),
        (histories.check_order_and_last_said, Backwards),
        (histories.check_unknown_tag_has_no_windows, SkipsUnknown),
        (histories.check_pieces_are_bounded, EmptyPieces),
        (histories.check_pieces_are_bounded, Whole),
    ],
    ids=lambda one: one.__name__,
)
def test_a_history_that_breaks_it_is_caught(
    check: histories.Check, broken: Callable[..., Memory]
) -> None:
    with pytest.raises(AssertionError):
        check(history_under_test(broken))  # type: ignore[arg-type]
    while Sticky.held:
        Sticky.held.pop().close()


@pytest.mark.parametrize(
    ("check", "hook"),
    [
        (sinks.check_keeps_what_was_written, "history"),
        (sinks.check_close_after_failed_open, "unreachable"),
        (sinks.check_repeats_after_a_failure, "failing"),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_check_without_its_hook_says_so(check: sinks.Check, hook: str) -> None:
    shelf = Shelf()
    with pytest.raises(AssertionError, match=f"give SinkUnderTest.{hook}, or exempt"):
        check(SinkUnderTest(make=lambda tags: Memory(shelf, tags)))


@pytest.mark.parametrize("suite", [sinks, histories])
def test_an_exemption_needs_a_reason(suite: Any) -> None:
    with pytest.raises(AssertionError, match="an exemption has a reason"):
        suite.applicable({suite.check_fits_protocol: " "})
