"""What the console asks of the gateway: one protocol and the rows it returns.

Every time is in milliseconds since the epoch (UTC), ready for a browser; never nanoseconds.
A float that is not finite reaches the page as ``null``.
"""

from collections.abc import Mapping
from typing import Literal, Protocol, TypedDict

Phase = Literal["learning", "watching", "alarmed"]
QualityWord = Literal["Good", "Uncertain", "Bad"]


class GatewayRow(TypedDict):
    """The gateway itself.

    `notice` is told beside SIMULATED; `unsecured` names the sources whose connection anybody on
    the way can read and change; `journal` says what keeps the journal from keeping what comes, as a
    full disk, or nothing; `unsent` tells of each store that a person has to see to, and
    `proposers` of each proposer of setpoints.
    """

    name: str
    id: str
    version: str
    simulated: bool
    notice: str
    unsecured: list[str]
    journal: str
    unsent: list[str]
    models: list[str]
    proposers: list[str]


class ProposedRow(TypedDict):
    """What a proposer asked for last, at ms, and where that stands at the guard."""

    id: str
    at: float
    value: float
    reason: str
    effect: str
    state: str
    code: str
    why: str


class ProposerRow(TypedDict):
    """What may ask for a setpoint within the gateway.

    `off` and `throttled` say why it is; `why` says why it asks for nothing now.
    """

    name: str
    kind: str
    tag: str
    unit: str
    model: str
    off: str
    throttled: str
    why: str
    last: ProposedRow | None


class HoldRow(TypedDict):
    """What keeps the alarms of an asset quiet, as `plant.alarms.Hold` with times in ms.

    `since` is None and `actor` empty where the mode of the asset does it.
    """

    asset: str
    name: str
    kind: str
    since: float | None
    until: float | None
    actor: str
    note: str


class InstrumentRow(TypedDict):
    """An instrument at fault, as `plant.instruments.Doubt` with `since` in ms.

    `health` is the NE 107 state of the signal, a `plant.assets.Health` number; `sentence` says what
    is wrong and what to do.
    """

    asset: str
    name: str
    tag: str
    signal: str
    unit: str
    kind: str
    health: int
    since: float
    value: float | None
    expected: float | None
    partner: str
    sentence: str


class DeviationRow(TypedDict):
    """What was unusual about a part, as `plant.parts.Deviation`; `tag` empty for the duration."""

    given: bool
    tag: str
    signal: str
    measure: str
    unit: str
    actual: float
    expected: float
    low: float
    high: float
    share: float


class PartRow(TypedDict):
    """One part and its verdict, as `plant.parts.Part` with its sentence and its times in ms."""

    id: int
    asset: str
    name: str
    number: str
    start: float
    stop: float
    mode: str
    verdict: str
    why: str
    sentence: str
    score: float | None
    limit: float | None
    deviations: list[DeviationRow]
    learnt: int
    provisional: bool
    like: str
    replayed: bool
    label: str | None
    actor: str
    note: str
    labelled: float | None


class PartsRow(TypedDict):
    """How the parts of a machine were, by verdict and in all; `lately` of the last 100 judged.

    `last` is the newest part.
    """

    counts: dict[str, int]
    suspect_lately: int
    judged_lately: int
    last: PartRow | None


class AssetState(TypedDict):
    """What every row about a machine tells.

    `health` is a `plant.assets.Health` number, `unread` tells that a source of its tags does not
    deliver, `progress` of learning runs from 0 to 1, `settling` tells that its mode has just
    changed, `alarm_state` is a `plant.alarms.AlarmState` value. What is kept quiet has no part in
    `priority`, `alarm_state` and `sentence`: `quiet` is the state in which it is kept, with the
    number of the `incident`, if there is one, and the `hold`, if that is why. `instruments` are
    those at fault; but for those that drift or spike it is judged without them. `parts` is None
    where none are made.
    """

    path: str
    name: str
    health: int
    health_name: str
    unread: bool
    phase: Phase
    progress: float
    mode: str | None
    settling: bool
    part: int | None
    score: float | None
    threshold: float | None
    priority: int | None
    alarm_state: str | None
    sentence: str | None
    quiet: str | None
    incident: int | None
    hold: HoldRow | None
    instruments: list[InstrumentRow]
    parts: PartsRow | None


class AssetSummary(AssetState):
    """One machine as the line overview shows it; `alarm` is the id of its open alarm."""

    alarm: int | None


class GapRow(TypedDict):
    """One interval for which a source could not be read, as `plant.gaps.Gap` with times in ms."""

    id: int
    source: str
    start: float
    stop: float | None
    cause: str
    why: str
    republished: int
    history: int
    lost: int | None
    estimated: bool


class SourceRow(TypedDict):
    """One connection to the plant, with what it says of itself (`connectors.contract.Facts`).

    `state` is told in words, `since` is the time from which on it is up, `good_ratio` runs from 0
    to 1, `gap` is its last one.
    """

    name: str
    type: str
    connected: bool
    state: str
    since: float | None
    endpoint: str
    security: str
    secured: bool
    user: str
    certificate_days: float | None
    round_trip_ms: float | None
    clock_offset_s: float | None
    notes: list[str]
    age_s: float | None
    good_ratio: float
    samples_per_s: float
    losses: int
    gap: GapRow | None


class SinkRow(TypedDict):
    """The way to one store that is sent what the journal holds.

    `state` is a `gateway.uplink.delivery.DeliveryState` value and `why` the reason when it is not
    up; `late` tells that the oldest unsent record has waited for longer than the plant allows,
    `unsent_s` for how long. `backlog` counts the records that wait, `drained_per_s` the rows a
    second with which they go; `catching_up` tells that the newest go beside them. `keeps` names
    what it is sent, `pinned` tells that the samples around incidents are among it; what nobody
    waits for is gathered for `gathers_s`. `sent` counts
    rows since the start, `sent_bytes` None where nobody counts; `refused` those that lie in the
    file `quarantine`, `damaged` records that could not be read.
    """

    name: str
    type: str
    where: str
    state: str
    why: str
    late: bool
    since: float
    unsent_s: float
    gathers_s: float
    backlog: int
    catching_up: bool
    drained_per_s: float
    sent: int
    sent_bytes: int | None
    keeps: list[str]
    pinned: bool
    last: float | None
    refused: int
    quarantine: str
    damaged: int


class SavedTagRow(TypedDict):
    """What the summaries of one tag stand for; `worst` error in its unit."""

    tag: str
    unit: str
    samples: int
    windows: int
    worst: float | None


class SavingsRow(TypedDict):
    """What summaries save, as `analytics.savings.Savings`; bytes not compressed.

    `since` is the time at which the count began, over all starts of the gateway; `tags` are those
    with the most samples, of `total`.
    """

    since: float
    samples: int
    windows: int
    raw_bytes: int
    summary_bytes: int
    total: int
    tags: list[SavedTagRow]


class LineRow(TypedDict):
    """Everything the overview needs; pushed once a second."""

    gateway: GatewayRow
    now: float
    assets: list[AssetSummary]
    sources: list[SourceRow]
    alarms_open: int
    unacknowledged: int
    kept_quiet: int
    instruments: int


class SignalRow(TypedDict):
    """One signal of an asset with its normal band in the present mode.

    `status` is the StatusCode's name, `unit` an UCUM code, `finding` empty when there is none.
    """

    tag: str
    signal: str
    unit: str
    value: float | None
    status: str
    quality: QualityWord
    age_s: float | None
    low: float | None
    high: float | None
    expected: float | None
    drift: float | None
    """How far it has moved since it was learnt, in its usual widths."""
    finding: str


class ContributorRow(TypedDict):
    """A share of an anomaly score, as `plant.reasons.Contribution` with `since` in ms."""

    tag: str
    signal: str
    unit: str
    share: float
    actual: float
    expected: float
    low: float
    high: float
    since: float
    trend: str


class MemberRow(TypedDict):
    """A tag whose monitor found something while an incident stood, `since` in ms."""

    tag: str
    signal: str
    finding: str
    since: float


class PrecedentRow(TypedDict):
    """An earlier incident that looked alike, as `plant.reasons.Precedent` with `at` in ms."""

    id: int
    similarity: float
    at: float
    label: str
    note: str
    actor: str


class FeedbackRow(TypedDict):
    """What a person called an alarm, as `plant.alarms.Feedback` with `at` in ms."""

    label: str
    note: str
    actor: str
    at: float


class AlarmRow(TypedDict):
    """One alarm, as `plant.alarms.Alarm` with its sentence rendered and its times in ms.

    `score` and `threshold` are those of its reason, `ended` is None while the fault stands.
    """

    id: int
    asset: str
    name: str
    priority: int
    state: str
    onset: float
    raised: float
    changed: float
    occurrences: int
    sentence: str
    contributions: list[ContributorRow]
    actor: str
    note: str
    score: float
    threshold: float
    peak: float
    mode: str
    ended: float | None
    chattering: bool
    stale: bool
    held: str
    withdrawn: str
    members: list[MemberRow]
    precedents: list[PrecedentRow]
    feedback: FeedbackRow | None


class LabelRow(TypedDict):
    """A stretch of a recording that somebody labelled, `start` and `stop` in ms."""

    label: str
    start: float
    stop: float


class AssetRow(AssetState):
    """One machine in full; contributors are those of its alarm, else of its present score.

    `alarm` is the one that stands, `kept` the incident that is kept quiet.
    """

    labels: list[LabelRow]

    signals: list[SignalRow]
    contributors: list[ContributorRow]
    alarm: AlarmRow | None
    kept: AlarmRow | None


class ActorRow(TypedDict):
    """How many of the annunciations one asset gave, and their share, 0 to 1."""

    asset: str
    count: int
    share: float


class ReportRow(TypedDict):
    """How the alarms did (ANSI/ISA-18.2 §16, EEMUA 191); times in ms, rates with intervals of 95 %.

    `counts` is the number of annunciations in each stretch of ten minutes from `start` on, and
    `flood` the share of them with more than ten. `to_acknowledge` is median and 90th percentile, s.
    `precision` is the share of real ones among those that people labelled. `false_week` is the
    number of alarms an asset and week that nobody called real, over the `asset_weeks` in which they
    were judged. `damaged` events could not be read.
    """

    start: float
    stop: float
    counts: list[int]
    annunciated: int
    incidents: int
    mean: float
    most: int
    flood: float
    standing: int
    stale: int
    chattering: int
    kept_quiet: dict[str, int]
    actors: list[ActorRow]
    priorities: dict[str, int]
    to_acknowledge: list[float] | None
    unacknowledged: int
    labels: dict[str, int]
    precision: list[float] | None
    assets: int
    asset_weeks: float
    not_real: int
    false_week: list[float] | None
    budget: float
    damaged: int


class ClauseRow(TypedDict):
    """One demand of the rule, as `gateway.models.rule.Clause`."""

    name: str
    value: str
    demand: str
    met: bool


class TenureRow(TypedDict):
    """Which model is in a place; version 0 is what the gateway learnt by itself, `since` in ms."""

    version: int
    sha256: str
    since: float | None
    actor: str
    why: str


class TriedRow(TypedDict):
    """The model beside the one in force: ``shadow``, with the clauses, or ``former``.

    Pairs are of the one in force and of the one beside: alarms `raised`, of which `shared` by both,
    and median CPU time a row, `costs`, µs.
    """

    role: str
    model: TenureRow
    hours: float
    probation_h: float
    clauses: list[ClauseRow]
    agreement: float | None
    raised: list[int]
    shared: int
    costs: list[float | None]


class MovedRow(TypedDict):
    """The signal that has moved most in a mode since it was learnt, in its usual widths."""

    mode: str
    signal: str
    drift: float


class BlockedRow(TypedDict):
    """A version that is never taken up again."""

    version: int
    why: str


class ChangeRow(TypedDict):
    """A model came to a place or went, `at` in ms."""

    at: float
    action: str
    version: int
    actor: str
    why: str


class RefusedRow(TypedDict):
    """A model file that is not taken."""

    asset: str
    file: str
    cause: str
    why: str


class ModelRow(TypedDict):
    """The models of one asset; `way_back` tells that there is one to return to."""

    asset: str
    name: str
    in_force: TenureRow
    phase: Phase
    tried: TriedRow | None
    way_back: bool
    drift: list[MovedRow]
    blocked: list[BlockedRow]
    history: list[ChangeRow]


class ModelsRow(TypedDict):
    """The models of every asset; `trusts` tells that anybody's models are believed at all.

    `pulled` says what is wrong with the way to the registry; empty when nothing is.
    """

    trusts: bool
    pulled: str
    by_rule: bool
    shadow_h: float
    probation_h: float
    assets: list[ModelRow]
    refused: list[RefusedRow]


class BesideSeries(TypedDict):
    """Score and limit of a model beside the one in force, as `ScoreSeries`."""

    role: str
    version: int
    at: list[float]
    score: list[float | None]
    threshold: list[float | None]


class ScoreSeries(TypedDict):
    """Score and threshold over time, equally long; ``None`` where nothing was judged.

    `beside` are those of the models that judged beside the one in force in this time.
    """

    at: list[float]
    score: list[float | None]
    threshold: list[float | None]
    beside: list[BesideSeries]


class TrendSeries(TypedDict):
    """Least and greatest value of each bucket; ``None`` where nothing Good was read."""

    tag: str
    unit: str
    at: list[float]
    low: list[float | None]
    high: list[float | None]
    band_low: float | None
    band_high: float | None
    expected: float | None


class TagRow(TypedDict):
    """One tag; `text` is set for a text tag, `value` for any other."""

    tag: str
    source: str
    unit: str
    role: str
    value: float | None
    text: str | None
    status: str
    quality: QualityWord
    age_s: float | None
    finding: str
    description: str


class View(Protocol):
    """What the gateway shows. Plain methods answer from memory and never wait.

    The coroutines may read the journal; they raise `plant.errors.Unreachable` when it cannot
    answer now (told as 503).
    """

    def line(self) -> LineRow:
        """Give the overview."""
        ...

    def asset(self, path: str, /) -> AssetRow:
        """Give one asset by its path; `KeyError` when there is none."""
        ...

    async def scores(
        self, path: str, start_ms: float, stop_ms: float, points: int, /
    ) -> ScoreSeries:
        """Read an asset's scores in at most `points` steps; `KeyError` for an unknown asset."""
        ...

    async def trend(self, tag: str, start_ms: float, stop_ms: float, points: int, /) -> TrendSeries:
        """Read a tag's values in at most `points` buckets; `KeyError` for an unknown tag."""
        ...

    def sources(self) -> list[SourceRow]:
        """List every connection."""
        ...

    def proposers(self) -> list[ProposerRow]:
        """List what may ask for setpoints within the gateway."""
        ...

    def sinks(self) -> list[SinkRow]:
        """List every store that is sent what the journal holds."""
        ...

    def savings(self) -> SavingsRow:
        """Tell what summaries save."""
        ...

    def gaps(self) -> list[GapRow]:
        """List the gaps that last, and those lately over, newest first."""
        ...

    def alarms(self) -> list[AlarmRow]:
        """List the alarms that are open, and those lately closed."""
        ...

    async def acknowledge(self, alarm: int, actor: str, note: str, /) -> AlarmRow:
        """Acknowledge one alarm and return once the journal holds it.

        Raises
        ------
        KeyError
            There is no such alarm.
        plant.errors.Rejected
            It cannot be acknowledged in its present state.
        """
        ...

    def alarm(self, number: int, /) -> AlarmRow:
        """Give one alarm by its number; `KeyError` when there is none."""
        ...

    async def feedback(
        self, alarm: int, label: str, actor: str, note: str, /, *, new_normal: bool
    ) -> AlarmRow:
        """Keep what a person calls an alarm; raises as `acknowledge` does."""
        ...

    def holds(self) -> list[HoldRow]:
        """List what keeps alarms quiet now."""
        ...

    async def hold(
        self, target: str, kind: str, seconds: float | None, actor: str, note: str, /
    ) -> HoldRow:
        """Keep the alarms of an asset quiet: `target` is its path, its name, or an alarm of it.

        Raises
        ------
        KeyError
            There is no such asset or alarm.
        plant.errors.Rejected
            It may not be done, or not for so long.
        """
        ...

    async def release(self, target: str, kind: str, actor: str, note: str, /) -> HoldRow:
        """End a hold and give it as it was; raises as `hold` does."""
        ...

    def models(self) -> ModelsRow:
        """Tell of the models of every asset."""
        ...

    async def change_model(
        self, action: str, target: str, version: int | None, actor: str, note: str, /
    ) -> ModelRow:
        """Do ``promote``, ``return`` or ``discard`` with a model, and return once that is kept.

        Raises
        ------
        KeyError
            There is no such asset.
        plant.errors.Rejected
            It cannot be done; the message says why.
        """
        ...

    def instruments(self) -> list[InstrumentRow]:
        """List the instruments at fault."""
        ...

    async def trust(self, target: str, actor: str, note: str, /) -> InstrumentRow:
        """Believe an instrument again: `target` is its tag or the last part of it.

        Raises
        ------
        KeyError
            No instrument at fault goes by that name.
        plant.errors.Rejected
            Several do.
        """
        ...

    async def report(self, start_ms: float | None, stop_ms: float | None, /) -> ReportRow:
        """Report how the alarms did, over all that the journal holds or a part of it."""
        ...

    def parts(self, target: str | None, verdict: str | None, limit: int, /) -> list[PartRow]:
        """List the last parts, newest first, of one machine or of all, of one verdict or of any.

        Raises
        ------
        KeyError
            There is no such asset, or it makes no parts.
        plant.errors.Rejected
            Several assets have that name.
        """
        ...

    async def label_part(
        self, target: str, number: str, label: str, actor: str, note: str, /
    ) -> PartRow:
        """Keep what a part turned out to be; raises as `parts` does, or where it is not known."""
        ...

    async def new_parts(self, target: str, actor: str, note: str, /) -> PartsRow:
        """Learn anew how healthy parts are; raises as `parts` does."""
        ...

    def tags(self) -> list[TagRow]:
        """List every tag with its present value."""
        ...

    def health(self) -> Mapping[str, object]:
        """Tell how the gateway is: ``status`` is ``ok`` or ``degraded``, the rest says why."""
        ...

    def metrics(self) -> bytes:
        """Give the figures in the Prometheus text format."""
        ...
