"""The states of ISA-18.2 as a table, and that no sequence loses an incident or tells a held one."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from analytics.watch import Transition
from gateway.alarms import AlarmBook
from gateway.config.plan import AlarmPlan
from plant.alarms import (
    ANNUNCIATED,
    HOUR_NS,
    QUIET,
    Alarm,
    AlarmAction,
    AlarmState,
    Feedback,
    Hold,
    HoldKind,
    Label,
)
from plant.errors import Rejected
from plant.reasons import Contribution, Reason, Trend

ASSET = "a/p"
SIGNALS = {ASSET: (f"{ASSET}/x",), "a/q": ("a/q/x",)}
MINUTE = 60 * 10**9
OFTEN = 10**6
"""More raises in an hour than any test makes: nothing chatters."""


def reason(asset: str = ASSET, severity: float = 1.5) -> Reason:
    part = Contribution(f"{asset}/x", 1.0, 7.0, 2.3, 1.9, 2.7, "mm/s", 40, Trend.RISING)
    return Reason(3.0 * severity, 3.0, (part,))


def book(**plan: object) -> AlarmBook:
    return AlarmBook(AlarmPlan(**{"chatter_count": OFTEN, **plan}), SIGNALS)  # type: ignore[arg-type]


class Desk:
    """A book, a clock, and a word for everything that can happen to an asset."""

    def __init__(self, **plan: object) -> None:
        self.book = book(**plan)
        self.at = 1000
        self.word: dict[str, Callable[[], object]] = {
            "raise": lambda: self.watch(AlarmAction.RAISE),
            "clear": lambda: self.watch(AlarmAction.CLEAR),
            "worse": lambda: self.watch(AlarmAction.WORSEN, 9.0),
            "ack": lambda: self.book.acknowledge(1, self.at, "kim", "seen"),
            "shelve": lambda: self.hold(HoldKind.SHELVED, HOUR_NS),
            "unshelve": lambda: self.book.release(ASSET, HoldKind.SHELVED, self.at),
            "suppress": lambda: self.hold(HoldKind.SUPPRESSED, 2 * HOUR_NS),
            "unsuppress": lambda: self.book.release(ASSET, HoldKind.SUPPRESSED, self.at),
            "out": lambda: self.hold(HoldKind.OUT_OF_SERVICE, None),
            "in": lambda: self.book.release(ASSET, HoldKind.OUT_OF_SERVICE, self.at),
            "off": lambda: self.book.suppress(ASSET, self.at, quiet=True),
            "on": lambda: self.book.suppress(ASSET, self.at, quiet=False),
            "hour": self.hour,
        }

    def watch(self, action: AlarmAction, severity: float = 1.5) -> Alarm | None:
        return self.book.apply(ASSET, Transition(self.at, self.at, action, reason(ASSET, severity)))

    def hold(self, kind: HoldKind, length: int | None) -> Alarm | None:
        until = None if length is None else self.at + length
        made = Hold(
            asset=ASSET, kind=kind, since=self.at, until=until, actor="kim", note="belt off"
        )
        return self.book.hold(made)

    def hour(self) -> object:
        self.at += HOUR_NS
        return self.book.advance(self.at)

    def happens(self, story: str) -> None:
        for word in story.split():
            self.at += 1
            self.word[word]()


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ("raise", "UNACK"),
        ("raise ack", "ACKED"),
        ("raise clear", "RTNUN"),
        ("raise clear raise", "UNACK"),
        ("raise clear ack", "NORM"),
        ("raise ack clear", "NORM"),
        ("raise ack worse", "UNACK"),
        ("raise worse", "UNACK"),
        # on the shelf
        ("raise shelve", "SHLVD"),
        ("raise shelve clear", "SHLVD"),
        ("raise shelve clear unshelve", "RTNUN"),
        ("raise shelve unshelve", "UNACK"),
        ("raise ack shelve unshelve", "UNACK"),
        ("raise ack shelve clear", "NORM"),
        ("raise shelve hour", "UNACK"),
        ("raise shelve worse", "SHLVD"),
        ("shelve raise", "SHLVD"),
        ("shelve raise hour", "UNACK"),
        ("shelve raise clear", "SHLVD"),
        ("shelve raise clear hour", "NORM"),
        ("shelve raise clear raise hour", "UNACK"),
        ("shelve raise ack", "SHLVD"),
        # suppressed by design, by a person
        ("suppress raise", "DSUPR"),
        ("suppress raise hour", "DSUPR"),
        ("suppress raise hour hour", "UNACK"),
        ("suppress raise unsuppress", "UNACK"),
        ("raise ack suppress unsuppress", "ACKED"),
        ("raise ack suppress worse unsuppress", "UNACK"),
        ("raise clear suppress unsuppress", "RTNUN"),
        # out of service: until a person takes it back
        ("out raise", "OOSRV"),
        ("out raise hour hour hour", "OOSRV"),
        ("out raise in", "UNACK"),
        ("raise ack out in", "UNACK"),
        ("out raise clear in", "NORM"),
        # one inside the other: the strongest is shown, the last that ends is heard
        ("raise shelve out", "OOSRV"),
        ("raise out shelve in", "SHLVD"),
        ("raise shelve suppress hour", "DSUPR"),
        ("raise shelve suppress hour hour", "UNACK"),
        # suppressed by the mode of the machine
        ("off raise", "DSUPR"),
        ("off raise on", "UNACK"),
        ("off raise clear on", "NORM"),
        ("raise off on", "UNACK"),
        ("raise ack off on", "ACKED"),
        ("raise off clear on", "RTNUN"),
    ],
)
def test_what_happens_leads_to_a_state(story: str, state: str) -> None:
    desk = Desk()
    desk.happens(story)
    assert desk.book.get(1).state == state


@pytest.mark.parametrize("kind", list(HoldKind))
def test_what_is_not_held_cannot_be_released(kind: HoldKind) -> None:
    with pytest.raises(Rejected, match="a/p is not"):
        book().release(ASSET, kind, 5)


@pytest.mark.parametrize("until", [None, 9 * HOUR_NS, 0])
def test_a_shelf_is_no_place_to_forget_an_alarm(until: int | None) -> None:
    made = Hold(asset=ASSET, kind=HoldKind.SHELVED, since=0, until=until, actor="kim", note="later")
    with pytest.raises(Rejected):
        book(shelf_h=8.0).hold(made)


def test_an_hour_that_comes_twice_brings_nothing_back() -> None:
    desk = Desk()
    desk.happens("raise shelve hour")
    desk.book.advance(5)
    assert desk.book.get(1).state is AlarmState.UNACKNOWLEDGED
    assert desk.book.holds() == []


def test_what_came_and_went_while_it_was_held_is_kept_and_was_never_told() -> None:
    desk = Desk()
    desk.happens("shelve raise clear raise clear hour")
    (alarm,) = desk.book.alarms()
    assert (alarm.state, alarm.occurrences, alarm.annunciated) == (AlarmState.NORMAL, 2, None)


def test_chattering_is_one_alarm_that_stays_until_it_is_calm() -> None:
    desk = Desk(chatter_count=3)
    desk.happens("raise clear raise clear raise ack clear raise clear")
    latched = desk.book.get(1)
    assert (latched.chattering, latched.state, latched.occurrences) == (True, "ACKED", 4)
    assert desk.book.observe(ASSET, desk.at + 59 * MINUTE) is None
    calm = desk.book.observe(ASSET, desk.at + 61 * MINUTE)
    assert calm is not None
    assert (calm.chattering, calm.state) == (False, AlarmState.NORMAL)


def test_chattering_is_seen_across_alarms_that_were_closed() -> None:
    desk = Desk(chatter_count=2)
    desk.happens("raise ack clear raise")
    assert [alarm.chattering for alarm in desk.book.alarms()] == [False, True]


def test_standing_for_a_day_is_stale_and_told_once() -> None:
    desk = Desk(stale_h=24.0)
    desk.happens("raise")
    raised = desk.at
    assert desk.book.observe(ASSET, raised + 23 * HOUR_NS) is None
    stale = desk.book.observe(ASSET, raised + 24 * HOUR_NS)
    assert stale is not None
    assert stale.stale
    assert desk.book.observe(ASSET, raised + 25 * HOUR_NS) is None


def test_findings_of_single_tags_join_the_incident() -> None:
    desk = Desk()
    assert desk.book.join(ASSET, {"a/p/x": 1}, 5) is None
    desk.happens("raise")
    desk.book.join(ASSET, {"a/p/x": 1}, 10)
    assert desk.book.join(ASSET, {"a/p/x": 1}, 11) is None
    desk.book.join(ASSET, {"a/p/x": 4, "a/p/y": 2}, 12)
    found = [(one.tag, one.findings, one.since) for one in desk.book.get(1).members]
    assert found == [("a/p/x", 5, 10), ("a/p/y", 2, 12)]
    assert len(desk.book.alarms()) == 1


def labelled(label: Label, note: str = "product change") -> Desk:
    desk = Desk()
    desk.happens("raise")
    desk.book.label(1, Feedback(label, note, "Anna", desk.at))
    desk.happens("clear raise")
    return desk


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (Label.EXPECTED, "like #1, called expected (product change) by Anna"),
        (Label.FALSE, "like #1, called a false alarm (product change) by Anna"),
    ],
)
def test_what_looks_like_a_false_one_is_held_back_and_says_so(label: Label, words: str) -> None:
    second = labelled(label).book.get(2)
    assert (second.state, second.annunciated) == (AlarmState.HELD_BACK, None)
    assert second.held == f"{words}: told from 2.25 limits on"
    (before,) = second.reason.precedents
    assert (before.id, before.label, before.note, before.actor) == (
        *(1, str(label), "product change", "Anna"),
    )


def test_what_looks_like_a_real_one_is_told() -> None:
    assert labelled(Label.REAL).book.get(2).state is AlarmState.UNACKNOWLEDGED


def test_what_is_held_back_is_told_when_it_grows_beyond_the_bar() -> None:
    desk = labelled(Label.EXPECTED)
    desk.watch(AlarmAction.WORSEN, 2.0)
    assert desk.book.get(2).state is AlarmState.HELD_BACK
    desk.watch(AlarmAction.WORSEN, 2.5)
    told = desk.book.get(2)
    assert (told.state, told.held != "") == (AlarmState.UNACKNOWLEDGED, True)


def test_what_is_held_back_and_goes_is_closed_without_a_word() -> None:
    desk = labelled(Label.EXPECTED)
    desk.happens("clear")
    assert desk.book.open(ASSET) is None


def test_calling_a_held_back_one_real_takes_it_out() -> None:
    desk = labelled(Label.EXPECTED)
    alarm = desk.book.label(2, Feedback(Label.REAL, "", "Kim", desk.at))
    assert (alarm.state, alarm.actor, alarm.note) == (AlarmState.ACKNOWLEDGED, "Kim", "real")


def test_a_label_acknowledges_and_leaves_an_acknowledgement_alone() -> None:
    desk = Desk()
    desk.happens("raise ack")
    alarm = desk.book.label(1, Feedback(Label.FALSE, "loose sensor", "Anna", desk.at))
    assert (alarm.actor, alarm.note) == ("kim", "seen")
    assert alarm.feedback == Feedback(Label.FALSE, "loose sensor", "Anna", desk.at)


def test_a_label_on_a_closed_alarm_leaves_the_open_one_open() -> None:
    desk = Desk()
    desk.happens("raise ack clear raise")
    desk.book.label(1, Feedback(Label.REAL, "", "Anna", desk.at))
    opened = desk.book.open(ASSET)
    assert opened is not None
    assert opened.id == 2


def test_the_priority_of_an_asset_is_the_plants_word() -> None:
    desk = Desk(priorities={ASSET: 4})
    desk.happens("raise worse")
    assert desk.book.get(1).priority == 4


class Shift(RuleBasedStateMachine):
    """Everything that can happen to two machines, in any order, with restarts between."""

    @initialize()
    def begin(self) -> None:
        self.book = AlarmBook(AlarmPlan(chatter_count=4), SIGNALS)
        self.at = 10
        self.faulty: set[str] = set()
        self.raises = 0

    assets = st.sampled_from(sorted(SIGNALS))
    severities = st.sampled_from([1.2, 2.5, 9.0, 40.0])

    def tick(self) -> int:
        self.at += MINUTE
        return self.at

    def watch(self, asset: str, action: AlarmAction, severity: float) -> None:
        at = self.tick()
        self.book.apply(asset, Transition(at, at - 5, action, reason(asset, severity)))

    @rule(asset=assets, severity=severities)
    def fault(self, asset: str, severity: float) -> None:
        action = AlarmAction.WORSEN if asset in self.faulty else AlarmAction.RAISE
        self.raises += asset not in self.faulty
        self.faulty.add(asset)
        self.watch(asset, action, severity)

    @rule(asset=assets)
    def gone(self, asset: str) -> None:
        self.faulty.discard(asset)
        self.watch(asset, AlarmAction.CLEAR, 0.5)

    @rule(asset=assets, kind=st.sampled_from(list(HoldKind)), hours=st.integers(1, 8))
    def keep_quiet(self, asset: str, kind: HoldKind, hours: int) -> None:
        at = self.tick()
        until = {HoldKind.OUT_OF_SERVICE: None}.get(kind, at + hours * HOUR_NS)
        self.book.hold(Hold(asset=asset, kind=kind, since=at, until=until, actor="k", note="n"))

    @rule(index=st.integers(0, 5))
    def listen_again(self, index: int) -> None:
        for hold in self.book.holds()[index : index + 1]:
            self.book.release(hold.asset, hold.kind, self.tick())

    @rule(asset=assets, quiet=st.booleans())
    def mode(self, asset: str, quiet: bool) -> None:
        self.book.suppress(asset, self.tick(), quiet=quiet)

    @rule(hours=st.integers(0, 9))
    def time_goes(self, hours: int) -> None:
        self.at += hours * HOUR_NS
        self.book.advance(self.tick())
        for asset in SIGNALS:
            self.book.observe(asset, self.at)

    @rule(asset=assets, bits=st.integers(1, 15))
    def finding(self, asset: str, bits: int) -> None:
        self.book.join(asset, {f"{asset}/x": bits}, self.tick())

    @rule(back=st.integers(1, 4), label=st.sampled_from(list(Label)))
    def judge(self, back: int, label: Label) -> None:
        for alarm in self.book.alarms()[-back:][:1]:
            self.book.label(alarm.id, Feedback(label, "", "k", self.tick()))

    @rule(asset=assets)
    def take_note(self, asset: str) -> None:
        waiting = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED)
        for alarm in [a for a in self.book.alarms() if a.asset == asset and a.beneath in waiting]:
            self.book.acknowledge(alarm.id, self.tick(), "k", "n")

    @rule()
    def restart(self) -> None:
        fresh = AlarmBook(AlarmPlan(chatter_count=4), SIGNALS)
        fresh.restore(self.book.state())
        again = fresh.state()
        for name, array in self.book.state().items():
            assert array.tobytes() == again[name].tobytes(), name
        self.book = fresh

    @invariant()
    def no_fault_is_lost(self) -> None:
        assert [a for a in self.faulty if self.book.open(a) is None] == []
        assert sum(alarm.occurrences for alarm in self.book.alarms()) == self.raises

    @invariant()
    def an_asset_has_one_incident(self) -> None:
        opened = [a.asset for a in self.book.alarms() if a.state is not AlarmState.NORMAL]
        assert len(opened) == len(set(opened))

    @invariant()
    def what_is_held_is_not_told(self) -> None:
        opened = [a for a in self.book.alarms() if a.state is not AlarmState.NORMAL]
        held = [(a.state, self.book.held(a.asset)) for a in opened if self.book.held(a.asset)]
        assert [pair for pair in held if pair[0] is not pair[1] or pair[0] not in QUIET] == []

    @invariant()
    def what_is_not_held_is_told(self) -> None:
        free = [a for a in map(self.book.open, self.faulty) if a and not self.book.held(a.asset)]
        loud = [a for a in free if not a.silenced]
        assert [a for a in loud if a.state not in ANNUNCIATED] == []
        # Who notes what is held back knows of it without having been told.
        assert [a for a in loud if a.annunciated is None and not a.actor] == []

    @invariant()
    def the_most_urgent_is_never_held_back(self) -> None:
        held = [a for a in self.book.alarms() if a.state is AlarmState.HELD_BACK]
        assert [alarm for alarm in held if alarm.priority == 1] == []


TestShift = Shift.TestCase
TestShift.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_worsening_that_was_told_keeps_its_members_and_words() -> None:
    desk = labelled(Label.EXPECTED)
    before = desk.book.get(2)
    desk.watch(AlarmAction.WORSEN, 2.5)
    assert replace(desk.book.get(2), reason=before.reason).held == before.held
