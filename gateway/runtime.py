"""One gateway, running: sources → pipeline → journal → console, until it is told to stop."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.findings import Finding
from analytics.savings import Savings
from connectors.catalogue import build, build_sink
from connectors.contract import Acknowledging, Source, Ticket
from gateway.accounts.access import Access
from gateway.accounts.audit import PLACE
from gateway.alarms import alarm_from, hold_from
from gateway.backlog import Backlog, is_long
from gateway.checkpoints import checkpoints_of
from gateway.config.access import ADDRESS
from gateway.config.plan import JournalPlan, Plan
from gateway.console.server import ConsoleServer
from gateway.downsampling import Downsampler, Made
from gateway.entry import address_of, open_access, open_console
from gateway.gaps import gap_from
from gateway.guard.words import folder_of
from gateway.journal import (
    JSON,
    DamagedRecord,
    Entry,
    EventRecord,
    Journal,
    Limits,
    Record,
    SummaryRecord,
)
from gateway.lineview import LineView
from gateway.link import Link, LinkState
from gateway.metrics import Metrics
from gateway.models.desk import ModelDesk
from gateway.models.puller import Puller
from gateway.models.shelf import FOLDER as MODELS_FOLDER
from gateway.models.shelf import Shelf
from gateway.notices import CONSOLE, Notice, Notices
from gateway.parts import part_from
from gateway.pins import Pins
from gateway.pipeline import Outcome, Pipeline, gap_event
from gateway.proposing.starting import proposing_of
from gateway.rates import EVERY_S as RATES_S
from gateway.rates import read_rates
from gateway.rows import alarm_row, gap_row, hold_row, link_words, part_row
from gateway.servicemanager import ServiceManager
from gateway.supervisor import Supervisor
from gateway.uplink import Uplinks
from gateway.vitals import Vitals
from plant.alarms import ANNUNCIATED, HOUR_NS, QUIET, Alarm, AlarmState
from plant.errors import Rejected, Unreachable
from plant.files import put
from plant.gaps import Gap
from plant.parts import Part
from plant.quality import Quality, quality
from plant.samples import Batch
from plant.summaries import TEN_SECONDS
from plant.tags import TagHandle

COMMIT_S = 0.15
"""Group commit: one fsync for everything that came since the last one (design: 100–200 ms)."""
SNAPSHOT_S = 30.0
SNAPSHOT_LATEST_S = 600.0
"""A snapshot is due between these two, once what came in since weighs as much as it does: so that
it never costs the disk more than the samples do, and a restart never replays more than that."""
CRAMPED_S = 2.0
"""Unless the journal has no room because of it: then it is due at once."""
SAMPLE_BYTES = 8
LEAVING_S = 2.5
"""Time for all sources to let go, of the five seconds in which the gateway ends."""
BEHIND = 400_000
"""Samples not yet on disk at which reading waits for the journal (about 10 MB)."""
RECORDS_BEHIND = 50_000
"""Records not yet on disk at which it waits as well: small ones weigh more than their samples."""
LIVE_SHARE = 4
"""Recovery waits at this part of both: what comes live has the rest for itself."""
UNFOLDED = (
    "without a snapshot and with the samples up to here evicted, what was learnt from them is "
    "learnt anew; alarms are taken as they were told"
)
LOOK_S = 1.0
MODELS_S, THINS_S = 5.0, 3600.0
"""Model files are looked for so often."""
SUMMARISE_S = 1.0
"""Windows that are ready are looked for so often."""
RATES_FIRST_S = 50.0
"""False alarms are counted first so soon after the start, s."""
TICKET_BYTES = 10_000
SNAPSHOT = "pipeline-11"
"""Named by the format of the state: after a change of format the journal is folded anew."""

SAVINGS = "savings-1"
"""The same of what summaries save."""

Event = Callable[[str, dict[str, Any]], None]


class Gateway:
    """Runs a plan.

    Parameters
    ----------
    plan
        What to read, judge and show.
    prelude
        Finite sources, named like the live ones, that are read to their end at full speed before
        these start; each is built from its tag handles.
    on_event
        Told "console", "prelude", "live", "first_value", "source", "gap" (opened, closed, settled),
        "overload", "uplink" (the way to a sink changed), "certificate", "relearn", "damaged",
        "setpoint-audit" (a checkpoint of the guard, or none can be read), "alarm" (its state
        changed), "worse" (its reason did), "quiet" (a change of an incident that is kept and not
        annunciated), "hold", "release", "hold-ended", "instrument" (at fault, or no
        longer) and "trust", "part" (its cycle ended, or somebody said what it turned out to be),
        "evicted" (records went that a reader had not passed), "disk" (it is full, or no
        longer), "model" (which model of an asset is where has changed), "model-refused" (a model
        file is not taken), "models-dropped" (old files are removed), "models-pull" (updates from
        the registry stand otherwise), "proposer" (it is throttled, switched off or right again),
        "guard" (there is none to ask, or again), "salvage" (a damaged journal is brought into a
        new file), each with a row. Parts of a history are not told.
    listen
        Serve the console.
    pull
        Command that looks into the registry, if the plan has one.
    manager
        Told that it is ready, alive (while the loop turns and the journal answers) and stopping.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        prelude: Sequence[Callable[[Sequence[TagHandle]], Source]] = (),
        on_event: Event | None = None,
        listen: bool = True,
        pull: Sequence[str] = (),
        manager: ServiceManager | None = None,
    ) -> None:
        self._plan = plan
        self._prelude = prelude
        self._listen = listen
        self._puller = Puller(
            pull,
            plan.models.every_min * 60,
            lambda kind, body: self._announce([(kind, body)]),
        )
        self._pulls = bool(pull) and plan.models.root is not None
        self._manager = manager or ServiceManager({})
        self._tell: Event = on_event or (lambda _kind, _row: None)
        self._metrics = Metrics()
        self._supervisor = Supervisor(self)
        self._notices = Notices(self._supervisor)
        self._vitals = Vitals(self._metrics.figures)
        self._looked = 0.0
        self._begun = time.time_ns()
        self._due: list[tuple[int, Acknowledging, Batch]] = []
        self._committed = asyncio.Event()
        self._backlog = Backlog(lambda *columns: self._pipeline.judge(*columns))
        self._stopping = False
        self._seen: set[str] = set()
        self._initial: set[str] = set()
        self._standing: dict[int, tuple[tuple[AlarmState, int], float]] = {}
        self._pins = Pins()
        self.savings = Savings(TEN_SECONDS, self._begun)
        self._position = 0
        self._snapshot_at = 0.0
        self._snapshot_samples = self._snapshot_bytes = 0
        self._console: ConsoleServer | None = None
        self._access: Access | None = None
        self.url = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then bring everything to disk."""
        self._plan.data.mkdir(parents=True, exist_ok=True)
        self._manager.status("opening the journal")
        self._journal = await asyncio.to_thread(
            Journal.open,
            self._plan.data / "journal.db",
            limits(self._plan.journal),
            lambda words: self._tell("salvage", {"why": words}),
        )
        try:
            handles = self._journal.register(self._plan.tags, time.time_ns())
            place, keys = self._plan.data / MODELS_FOLDER, self._plan.models.keys
            self._shelf = await asyncio.to_thread(Shelf, place, keys, version("wheeltapper"))
            await asyncio.to_thread(self._recover, handles)
            self._models = ModelDesk(
                self._pipeline.assets,
                self._pipeline.terms,
                self._shelf,
                self._pipeline.book.open,
                self._order,
                lambda: self._puller.words,
                self._pipeline.book.alarms,
            )
            await asyncio.to_thread(self._recover_savings)
            self._checkpoints = await asyncio.to_thread(
                checkpoints_of, folder_of(self._plan), self._journal
            )
            fresh = not self._position
            self._enter(self._pipeline.gaps.begin(self._begun))
            # What was recorded before a tag was taken out still goes upstream.
            known = [*handles, *self._journal.retired(handles)]
            self._uplinks = Uplinks(
                self._plan,
                self._journal,
                known,
                lambda config: build_sink(config, known, self._plan.name, self._plan.data),
            )
            async with AsyncExitStack() as stack:
                await self._serve(stack)
                committing = asyncio.create_task(self._commit_until_stopped())
                downsampler = Downsampler(self._journal)
                summarising = asyncio.create_task(self._summarise(downsampler))
                counting = asyncio.create_task(self._count_rates())
                looking = asyncio.create_task(self._look_for_models())
                looking.add_done_callback(partial(self._contained, "models"))
                pulling = asyncio.create_task(self._puller.run()) if self._pulls else None
                proposing = self._propose()
                try:
                    self._announce(self._uplinks.start())
                    await self._read(handles, stop, committing, fresh=fresh)
                    self._note_event(EventRecord("run", time.time_ns(), {"state": "ended"}))
                finally:
                    self._manager.stopping()
                    downsampler.end()
                    summarising.cancel()
                    counting.cancel()
                    looking.cancel()
                    if proposing is not None:
                        proposing.cancel()
                    if pulling is not None:
                        pulling.cancel()
                        await asyncio.gather(pulling, return_exceptions=True)
                    await self._uplinks.stop()
                    self._stopping = True
                    self._committed.set()
                    await committing
        finally:
            self._journal.close()
            self._manager.close()

    def _recover(self, handles: Sequence[TagHandle]) -> None:
        """Come back to the state after the last committed record."""
        self._position = self._journal.committed
        position, floor = 0, self._journal.floor
        self._pipeline = self._fresh(handles)
        try:
            snapshot = self._journal.load_snapshot(SNAPSHOT)
            if snapshot is not None:
                anew = self._pipeline.restore(snapshot[1])
                position = snapshot[0]
                for path in anew:
                    self._tell("relearn", {"asset": path})
        except (Rejected, LookupError, TypeError, ValueError) as error:
            # Damaged, or of another version's shape. It only saves time: the journal folded from
            # its start gives the same state, unless its beginning was evicted.
            self._pipeline = self._fresh(handles)
            self._tell("damaged", {"position": 0, "why": f"snapshot not used: {error!r}"})
        entries = self._journal.read(after=position)
        damages = (
            self._refold(entries, floor) if position < floor else self._pipeline.replay(entries)
        )
        for damage in damages:
            self._tell("damaged", {"position": damage.position, "why": damage.reason})
        for alarm in self._pipeline.book.alarms():
            again = 0 if alarm.chattering else alarm.occurrences
            self._standing[alarm.id] = ((alarm.state, again), alarm.peak)

    def _fresh(self, handles: Sequence[TagHandle]) -> Pipeline:
        """Give a pipeline that has seen nothing."""
        contain, let_off = self._supervisor.contain, self._supervisor.let_off
        return Pipeline(self._plan, handles, contain, self._shelf, let_off)

    def _recover_savings(self) -> None:
        """Go on counting what summaries save; after damage the count begins anew."""
        try:
            snapshot = self._journal.load_snapshot(SAVINGS)
        except Rejected as error:
            self._tell("damaged", {"position": 0, "why": f"savings are counted anew: {error}"})
            return
        if snapshot is None:
            return
        position, arrays = snapshot
        self.savings.restore(arrays)
        for _, record in self._journal.read(after=position, kinds=(SummaryRecord,)):
            if isinstance(record, SummaryRecord):
                self.savings.take(record)

    def _refold(self, entries: Iterable[tuple[int, Entry]], floor: int) -> Sequence[DamagedRecord]:
        """Come back as far as a journal allows whose samples up to `floor` were evicted."""
        self._tell("damaged", {"position": floor, "why": UNFOLDED})
        told = {event.body["id"]: event.body for event in self._journal.events("alarm")[0]}
        parts = [part_from(event.body).id for event in self._journal.events("part")[0]]
        alarms = [alarm_from(body) for body in told.values()]
        damages, events = self._pipeline.refold(entries, floor, alarms, max(parts, default=0))
        self._append(*events)
        return damages

    async def _serve(self, stack: AsyncExitStack) -> None:
        view = LineView(
            self._plan,
            self._pipeline,
            self._supervisor,
            self._journal,
            self._metrics,
            self._notices,
            self._order,
            self._uplinks,
            self.savings,
            self._models,
        )
        self._view = view
        if not self._listen:
            return
        plan = self._plan
        self._access = open_access(plan, self._journal, self._append)
        console = await asyncio.to_thread(
            open_console, plan, view, self._access, self._journal, self._tell
        )
        await stack.enter_async_context(console)
        self._console = console
        self._notices.console_days = console.certificate_days
        self.url = console.url
        self._write_address(console)
        stack.callback((plan.data / ADDRESS).unlink, missing_ok=True)
        self._tell("console", {"url": self.url})

    def _write_address(self, console: ConsoleServer) -> None:
        """Write down for the commands on this machine how this gateway is reached."""
        address = self._plan.data / ADDRESS
        mode = 0o644 if self._access is None else 0o600
        try:
            put(address, address_of(console, self._access), mode)
        except OSError as error:
            raise Unreachable(
                f"{address}: cannot be written: {error.strerror}; free some space, start again"
            ) from error

    def _look_at_door(self) -> None:
        """End sessions that are over, and show another certificate once there is one."""
        if self._access is not None:
            self._access.sweep()
        why = None if self._console is None else self._console.look()
        if self._console is None or why is None:
            return
        told = why or "the console shows the new certificate"
        if not why:
            try:
                self._write_address(self._console)
            except Unreachable as error:
                # The commands have to wait for it, and nothing else has.
                told = str(error)
        days = self._console.certificate_days()
        self._announce([("certificate", {"source": CONSOLE, "days": days, "why": told})])

    async def _read(
        self,
        handles: Sequence[TagHandle],
        stop: asyncio.Event,
        committing: asyncio.Task[None],
        *,
        fresh: bool,
    ) -> None:
        """Read the prelude, then every source, until told to stop or the journal fails."""
        stopped = asyncio.create_task(stop.wait())
        reading = asyncio.create_task(self._read_all(handles, fresh=fresh))
        try:
            await asyncio.wait({stopped, reading, committing}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
                await asyncio.wait({stopped, committing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            reading.cancel()
            ending = asyncio.gather(stopped, reading, return_exceptions=True)
            await asyncio.wait({ending}, timeout=LEAVING_S)
            ending.cancel()  # one that does not let go must not keep the rest from the disk

    async def _read_all(self, handles: Sequence[TagHandle], *, fresh: bool) -> None:
        fed = {
            source.name: [handle for handle in handles if handle.tag.source == source.name]
            for source in self._plan.sources
        }
        for make in self._prelude if fresh else ():
            source = make(handles)
            link = Link(source.name, tuple(h.handle for h in fed.get(source.name, ())))
            await self._supervisor.drain(link, source)
        self._tell("live", {})
        async with asyncio.TaskGroup() as group:
            for config in self._plan.sources:
                own = fed[config.name]
                kept = self._pipeline.gaps.tickets.get(config.name)
                link = Link(
                    config.name,
                    tuple(handle.handle for handle in own),
                    ticket=Ticket(kept) if kept else None,
                )
                group.create_task(self._supervisor.keep(link, partial(build, config, own)))
            # Not when values come: a plant that is off shall keep no gateway from starting.
            self._manager.ready()

    async def take(self, batch: Batch, source: Source | None) -> None:
        """Judge and journal a batch; waits while the journal is behind."""
        begun = time.perf_counter()
        scaled = self._pipeline.scaled(batch)

        def conclude(verdict: NDArray[np.uint8]) -> None:
            outcome = self._pipeline.conclude(scaled, verdict)
            self._append(*outcome.records())
            self._acknowledge_later(batch, source)
            self._note(outcome, time.perf_counter() - begun)

        if is_long(scaled.tag) and not scaled.replayed:
            await self._backlog.judge(scaled, conclude)
        else:
            conclude(self._pipeline.judge(scaled.tag, scaled.at, scaled.value, scaled.status))
        await self._until_journal_follows(1)
        if batch.replayed:
            await asyncio.sleep(0)

    async def fill(self, gap: int, batch: Batch, source: Source) -> None:
        """Journal what fills the gap of that number; waits while live batches need the room."""
        outcome = self._pipeline.fill(gap, batch)
        if outcome is not None:
            self._append(*outcome.records())
            self._metrics.figures.recover(outcome.batch)
        self._acknowledge_later(batch, source)
        await self._until_journal_follows(LIVE_SHARE)
        await asyncio.sleep(0)

    def _append(self, *records: Record) -> None:
        self._position = self._journal.append(*records)

    def _note_event(self, event: EventRecord) -> None:
        self._append(event)  # what cannot be journalled is refused here, and not folded
        self._pipeline.note(event)

    def _acknowledge_later(self, batch: Batch, source: Source | None) -> None:
        if isinstance(source, Acknowledging):
            self._due.append((self._position, source, batch))

    async def _until_journal_follows(self, part: int) -> None:
        while self._journal.pending > BEHIND // part or self._waiting > RECORDS_BEHIND // part:
            self._committed.clear()
            await self._committed.wait()

    @property
    def _waiting(self) -> int:
        return self._position - self._journal.committed

    def _note(self, outcome: Outcome, seconds: float) -> None:
        batch = outcome.batch
        figures = self._metrics.figures
        figures.read(batch.source, len(batch), seconds)
        figures.unscored += int(np.count_nonzero(outcome.verdict & np.uint8(Finding.UNSCORED)))
        # What a source sends on connecting is as old as its last change, and no measure of delay.
        initial = batch.source in self._initial
        self._initial.discard(batch.source)
        if len(batch) and not batch.replayed and not initial:
            figures.verdict.observe((time.time_ns() - batch.at) / 1e9)
        if batch.replayed:
            self._tell("prelude", {"source": batch.source, "samples": len(batch)})
        elif batch.source not in self._seen:
            self._tell_first_value(batch)
        self._tell_gaps(outcome.gaps)
        for hold in outcome.ended:
            self._tell("hold-ended", {**hold_row(hold)})
        for alarm in outcome.alarms:
            self._tell_alarm(alarm)
        for event in (*outcome.models, *outcome.instruments):
            self._tell(event.kind, {**event.body, "at": event.at / 1e6})
        for part in outcome.parts:
            self._tell_part(part)

    def _tell_part(self, part: Part) -> None:
        """Tell a part that was just made, or what it turned out to be."""
        if part.replayed and part.label is None:
            return
        self._tell("part", {**part_row(part)})
        if self._console is not None:
            self._console.nudge()

    async def _summarise(self, downsampler: Downsampler) -> None:
        """Make summaries beside the event loop; what is not made when it ends is made next time."""
        step = partial(self._supervisor.contain, "summaries", downsampler.step)
        while True:
            made: Made | None = await asyncio.to_thread(step)
            if made is None:
                return  # benched, with its reason
            if made.records:
                self._append(*made.records)
            if short := downsampler.news():
                self._append(EventRecord("unsummarised", time.time_ns(), {**short}))
            for name, position in made.cursors.items():
                self._journal.advance(name, position)
            for record in made.records:
                self.savings.take(record)
            await self._until_journal_follows(LIVE_SHARE)
            await asyncio.sleep(0 if made.more else SUMMARISE_S)

    async def _count_rates(self) -> None:
        """Count false alarms against the budget, beside the event loop, now and then."""
        await asyncio.sleep(RATES_FIRST_S)
        while True:
            counted = await asyncio.to_thread(
                self._supervisor.contain,
                "rates",
                partial(read_rates, self._journal, time.time_ns()),
            )
            now, budget = time.time_ns(), self._plan.alarms.budget
            for path, rate in (counted or {}).items():
                self._append(rate.event(path, now, budget))
            await asyncio.sleep(RATES_S)

    async def _look_for_models(self) -> None:
        """Look for model files, beside the event loop, and have a new one tried."""
        thinned = float("-inf")
        while True:
            if time.monotonic() - thinned > THINS_S:
                thinned = time.monotonic()
                dropped = await asyncio.to_thread(self._models.thin)
                self._announce([("models-dropped", one.body) for one in dropped])
            orders, refused = await asyncio.to_thread(self._models.look)
            self._announce([("model-refused", {**one.body}) for one in refused])
            for body in orders:
                self._change_model(body)
            await asyncio.sleep(MODELS_S)

    def _propose(self) -> asyncio.Task[None] | None:
        """Have the proposers of setpoints ask, beside everything else; None: there are none."""
        service = proposing_of(
            self._plan,
            self._pipeline,
            self._supervisor,
            lambda kind, body: self._announce([(kind, body)]),
        )
        if service is None:
            return None
        self._view.proposing = service
        task = asyncio.create_task(service.run())
        # A mistake of its own ends it, named among what is benched; nothing else ends with it.
        task.add_done_callback(partial(self._contained, "proposers"))
        return task

    def _contained(self, name: str, ended: asyncio.Task[None]) -> None:
        """Name a task that failed among what is benched."""
        if not ended.cancelled():
            self._supervisor.contain(name, ended.result)

    def _change_model(self, body: dict[str, JSON]) -> None:
        """Do what nobody orders of a model; what has changed meanwhile stands as it is."""
        event = EventRecord("model", time.time_ns(), body)
        try:
            events = self._pipeline.order(event)
        except Rejected as error:
            self._announce([("model-refused", {**body, "cause": "changed", "why": str(error)})])
            return
        self._follow(events)

    def _tell_alarm(self, alarm: Alarm) -> None:
        """Tell an alarm whose state or urgency changed; a tag that joined it is no news."""
        for pin in self._pins.follow(alarm):
            self._append(pin)
        standing, peak = self._standing.get(alarm.id, (None, 0.0))
        again = 0 if alarm.chattering else alarm.occurrences
        self._standing[alarm.id] = ((alarm.state, again), alarm.peak)
        if standing != (alarm.state, again):
            told = alarm.annunciated is not None and alarm.state not in QUIET
            self._tell("alarm" if told else "quiet", {**alarm_row(alarm)})
        elif peak < alarm.peak and alarm.state in ANNUNCIATED:
            self._tell("worse", {**alarm_row(alarm)})

    def _tell_first_value(self, batch: Batch) -> None:
        good = (quality(batch.status) == Quality.GOOD).nonzero()[0]
        if not len(good):
            return
        self._seen.add(batch.source)
        first = int(good[0])
        name = next(h.tag.name for h in self._pipeline.handles if h.handle == batch.tag[first])
        self._tell(
            "first_value",
            {"source": batch.source, "tag": name, "value": float(batch.value[first])},
        )

    def link_changed(self, link: Link) -> None:
        """Journal and show that a link came up or was lost."""
        self._append(self._pipeline.link(link.name, str(link.state), link.why, link.now()))
        if link.state is LinkState.UP:
            self._initial.add(link.name)
        elif link.state is not LinkState.ENDED:
            self._enter(self._pipeline.gaps.lose(link.name, link.cause, link.why, self._begun))
        self._tell("source", {"name": link.name, "state": str(link.state), "why": link_words(link)})

    def ticket_changed(self, link: Link) -> None:
        """Journal what the next connection of a source needs, if it is new."""
        kept: dict[str, Any] = dict(link.ticket.kept) if link.ticket else {}
        if kept == self._pipeline.gaps.tickets.get(link.name, {}):
            return
        if len(json.dumps(kept)) > TICKET_BYTES:
            raise Rejected(f"{link.name}: its ticket is longer than {TICKET_BYTES} bytes")
        self._note_event(EventRecord("ticket", time.time_ns(), {"source": link.name, "kept": kept}))

    def missed(self, batch: Batch, why: str) -> None:
        """Enter in the ledger that messages before `batch` are missing."""
        self._enter(self._pipeline.gaps.miss(batch, why))

    def unsettled(self, source: str) -> Sequence[Gap]:
        """Give the gaps of a source whose recovery is to be asked for, oldest first."""
        return self._pipeline.gaps.unsettled(source)

    def settle(self, gap: int, *, complete: bool, why: str) -> None:
        """Enter in the ledger how the recovery of a gap ended."""
        self._enter(self._pipeline.gaps.settle(gap, complete=complete, why=why))

    def _hear(self, event: EventRecord) -> None:
        """Take in what the journal says of itself; it stands in it already."""
        if event.kind == "gap":
            self._pipeline.note(event)
            self._tell_gaps([gap_from(event.body)])
        elif event.kind == "damaged":
            body = event.body
            why = (
                f"{body['records']} records were kept, {body['lost_records']} lost with "
                f"{body['lost_samples']} samples; what was there is {body['file']}"
            )
            self._tell("damaged", {"position": body["last"], "why": why})
        else:
            self._tell(event.kind, {**event.body, "at": event.at / 1e6})

    def _enter(self, gaps: Sequence[Gap]) -> None:
        """Journal gaps as they now are."""
        if gaps:
            self._append(*map(gap_event, gaps))
            self._tell_gaps(gaps)

    def _tell_gaps(self, gaps: Sequence[Gap]) -> None:
        for gap in gaps:
            self._metrics.figures.gap(gap)
            self._tell("gap", {**gap_row(gap)})

    def shares(self, source: str) -> bool:
        """Tell whether an asset waits for this source and another one."""
        return self._pipeline.shares(source)

    async def _order(self, kind: str, body: dict[str, JSON]) -> None:
        """Do what a person orders of the alarms, and return once it is on disk."""
        place: dict[str, JSON] = {"from": PLACE.get()} if PLACE.get() else {}
        event = EventRecord(kind, time.time_ns(), body | place)
        self._follow(self._pipeline.order(event))
        await self._commit()

    def _follow(self, events: Sequence[EventRecord]) -> None:
        """Journal an order with what follows from it, and tell of it."""
        self._append(*events)
        for event in events:
            if event.kind == "alarm":
                self._tell_alarm(alarm_from(event.body))
            elif event.kind in ("hold", "hold-ended"):
                self._tell(event.kind, {**hold_row(hold_from(event.body))})
            elif event.kind == "part":
                self._tell_part(part_from(event.body))
            elif event.kind in ("release", "trust"):
                self._tell(event.kind, {**event.body})
            elif event.kind in ("instrument", "model"):
                self._tell(event.kind, {**event.body, "at": event.at / 1e6})

    async def _commit_until_stopped(self) -> None:
        self._snapshot()  # a second crash shall not replay what the first one did
        while not self._stopping:
            await asyncio.sleep(COMMIT_S)
            self._look()
            if self._snapshot_due():
                await self._backlog.between(self._snapshot)
            try:
                await self._commit()
            except Unreachable as error:
                # Nothing is lost: the records wait, reading waits with them, the next try may do.
                self._view.trouble = str(error)
            else:
                self._view.trouble = self._journal.trouble
            # With a full disk as well: the journal answers, and a restart mends nothing.
            self._manager.beat()
        self._backlog.finish()
        self._snapshot()
        await self._commit()

    def _look(self) -> None:
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        self._manager.status(self._words())
        self._announce(self._notices.look())
        self._announce(self._uplinks.look())
        self._announce(list(self._checkpoints.look()))
        self._look_at_door()
        for body in list(self._models.due()):
            self._change_model(body)
        if self._vitals.due():
            told = self._vitals.look(
                self._view.standing(),
                journal_bytes=self._journal.size_bytes,
                unsent_s=self._uplinks.unsent_s(),
                good=self._view.good_ratio(),
                certificate_days=self._view.certificate_days,
                normals=self._view.normals,
            )
            self._append(*told)
        now = time.time_ns()
        if self._pipeline.book.due(now):
            # No source has spoken since: the fold knows no time but that of the records.
            self._follow(self._pipeline.order(EventRecord("clock", now, {})))

    def _words(self) -> str:
        links = self._supervisor.links.values()
        read = sum(link.state in (LinkState.UP, LinkState.ENDED) for link in links)
        alarms = sum(alarm.state in ANNUNCIATED for alarm in self._pipeline.book.alarms())
        return f"reads {read} of {len(self._plan.sources)} sources; alarms that stand: {alarms}"

    def _announce(self, notices: Sequence[Notice]) -> None:
        """Journal and tell what a person has to know of a source or a sink."""
        for kind, body in notices:
            self._append(EventRecord(kind, time.time_ns(), body))
            self._tell(kind, body)

    def _snapshot_due(self) -> bool:
        age = time.monotonic() - self._snapshot_at
        if self._journal.cramped and age > CRAMPED_S:
            return True
        since = (self._journal.samples - self._snapshot_samples) * SAMPLE_BYTES
        return age > SNAPSHOT_LATEST_S or (age > SNAPSHOT_S and since > self._snapshot_bytes)

    def _snapshot(self) -> None:
        state = self._pipeline.state()
        self._journal.save_snapshot(SNAPSHOT, self._position, state)
        self._journal.save_snapshot(SAVINGS, self._position, self.savings.state())
        self._snapshot_at = time.monotonic()
        self._snapshot_samples = self._journal.samples
        self._snapshot_bytes = sum(array.nbytes for array in state.values())

    async def _commit(self) -> None:
        committed = await self._journal.commit()
        self._committed.set()
        for event in self._journal.news():
            self._hear(event)
        safe = [entry for entry in self._due if entry[0] <= committed]
        self._due = [entry for entry in self._due if entry[0] > committed]
        for _, source, batch in safe:
            await source.acknowledge(batch)


def limits(plan: JournalPlan) -> Limits:
    """Give what the journal may take, in bytes and ns."""
    hours = plan.max_hours
    return Limits(
        max_bytes=round(plan.max_gb * 1e9),
        max_age_ns=None if hours is None else round(hours * HOUR_NS),
        reserve_bytes=round(plan.reserve_mb * 1e6),
    )
