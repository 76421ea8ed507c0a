"""How the gateway writes what it knows into the rows of the console and of the commands."""

from collections.abc import Sequence

import numpy as np

from analytics.findings import ABNORMAL, finding_names
from analytics.savings import Savings
from gateway.console.view import (
    AlarmRow,
    ContributorRow,
    DeviationRow,
    FeedbackRow,
    GapRow,
    HoldRow,
    InstrumentRow,
    MemberRow,
    PartRow,
    PrecedentRow,
    SavedTagRow,
    SavingsRow,
)
from gateway.link import Link
from gateway.models.watched import WatchedAsset
from gateway.pipeline import UNKNOWN_MODE
from plant.alarms import Alarm, Feedback, Hold, Member
from plant.gaps import Gap
from plant.instruments import Doubt, diagnosis
from plant.parts import Deviation, Part, part_sentence
from plant.reasons import Contribution, Precedent, sentence
from plant.tags import TagHandle

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


def member_row(member: Member) -> MemberRow:
    """Write a tag that joined an incident for the page."""
    return {
        "tag": member.tag,
        "signal": member.tag.rpartition("/")[2],
        "finding": finding_words(member.findings),
        "since": member.since / MS,
    }


def precedent_row(like: Precedent) -> PrecedentRow:
    """Write an earlier incident for the page."""
    return {
        "id": like.id,
        "similarity": like.similarity,
        "at": like.at / MS,
        "label": like.label,
        "note": like.note,
        "actor": like.actor,
    }


def feedback_row(said: Feedback) -> FeedbackRow:
    """Write what a person called an alarm for the page."""
    return {"label": str(said.label), "note": said.note, "actor": said.actor, "at": said.at / MS}


def hold_row(hold: Hold) -> HoldRow:
    """Write what keeps an asset quiet for the page."""
    return {
        "asset": hold.asset,
        "name": hold.asset.rpartition("/")[2],
        "kind": str(hold.kind),
        "since": hold.since / MS,
        "until": None if hold.until is None else hold.until / MS,
        "actor": hold.actor,
        "note": hold.note,
    }


def instrument_row(doubt: Doubt, at: int, health: int | None = None) -> InstrumentRow:
    """Write an instrument at fault for the page, as it stands at a source time, ns."""
    asset, _, signal = doubt.signal.rpartition("/")
    return {
        "asset": asset,
        "name": asset.rpartition("/")[2],
        "tag": doubt.signal,
        "signal": signal,
        "unit": doubt.unit,
        "kind": str(doubt.kind),
        "health": int(doubt.kind.health) if health is None else health,
        "since": doubt.since / MS,
        "value": doubt.value,
        "expected": doubt.expected,
        "partner": doubt.partner,
        "sentence": diagnosis(doubt, at),
    }


def alarm_row(alarm: Alarm, mode: str = "") -> AlarmRow:
    """Write an alarm for the page, with its sentence and the name of its mode."""
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
        "score": alarm.reason.score,
        "threshold": alarm.reason.threshold,
        "peak": alarm.peak,
        "mode": mode,
        "ended": None if alarm.ended is None else alarm.ended / MS,
        "chattering": alarm.chattering,
        "stale": alarm.stale,
        "held": alarm.held,
        "withdrawn": alarm.withdrawn,
        "members": [member_row(member) for member in alarm.members],
        "precedents": [precedent_row(like) for like in alarm.reason.precedents],
        "feedback": feedback_row(alarm.feedback) if alarm.feedback else None,
    }


def deviation_row(one: Deviation) -> DeviationRow:
    """Write what was unusual about a part for the page."""
    return {
        "tag": one.signal,
        "signal": one.signal.rpartition("/")[2],
        "measure": str(one.measure),
        "unit": one.unit,
        "actual": one.actual,
        "expected": one.expected,
        "low": one.low,
        "high": one.high,
        "share": one.share,
        "given": one.given,
    }


def part_row(part: Part, mode: str = "") -> PartRow:
    """Write a part for the page, with its sentence and the name of its mode."""
    return {
        "id": part.id,
        "asset": part.asset,
        "name": part.asset.rpartition("/")[2],
        "number": part.number,
        "start": part.start / MS,
        "stop": part.stop / MS,
        "mode": mode,
        "verdict": str(part.verdict),
        "why": part.why,
        "sentence": part_sentence(part),
        "score": part.score,
        "limit": part.limit,
        "deviations": [deviation_row(one) for one in part.deviations],
        "learnt": part.learnt,
        "provisional": part.provisional,
        "like": part.like,
        "replayed": part.replayed,
        "label": None if part.label is None else str(part.label),
        "actor": part.actor,
        "note": part.note,
        "labelled": part.labelled / MS if part.label is not None else None,
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


SAVED_TAGS = 200
"""Tags that are listed with what their summaries save."""


def savings_row(savings: Savings, handles: Sequence[TagHandle]) -> SavingsRow:
    """Write what summaries save, in all and for the tags with the most samples."""
    samples, windows = savings.samples, savings.windows
    known = [one for one in handles if one.handle < len(samples) and windows[one.handle]]
    known.sort(key=lambda one: -int(samples[one.handle]))
    tags: list[SavedTagRow] = [
        {
            "tag": one.tag.name,
            "unit": one.tag.unit,
            "samples": int(samples[one.handle]),
            "windows": int(windows[one.handle]),
            "worst": number(savings.worst[one.handle]),
        }
        for one in known[:SAVED_TAGS]
    ]
    return {
        "since": savings.since / MS,
        "samples": int(samples.sum()),
        "windows": int(windows.sum()),
        "raw_bytes": int(savings.raw_bytes.sum()),
        "summary_bytes": int(savings.summary_bytes.sum()),
        "total": len(known),
        "tags": tags,
    }


def finding_words(verdict: int) -> str:
    """Name what a monitor found, in words; empty when nothing."""
    return ", ".join(finding_names(verdict & ABNORMAL))


def number(value: float) -> float | None:
    """Give a finite float, or None for the page."""
    return float(value) if np.isfinite(value) else None


def mode_shown(state: WatchedAsset) -> str | None:
    """Name the operating mode; None where the asset has none or its tag is not Good."""
    if state.mode is None:
        return state.watch.found_mode
    if state.mode_now == UNKNOWN_MODE:
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
