"""The contract suite of histories; used as that of `connectors.checks.sinks`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from connectors.checks.demands import given, nothing_left, raises, require, soon, without
from connectors.checks.sinks import TAGS
from connectors.checks.windows import START, Row, kept, rows_of, same, told
from connectors.contract import History
from plant.errors import Misconfigured, PlantError, Rejected, Unreachable
from plant.records import SummaryRecord
from plant.summaries import HOUR, LENGTHS, MINUTE, TEN_SECONDS
from plant.tags import TagHandle

NAMES = [handle.tag.name for handle in TAGS]
NUMBERED = {handle.handle: handle.tag.name for handle in TAGS}
MANY = 12_000
"""Windows of each tag that are read in one go."""
PIECE = 30_000
"""Most windows that one piece may hold."""
UNKEPT = 7_000_000_000
NEVER = 2**62


@dataclass(frozen=True, slots=True)
class HistoryUnderTest:
    """How to get at a history, and how to put something into it.

    Parameters
    ----------
    make
        Gives a fresh history, not entered, whose other side is up; always of the same place,
        which may have been made ready for `connectors.checks.sinks.TAGS` but keeps nothing yet.
    keep
        Keeps records of these tags, in their order; returns when they can be read.
    rounded
        Gives what is read back of windows: the same, unless the sink's page tells otherwise.
    unreachable
        Gives a fresh history whose other side is off, missing or shut.
    """

    make: Callable[[], History]
    keep: Callable[[Sequence[TagHandle], Sequence[SummaryRecord]], None]
    rounded: Callable[[SummaryRecord], SummaryRecord] = same
    unreachable: Callable[[], History] | None = None

    def rows(self, record: SummaryRecord, names: dict[int, str]) -> dict[tuple[str, int], Row]:
        """Give what is to be read back of a record."""
        return rows_of(self.rounded(record), names)


Check = Callable[[HistoryUnderTest], None]


def check_fits_protocol(peer: HistoryUnderTest) -> None:
    """See that it has the methods of `History`."""
    history = peer.make()
    require(isinstance(history, History), f"{type(history).__name__} is not a History")


def check_open_close_twice(peer: HistoryUnderTest) -> None:
    """Open and close two histories one after the other; closing again changes nothing."""
    peer.keep(TAGS, [told(TAGS, [START])])
    with nothing_left():
        for _ in range(2):
            history = peer.make()
            entered = history.__enter__()
            for _ in range(2):
                with soon("leaving"):
                    history.__exit__(None, None, None)
            require(entered is history, "entering gives the history itself")


def check_close_after_failed_open(peer: HistoryUnderTest) -> None:
    """Enter while the other side is missing: it raises, nothing stays open, leaving works."""
    with nothing_left():
        history = given(peer.unreachable, "HistoryUnderTest", "unreachable")()
        with raises(Unreachable, Misconfigured, when="entering while the other side is missing"):
            history.__enter__()
        with soon("leaving"):
            history.__exit__(None, None, None)


def check_read_after_close_raises(peer: HistoryUnderTest) -> None:
    """Read a history that was left: one of the four errors."""
    peer.keep(TAGS, [told(TAGS, [START])])
    history = peer.make()
    history.__enter__()
    history.__exit__(None, None, None)
    with raises(PlantError, when="reading after leaving"):
        list(history.read(NAMES, START, START + HOUR, MINUTE))


def check_left_in_the_middle(peer: HistoryUnderTest) -> None:
    """Stop reading after the first piece and leave: nothing stays open."""
    peer.keep(TAGS, [told(TAGS, [START + n * MINUTE for n in range(100)])])
    with nothing_left():
        with peer.make() as history:
            pieces = iter(history.read(NAMES, START, START + 100 * MINUTE, MINUTE))
            require(len(next(pieces)), "the first piece holds something")
        del pieces


def check_empty_at_first(peer: HistoryUnderTest) -> None:
    """Read where nothing is kept: no windows, and no tags."""
    with peer.make() as history:
        require(not history.tags(), "nothing is kept of any tag")
        require(not kept(history, NAMES, 0, NEVER), "nothing was kept")
        require(not kept(history, [], 0, NEVER), "no tag has no windows")


def check_tells_tags_with_units(peer: HistoryUnderTest) -> None:
    """Ask which tags there are: those of which something is kept, with their units."""
    peer.keep(TAGS, [told(TAGS[:2], [START])])
    with peer.make() as history:
        found = history.tags()
    expected = {handle.tag.name: handle.tag.unit for handle in TAGS[:2]}
    require(found == expected, f"tags with units are {found}, expected {expected}")


def check_tells_lengths(peer: HistoryUnderTest) -> None:
    """Ask for the lengths: ascending, and those that a gateway makes are among them."""
    peer.keep(TAGS, [told(TAGS, [START])])
    with peer.make() as history:
        lengths = history.lengths()
    require(list(lengths) == sorted(set(lengths)), f"lengths ascend: {lengths}")
    require(set(LENGTHS) <= set(lengths), f"the lengths of a gateway are kept: {lengths}")


def check_unkept_length_rejected(peer: HistoryUnderTest) -> None:
    """Ask for a length that is not kept: rejected, with those that are."""
    peer.keep(TAGS, [told(TAGS, [START])])
    with peer.make() as history:
        try:
            list(history.read(NAMES, START, START + HOUR, UNKEPT))
        except Rejected as error:
            require("10" in str(error), f"the message lists the lengths that are kept: {error}")
            return
    raise AssertionError("a length that is not kept is Rejected")


def check_lengths_do_not_mix(peer: HistoryUnderTest) -> None:
    """Keep windows of all lengths that begin together: each length has its own."""
    hour = START // HOUR * HOUR
    records = [told(TAGS, [hour], every, seed=every % 97) for every in LENGTHS]
    peer.keep(TAGS, records)
    with peer.make() as history:
        found = [kept(history, NAMES, hour, hour + HOUR, every) for every in LENGTHS]
    require(found == [peer.rows(record, NUMBERED) for record in records], "lengths stay apart")


def check_bounds_are_half_open(peer: HistoryUnderTest) -> None:
    """Read from a window's begin to another's: the first is in, the last is not."""
    starts = [START + n * TEN_SECONDS for n in range(6)]
    peer.keep(TAGS, [told(TAGS, starts, TEN_SECONDS)])
    with peer.make() as history:
        found = kept(history, NAMES[:1], starts[1], starts[4], TEN_SECONDS)
        after = kept(history, NAMES[:1], starts[1] + 1, starts[4] + 1, TEN_SECONDS)
        backwards = kept(history, NAMES[:1], starts[4], starts[1], TEN_SECONDS)
    require([at for _, at in found] == starts[1:4], "start <= at < stop")
    require([at for _, at in after] == starts[2:5], "start <= at < stop, between the begins")
    require(not backwards, "an interval that ends before it begins holds nothing")


def check_order_and_last_said(peer: HistoryUnderTest) -> None:
    """Keep windows out of order and some of them again: in time order, once, as said last."""
    late, early = [START + n * MINUTE for n in (3, 5)], [START + n * MINUTE for n in (4, 0, 3)]
    first, second = told(TAGS, late), told(TAGS, early, seed=1)
    peer.keep(TAGS, [first])
    peer.keep(TAGS, [second])
    with peer.make() as history:
        found = kept(history, NAMES, START, START + HOUR)
    require(
        found == peer.rows(first, NUMBERED) | peer.rows(second, NUMBERED), "as it was said last"
    )


def check_unknown_tag_has_no_windows(peer: HistoryUnderTest) -> None:
    """Ask for an unknown tag among known ones: it has none, the others keep their places."""
    record = told(TAGS, [START])
    peer.keep(TAGS, [record])
    asked = [NAMES[1], "nobody/knows/this", "o'clock\" OR 1=1 --", NAMES[0]]
    with peer.make() as history:
        found = kept(history, asked, START, START + MINUTE)
    rows = peer.rows(record, NUMBERED)
    require(found == {key: rows[key] for key in rows if key[0] != NAMES[2]}, "places are kept")


def check_pieces_are_bounded(peer: HistoryUnderTest) -> None:
    """Read many windows: they come in pieces of bounded size, none of them empty, all of them."""
    starts = [START + n * TEN_SECONDS for n in range(MANY)]
    record = told(TAGS, starts, TEN_SECONDS)
    peer.keep(TAGS, [record])
    with peer.make() as history:
        sizes = [len(piece) for piece in history.read(NAMES, 0, NEVER, TEN_SECONDS)]
        found = kept(history, NAMES, 0, NEVER, TEN_SECONDS)
    require(min(sizes) > 0 and max(sizes) <= PIECE, f"a piece holds 1 to {PIECE}: {sizes[:3]}")
    require(found == peer.rows(record, NUMBERED), "all of them come")


ALL_CHECKS: tuple[Check, ...] = (
    check_fits_protocol,
    check_open_close_twice,
    check_close_after_failed_open,
    check_read_after_close_raises,
    check_left_in_the_middle,
    check_empty_at_first,
    check_tells_tags_with_units,
    check_tells_lengths,
    check_unkept_length_rejected,
    check_lengths_do_not_mix,
    check_bounds_are_half_open,
    check_order_and_last_said,
    check_unknown_tag_has_no_windows,
    check_pieces_are_bounded,
)


def applicable(exempt: Mapping[Check, str]) -> list[Check]:
    """Give every check but the exempt ones; each exemption needs its reason in words."""
    return without(ALL_CHECKS, exempt)
