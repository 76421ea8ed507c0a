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
    the way can read and change.
    """

    name: str
    id: str
    version: str
    simulated: bool
    notice: str
    unsecured: list[str]


class AssetState(TypedDict):
    """What every row about a machine tells.

    `health` is a `plant.assets.Health` number, `unread` tells that a source of its tags does not
    deliver, `progress` of learning runs from 0 to 1, `settling` tells that its mode has just
    changed, `alarm_state` is a `plant.alarms.AlarmState` value.
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


class LineRow(TypedDict):
    """Everything the overview needs; pushed once a second."""

    gateway: GatewayRow
    now: float
    assets: list[AssetSummary]
    sources: list[SourceRow]
    alarms_open: int
    unacknowledged: int


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


class AlarmRow(TypedDict):
    """One alarm, as `plant.alarms.Alarm` with its sentence rendered and its times in ms."""

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


class LabelRow(TypedDict):
    """A stretch of a recording that somebody labelled, `start` and `stop` in ms."""

    label: str
    start: float
    stop: float


class AssetRow(AssetState):
    """One machine in full; contributors are those of its alarm, else of its present score."""

    labels: list[LabelRow]

    signals: list[SignalRow]
    contributors: list[ContributorRow]
    alarm: AlarmRow | None


class ScoreSeries(TypedDict):
    """Score and threshold over time, equally long; ``None`` where nothing was judged."""

    at: list[float]
    score: list[float | None]
    threshold: list[float | None]


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

    def tags(self) -> list[TagRow]:
        """List every tag with its present value."""
        ...

    def health(self) -> Mapping[str, object]:
        """Tell how the gateway is: ``status`` is ``ok`` or ``degraded``, the rest says why."""
        ...

    def metrics(self) -> bytes:
        """Give the figures in the Prometheus text format."""
        ...
