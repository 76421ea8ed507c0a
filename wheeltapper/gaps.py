"""``wheeltapper gaps``: every interval in which a source could not be read."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.alarms import Data, Url, answered
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from gateway.console.view import GapRow
    from gateway.journal import Journal

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
CAUSES = {
    "link": "link lost",
    "misconfigured": "has to be set right",
    "messages": "messages missing",
    "overload": "overload",
    "stopped": "gateway not running",
    "damaged": "journal damaged",
}


def gaps(
    data: Data = None,
    url: Url = "",
    source: Annotated[str, typer.Option(help="Only of this source.")] = "",
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="Only what reached into 12h, 7d, or 2026-11-23.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the gaps, from the running gateway or, when none runs, from the journal in --data."""
    from wheeltapper import terminal

    begin = earliest(since, datetime.now(UTC)) if since else 0.0
    rows = [
        row
        for row in answered(data, url, "/api/gaps", gaps_kept)["gaps"]
        if source in ("", row["source"]) and (row["stop"] is None or row["stop"] >= begin)
    ]
    nothing = f"no gaps of {source}" if source else "no gaps"
    terminal.listing(rows, show, nothing, as_json=as_json)


def earliest(since: str, now: datetime, option: str = "--since") -> float:
    """Read a span back from `now`, or a time of this machine's zone, as ms since 1970 UTC.

    Examples
    --------
    >>> now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> earliest("36h", now) == earliest("1.5d", now) == earliest("2026-11-23T00:00Z", now)
    True
    """
    number, unit = since[:-1], since[-1:]
    try:
        if unit in UNITS:
            moment = now - timedelta(seconds=float(number) * UNITS[unit])
        else:
            moment = datetime.fromisoformat(since)
        return moment.timestamp() * 1000
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{option} {since!r}: write a span as 30m, 12h or 7d, or a time as 2026-11-23T06:00"
        ) from error


def show(rows: "Sequence[GapRow]") -> None:
    """Write gaps as a table, and below it what happened, once for each source and reason."""
    from wheeltapper import terminal
    from wheeltapper.story import counted

    terminal.table(
        counted(len(rows), "gap"),
        ("source", "from", "to", "lasted", "cause", "recovered", "lost"),
        [
            (
                row["source"],
                terminal.local_time(row["start"]),
                "lasts" if row["stop"] is None else terminal.local_time(row["stop"]),
                "" if row["stop"] is None else span_words((row["stop"] - row["start"]) / 1000),
                CAUSES[row["cause"]],
                recovered_words(row),
                lost_words(row),
            )
            for row in rows
        ],
    )
    for source, why in dict.fromkeys((row["source"], row["why"]) for row in rows):
        terminal.say(f"{source}: {why}")


def span_words(seconds: float) -> str:
    """Write a duration in two units at most.

    Examples
    --------
    >>> span_words(0.42), span_words(61), span_words(7260), span_words(200_000)
    ('0.4 s', '1 min 1 s', '2 h 1 min', '2 d 7 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def recovered_words(row: "GapRow") -> str:
    """Say what came in later, and how."""
    parts = (
        f"{row['republished']} republished" if row["republished"] else "",
        f"{row['history']} from history" if row["history"] else "",
    )
    return ", ".join(part for part in parts if part) or "0"


def lost_words(row: "GapRow") -> str:
    """Say what is missing for good; nobody knows before the gap and its recovery are over."""
    if row["lost"] is None:
        return "" if row["stop"] is None else "recovering"
    if row["estimated"] and not (row["lost"] or row["republished"] or row["history"]):
        return "not known"
    return f"≈ {row['lost']}" if row["estimated"] else str(row["lost"])


def gaps_kept(journal: "Journal") -> dict[str, Any]:
    """Give the gaps of a journal as they last were, newest first."""
    from gateway.gaps import gap_from
    from gateway.journal import DamagedRecord, EventRecord
    from gateway.rows import gap_row
    from plant.errors import Misconfigured

    latest: dict[int, Any] = {}
    for _, record in journal.read(kinds=(EventRecord,)):
        if isinstance(record, DamagedRecord):
            raise Misconfigured(f"{journal.path}: damaged at {record.position}: {record.reason}")
        if isinstance(record, EventRecord) and record.kind == "gap":
            gap = gap_from(record.body)
            latest[gap.id] = gap_row(gap)
    return {"gaps": [latest[number] for number in sorted(latest, reverse=True)]}
