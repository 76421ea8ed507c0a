"""One self-contained page on how a detector did: sentences first, then pictures, then figures."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files

import numpy as np

from analytics.evaluation.confusion import Confusion
from analytics.evaluation.rates import WEEK_S
from analytics.evaluation.segments import Events
from analytics.evaluation.summary import QUANTILES, Episode, Summary
from wheeltapper.evaluation.chart import Chart, Result, histogram
from wheeltapper.evaluation.svg import svg
from wheeltapper.evaluation.words import counted, duration, figure, instant, percent

TABLED = 200
"""Alarms listed of one recording; a detector that gives more has told its story."""

STYLE = files(__package__).joinpath("page.css").read_text(encoding="utf-8")


def page(results: Sequence[Result], detector: str) -> str:
    """Write the page about one or more recordings."""
    labelled = [each for each in results if each.summary.judged is not None]
    parts = [
        f"<h1>How the detector did: {escape(detector)}</h1>",
        f'<p class="lead">{escape(verdict(results))}</p>',
        _key(bool(labelled)),
        _reading(bool(labelled)),
        _overview(results) if len(results) > 1 else "",
        *(_section(number, result) for number, result in enumerate(results)),
    ]
    title = f"{results[0].recording.name if len(results) == 1 else len(results)} – {detector}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def verdict(results: Sequence[Result]) -> str:
    """Say the outcome of all recordings in a sentence or two."""
    summaries = [each.summary for each in results]
    hours = sum(summary.hours for summary in summaries)
    alarms = sum(len(summary.alarms) for summary in summaries)
    covered = f"{counted(len(results), 'recording')}, {duration(3600 * hours)} judged"
    judged = [each for each in summaries if each.judged is not None]
    if not judged:
        if not alarms:
            return f"{covered}: no alarm. Nothing is labelled, so nobody knows if one was due."
        share = sum(s.share_alarmed * s.rows for s in summaries) / sum(s.rows for s in summaries)
        return (
            f"{covered}: {counted(alarms, 'alarm')}, standing {percent(share)} of the time. "
            "Nothing is labelled, so nobody can say from this which alarms were right."
        )
    events = Events.total(s.judged.events for s in judged if s.judged)
    rows = Confusion.total(s.judged.confusion for s in judged if s.judged)
    delays = [s.judged.delay_s for s in judged if s.judged and s.judged.events.seen]
    late = f", {_after(events.seen, _median_delay(judged, delays))}" if delays else ""
    seen = (
        f"{events.seen} of {counted(events.events, 'labelled fault')} seen{late}"
        if events.events
        else "no fault is labelled"
    )
    wrong = f"{counted(events.false, 'false alarm')}"
    return f"{covered}: {seen}; {wrong}, and {percent(rows.far)} of the healthy time alarmed."


def _median_delay(judged: Sequence[Summary], delays: Sequence[float]) -> str:
    every = [d * s.step_s for s in judged if s.judged for d in s.judged.events.delays]
    return duration(float(np.median(every or delays)))


def _after(seen: int, delay: str) -> str:
    return f"{delay} after its start" if seen == 1 else f"{delay} after their start (median)"


def judged_time(summary: Summary) -> str:
    """Write the time that was judged."""
    return duration(3600 * summary.hours)


def sentence(summary: Summary) -> str:
    """Say the outcome of one recording."""
    rest = f" {counted(summary.unjudged, 'row')} could not be judged." if summary.unjudged else ""
    if summary.judged is None:
        short = ": the recording is short" if summary.hours < WEEK_S / 3600 else ""
        bound = f"with 95 % certainty below {figure(summary.a_week_at_most, 2)} a week{short}"
        if not summary.alarms:
            return f"No alarm in {judged_time(summary)} ({bound}).{rest}"
        return (
            f"{counted(len(summary.alarms), 'alarm')} in {judged_time(summary)}, a rate of "
            f"{figure(summary.a_week, 2)} a week ({bound}); the alarm stood "
            f"{percent(summary.share_alarmed)} of the time.{rest}"
        )
    events, confusion = summary.judged.events, summary.judged.confusion
    if events.events:
        seen = f"{events.seen} of {counted(events.events, 'labelled fault')} seen"
        late = f", {_after(events.seen, duration(summary.judged.delay_s))}" if events.seen else ""
        missed = f"; {percent(confusion.mar)} of the faulty time was not alarmed"
    else:
        seen, late, missed = "No fault is labelled", "", ""
    return (
        f"{seen}{late}; {counted(events.false, 'false alarm')}; {percent(confusion.far)} of the "
        f"healthy time alarmed{missed}.{rest}"
    )


def _key(labelled: bool) -> str:
    label = '<span style="background:var(--label)"></span>labelled faulty' if labelled else ""
    return (
        f'<p class="key soft">{label}<span style="background:var(--alarm)"></span>alarm'
        '<span style="background:var(--band)"></span>signal that is among the reasons of that alarm'
        '<span style="background:var(--learn)"></span>learning, not judged</p>'
    )


def _reading(labelled: bool) -> str:
    truth = (
        "<p>A <b>false alarm</b> is an alarm that touches no labelled row; alarms close together "
        "count as one. A fault is <b>seen</b> when an alarm stands inside its label, at once if it "
        "stood before. <b>Healthy time alarmed</b> also counts alarms that come early or outlast "
        "the fault. Labels are what somebody wrote down, and their edges are rarely exact.</p>"
        if labelled
        else "<p>Without labels only the number of alarms can be judged: go through the table of "
        "alarms with somebody who knows what the machine did.</p>"
    )
    return (
        "<details><summary>How to read this</summary>"
        "<p>The detector saw one row at a time, in order, and gave its score before it learnt from "
        "the row. It never saw a label or a later row. The first part of each recording was learnt "
        "and is not judged; what happened there counts as normal.</p>"
        "<p>A score above <b>1 ×</b>, the red line, is unusual. It becomes an alarm when the "
        "detector's own delays say so, and the alarm may outlast the score. The signals beneath "
        "are ordered by how much of the alarms they caused; where one of them is among the three "
        f"main reasons of an alarm, it stands on red.</p>{truth}</details>"
    )


def _overview(results: Sequence[Result]) -> str:
    labelled = any(each.summary.judged for each in results)
    heads = ["recording", "judged", "alarms", "time alarmed"]
    heads += ["faults seen", "after", "false alarms", "healthy time alarmed"] if labelled else []
    rows = []
    for number, result in enumerate(results):
        summary, judged = result.summary, result.summary.judged
        cells = [
            f'<td><a href="#r{number}">{escape(result.recording.name)}</a></td>',
            _number(judged_time(summary)),
            _number(str(len(summary.alarms))),
            _number(percent(summary.share_alarmed)),
        ]
        if judged is not None:
            cells += [
                _number(f"{judged.events.seen} of {judged.events.events}"),
                _number(duration(judged.delay_s)),
                _number(str(judged.events.false)),
                _number(percent(judged.confusion.far)),
            ]
        elif labelled:
            cells.append('<td class="n" colspan="4">not labelled</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    top = "".join(f"<th{' class=n' * bool(i)}>{head}</th>" for i, head in enumerate(heads))
    table = f"<table><tr>{top}</tr>{''.join(rows)}</table>"
    return f'<h2>All recordings</h2><div class="scroll">{table}</div>'


def _number(text: str) -> str:
    return f'<td class="n">{escape(text)}</td>'


def _section(number: int, result: Result) -> str:
    recording, summary = result.recording, result.summary
    notes = "".join(f'<p class="soft">{escape(note)}</p>' for note in recording.notes)
    spread = "" if summary.judged else f"<h3>How often each score came</h3>{svg(histogram(result))}"
    return (
        f'<h2 id="r{number}">{escape(recording.name)}</h2>'
        f"<p>{escape(sentence(summary))}</p>{svg(Chart(result).drawn())}"
        f"{_alarms(summary)}{spread}{_figures(summary)}{notes}"
    )


def _alarms(summary: Summary) -> str:
    if not summary.alarms:
        return ""
    labelled = summary.judged is not None
    heads = ["", "from", "lasts", "highest score", "main reasons when it was raised"]
    heads += ["label"] if labelled else []
    rows = [_alarm(number, one, labelled) for number, one in enumerate(summary.alarms[:TABLED], 1)]
    more = len(summary.alarms) - TABLED
    rest = f'<p class="soft">and {counted(more, "alarm")} more</p>' if more > 0 else ""
    top = "".join(f"<th>{head}</th>" for head in heads)
    table = f'<div class="scroll"><table><tr>{top}</tr>{"".join(rows)}</table></div>{rest}'
    many = len(summary.alarms) > 12
    name = f"{counted(len(summary.alarms), 'alarm')}"
    return f"<details><summary>{name}, listed</summary>{table}</details>" if many else table


def _alarm(number: int, one: Episode, labelled: bool) -> str:
    why = ", ".join(f"{escape(name)} {percent(share)}" for name, share in one.reasons)
    cells = [
        _number(str(number)),
        f"<td>{instant(one.begin)}</td>",
        f"<td>{lasting(one)}</td>",
        f"<td>{height(one)}</td>",
        f"<td>{why or 'this detector gives no reasons'}</td>",
    ]
    if labelled:
        cells.append(
            '<td class="true">on a fault</td>' if one.touches else '<td class="false">false</td>'
        )
    return f"<tr>{''.join(cells)}</tr>"


def height(one: Episode) -> str:
    """Write the highest score of an alarm, in multiples of the limit."""
    return "–" if np.isnan(one.peak) else f"{figure(one.peak, 2)} ×"


def lasting(one: Episode) -> str:
    """Write how long an alarm stood."""
    return duration((one.end - one.begin) / 1e9) if one.end > one.begin else "one row"


def _figures(summary: Summary) -> str:
    pairs = [
        ("rows judged", f"{summary.rows - summary.unjudged:,} of {summary.rows:,}, one every "
         f"{duration(summary.step_s)}"),
        ("alarms a week", f"{figure(summary.a_week, 2)}, at most "
         f"{figure(summary.a_week_at_most, 2)} with 95 % certainty after {judged_time(summary)}"),
    ]  # fmt: skip
    if summary.quantiles:
        said = ", ".join(
            f"{'highest' if q == 1 else f'{100 * q:g} % below'} {figure(value, 2)}"
            for q, value in zip(QUANTILES, summary.quantiles, strict=True)
        )
        pairs.append(("score ÷ limit", said))
    judged = summary.judged
    if judged is not None:
        counts = judged.confusion
        pairs += [
            ("rows, F1", figure(counts.f1)),
            ("healthy rows alarmed (FAR)", percent(counts.far)),
            ("faulty rows missed (MAR)", percent(counts.mar)),
            ("false alarms an hour", figure(judged.false_an_hour, 2)),
            (
                "ranking, whatever the limit",
                f"PR-AUC {figure(judged.pr_auc)}, VUS-PR {figure(judged.vus_pr)}",
            ),
        ]
        if not np.isnan(judged.changepoints):
            pairs.append(("changepoints (0 silence, 100 perfect)", figure(judged.changepoints)))
    listed = "".join(f"<dt>{name}</dt><dd>{escape(said)}</dd>" for name, said in pairs)
    return f"<details><summary>Figures</summary><dl>{listed}</dl></details>"
