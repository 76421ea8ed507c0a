"""How the gateway writes what it knows into the rows of the console and of the commands."""

import numpy as np

from analytics.findings import ABNORMAL, finding_names
from gateway.console.view import AlarmRow, ContributorRow, GapRow
from gateway.link import Link
from gateway.pipeline import UNKNOWN_MODE, WatchedAsset
from plant.alarms import Alarm
from plant.gaps import Gap
from plant.reasons import Contribution, sentence

MS = 1_000_000
"""Nanoseconds; a browser counts in milliseconds."""


def contributor_row(part: Contribution) -> ContributorRow:
    """Write one contribution for the page."""
    return {
        "tag": part.signal,
        "signal": part.signal.rpartition("/")[2],
        "unit": part.unit,
        "share": part.share,
        "actual": part.actual,
        "expected": part.expected,
        "low": part.low,
        "high": part.high,
        "since": part.since / MS,
        "trend": str(part.trend),
    }


def alarm_row(alarm: Alarm) -> AlarmRow:
    """Write an alarm for the page, with its sentence."""
    return {
        "id": alarm.id,
        "asset": alarm.asset,
        "name": alarm.asset.rpartition("/")[2],
        "priority": alarm.priority,
        "state": str(alarm.state),
        "onset": alarm.onset / MS,
        "raised": alarm.raised / MS,
        "changed": alarm.changed / MS,
        "occurrences": alarm.occurrences,
        "sentence": sentence(alarm.asset, alarm.reason),
        "contributions": [contributor_row(part) for part in alarm.reason.contributions],
        "actor": alarm.actor,
        "note": alarm.note,
    }


def gap_row(gap: Gap) -> GapRow:
    """Write a gap for the page."""
    return {
        "id": gap.id,
        "source": gap.source,
        "start": gap.start / MS,
        "stop": None if gap.stop is None else gap.stop / MS,
        "cause": gap.cause,
        "why": gap.why,
        "republished": gap.republished,
        "history": gap.history,
        "lost": gap.lost,
        "estimated": gap.estimated,
    }


def finding_words(verdict: int) -> str:
    """Name what a monitor found, in words; empty when nothing."""
    return ", ".join(finding_names(verdict & ABNORMAL))


def number(value: float) -> float | None:
    """Give a finite float, or None for the page."""
    return float(value) if np.isfinite(value) else None


def mode_shown(state: WatchedAsset) -> str | None:
    """Name the operating mode; None where the asset has none or its tag is not Good."""
    if state.mode is None or state.mode_now == UNKNOWN_MODE:
        return None
    return state.asset.mode_name(state.mode_now)


def link_words(link: Link | None) -> str:
    """Say in words where a connection stands."""
    if link is None:
        return "waiting"
    return f"{link.state}: {link.why}" if link.why else str(link.state)


def last_score(state: WatchedAsset) -> tuple[float | None, float | None]:
    """Give the last score and its limit; None where the last row was not judged."""
    last = state.last
    if last is None or not len(last.at) or not last.judged[-1]:
        return None, None
    return number(last.score[-1]), number(last.threshold[-1])
