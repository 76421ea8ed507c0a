"""From batches to verdicts, scores and alarms: a fold over the journal's records.

What comes in (samples, link events, acknowledgements) is appended to the journal together with
what follows from it, in one commit. State is the fold of what came in, so a snapshot and the
records after it give it again, to the bit.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.findings import Finding
from analytics.judgements import Diagnosis, Judgement, Transition
from analytics.monitors import MonitorBank
from analytics.watch import Watch
from gateway.alarms import AlarmBook, alarm_body, hold_body, hold_from
from gateway.config.plan import Plan, longest_silence
from gateway.gaps import GapLedger, gap_body, gap_from
from gateway.journal import (
    JSON,
    DamagedRecord,
    Entry,
    EventRecord,
    Record,
    SampleRecord,
    ScoreRecord,
)
from gateway.models import keeping
from gateway.models.rule import Terms
from gateway.models.succession import Containment, Library, Succession, no_library
from gateway.models.succession import Rows as Given
from gateway.models.watched import (
    NO_MODE,
    Action,
    Change,
    WatchedAsset,
    change_body,
    change_from,
)
from gateway.parts import PartBooks, part_body
from gateway.stages.align import Alignment, Rows
from gateway.stages.incidents import IncidentDesk, Looked
from gateway.stages.latest import Latest
from gateway.stages.scale import Scaling
from gateway.stages.watches import build_watch
from plant.alarms import Alarm, AlarmAction, Feedback, Hold, HoldKind, Label
from plant.assets import Asset
from plant.errors import Rejected
from plant.gaps import Gap
from plant.instruments import diagnosis as sentence_of
from plant.instruments import doubt_body
from plant.parts import Part
from plant.records import ANOMALOUS, JUDGED
from plant.samples import Batch, ContextEvent, Recovery
from plant.tags import Tag, TagHandle

UNKNOWN_MODE = -1
_OF_ALARMS = frozenset({"acknowledge", "feedback"})
"""Orders that name an alarm by its number."""


@dataclass(slots=True)
class Outcome:
    """What follows from one batch."""

    batch: Batch
    verdict: NDArray[np.uint8]
    scores: list[ScoreRecord] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    ended: list[Hold] = field(default_factory=list)
    instruments: list[EventRecord] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    models: list[EventRecord] = field(default_factory=list)

    def records(self) -> Iterable[Record]:
        """Give the journal's records: what came in first, but gaps as they were before it."""
        yield from map(gap_event, self.gaps)
        yield SampleRecord(replace(self.batch, context=()), self.verdict)
        for event in self.batch.context:
            yield context_event(self.batch, event)
        yield from self.scores
        yield from map(ended_event, self.ended)
        yield from self.models
        yield from map(alarm_event, self.alarms)
        yield from self.instruments
        yield from map(part_event, self.parts)


def alarm_event(alarm: Alarm) -> EventRecord:
    """Write an alarm as it now is."""
    return EventRecord("alarm", alarm.changed, alarm_body(alarm))


def instrument_event(asset: str, told: Diagnosis) -> EventRecord:
    """Write that an instrument is at fault, or no longer.

    It follows from the samples and is not folded: the watch of the asset knows it by itself.
    """
    doubt = told.doubt
    body = {
        "asset": asset,
        "action": str(told.action),
        "health": int(doubt.kind.health),
        "sentence": sentence_of(doubt, told.at),
        **doubt_body(doubt),
    }
    return EventRecord("instrument", told.at, body)


def model_event(asset: str, change: Change) -> EventRecord:
    """Write that a model of an asset came to a place or went.

    What was ordered is folded. What followed from the rows follows again, and is done by then.
    """
    return EventRecord("model", change.at, change_body(asset, change))


def part_event(part: Part) -> EventRecord:
    """Write a part with its verdict; it follows from the records and is not folded."""
    return EventRecord("part", part.stop, part_body(part))


def ended_event(hold: Hold) -> EventRecord:
    """Write that the time of a hold is over; it follows from the records and is not folded."""
    return EventRecord("hold-ended", hold.until or hold.since, hold_body(hold))


def gap_event(gap: Gap) -> EventRecord:
    """Write a gap as it now is."""
    return EventRecord("gap", gap.start if gap.stop is None else gap.stop, gap_body(gap))


def context_event(batch: Batch, event: ContextEvent) -> EventRecord:
    """Write a text of a batch; one that fills a gap says so, and which."""
    body: dict[str, JSON] = {"tag": event.tag, "text": event.text, "status": event.status}
    if batch.recovered:
        body |= {"recovered": int(batch.recovered), "stop": batch.upto}
    return EventRecord("context", event.at, body)


@dataclass(slots=True)
class Group:
    """Assets that are fed by the same sources share one alignment."""

    alignment: Alignment
    assets: list[WatchedAsset]


class Pipeline:
    """The stages of one gateway, in order.

    Parameters
    ----------
    plan
        What to judge.
    handles
        Every tag of the plan with its journal handle.
    contain
        Runs each detector call; the supervisor's business.
    library
        Gives the watch of a model file.
    failure
        Says why a model was benched, and lets it off.
    """

    def __init__(
        self,
        plan: Plan,
        handles: Sequence[TagHandle],
        contain: Containment,
        library: Library = no_library,
        failure: Callable[[str], str] = lambda _name: "",
    ) -> None:
        self.handles = tuple(handles)
        self._contain = contain
        self._scaling = Scaling(handles)
        self.monitors = MonitorBank(handles)
        self.latest = Latest(max((h.handle for h in handles), default=-1) + 1)
        self.book = AlarmBook(plan.alarms, {asset.path: asset.signals for asset in plan.assets})
        self.gaps = GapLedger(handles, watched_sources(plan))
        self.groups = build_groups(plan, handles)
        self.parts = PartBooks(
            plan,
            handles,
            lambda asset, tags: asset_key(asset, [tag.tag for tag in tags]),
            contain,
        )
        self._desk = IncidentDesk(self.book, own_handles(plan, handles), plan.alarms.suppressed)
        self.terms = terms_of(plan)
        self._succession = Succession(contain, self.terms, library, failure)
        self._fed: dict[str, list[Group]] = {}
        for group in self.groups:
            for source in group.alignment.sources:
                self._fed.setdefault(source, []).append(group)

    @property
    def assets(self) -> list[WatchedAsset]:
        """Every asset under watch."""
        return [state for group in self.groups for state in group.assets]

    def shares(self, source: str) -> bool:
        """Tell whether an asset waits for this source and another one at every tick."""
        return any(len(group.alignment.sources) > 1 for group in self._fed.get(source, ()))

    def take(self, raw: Batch) -> Outcome:
        """Judge one raw batch."""
        batch = self.scaled(raw)
        return self.conclude(batch, self._verdict(batch))

    def scaled(self, raw: Batch) -> Batch:
        """Give a raw batch in engineering units."""
        return self._scaling.apply(raw)

    def judge(
        self,
        tag: NDArray[np.int32],
        at: NDArray[np.int64],
        value: NDArray[np.float64],
        status: NDArray[np.uint32],
    ) -> NDArray[np.uint8]:
        """Give the monitors' verdicts on samples in engineering units, and learn from them."""
        verdict: NDArray[np.uint8] | None = self._contain(
            "monitors", lambda: self.monitors.judge(tag, at, value, status)
        )
        return np.full(len(tag), Finding.UNSCORED, np.uint8) if verdict is None else verdict

    def conclude(self, batch: Batch, verdict: NDArray[np.uint8]) -> Outcome:
        """Do what follows from a live batch in engineering units and its verdicts."""
        gaps = self.gaps.resume(batch)
        outcome = self._follow(batch, verdict)
        outcome.gaps = gaps
        return outcome

    def fill(self, gap: int, raw: Batch) -> Outcome | None:
        """Keep what is new of a raw batch that fills the gap of that number; None if nothing is."""
        new = self.gaps.sieve(gap, raw)
        if new is None:
            return None
        batch = self._scaling.apply(new)
        counted = self.gaps.count(gap, batch)
        outcome = self.fold(batch)
        outcome.gaps = [counted]
        return outcome

    def fold(self, batch: Batch) -> Outcome:
        """Judge one batch in engineering units, as it stands in the journal.

        What fills a gap is kept only: the present has been judged without it.
        """
        return self._follow(batch, self._verdict(batch))

    def _verdict(self, batch: Batch) -> NDArray[np.uint8]:
        if batch.recovered:
            return np.full(len(batch), Finding.UNSCORED, np.uint8)
        return self.judge(batch.tag, batch.at, batch.value, batch.status)

    def _follow(self, batch: Batch, verdict: NDArray[np.uint8]) -> Outcome:
        self.gaps.observe(batch)
        for event in batch.context:
            self.gaps.say(event, batch.recovered, batch.upto)
        ended = self.book.advance(batch.received)
        outcome = Outcome(batch, verdict)
        outcome.ended = [hold for hold, _ in ended]
        outcome.alarms = [alarm for _, alarm in ended if alarm is not None]
        if batch.recovered:
            return outcome
        self.latest.add(batch, verdict)
        outcome.parts = self.parts.take(batch)
        for group in self._fed.get(batch.source, ()):
            rows = group.alignment.add(batch)
            if rows is not None and len(rows.at):
                for state in group.assets:
                    self._judge(state, rows, outcome)
        outcome.alarms += self._desk.findings(batch.tag, batch.at, verdict)
        return outcome

    def _judge(self, state: WatchedAsset, rows: Rows, outcome: Outcome) -> None:
        mode = operating_mode(rows, state.mode)
        state.mode_now = int(mode[-1])
        known = mode != UNKNOWN_MODE
        value = rows.value[:, state.signals]
        given = Given(rows.at[known], value[known], mode[known], outcome.batch.received)
        before = state.watch
        said = self._succession.judge(state, given)
        state.last = judgement = said.judgement
        path = state.asset.path
        if judgement is not None:
            outcome.instruments += [instrument_event(path, one) for one in judgement.diagnoses]
        looked = Looked(given.at, given.mode, judgement)
        outcome.alarms += self._desk.take(path, looked, self.latest.verdict)
        for change in said.changes:
            outcome.models.append(model_event(path, change))
            alarms, instruments = self._settle(state, change, before)
            outcome.alarms += alarms
            outcome.instruments += instruments
        if judgement is not None and len(judgement.at):
            outcome.scores.append(score_record(path, judgement))
        if said.beside is not None and len(given.at):
            role, version, beside = said.beside
            outcome.scores.append(score_record(path, beside, str(role), version))

    def _settle(
        self, state: WatchedAsset, change: Change, before: Watch
    ) -> tuple[list[Alarm], list[EventRecord]]:
        """Have alarm and instruments stand as the watch sees them that is in force now."""
        watch, path = state.watch, state.asset.path
        if watch is before:
            return [], []
        alarm = self.book.open(path)
        stands = alarm is not None and alarm.stands
        changed: Alarm | None = None
        if stands and not watch.alarmed:
            taken = "was taken back" if change.action is not Action.PROMOTE else "took over"
            words = f"model {change.version} {taken}, and the one in force now does not see it"
            changed = self.book.withdraw(path, watch.now or change.at, f"{words}: {change.why}")
        elif watch.alarmed and not stands:
            reason = self._contain(state.bench, watch.explain)
            if reason is not None:
                told = reason.contributions
                onset = min(told[0].since, watch.now) if told else watch.now
                raised = Transition(watch.now, onset, AlarmAction.RAISE, reason)
                changed = self.book.apply(path, raised, state.mode_now)
        return [] if changed is None else [changed], doubted_anew(path, before, watch)

    def link(self, source: str, state: str, why: str, at: int) -> EventRecord:
        """Note that the link of a source came up or was lost."""
        event = EventRecord("link", at, {"source": source, "state": state, "why": why})
        self._fold_event(event)
        return event

    def note(self, event: EventRecord) -> None:
        """Fold an event that came in."""
        self._fold_event(event)

    def order(self, event: EventRecord) -> list[EventRecord]:
        """Do what a person orders of the alarms; give the order and what follows from it.

        Its kinds: acknowledge, feedback, hold, release, trust (of an instrument), and clock, which
        only tells the time; of parts: part-label, and part-normal, which says that they are made
        otherwise from now on.

        Raises
        ------
        KeyError
            There is no such alarm, signal or asset.
        Rejected
            It cannot be done; the message is the reason.
        """
        return [event, *self._order(event)]

    def _trust(self, tag: str) -> list[EventRecord]:
        """Believe an instrument again because a person says so."""
        state = next((one for one in self.assets if tag in one.asset.signals), None)
        if state is None:
            raise KeyError(tag)
        cleared = self._contain(state.bench, lambda: state.watch.trust(tag)) or ()
        self._succession.tell(state, lambda watch: watch.trust(tag))
        if not cleared:
            raise Rejected(f"{tag} is believed already")
        return [instrument_event(state.asset.path, one) for one in cleared]

    def _change(self, event: EventRecord) -> list[EventRecord]:
        """Have another model of an asset in force, or beside it."""
        body: Mapping[str, Any] = event.body
        state = next((one for one in self.assets if one.asset.path == body["asset"]), None)
        if state is None:
            raise KeyError(body["asset"])
        change, before = change_from(event.at, body), state.watch
        self._succession.order(state, change)
        if state.watch is not before:
            state.last = None
        alarms, instruments = self._settle(state, change, before)
        return [*map(alarm_event, alarms), *instruments]

    def _order(self, event: EventRecord) -> list[EventRecord]:
        body: Mapping[str, Any] = event.body
        ended: list[tuple[Hold, Alarm | None]] = []
        changed: list[Alarm | None] = []
        parts: list[Part] = []
        match event.kind:
            case "trust":
                return self._trust(body["tag"])
            case "model":
                return self._change(event)
            case "clock":
                ended = self.book.advance(event.at)
                changed += [alarm for _, alarm in ended]
            case "acknowledge":
                said = body["actor"], body["note"]
                changed.append(self.book.acknowledge(body["id"], event.at, *said))
            case "feedback":
                changed.append(self._label(event.at, body))
            case "hold":
                changed.append(self.book.hold(hold_from(body)))
            case "release":
                kind = HoldKind(body["kind"])
                changed.append(self.book.release(body["asset"], kind, event.at))
            case "part-label":
                parts.append(self.parts.label(event.at, body))
            case "part-normal":
                self.parts.accept(body["asset"])
        told = [alarm_event(alarm) for alarm in changed if alarm is not None]
        return [ended_event(hold) for hold, _ in ended] + told + list(map(part_event, parts))

    def _label(self, at: int, body: Mapping[str, Any]) -> Alarm:
        asset = self.book.get(body["id"]).asset
        said = Feedback(Label(body["label"]), body["note"], body["actor"], at)
        alarm = self.book.label(body["id"], said)
        if body["new_normal"]:
            for state in self.assets:
                if state.asset.path == asset:
                    self._contain(state.bench, state.watch.accept)
                    self._succession.tell(state, lambda watch: watch.accept())
        return alarm

    def _fold_event(self, event: EventRecord) -> None:
        body: Mapping[str, Any] = event.body
        match event.kind:
            case "context":
                self._say(event.at, body)
            case "acknowledge" | "feedback" | "hold" | "release" | "clock" | "trust":
                self._order(event)
            case "part-label" | "part-normal" | "model":
                self._order(event)
            case "link":
                self._link(body["source"], body["state"], body["why"])
            case "gap":
                self.gaps.put(gap_from(body))
            case "ticket":
                self.gaps.tickets[body["source"]] = body["kept"]
            case "run":
                self.gaps.end()

    def _say(self, at: int, body: Mapping[str, Any]) -> None:
        said = ContextEvent(body["tag"], at, body["text"], body["status"])
        kind = Recovery(body.get("recovered", 0))
        self.gaps.say(said, kind, body.get("stop", 0))
        if not kind:
            self.latest.say(said)

    def _link(self, source: str, state: str, why: str) -> None:
        self.gaps.linked(source, up=state == "up")
        if state == "up" and not why:
            self.parts.reconnected(source)
            for group in self._fed.get(source, ()):
                group.alignment.reconnected(source)

    def refold(
        self, entries: Iterable[tuple[int, Entry]], floor: int, alarms: Sequence[Alarm], parts: int
    ) -> tuple[list[DamagedRecord], list[EventRecord]]:
        """Fold a journal of which the samples up to position `floor` are gone.

        What is left below it is pinned: stretches without a before and after, which nothing is
        learnt from. Alarms and parts are numbered in the order in which they came, so those told
        by the journal (`alarms` as they last were, `parts` in all) are taken as told.

        Returns
        -------
        What cannot be used, and the events that follow.
        """
        self.parts.number_from(parts + 1)

        def whole() -> Iterator[tuple[int, Entry]]:
            for position, entry in entries:
                ordered = isinstance(entry, EventRecord) and entry.kind in _OF_ALARMS
                if not (ordered or (isinstance(entry, SampleRecord) and position <= floor)):
                    yield position, entry

        damaged = self.replay(whole())
        return damaged, [alarm_event(alarm) for alarm in self.book.recall(alarms)]

    def replay(self, entries: Iterable[tuple[int, Entry]]) -> list[DamagedRecord]:
        """Fold what stands in the journal again, without writing; give what cannot be used."""
        damaged: list[DamagedRecord] = []
        for position, entry in entries:
            if isinstance(entry, SampleRecord):
                self.fold(entry.batch)
            elif isinstance(entry, EventRecord):
                try:
                    self._fold_event(entry)
                except (KeyError, Rejected) as error:
                    # The alarm came from samples that are damaged, or were judged otherwise.
                    why = f"{entry.kind} {entry.body} fits nothing: {error}"
                    damaged.append(DamagedRecord(position, why))
            elif isinstance(entry, DamagedRecord):
                damaged.append(entry)
        return damaged

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the state of every stage, as arrays under `stage/name`."""
        parts: dict[str, Mapping[str, NDArray[Any]]] = {
            "monitors": self.monitors.state(),
            "latest": self.latest.state(),
            "alarms": self.book.state(),
            "gaps": self.gaps.state(),
            **self.parts.state(),
        }
        for group in self.groups:
            parts[f"align-{group_key(group)}"] = group.alignment.state()
            for asset in group.assets:
                parts[f"watch-{asset.key}"] = asset.watch.state()
                parts |= keeping.state_of(asset)
        return {
            f"{part}/{name}": array for part, held in parts.items() for name, array in held.items()
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> list[str]:
        """Take up a state; give the assets that were changed since and have to learn anew."""
        parts: dict[str, dict[str, NDArray[Any]]] = {}
        for key, array in arrays.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = array
        self.monitors.restore(parts["monitors"])
        self.latest.restore(parts["latest"])
        self.book.restore(parts["alarms"])
        self.gaps.restore(parts["gaps"])
        anew: list[str] = []
        for group in self.groups:
            held = parts.get(f"align-{group_key(group)}")
            if held is not None:
                group.alignment.restore(held)
            for asset in group.assets:
                known = parts.get(f"watch-{asset.key}")
                if known is None:
                    anew.append(asset.asset.path)
                else:
                    keeping.restore(asset, parts)
                    asset.watch.restore(known)
        return list(dict.fromkeys(anew + self.parts.restore(parts)))


def doubted_anew(asset: str, before: Watch, now: Watch) -> list[EventRecord]:
    """Tell which instruments are believed, and which no longer, because another watch judges."""
    old = {(doubt.signal, doubt.kind): doubt for doubt in before.doubts}
    new = {(doubt.signal, doubt.kind): doubt for doubt in now.doubts}
    at = now.now or before.now
    gone = [Diagnosis(at, AlarmAction.CLEAR, old[key]) for key in old if key not in new]
    come = [Diagnosis(at, AlarmAction.RAISE, new[key]) for key in new if key not in old]
    return [instrument_event(asset, told) for told in (*gone, *come)]


def score_record(asset: str, said: Judgement, role: str = "", version: int = 0) -> ScoreRecord:
    """Write scores; with `role` and `version` of a model beside the one in force."""
    flags = (JUDGED * said.judged + ANOMALOUS * said.anomalous).astype(np.uint8)
    return ScoreRecord(asset, said.at, said.score, said.threshold, flags, role, version)


def terms_of(plan: Plan) -> Terms:
    """Give what the plan wants of a change of models."""
    return Terms(
        budget=plan.alarms.budget,
        row_s=plan.detection.grid_s,
        shadow_h=plan.models.shadow_h,
        probation_h=plan.models.probation_h,
        by_rule=plan.models.promote == "rule",
    )


def operating_mode(rows: Rows, column: int | None) -> NDArray[np.int64]:
    """Give the mode of each row; UNKNOWN_MODE where its tag is not Good."""
    if column is None:
        return np.full(len(rows.at), NO_MODE, np.int64)
    value = rows.value[:, column]
    return np.where(np.isnan(value), UNKNOWN_MODE, np.nan_to_num(value)).astype(np.int64)


def build_groups(plan: Plan, handles: Sequence[TagHandle]) -> list[Group]:
    """Put assets with the same sources side by side, each group on one grid."""
    by_name = {handle.tag.name: handle for handle in handles}
    together: dict[frozenset[str], list[Asset]] = {}
    for asset in plan.assets:
        sources = frozenset(by_name[name].tag.source for name in asset_tags(asset))
        together.setdefault(sources, []).append(asset)
    return [
        build_group(plan, by_name, sorted(sources), assets) for sources, assets in together.items()
    ]


def build_group(
    plan: Plan, by_name: Mapping[str, TagHandle], sources: list[str], assets: list[Asset]
) -> Group:
    """Build the alignment of a group and the watches of its assets."""
    names = [name for asset in assets for name in asset_tags(asset)]
    column = {name: index for index, name in enumerate(names)}
    stale_ns = {name: longest_silence(plan, name) for name in sources}
    alignment = Alignment(
        [by_name[name] for name in names], stale_ns, round(plan.detection.grid_s * 1e9)
    )
    place = {asset.path: number for number, asset in enumerate(plan.assets)}
    states = [
        WatchedAsset(
            asset=asset,
            key=asset_key(asset, [by_name[name].tag for name in asset_tags(asset)]),
            watch=build_watch(
                [by_name[name].tag for name in asset.signals],
                plan.detection,
                plan.alarms.budget,
                place[asset.path],
                find_modes=asset.mode is None,
                quiet=plan.alarms.suppressed.get(asset.path, frozenset()),
            ),
            signals=np.array([column[name] for name in asset.signals], np.intp),
            mode=column[asset.mode] if asset.mode else None,
            part=by_name[asset.part].handle if asset.part else None,
            mode_now=UNKNOWN_MODE if asset.mode else NO_MODE,
        )
        for asset in assets
    ]
    return Group(alignment, states)


def own_handles(plan: Plan, handles: Sequence[TagHandle]) -> dict[str, tuple[TagHandle, ...]]:
    """Give the tags of each asset that can join its incidents."""
    own: dict[str, list[TagHandle]] = {asset.path: [] for asset in plan.assets}
    for handle in handles:
        if handle.tag.asset in own:
            own[handle.tag.asset].append(handle)
    return {path: tuple(found) for path, found in own.items()}


def watched_sources(plan: Plan) -> dict[str, int]:
    """Give the sources that can have gaps, with the period of their scans, ns; 0 if not polled.

    A recording is read from its beginning at each start: nothing of it is missed.
    """
    return {
        source.name: round(getattr(source, "scan_ms", 0.0) * 1e6)
        for source in plan.sources
        if getattr(source, "type", "") != "replay"
    }


def asset_tags(asset: Asset) -> tuple[str, ...]:
    """Name every tag that an asset's rows hold."""
    return asset.signals + ((asset.mode,) if asset.mode else ())


def asset_key(asset: Asset, tags: Sequence[Tag]) -> str:
    """Name an asset's snapshot so that nothing else under the same path is taken for it.

    What was learnt of other signals, or in other units, says nothing of these.
    """
    meant = "\n".join(f"{t.name} {t.role} {t.unit} {t.scale!r} {t.offset!r}" for t in tags)
    return f"{asset.path.replace('/', '|')}-{hashlib.sha256(meant.encode()).hexdigest()[:16]}"


def group_key(group: Group) -> str:
    """Name a group's snapshot by its assets."""
    layout = "\n".join(state.key for state in group.assets)
    return hashlib.sha256(layout.encode()).hexdigest()[:16]
