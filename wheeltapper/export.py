"""``wheeltapper export``: history or raw samples as a table, with what has to be known of it."""

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.alarms import Data
from wheeltapper.options import AsJson, Since, TokenFile, Until

if TYPE_CHECKING:
    from wheeltapper.exporting.pieces import Piece, Raw, Windowed
    from wheeltapper.exporting.places import Gaps

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
    since: Since = "7d",
    until: Until = "",
    from_central: Annotated[
        str,
        typer.Option(
            metavar="SINK", help="Not from here, but from that sink of --data CONFIG.toml."
        ),
    ] = "",
    token_file: TokenFile = None,
    overwrite: Annotated[bool, typer.Option(help="Take the place of a file of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write windows of the embedded history, or of a central store, or raw samples, as a table.

    Units, the meaning of each column and the gaps of the time stand in OUT.json beside a CSV file,
    and in the footer of a Parquet file. A gateway may be running meanwhile.
    """
    from wheeltapper.exporting.pieces import Windowed
    from wheeltapper.exporting.places import place
    from wheeltapper.exporting.tables import table
    from wheeltapper.progress import Bar

    if every not in (*LENGTHS, RAW):
        raise typer.BadParameter(f"--every {every!r}: one of {', '.join(LENGTHS)} or {RAW}")
    if out.exists() and not overwrite:
        raise typer.BadParameter(f"{out} is there already; name another file, or add --overwrite")
    if from_central and every == RAW:
        raise typer.BadParameter(
            "--every raw reads the journal of a gateway; from a central store windows are read"
        )
    start, stop = span(since, until)
    rows = 0
    with table(out) as written, ExitStack() as opened:
        if every == RAW:
            asked: Windowed | Raw
            where, asked, gaps = _journal(data, tags or [], start, stop)
        else:
            found = place(opened, data, from_central, token_file)
            where, gaps = found.words, found.gaps
            asked = Windowed(found.history, tags or [], start, stop, LENGTHS[every] * 10**9)
        with Bar(f"reading {where}") as bar:
            piece: Piece
            for piece in asked.pieces():
                done, known, columns = piece
                written.add(columns)
                rows += len(columns["time"])
                bar.moved(done, known)
        metadata = _metadata(asked, gaps, every, start, stop)
        if rows:
            written.finish(metadata)
    _tell(out, rows, metadata, as_json=as_json)
    if not rows:
        raise typer.Exit(1)


def span(since: str, until: str) -> tuple[int, int]:
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


def _journal(data: Path | None, tags: list[str], start: int, stop: int) -> "tuple[str, Raw, Gaps]":
    from plant.errors import Misconfigured
    from wheeltapper.alarms import named
    from wheeltapper.exporting.pieces import Raw
    from wheeltapper.exporting.places import gaps_here

    folder = named(data)
    journal = folder / "journal.db"
    if not journal.is_file():
        raise Misconfigured(f"{folder}: no journal there; name the data folder of a gateway")
    raw = Raw(journal, tags, start, stop)
    return str(folder), raw, lambda start, stop: gaps_here(folder, start, stop)


def _metadata(
    asked: "Windowed | Raw", gaps: "Gaps", every: str, start: int, stop: int
) -> dict[str, Any]:
    from importlib.metadata import version

    from wheeltapper.exporting.pieces import SAMPLES, WINDOWS
    from wheeltapper.exporting.places import instant

    return {
        "made_by": f"wheeltapper {version('wheeltapper')}",
        "every": every,
        "from": instant(start),
        "to": instant(stop),
        "columns": SAMPLES if every == RAW else WINDOWS,
        "tags": {name: {"unit": unit} for name, unit in asked.units.items()},
        "gaps": gaps(start, stop),
        "damaged": asked.damaged,
    }
