"""``wheeltapper alarms report`` and ``labels``: how the alarms did, and what they were."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from wheeltapper.alarms import Data, Url, alarms_kept, answered
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from gateway.console.view import ReportRow
    from gateway.journal import Journal


def report(
    from_: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="7d back from now, or 2026-11-23T06:00.")
    ] = "",
    to: Annotated[str, typer.Option("--to", metavar="WHEN", help="The end, in the same way.")] = "",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Draw it: one file, no net.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(min=0, help="False alarms an asset may give in a week; else as configured."),
    ] = None,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Report how the alarms did (ISA-18.2, EEMUA 191), from our own journal."""
    from plant.errors import Misconfigured
    from wheeltapper import terminal
    from wheeltapper.alarmpicture import page

    start, stop = _moment("--from", from_), _moment("--to", to)
    query = {"start_ms": start, "stop_ms": stop}
    path = f"/api/report?{urlencode({k: v for k, v in query.items() if v is not None})}"
    row: ReportRow = answered(data, url, path, lambda journal: _kept(journal, start, stop))
    if budget is not None:
        row["budget"] = budget
    if html is not None:
        try:
            html.write_text(page(row, terminal.local_time), encoding="utf-8")
        except OSError as error:
            raise Misconfigured(f"{html}: cannot be written: {error.strerror}") from error
    if as_json:
        terminal.record(row)
        return
    for line in summary(row):
        terminal.say(line)
    if html is not None:
        terminal.say(f"drawn: {html}")


def labels(data: Data = None, url: Url = "", as_json: AsJson = False) -> None:
    """List what people said of alarms, for training and for the record."""
    from wheeltapper import terminal
    from wheeltapper.story import counted

    rows = [
        _label(row)
        for row in reversed(answered(data, url, "/api/alarms", alarms_kept)["alarms"])
        if row["feedback"] is not None
    ]
    if as_json:
        for row in rows:
            terminal.record(row)
        return
    if not rows:
        terminal.say("nobody has said yet what an alarm was: wheeltapper alarms feedback N")
        return
    terminal.table(
        counted(len(rows), "label"),
        ("alarm", "asset", "since", "until", "label", "note", "by", "contributors"),
        [
            (
                str(row["alarm"]),
                row["asset"],
                terminal.local_time(row["since"]),
                "stands" if row["until"] is None else terminal.local_time(row["until"]),
                row["label"],
                row["note"],
                row["actor"],
                ", ".join(part["signal"] for part in row["contributors"]),
            )
            for row in rows
        ],
    )


def _label(row: Any) -> dict[str, Any]:
    said = row["feedback"]
    return {
        "alarm": row["id"],
        "asset": row["asset"],
        "since": row["onset"],
        "until": row["ended"],
        "label": said["label"],
        "note": said["note"],
        "actor": said["actor"],
        "at": said["at"],
        "contributors": [
            {"signal": part["tag"], "share": part["share"]} for part in row["contributions"]
        ],
    }


def _moment(option: str, when: str) -> float | None:
    from wheeltapper.gaps import earliest

    return earliest(when, datetime.now(UTC), option) if when else None


def _kept(journal: "Journal", start_ms: float | None, stop_ms: float | None) -> "ReportRow":
    from gateway.config.plan import AlarmPlan
    from gateway.performance import MS, read_report

    start, stop = (None if ms is None else round(ms * MS) for ms in (start_ms, stop_ms))
    return read_report(journal, start, stop, budget=AlarmPlan().budget)


def summary(row: "ReportRow") -> list[str]:
    """Write a report as lines of words, each figure beside what it is held against."""
    from wheeltapper import terminal
    from wheeltapper.gaps import span_words

    quiet = ", ".join(
        f"{count} {name}"
        for name, count in zip(
            ("shelved", "suppressed", "out of service", "held back"),
            row["kept_quiet"].values(),
            strict=True,
        )
        if count
    )
    lines = [
        f"{terminal.local_time(row['start'])} to {terminal.local_time(row['stop'])}, "
        f"{row['assets']} assets judged for {row['asset_weeks']:.3g} asset-weeks",
        f"incidents          {row['incidents']}, annunciated {row['annunciated']} times",
        f"per 10 minutes     {row['mean']:.3g} on average (aim ≤ 1), {row['most']} at most "
        "(aim ≤ 10)",
        f"in flood           {row['flood']:.2%} of the time (aim < 1 %)",
        f"standing now       {row['standing']}, of all {row['stale']} went stale",
        f"chattering         {row['chattering']} (aim 0)",
        f"kept quiet         {quiet or 'none'}",
        "by priority        "
        + ", ".join(f"{p}: {count}" for p, count in row["priorities"].items()),
    ]
    if row["to_acknowledge"] is not None:
        median, most = row["to_acknowledge"]
        lines.append(
            f"to acknowledge     {span_words(median)} median, {span_words(most)} 90th percentile; "
            f"{row['unacknowledged']} wait"
        )
    else:
        lines.append(f"to acknowledge     none was yet; {row['unacknowledged']} wait")
    lines.append(precision_words(row))
    lines.append(budget_words(row))
    lines += [
        f"bad actor          {one['asset']}: {one['count']} ({one['share']:.0%})"
        for one in row["actors"]
    ]
    if row["damaged"]:
        lines.append(f"damaged            {row['damaged']} events could not be read")
    return lines


def precision_words(row: "ReportRow") -> str:
    """Write what share of the labelled alarms was real."""
    if row["precision"] is None:
        return "precision          not known: nobody has said what an alarm was"
    found, low, high = row["precision"]
    count = sum(row["labels"].values())
    return (
        f"precision          {found:.0%} of {count} labelled were real "
        f"(95 % interval {low:.0%} to {high:.0%})"
    )


def budget_words(row: "ReportRow") -> str:
    """Write the realised rate of false alarms beside the budget, as far as the time proves it."""
    if row["false_week"] is None:
        return "false alarms       nothing was judged in this time"
    rate, low, high = row["false_week"]
    if row["asset_weeks"] * row["budget"] < 1:
        verdict = "too little time to tell"  # the budget itself has not allowed for one alarm yet
    elif low > row["budget"]:
        verdict = "over budget"
    elif high <= row["budget"]:
        verdict = "within budget"
    else:
        verdict = "not decided yet"
    return (
        f"false alarms       {rate:.3g} an asset-week, {row['not_real']} not called real "
        f"(95 % interval {low:.3g} to {high:.3g}); budget {row['budget']:g}: {verdict}"
    )
