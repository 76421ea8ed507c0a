"""``wheeltapper export``: history or raw samples as a table, with what has to be known of it."""

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.alarms import Data
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from wheeltapper.exporting.pieces import Piece, Raw, Windowed

LENGTHS = {"10s": 10, "1m": 60, "1h": 3600}
RAW = "raw"
MS = 10**6


def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File: .csv, .csv.gz or .parquet.")],
    data: Data = None,
    tags: Annotated[
        list[str] | None,
        typer.Option(
            "--tags", metavar="PATTERN", help="Only these: '*/pump-2/*'. May be repeated."
        ),
    ] = None,
    every: Annotated[
        str, typer.Option(metavar="LENGTH", help="Windows of 10s, 1m or 1h, or raw samples.")
    ] = "1m",
    since: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="12h, 7d, or 2026-11-23T06:00.")
    ] = "7d",
    until: Annotated[
        str, typer.Option("--to", metavar="WHEN", help="The same; the present without it.")
    ] = "",
    overwrite: Annotated[bool, typer.Option(help="Take the place of a file of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write windows of the embedded history, or raw samples, as a table.

    Units, the meaning of each column and the gaps of the time stand in OUT.json beside a CSV file,
    and in the footer of a Parquet file. A gateway may be running meanwhile.
    """
    from wheeltapper.alarms import named
    from wheeltapper.exporting.tables import table
    from wheeltapper.progress import Bar

    if every not in (*LENGTHS, RAW):
        raise typer.BadParameter(f"--every {every!r}: one of {', '.join(LENGTHS)} or {RAW}")
    if out.exists() and not overwrite:
        raise typer.BadParameter(f"{out} is there already; name another file, or add --overwrite")
    start, stop = _span(since, until)
    folder = named(data)
    rows = 0
    with table(out) as written, ExitStack() as opened:
        asked = _asked(opened, folder, every, tags or [], start, stop)
        with Bar(f"reading {folder}") as bar:
            piece: Piece
            for piece in asked.pieces():
                done, known, columns = piece
                written.add(columns)
                rows += len(columns["time"])
                bar.moved(done, known)
        metadata = _metadata(asked, data, every, start, stop)
        if rows:
            written.finish(metadata)
    _tell(out, rows, metadata, as_json=as_json)
    if not rows:
        raise typer.Exit(1)


def _span(since: str, until: str) -> tuple[int, int]:
    """Read the ends of the time that is asked for, ns since 1970 UTC."""
    from wheeltapper.gaps import earliest

    now = datetime.now(UTC)
    start = round(earliest(since, now, "--from")) * MS
    stop = round(earliest(until, now, "--to") if until else now.timestamp() * 1000) * MS
    if start >= stop:
        raise typer.BadParameter("--from has to lie before --to")
    return start, stop


def _tell(out: Path, rows: int, metadata: dict[str, Any], *, as_json: bool) -> None:
    from wheeltapper import terminal

    gaps, damaged = len(metadata["gaps"]), metadata["damaged"]
    if as_json:
        span = {name: metadata[name] for name in ("every", "from", "to")}
        told = {"file": str(out), "rows": rows, "gaps": gaps, "damaged": damaged}
        terminal.record(told | span)
        return
    if damaged:
        terminal.say(f"{damaged} records could not be read: they are damaged")
    if rows:
        tags = len(metadata["tags"])
        terminal.say(f"{out}: {rows:,} rows of {tags:,} tags, {gaps} gaps in that time")
    else:
        terminal.say("nothing is kept of that time; no file is written")


def _asked(
    opened: ExitStack, folder: Path, every: str, tags: list[str], start: int, stop: int
) -> "Windowed | Raw":
    """Open what is to be read."""
    from plant.errors import Misconfigured
    from wheeltapper.exporting.pieces import Raw, Windowed

    if every == RAW:
        journal = folder / "journal.db"
        if not journal.is_file():
            raise Misconfigured(f"{folder}: no journal there; name the data folder of a gateway")
        return Raw(journal, tags, start, stop)
    from connectors.sqlite.history import SqliteHistory

    path = folder / "history.db"
    if not path.is_file():
        raise Misconfigured(
            f"{folder}: no history there yet; it begins with the first minute of a gateway's run "
            f"(--every {RAW} reads the journal)"
        )
    history = opened.enter_context(SqliteHistory(path))
    return Windowed(history, tags, start, stop, LENGTHS[every] * 10**9)


def _metadata(
    asked: "Windowed | Raw", data: Path | None, every: str, start: int, stop: int
) -> dict[str, Any]:
    from importlib.metadata import version

    from wheeltapper.alarms import answered
    from wheeltapper.exporting.pieces import SAMPLES, WINDOWS
    from wheeltapper.gaps import gaps_kept

    gaps = [
        {
            "source": row["source"],
            "from": _instant(row["start"] * MS),
            "to": None if row["stop"] is None else _instant(row["stop"] * MS),
            "cause": row["cause"],
            "why": row["why"],
            "recovered": row["republished"] + row["history"],
            "lost": row["lost"],
            "estimated": row["estimated"],
        }
        for row in answered(data, "", "/api/gaps", gaps_kept)["gaps"]
        if row["start"] * MS < stop and (row["stop"] is None or row["stop"] * MS >= start)
    ]
    return {
        "made_by": f"wheeltapper {version('wheeltapper')}",
        "every": every,
        "from": _instant(start),
        "to": _instant(stop),
        "columns": SAMPLES if every == RAW else WINDOWS,
        "tags": {name: {"unit": unit} for name, unit in asked.units.items()},
        "gaps": gaps,
        "damaged": asked.damaged,
    }


def _instant(ns: float) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds")
