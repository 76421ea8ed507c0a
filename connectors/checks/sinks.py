"""The contract suite of sinks.

A sink's tests describe it once as a `SinkUnderTest`, each time over a fresh place, and run every
check with it; a check that cannot apply is left out with its reason::

    @pytest.mark.parametrize("check", applicable({}))
    def test_contract(check, sink_under_test):
        check(sink_under_test)
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

from connectors.checks.demands import given, nothing_left, raises, require, soon, without
from connectors.checks.windows import START, Row, kept, odd, rows_of, same, told
from connectors.contract import History, Sink
from plant.errors import Misconfigured, PlantError, Unreachable
from plant.records import EventRecord, Record, SampleRecord, ScoreRecord, SummaryRecord
from plant.samples import Batch, empty_columns
from plant.summaries import MINUTE
from plant.tags import Tag, TagHandle

TAGS = tuple(
    TagHandle(handle, Tag(name=f"site/area/line/{name}", source="line", address=name, unit=unit))
    for handle, name, unit in ((3, "pump/flow", "m3/h"), (4, "pump/power", "kW"), (9, "fan/on", ""))
)
"""The tags that a sink under test is made for."""
HOSTILE = tuple(
    TagHandle(20 + number, Tag(name=name, source="line", address=name))
    for number, name in enumerate(
        (
            "site/a,b=c/asset/signal",
            "site/a b/asset/signal",
            'site/"quoted"/asset/signal',
            "site/back\\slash/asset/signal\\",
            "#site/comment/asset/signal",
            "site/new\nline/asset/signal",
            "site/'; DROP TABLE tag; --/asset/signal",
            "Werk/Bereich/Straße/Pumpe/Förderhöhe",
        )
    )
)
"""Tags whose names would break out of a line or a statement if they were pasted into it."""
STARTS = tuple(START + minute * MINUTE for minute in range(5))
RETRY_S = 0.05


@dataclass(frozen=True, slots=True)
class SinkUnderTest:
    """How to get at a sink and at what it keeps.

    Parameters
    ----------
    make
        Gives a fresh sink for these tags, not entered, whose other side is up; always over the
        same place.
    history
        Gives a fresh history of that place, not entered.
    unreachable
        Gives a fresh sink whose other side is off, missing or shut.
    failing
        While it lasts, the other side fails or is cut off in the middle of a write.
    rounded
        Gives what is read back of windows: the same, unless the sink's page tells otherwise.
    patience
        Longest time until what was written can be read back, s.
    """

    make: Callable[[Sequence[TagHandle]], Sink]
    history: Callable[[], History] | None = None
    unreachable: Callable[[Sequence[TagHandle]], Sink] | None = None
    failing: Callable[[], AbstractContextManager[object]] | None = None
    rounded: Callable[[SummaryRecord], SummaryRecord] = same
    patience: float = 5.0

    def rows(self, record: SummaryRecord, names: dict[int, str]) -> dict[tuple[str, int], Row]:
        """Give what is to be read back of a record."""
        return rows_of(self.rounded(record), names)


Check = Callable[[SinkUnderTest], None]
Rows = dict[tuple[str, int], Row]


def _names(handles: Sequence[TagHandle]) -> dict[int, str]:
    return {handle.handle: handle.tag.name for handle in handles}


def _read(peer: SinkUnderTest, handles: Sequence[TagHandle]) -> Rows:
    names = [handle.tag.name for handle in handles]
    with given(peer.history, "SinkUnderTest", "history")() as history:
        return kept(history, names, START - MINUTE, START + 1000 * MINUTE)


def _demand(peer: SinkUnderTest, expected: Rows, handles: Sequence[TagHandle], when: str) -> None:
    """Demand that exactly this is kept, as soon as it can be read back."""
    deadline = time.monotonic() + peer.patience
    found = _read(peer, handles)
    while found != expected and time.monotonic() < deadline:
        time.sleep(RETRY_S)
        found = _read(peer, handles)
    missing = [key for key in expected if key not in found]
    invented = [key for key in found if key not in expected]
    require(not missing, f"{when}: {len(missing)} windows are missing, as {missing[:1]}")
    require(not invented, f"{when}: {len(invented)} windows are invented, as {invented[:1]}")
    for key, row in expected.items():
        require(found[key] == row, f"{when}: {key} reads {found[key]}, was written {row}")


def _taken(sink: Sink, *records: Record) -> None:
    refused = sink.write(records)
    require(not refused, f"nothing of this is to be refused: {list(refused)[:1]}")


def check_fits_protocol(peer: SinkUnderTest) -> None:
    """See that it has the methods of `Sink` and a name."""
    sink = peer.make(TAGS)
    require(isinstance(sink, Sink), f"{type(sink).__name__} is not a Sink")
    require(sink.name, "a sink has a name")


def check_open_close_twice(peer: SinkUnderTest) -> None:
    """Open and close two sinks one after the other; closing again changes nothing."""
    with nothing_left():
        for _ in range(2):
            sink = peer.make(TAGS)
            entered = sink.__enter__()
            for _ in range(2):
                with soon("leaving"):
                    sink.__exit__(None, None, None)
            require(entered is sink, "entering gives the sink itself")


def check_close_without_open(peer: SinkUnderTest) -> None:
    """Leave a sink that was never entered: nothing happens."""
    with soon("leaving"):
        peer.make(TAGS).__exit__(None, None, None)


def check_close_after_failed_open(peer: SinkUnderTest) -> None:
    """Enter while the other side is missing: it raises, nothing stays open, leaving works."""
    with nothing_left():
        sink = given(peer.unreachable, "SinkUnderTest", "unreachable")(TAGS)
        with raises(Unreachable, Misconfigured, when="entering while the other side is missing"):
            sink.__enter__()
        with soon("leaving"):
            sink.__exit__(None, None, None)


def check_write_after_close_raises(peer: SinkUnderTest) -> None:
    """Write to a sink that was left: one of the four errors."""
    sink = peer.make(TAGS)
    sink.__enter__()
    sink.__exit__(None, None, None)
    with raises(PlantError, when="writing after leaving"):
        sink.write([told(TAGS, STARTS)])


def check_writes_nothing(peer: SinkUnderTest) -> None:
    """Write no records: nothing is refused, nothing happens."""
    with peer.make(TAGS) as sink:
        _taken(sink)


def check_takes_every_kind(peer: SinkUnderTest) -> None:
    """Write one record of each kind: what the sink does not keep is passed over."""
    tag, at, value, status = empty_columns()
    quiet = Batch("line", tag, at, value, status, upto=START, received=START, heard=1)
    row = np.array([START], np.int64)
    score = ScoreRecord("site/area/line/pump", row, np.ones(1), np.ones(1), np.ones(1, np.uint8))
    event = EventRecord("never heard of", START, {"text": 'a "b",c=d\n', "number": 1})
    summary = told(TAGS, STARTS)
    with peer.make(TAGS) as sink:
        _taken(sink, SampleRecord(quiet, np.empty(0, np.uint8)), score, event, summary)


def check_keeps_what_was_written(peer: SinkUnderTest) -> None:
    """Write windows in two goes and through two sinks: each is read back to the last bit."""
    first, second = told(TAGS, STARTS[:3]), told(TAGS, STARTS[3:], seed=1)
    with peer.make(TAGS) as sink:
        _taken(sink, first)
    with peer.make(TAGS) as sink:
        _taken(sink, second)
    names = _names(TAGS)
    _demand(peer, peer.rows(first, names) | peer.rows(second, names), TAGS, "two writes")


def check_same_twice_is_once(peer: SinkUnderTest) -> None:
    """Write the same records again, in one call and in another: they are kept once."""
    record = told(TAGS, STARTS)
    with peer.make(TAGS) as sink:
        _taken(sink, record, record)
        _taken(sink, record)
    _demand(peer, peer.rows(record, _names(TAGS)), TAGS, "the same thrice")


def check_last_said_holds(peer: SinkUnderTest) -> None:
    """Write a window again with other values: the later ones hold, within a call and after it."""
    names = _names(TAGS)
    early, late, last = (told(TAGS, STARTS, seed=seed) for seed in (0, 1, 2))
    only = told(TAGS[:1], STARTS[1:2], seed=3)
    with peer.make(TAGS) as sink:
        _taken(sink, early, late)
        _demand(peer, peer.rows(late, names), TAGS, "said again in the same call")
        _taken(sink, last)
        _taken(sink, only)
    expected = peer.rows(last, names) | peer.rows(only, names)
    _demand(peer, expected, TAGS, "said again in another call")


def check_numbers_come_back(peer: SinkUnderTest) -> None:
    """Write extreme numbers, and a window without a Good sample: to the last bit, NaN as NaN."""
    record = odd(TAGS[0], START)
    with peer.make(TAGS) as sink:
        _taken(sink, record)
    _demand(peer, peer.rows(record, _names(TAGS)), TAGS, "extreme numbers")


def check_no_infinity_becomes_a_number(peer: SinkUnderTest) -> None:
    """Write an infinity: it is kept or refused, never turned into a number; neighbours stay."""
    record = told(TAGS[:1], STARTS)
    high = record.high.copy()
    high[2] = np.inf
    with peer.make(TAGS) as sink:
        refused = sink.write([replace(record, high=high)])
    expected = peer.rows(replace(record, high=high), _names(TAGS))
    if refused:
        require(all(one.reason.strip() for one in refused), "a refusal says why")
        del expected[TAGS[0].tag.name, STARTS[2]]
    _demand(peer, expected, TAGS, "a neighbour of an infinity")


def check_hostile_names(peer: SinkUnderTest) -> None:
    """Write tags with hostile names: refused, or kept under their own name; no other is hit."""
    handles = (*TAGS, *HOSTILE)
    expected: Rows = {}
    with peer.make(handles) as sink:
        for number, handle in enumerate(handles):
            record = told([handle], STARTS, seed=number)
            refused = sink.write([record])
            harmless = handle in TAGS
            require(not (refused and harmless), f"{handle.tag.name} is no hostile name")
            expected |= {} if refused else peer.rows(record, _names(handles))
    _demand(peer, expected, handles, "hostile names")


def check_unknown_handles_are_refused(peer: SinkUnderTest) -> None:
    """Write windows of a tag that nobody named: refused with a reason, the others are kept."""
    stranger = TagHandle(77, Tag(name="nobody/knows/this", source="line", address="x"))
    record = told([*TAGS, stranger], STARTS)
    with peer.make(TAGS) as sink:
        refused = sink.write([record])
    require(refused, "windows of an unknown handle are refused, not passed over in silence")
    require("77" in refused[0].what + refused[0].reason, "a refusal names the handle")
    rows = peer.rows(record, _names([*TAGS, stranger]))
    known = {key: row for key, row in rows.items() if key[0] != stranger.tag.name}
    _demand(peer, known, TAGS, "neighbours of an unknown handle")


def check_repeats_after_a_failure(peer: SinkUnderTest) -> None:
    """Fail in the middle of a write: it raises, and the same call later leaves each window once."""
    failing = given(peer.failing, "SinkUnderTest", "failing")
    before = told(TAGS, STARTS[:2])
    records: list[SummaryRecord] = [told(TAGS, [start], seed=9) for start in STARTS]
    with peer.make(TAGS) as sink:
        _taken(sink, before)
        with failing(), raises(Unreachable, Misconfigured, when="a write that fails"):
            sink.write(records)
        _taken(sink, *records)
    expected = peer.rows(before, _names(TAGS))
    for record in records:
        expected |= peer.rows(record, _names(TAGS))
    _demand(peer, expected, TAGS, "repeated after a failure")


ALL_CHECKS: tuple[Check, ...] = (
    check_fits_protocol,
    check_open_close_twice,
    check_close_without_open,
    check_close_after_failed_open,
    check_write_after_close_raises,
    check_writes_nothing,
    check_takes_every_kind,
    check_keeps_what_was_written,
    check_same_twice_is_once,
    check_last_said_holds,
    check_numbers_come_back,
    check_no_infinity_becomes_a_number,
    check_hostile_names,
    check_unknown_handles_are_refused,
    check_repeats_after_a_failure,
)


def applicable(exempt: Mapping[Check, str]) -> list[Check]:
    """Give every check but the exempt ones; each exemption needs its reason in words."""
    return without(ALL_CHECKS, exempt)
