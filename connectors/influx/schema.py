"""Measurements, and how long each is kept; a field has one type for ever."""

from dataclasses import dataclass

from connectors.influx.config import InfluxConfig
from plant.summaries import HOUR, MINUTE, TEN_SECONDS

DAY_S = 86_400
YEAR_S = 365 * DAY_S


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long something is kept, s, and how the name of its bucket ends."""

    suffix: str
    seconds: int


TEN_YEARS = Keeping("", 10 * YEAR_S)
ONE_YEAR = Keeping("_1y", YEAR_S)
A_QUARTER = Keeping("_90d", 90 * DAY_S)
A_MONTH = Keeping("_30d", 30 * DAY_S)
KEEPINGS = (TEN_YEARS, ONE_YEAR, A_QUARTER, A_MONTH)

SIGNAL = "signal"
SUMMARIES = {TEN_SECONDS: "signal_10s", MINUTE: "signal_1m", HOUR: "signal_1h"}
"""Measurement of the windows of each length, ns."""
TAG = "tag"
SCORE = "score"
GAP = "gap"
ALARM = "alarm"
SETPOINT_AUDIT = "setpoint_audit"
KEPT = {
    SIGNAL: TEN_YEARS,
    SUMMARIES[TEN_SECONDS]: A_MONTH,
    SUMMARIES[MINUTE]: ONE_YEAR,
    SUMMARIES[HOUR]: TEN_YEARS,
    TAG: TEN_YEARS,
    SCORE: ONE_YEAR,
    GAP: TEN_YEARS,
    "state": TEN_YEARS,
    ALARM: TEN_YEARS,
    "contribution": TEN_YEARS,
    "normal": ONE_YEAR,
    "rate": ONE_YEAR,
    "instrument": TEN_YEARS,
    "part": TEN_YEARS,
    "model": TEN_YEARS,
    SETPOINT_AUDIT: TEN_YEARS,
    "gateway": A_QUARTER,
}
"""How long each measurement is kept, where the buckets are split."""


def bucket_of(measurement: str, config: InfluxConfig) -> str:
    """Name the bucket of a measurement."""
    return config.bucket + KEPT[measurement].suffix if config.several else config.bucket


def buckets_of(config: InfluxConfig) -> tuple[str, ...]:
    """Name every bucket that this configuration writes to."""
    unused = {name for length, name in SUMMARIES.items() if length not in config.lengths}
    written = (name for name in KEPT if name not in unused)
    return tuple(dict.fromkeys(bucket_of(name, config) for name in written))


def places(name: str) -> dict[str, str]:
    """Take a path apart into tags: the last part is the signal, before it asset, line, area, site.

    What has more parts than five keeps the first ones together in ``site``; a name that is no path
    is the signal alone. `name_of` puts it together again.

    Examples
    --------
    >>> places("works/hall/line-1/pump-2/flow")["asset"], places("pump-2/flow")
    ('pump-2', {'asset': 'pump-2', 'signal': 'flow'})
    >>> places("b/c/works/hall/line-1/pump-2/flow")["site"]
    'b/c/works'
    """
    parts = name.split("/")
    if not all(parts):
        return {"signal": name}
    *above, signal = parts
    return {**_levels(above), "signal": signal}


def asset_places(path: str) -> dict[str, str]:
    """Take the path of an asset apart, as `places` does with a tag's.

    Examples
    --------
    >>> asset_places("line-1/pump-2")
    {'line': 'line-1', 'asset': 'pump-2'}
    """
    parts = path.split("/")
    return _levels(parts) if all(parts) else {"asset": path}


def _levels(parts: list[str]) -> dict[str, str]:
    """Name the last four parts; what stands before them belongs to the site."""
    if len(parts) > 4:
        parts = ["/".join(parts[:-3]), *parts[-3:]]
    return dict(zip(("site", "area", "line", "asset")[4 - len(parts) :], parts, strict=True))


LEVELS = ("site", "area", "line", "asset", "signal")


def name_of(tags: dict[str, str]) -> str:
    """Put the name of a tag together again.

    Examples
    --------
    >>> name_of(places("b/c/works/hall/line-1/pump-2/flow")), name_of(places("a//b"))
    ('b/c/works/hall/line-1/pump-2/flow', 'a//b')
    """
    return "/".join(tags[level] for level in LEVELS if tags.get(level))
