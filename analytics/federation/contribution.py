"""What one gateway tells of one asset: statistics of its rows by mode, or counts of its scores."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from analytics.federation.consolidated import Consolidated
from analytics.federation.refusals import Refused, Why
from analytics.federation.rows import Rows
from analytics.federation.sketch import Sketch
from analytics.federation.statistics import Statistics, check
from analytics.federation.terms import Terms

MS = 10**6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contribution:
    """One message.

    Parameters
    ----------
    plan
        `Terms.identity` of the plan under which it is sent.
    gateway, asset
        The participant, and the path of its asset.
    number
        Of this gateway's messages, from 1 on.
    created
        When, ns since 1970 UTC.
    start, stop
        From the begin of the first row to the end of the last one, ns.
    statistics
        Of each mode that has enough rows; empty where it is scores that are told.
    scores
        Counts of the scores of each mode, by the model `model`.
    model
        SHA-256 of the model file by which was scored.
    """

    plan: str
    gateway: str
    asset: str
    number: int
    created: int
    start: int
    stop: int
    statistics: Mapping[int, Statistics] = field(default_factory=dict)
    scores: Mapping[int, Sketch] = field(default_factory=dict)
    model: str = ""

    @property
    def site(self) -> str:
        """Gateway and asset."""
        return f"{self.gateway}:{self.asset}"

    def overlaps(self, other: "Contribution") -> bool:
        """Whether both tell of the same rows: they would differ by exactly the new ones."""
        same = self.site == other.site and bool(self.statistics) == bool(other.statistics)
        return same and self.start < other.stop and other.start < self.stop


def enough(rows: Rows, terms: Terms) -> tuple[list[int], dict[int, int]]:
    """Give the modes that have enough rows, and how many rows the others have.

    Raises
    ------
    Refused
        No mode has enough, or the rows span less than a shift.
    """
    if not len(rows.at):
        raise Refused(Why.NO_DATA, "there is no row in that time")
    span = int(rows.at[-1] - rows.at[0]) + terms.row_ns
    if span < terms.span_ns:
        raise Refused(
            Why.SHORT, f"the rows span {span / 3600e9:.1f} h, {terms.span_ns / 3600e9:g} h is least"
        )
    counts = {number: int((rows.mode == number).sum()) for number, _ in terms.modes}
    held = [mode for mode, count in counts.items() if count >= terms.rows]
    if not held:
        told = ", ".join(f"{counts[number]} of {name}" for number, name in terms.modes)
        raise Refused(Why.FEW_ROWS, f"{terms.rows} rows of a mode are the least, there are {told}")
    return held, {mode: count for mode, count in counts.items() if mode not in held and count}


def statistics_of(rows: Rows, terms: Terms, seed: int = 0) -> dict[int, Statistics]:
    """Take the statistics of each mode that has enough rows, clipped, and with the agreed noise.

    Parameters
    ----------
    seed
        Of the noise: it has to be the gateway's own secret.
    """
    low, high = terms.limits
    random = np.random.default_rng(seed)
    found = {}
    for mode in enough(rows, terms)[0]:
        values = np.clip(rows.of(mode), low, high)
        if terms.noise:
            values = values + terms.noise * (high - low) * random.standard_normal(values.shape)
            values = np.clip(values, low, high)
        found[mode] = Statistics.of(values)
    return found


def scores_of(rows: Rows, terms: Terms, model: Consolidated) -> dict[int, Sketch]:
    """Count the scores of each mode that has enough rows and that the model knows."""
    held = [mode for mode in enough(rows, terms)[0] if mode in model.detectors]
    if not held:
        raise Refused(Why.FEW_ROWS, "the modes with enough rows are none that the model knows")
    low, high = terms.limits
    values = np.clip(rows.values, low, high)
    mine = np.isin(rows.mode, held)
    return model.sketches(values[mine], rows.mode[mine])


def check_contribution(told: Contribution, terms: Terms) -> None:
    """Refuse a message that does not keep to the plan, or says what cannot be.

    Raises
    ------
    Refused
        With the reason.
    """
    if told.plan != terms.identity:
        raise Refused(
            Why.OTHER_PLAN, f"is of the plan {told.plan:.40}, this one is {terms.identity}"
        )
    if not told.start < told.stop <= told.created + 24 * 3600 * 10**9:
        raise Refused(Why.IMPOSSIBLE, "its time ends before it begins, or after it was made")
    if told.stop - told.start < terms.span_ns:
        raise Refused(Why.SHORT, f"spans less than {terms.span_ns / 3600e9:g} h")
    _check_counts(told, terms)
    low, high = terms.limits
    for known in told.statistics.values():
        check(known, low, high)


def _check_counts(told: Contribution, terms: Terms) -> None:
    counts = {mode: known.n for mode, known in told.statistics.items()}
    counts |= {mode: sketch.n for mode, sketch in told.scores.items()}
    if not counts:
        raise Refused(Why.NO_DATA, "holds no mode")
    for mode, count in counts.items():
        if mode not in dict(terms.modes):
            raise Refused(Why.OTHER_PLAN, f"mode {mode} is none of the plan")
        if count < 1:
            raise Refused(Why.IMPOSSIBLE, f"mode {mode}: {count} rows cannot be")
        if count < terms.rows:
            raise Refused(Why.FEW_ROWS, f"mode {mode}: {count} rows, {terms.rows} are the least")
    if sum(counts.values()) > (told.stop - told.start) // terms.row_ns:
        raise Refused(Why.IMPOSSIBLE, f"{sum(counts.values())} rows do not fit into its time")
