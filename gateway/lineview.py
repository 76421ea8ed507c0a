"""The line as the console shows it: rows built from what the pipeline and the journal know."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from analytics.savings import Savings
from gateway.alarmdesk import AlarmDesk, Order
from gateway.config.plan import Plan
from gateway.connections import Connections
from gateway.console.view import (
    AlarmRow,
    AssetRow,
    AssetState,
    AssetSummary,
    GapRow,
    GatewayRow,
    HoldRow,
    InstrumentRow,
    LineRow,
    ModelRow,
    ModelsRow,
    PartRow,
    PartsRow,
    ProposerRow,
    QualityWord,
    ReportRow,
    SavingsRow,
    ScoreSeries,
    SignalRow,
    SinkRow,
    SourceRow,
    TagRow,
    TrendSeries,
)
from gateway.instrumentdesk import InstrumentDesk
from gateway.journal import Journal, Trend
from gateway.link import LinkState
from gateway.metrics import Metrics
from gateway.models.desk import ModelDesk
from gateway.models.watched import WatchedAsset
from gateway.notices import Notices
from gateway.partdesk import PartDesk
from gateway.pipeline import UNKNOWN_MODE, Pipeline, asset_tags
from gateway.proposing.service import Proposing
from gateway.rows import (
    MS,
    contributor_row,
    finding_words,
    gap_row,
    last_score,
    link_words,
    mode_shown,
    number,
    savings_row,
)
from gateway.supervisor import Supervisor
from gateway.uplink import Uplinks
from gateway.vitals import Normal, Standing
from plant.alarms import ANNUNCIATED, QUIET, WAITING, AlarmState
from plant.assets import Health
from plant.quality import Quality, Status, is_good, status_name
from plant.reasons import Reason, sentence
from plant.tags import TagHandle

HEALTH_BY_PRIORITY = {
    1: Health.FAILURE,
    2: Health.OFF_SPEC,
    3: Health.OFF_SPEC,
    4: Health.MAINTENANCE_REQUIRED,
}
"""NE 107 state of an asset on which an incident of that priority stands."""
WORDS: dict[int, QualityWord] = {0: "Good", 1: "Uncertain", 2: "Bad"}


NOT_READ = 0
WATCHED = {"learning": 1, "watching": 2, "alarmed": 3}
"""How far a machine is watched, as a number; 0 where it is not read."""


@dataclass(frozen=True, slots=True)
class _Normal:
    """What a signal shows while healthy, and how far that has moved since it was learnt."""

    low: float | None
    high: float | None
    expected: float | None
    drift: float | None


@dataclass(frozen=True, slots=True)
class _Present:
    """The present value of a tag, with the link taken into account."""

    value: float | None
    status: str
    quality: QualityWord
    age_s: float | None


class LineView:
    """Implements the console's `View` over a running gateway.

    Parameters
    ----------
    order
        Does what a person orders of the alarms, durably; see `Pipeline.order`.
    """

    def __init__(
        self,
        plan: Plan,
        pipeline: Pipeline,
        supervisor: Supervisor,
        journal: Journal,
        metrics: Metrics,
        notices: Notices,
        order: Order,
        uplinks: Uplinks,
        savings: Savings,
        models: ModelDesk,
    ) -> None:
        self._plan = plan
        self._pipeline = pipeline
        self._supervisor = supervisor
        self._journal = journal
        self._metrics = metrics
        self._notices = notices
        self._uplinks = uplinks
        self._savings = savings
        self._models = models
        self._desk = AlarmDesk(pipeline, journal, order, time.time_ns, plan.alarms.budget)
        self._instruments = InstrumentDesk(pipeline, order)
        self._parts = PartDesk(pipeline.parts, order, self._desk.asset)
        self._by_name = {handle.tag.name: handle for handle in pipeline.handles}
        self._connections = Connections(plan, pipeline, supervisor)
        self._states = {state.asset.path: state for state in pipeline.assets}
        self.notice = plan.notice
        self.trouble = ""
        self.proposing: Proposing | None = None

    def line(self) -> LineRow:
        """Give the overview."""
        counts = self._desk.counts()
        return {
            "gateway": self._gateway(),
            "now": time.time() * 1000,
            "assets": [self._summary(state) for state in self._pipeline.assets],
            "sources": self._connections.rows(),
            "alarms_open": sum(counts[state] for state in ANNUNCIATED),
            "unacknowledged": sum(counts[state] for state in WAITING),
            "kept_quiet": sum(counts[state] for state in QUIET),
            "instruments": len(self._instruments.rows()),
        }

    def _gateway(self) -> GatewayRow:
        return {
            "name": self._plan.name,
            "id": self._journal.gateway_id,
            "version": version("wheeltapper"),
            "simulated": self._plan.simulated,
            "notice": self.notice,
            "unsecured": self._connections.unsecured(),
            "journal": self.trouble,
            "unsent": [f"{name}: {why}" for name, why in self._uplinks.troubles().items()],
            "models": self._models.news(time.time_ns()),
            "proposers": [f"{name}: {why}" for name, why in self._misproposing().items()],
        }

    def proposers(self) -> list[ProposerRow]:
        """List what may ask for setpoints within this gateway."""
        return [] if self.proposing is None else self.proposing.rows()

    def _misproposing(self) -> dict[str, str]:
        return {} if self.proposing is None else self.proposing.troubles()

    def sources(self) -> list[SourceRow]:
        """List every connection."""
        return self._connections.rows()

    def sinks(self) -> list[SinkRow]:
        """List every store that is sent what the journal holds."""
        return self._uplinks.rows()

    def savings(self) -> SavingsRow:
        """Tell what summaries save."""
        return savings_row(self._savings, self._pipeline.handles)

    def standing(self) -> list[Standing]:
        """Tell how every asset stands, in numbers."""
        return [self._stands(state) for state in self._pipeline.assets]

    def _stands(self, state: WatchedAsset) -> Standing:
        path, unread = state.asset.path, self._unread(state)
        incident = self._pipeline.book.open(path)
        figures: dict[str, float] = {}
        if not state.models.blank:
            figures["model"] = state.models.tenure.version
        if state.models.beside is not None:
            figures["beside"] = state.models.beside.tenure.version
        if incident is not None and incident.state in WAITING and incident.annunciated:
            figures["waited_s"] = max(0.0, round((time.time_ns() - incident.annunciated) / 1e9, 1))
        return Standing(
            path,
            int(self._health_of(state)),
            UNKNOWN_MODE if unread else state.mode_now,
            NOT_READ if unread else WATCHED[state.watch.phase],
            alarm=incident.id if incident else 0,
            priority=incident.priority if incident else 0,
            state=incident.state if incident else AlarmState.NORMAL,
            reason=sentence(path, incident.reason) if incident else "",
            figures=figures,
        )

    def normals(self) -> Iterator[Normal]:
        """Tell what is normal for every asset that is read, in its present mode."""
        for state in self._pipeline.assets:
            if not self._unread(state):
                mode, watch = state.mode_now, state.watch
                band = (*watch.band(mode), watch.drift(mode))
                yield Normal(state.asset.path, mode, state.asset.signals, *band)

    def certificate_days(self) -> float | None:
        """Give the days until the first certificate is out of date; None where there is none."""
        days = [row["certificate_days"] for row in self._connections.rows()]
        return min((each for each in days if each is not None), default=None)

    def good_ratio(self) -> float:
        """Give the share of the tags whose value is Good now; 1 without tags."""
        handles = [handle.handle for handle in self._pipeline.handles]
        good = is_good(self._pipeline.latest.status[handles]) if handles else np.ones(1, np.bool_)
        return float(good.mean())

    def gaps(self) -> list[GapRow]:
        """List the gaps kept, newest first."""
        return [gap_row(gap) for gap in reversed(self._pipeline.gaps.gaps())]

    def _summary(self, state: WatchedAsset) -> AssetSummary:
        shown = self._state(state)
        return {**shown, "alarm": shown["incident"] if shown["alarm_state"] else None}

    def _state(self, state: WatchedAsset) -> AssetState:
        book, path = self._pipeline.book, state.asset.path
        incident = book.open(path)
        told = incident is not None and incident.state in ANNUNCIATED
        alarm = incident if told else None
        quiet = book.held(path) or (incident.state if incident and not told else None)
        health = self._health_of(state)
        unread = self._unread(state)
        # What was read last is not shown as the present.
        score, threshold = (None, None) if unread else last_score(state)
        part = None
        if state.part is not None:
            part = number(self._pipeline.latest.value[state.part])
        return {
            "path": state.asset.path,
            "name": state.asset.name,
            "health": int(health),
            "health_name": health.name,
            "unread": unread,
            "phase": state.watch.phase,
            "progress": float(state.watch.progress),
            "mode": None if unread else mode_shown(state),
            "settling": state.watch.settling,
            "part": None if part is None else round(part),
            "score": score,
            "threshold": threshold,
            "priority": alarm.priority if alarm else None,
            "alarm_state": str(alarm.state) if alarm else None,
            "sentence": sentence(alarm.asset, alarm.reason) if alarm else None,
            "quiet": str(quiet) if quiet else None,
            "incident": incident.id if incident else None,
            "hold": self._desk.hold_of(path),
            "instruments": self._instruments.of(state),
            "parts": self._parts.summary(path),
        }

    def _health_of(self, state: WatchedAsset) -> Health:
        """NE 107: what is worked on is C, what cannot be judged is never shown as normal."""
        path = state.asset.path
        if self._pipeline.book.held(path) in (AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE):
            return Health.CHECK_FUNCTION
        if self._unread(state) or state.bench in self._supervisor.benched:
            return Health.CANNOT_JUDGE
        incident = self._pipeline.book.open(path)
        if incident is not None and incident.stands:
            return HEALTH_BY_PRIORITY[incident.priority]
        if state.watch.phase == "alarmed":
            return Health.OFF_SPEC
        handles = np.array([self._by_name[name].handle for name in state.asset.signals])
        missing = ~is_good(self._pipeline.latest.status[handles])
        missing |= np.isin(state.asset.signals, self._instruments.left_out(state))
        unjudged = state.mode is not None and state.mode_now == UNKNOWN_MODE
        if state.watch.phase == "learning" or unjudged or missing.mean() > 0.5:
            return Health.CANNOT_JUDGE
        return Health.NORMAL

    def _unread(self, state: WatchedAsset) -> bool:
        sources = {self._by_name[name].tag.source for name in asset_tags(state.asset)}
        links = [self._supervisor.links.get(source) for source in sources]
        return not all(link is not None and link.state is LinkState.UP for link in links)

    def asset(self, path: str) -> AssetRow:
        """Give one asset by its path; `KeyError` when there is none."""
        state = self._states[path]
        incident = self._pipeline.book.open(path)
        reason: Reason | None = incident.reason if incident else state.watch.explain()
        row = self._desk.row(incident) if incident else None
        told = incident is not None and incident.state in ANNUNCIATED
        columns = (*state.watch.band(state.mode_now), state.watch.drift(state.mode_now))
        told_of = zip(*columns, strict=True)
        shown = [_Normal(*map(number, one)) for one in told_of]
        signals = [
            self._signal(self._by_name[name], shown[i])
            for i, name in enumerate(state.asset.signals)
        ]
        return {
            **self._state(state),
            "labels": [
                {"label": span.label, "start": span.start / MS, "stop": span.stop / MS}
                for span in self._plan.labels
                if span.asset == path
            ],
            "signals": signals,
            "contributors": [contributor_row(p) for p in reason.contributions] if reason else [],
            "alarm": row if told else None,
            "kept": None if told else row,
        }

    def _signal(self, handle: TagHandle, normal: _Normal) -> SignalRow:
        present = self._present(handle)
        return {
            "tag": handle.tag.name,
            "signal": handle.tag.signal,
            "unit": handle.tag.unit,
            "value": present.value,
            "status": present.status,
            "quality": present.quality,
            "age_s": present.age_s,
            "low": normal.low,
            "high": normal.high,
            "expected": normal.expected,
            "drift": normal.drift,
            "finding": finding_words(int(self._pipeline.latest.verdict[handle.handle])),
        }

    def _present(self, handle: TagHandle) -> _Present:
        """Value and quality now; a value whose link is down is Bad, whatever was last said."""
        link = self._supervisor.links.get(handle.tag.source)
        status = int(self._pipeline.latest.status[handle.handle])
        if (link is None or link.state is not LinkState.UP) and status < Status.BAD:
            status = Status.BAD_NO_COMMUNICATION
        value = number(self._pipeline.latest.value[handle.handle])
        return _Present(
            value=value,
            status=status_name(status),
            quality=WORDS[min(status >> 30, Quality.BAD)],
            age_s=link.age_s() if link else None,
        )

    async def scores(self, path: str, start_ms: float, stop_ms: float, points: int) -> ScoreSeries:
        """Read an asset's scores from the journal; `KeyError` for an unknown asset."""
        asset = self._states[path].asset.path
        window = asset, round(start_ms * MS), round(stop_ms * MS), points
        found = await asyncio.to_thread(self._journal.scores, *window)
        # Nothing is looked for where no model ever was.
        beside = (
            []
            if self._states[path].models.blank
            else await asyncio.to_thread(self._journal.scores_beside, *window)
        )
        return {
            "at": (found.at / MS).tolist(),
            "score": [number(value) for value in found.score],
            "threshold": [number(value) for value in found.threshold],
            "beside": [
                {
                    "role": role,
                    "version": version_,
                    "at": (one.at / MS).tolist(),
                    "score": [number(value) for value in one.score],
                    "threshold": [number(value) for value in one.threshold],
                }
                for role, version_, one in beside
            ],
        }

    async def trend(self, tag: str, start_ms: float, stop_ms: float, points: int) -> TrendSeries:
        """Read a tag's trend from the journal; `KeyError` for an unknown tag."""
        handle = self._by_name[tag]
        found = await asyncio.to_thread(
            self._journal.trend, handle.handle, round(start_ms * MS), round(stop_ms * MS), points
        )
        low, high, expected = self._band(handle)
        at, least, most = self._with_present(handle, found, start_ms, stop_ms)
        return {
            "tag": tag,
            "unit": handle.tag.unit,
            "at": at,
            "low": least,
            "high": most,
            "band_low": low,
            "band_high": high,
            "expected": expected,
        }

    def _with_present(
        self, handle: TagHandle, found: Trend, start_ms: float, stop_ms: float
    ) -> tuple[list[float], list[float | None], list[float | None]]:
        """Draw a value that has not changed lately up to now: its source reports changes only."""
        at = (found.at / MS).tolist()
        least = [number(value) for value in found.low]
        most = [number(value) for value in found.high]
        present = self._present(handle)
        since = int(self._pipeline.latest.at[handle.handle]) / MS
        if present.quality == "Good" and present.value is not None:
            if not at and since <= start_ms:
                at, least, most = [start_ms], [present.value], [present.value]
            now = min(stop_ms, time.time() * 1000)
            if at and at[-1] < now:
                at, least, most = [*at, now], [*least, present.value], [*most, present.value]
        return at, least, most

    def _band(self, handle: TagHandle) -> tuple[float | None, float | None, float | None]:
        state = self._states.get(handle.tag.asset)
        if state is None or handle.tag.name not in state.asset.signals:
            return None, None, None
        index = state.asset.signals.index(handle.tag.name)
        low, high, expected = state.watch.band(state.mode_now)
        return number(low[index]), number(high[index]), number(expected[index])

    def alarms(self) -> list[AlarmRow]:
        """List the alarms kept, newest first."""
        return self._desk.alarms()

    def alarm(self, number: int) -> AlarmRow:
        """Give one alarm; `KeyError` when there is none."""
        return self._desk.alarm(number)

    async def acknowledge(self, alarm: int, actor: str, note: str) -> AlarmRow:
        """Acknowledge one alarm and return once the journal holds it."""
        return await self._desk.acknowledge(alarm, actor, note)

    async def feedback(
        self, alarm: int, label: str, actor: str, note: str, *, new_normal: bool
    ) -> AlarmRow:
        """Keep what a person calls an alarm, and return once the journal holds it."""
        return await self._desk.feedback(alarm, label, actor, note, new_normal=new_normal)

    def holds(self) -> list[HoldRow]:
        """List what keeps alarms quiet now."""
        return self._desk.holds()

    async def hold(
        self, target: str, kind: str, seconds: float | None, actor: str, note: str
    ) -> HoldRow:
        """Keep the alarms of an asset quiet, and return once the journal holds it."""
        return await self._desk.hold(target, kind, seconds, actor, note)

    async def release(self, target: str, kind: str, actor: str, note: str) -> HoldRow:
        """End a hold and give it as it was."""
        return await self._desk.release(target, kind, actor, note)

    def models(self) -> ModelsRow:
        """Tell of the models of every asset."""
        return self._models.rows()

    async def change_model(
        self, action: str, target: str, version: int | None, actor: str, note: str
    ) -> ModelRow:
        """Do ``promote``, ``return`` or ``discard`` with a model, and return once that is kept."""
        acts = {
            "promote": self._models.promote,
            "return": self._models.take_back,
            "discard": self._models.discard,
        }
        return await acts[action](target, version, actor, note)

    def instruments(self) -> list[InstrumentRow]:
        """List the instruments at fault."""
        return self._instruments.rows()

    async def trust(self, target: str, actor: str, note: str) -> InstrumentRow:
        """Believe an instrument again, and return once the journal holds it."""
        return await self._instruments.trust(target, actor, note)

    async def report(self, start_ms: float | None, stop_ms: float | None) -> ReportRow:
        """Report how the alarms did."""
        return await self._desk.report(start_ms, stop_ms)

    def parts(self, target: str | None, verdict: str | None, limit: int) -> list[PartRow]:
        """List the last parts, newest first."""
        return self._parts.rows(target, verdict, limit)

    async def label_part(
        self, target: str, number: str, label: str, actor: str, note: str
    ) -> PartRow:
        """Keep what a part turned out to be, and return once the journal holds it."""
        return await self._parts.label(target, number, label, actor, note)

    async def new_parts(self, target: str, actor: str, note: str) -> PartsRow:
        """Learn anew how healthy parts are, and return once the journal holds it."""
        return await self._parts.anew(target, actor, note)

    def tags(self) -> list[TagRow]:
        """List every tag with its present value."""
        return [self._tag(handle) for handle in self._pipeline.handles]

    def _tag(self, handle: TagHandle) -> TagRow:
        present = self._present(handle)
        text = self._pipeline.latest.text.get(handle.handle)
        return {
            "tag": handle.tag.name,
            "source": handle.tag.source,
            "unit": handle.tag.unit,
            "role": str(handle.tag.role),
            "value": present.value,
            "text": text.text if text else None,
            "status": present.status,
            "quality": present.quality,
            "age_s": present.age_s,
            "finding": finding_words(int(self._pipeline.latest.verdict[handle.handle])),
            "description": handle.tag.description,
        }

    def health(self) -> Mapping[str, object]:
        """Tell how the gateway is, and why when it is degraded."""
        lost = {
            name: link_words(link)
            for name, link in self._supervisor.links.items()
            if link.state not in (LinkState.UP, LinkState.ENDED)
        }
        benched = dict(self._supervisor.benched)
        overdue = dict(self._notices.overdue)
        losing = {
            name: gap.why
            for name, link in self._supervisor.links.items()
            if (gap := self._pipeline.gaps.losing(name, link.now())) is not None
        }
        unsent = self._uplinks.troubles()
        proposers = self._misproposing()
        troubles = (lost, benched, overdue, losing, unsent, proposers, self.trouble)
        return {
            "status": "degraded" if any(troubles) else "ok",
            "journal": self.trouble,
            "sources": lost,
            "overdue": overdue,
            "losing": losing,
            "unsent": unsent,
            "proposers": proposers,
            "certificates": dict(self._notices.expiring),
            "benched": benched,
            "journal_bytes": self._journal.size_bytes,
            "journal_pending_samples": self._journal.pending,
        }

    def metrics(self) -> bytes:
        """Give the figures in the Prometheus text format."""
        for row in self._connections.rows():
            link = self._supervisor.links.get(row["name"])
            self._metrics.show(row, link.overdue_s() if link and row["connected"] else 0.0)
        for sink in self._uplinks.rows():
            self._metrics.show_sink(sink)
        for priority in (1, 2, 3, 4):
            count = sum(
                a.priority == priority and a.state in ANNUNCIATED
                for a in self._pipeline.book.alarms()
            )
            self._metrics.alarms_open.labels(str(priority)).set(count)
        counts = self._desk.counts()
        for kept in QUIET:
            self._metrics.alarms_kept_quiet.labels(str(kept)).set(counts[kept])
        for state in self._pipeline.assets:
            at_fault = self._metrics.instruments_at_fault.labels(state.asset.path)
            at_fault.set(len(state.watch.doubts))
        for path, book in self._pipeline.parts.books.items():
            self._metrics.figures.parts[path] = book.counts
        self._metrics.journal_bytes.set(self._journal.size_bytes)
        self._metrics.journal_pending.set(self._journal.pending)
        return self._metrics.text()
