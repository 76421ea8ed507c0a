"""``wheeltapper parts``: the verdict on each part, what it turned out to be, rows to train from."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from wheeltapper.alarms import Actor, Data, Url, answered, ordered
from wheeltapper.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from gateway.config.plan import Plan
    from gateway.console.view import PartRow
    from gateway.journal import Journal
    from plant.parts import Part

app = typer.Typer(
    no_args_is_help=True,
    help="List parts and their verdicts, say what they turned out to be, export them.",
)

Target = Annotated[str, typer.Argument(metavar="ASSET", help="Path or name of the machine.")]
Number = Annotated[str, typer.Argument(metavar="PART", help="Number of the part.")]
ONE_OF = "say one of --good, --defect"


@app.command("list")
def list_(
    asset: Annotated[str, typer.Option("--asset", help="Only of this machine.")] = "",
    suspect: Annotated[bool, typer.Option("--suspect", help="Only suspect ones.")] = False,
    last: Annotated[int, typer.Option("--last", min=1, max=500, help="So many at most.")] = 20,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """List the last parts, newest first, from the running gateway or from the journal in --data."""
    from wheeltapper import terminal

    asked: dict[str, Any] = {"limit": last}
    asked |= {"asset": asset} if asset else {}
    asked |= {"verdict": "suspect"} if suspect else {}
    path = f"/api/parts?{urlencode(asked)}"
    rows: list[Any] = answered(data, url, path, lambda j: {"parts": _kept(j, asked)})["parts"]
    nothing = "no suspect parts" if suspect else "no parts"
    terminal.listing(rows, show, nothing, as_json=as_json)


@app.command("show")
def show_(
    asset: Target, number: Number, data: Data = None, url: Url = "", as_json: AsJson = False
) -> None:
    """Show one part: its verdict, and all that was unusual about it."""
    from plant.errors import Rejected
    from wheeltapper import terminal

    asked = {"limit": 500, "asset": asset}
    path = f"/api/parts?{urlencode(asked)}"
    rows = answered(data, url, path, lambda j: {"parts": _kept(j, asked)})["parts"]
    for row in rows:
        if row["number"] == number:
            if as_json:
                terminal.record(row)
            else:
                for line in told(row):
                    terminal.say(line)
            return
    raise Rejected(f"{asset} has made no part {number} among its last {len(rows)}")


@app.command("label")
def label(
    asset: Target,
    number: Number,
    actor: Actor,
    good: Annotated[bool, typer.Option("--good", help="It is as it should be.")] = False,
    defect: Annotated[bool, typer.Option("--defect", help="It is not.")] = False,
    note: Annotated[str, typer.Option("--note", help="What was found.")] = "",
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Say what a part turned out to be: a defect is looked for from then on, a good one learnt."""
    from wheeltapper import terminal

    if good == defect:
        raise typer.BadParameter(ONE_OF)
    word = "good" if good else "defect"
    said = {"asset": asset, "number": number, "label": word, "actor": actor, "note": note}
    row = ordered(data, url, "/api/parts/label", said, "say what it was")
    if as_json:
        terminal.record(row)
    else:
        terminal.say(f"part {row['number']} of {row['name']} is kept as {word}")


@app.command("normal")
def normal(
    asset: Target,
    actor: Actor,
    reason: Annotated[str, typer.Option("--reason", help="What has changed.")],
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Learn anew how healthy parts are made: another product, another tool, another material."""
    from wheeltapper import terminal

    said = {"asset": asset, "actor": actor, "note": reason}
    row = ordered(data, url, "/api/parts/normal", said, "say so")
    if as_json:
        terminal.record(row)
    else:
        terminal.say(f"{asset} learns anew how its parts are made")


@app.command("export")
def export(
    config: ConfigFile,
    asset: Target,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="CSV to write.")],
) -> None:
    """Write a row for each part in the journal, with its features, verdict and label, as CSV.

    The gateway must not be running: its journal is read from the start.
    """
    import csv

    from gateway.config.loader import load
    from gateway.journal import Journal
    from plant.errors import Misconfigured
    from wheeltapper import terminal

    plan = load(config)
    path = plan.data / "journal.db"
    if not path.is_file():
        raise Misconfigured(f"{plan.data}: no journal there; run the gateway first")
    journal = Journal.open(path)
    try:
        rows = list(exported(plan, journal, asset))
    finally:
        journal.close()
    try:
        with out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerows(rows)
    except OSError as error:
        raise Misconfigured(f"{out}: cannot be written: {error.strerror}") from error
    terminal.say(f"{len(rows) - 1} parts, {len(rows[0])} columns: {out}")


def exported(plan: "Plan", journal: "Journal", target: str) -> Iterator[list[Any]]:
    """Give the heads and then a row a part, with what is known of it and its features."""
    from analytics.cycles import feature_count, feature_of
    from plant.errors import Misconfigured

    found = [a for a in plan.assets if target in (a.path, a.name) and (a.trigger or a.part)]
    if len(found) != 1:
        raise Misconfigured(f'"{target}" is not the path or name of one asset that makes parts')
    (asset,) = found
    names = [feature_of(k) for k in range(feature_count(len(asset.signals)))]
    signals = [name.rpartition("/")[2] for name in asset.signals]
    yield ["part", "start_ns", "stop_ns", "mode", "verdict", "label"] + [
        "duration" if of is None else f"{signals[of]} {measure}" for of, measure in names
    ]
    rows = cut_anew(plan, journal, asset.path)
    unknown = [float("nan")] * len(names)
    for part in parts_kept(journal, asset.path):
        known = [part.number, part.start, part.stop, part.mode, str(part.verdict)]
        row = rows.get((part.start, part.stop), unknown)
        yield [*known, str(part.label or ""), *("" if value != value else value for value in row)]


def cut_anew(plan: "Plan", journal: "Journal", path: str) -> dict[tuple[int, int], list[float]]:
    """Give the features of each cycle of an asset by its start and stop, from the samples."""
    from analytics.cycles import features
    from gateway.journal import EventRecord, SampleRecord
    from gateway.parts import build_groups

    rows: dict[tuple[int, int], list[float]] = {}
    groups = build_groups(plan, journal.register(plan.tags, 0))
    for _, entry in journal.read(kinds=(SampleRecord, EventRecord)):
        if isinstance(entry, SampleRecord) and not entry.batch.recovered:
            for group in groups:
                for ended in group.take(entry.batch) if entry.batch.source in group.sources else ():
                    if ended.asset == path:
                        row = features(ended.cycle).tolist()
                        rows[ended.cycle.start, ended.cycle.stop] = row
        elif isinstance(entry, EventRecord) and entry.kind == "link":
            # As the gateway took note of it: what went on then was not seen whole.
            source, said = entry.body["source"], (entry.body["state"], entry.body["why"])
            for group in groups if said == ("up", "") else ():
                if source in group.sources:
                    group.reconnected(str(source))
    return rows


def parts_kept(journal: "Journal", path: str) -> "list[Part]":
    """Give the parts of an asset as they last were, in the order in which they were made."""
    from gateway.parts import part_from
    from plant.errors import Misconfigured

    events, damaged = journal.events("part")
    if damaged:
        raise Misconfigured(f"{journal.path}: {damaged} events of parts are damaged")
    latest = {part.id: part for part in (part_from(event.body) for event in events)}
    return [part for _, part in sorted(latest.items()) if path in ("", part.asset)]


def show(rows: "Sequence[PartRow]") -> None:
    """Write parts as a table."""
    from wheeltapper import terminal
    from wheeltapper.story import counted

    terminal.table(
        counted(len(rows), "part"),
        ("part", "asset", "made", "verdict", "score", "limit", "why", "label"),
        [
            (
                row["number"],
                row["asset"],
                terminal.local_time(row["stop"]),
                row["verdict"] + (", provisional" if row["provisional"] else ""),
                "" if row["score"] is None else f"{row['score']:.2f}",
                "" if row["limit"] is None else f"{row['limit']:.2f}",
                row["sentence"].partition(": ")[2] if row["verdict"] != "good" else "",
                labelled(row),
            )
            for row in rows
        ],
    )


def labelled(row: "PartRow") -> str:
    """Say what a part was called, and by whom."""
    if row["label"] is None:
        return ""
    return f"{row['label']}, {row['actor']}" + (f": {row['note']}" if row["note"] else "")


def told(row: "PartRow") -> list[str]:
    """Tell one part in full, a line a fact."""
    from plant.units import written
    from wheeltapper import terminal

    at = terminal.local_time
    seconds = (row["stop"] - row["start"]) / 1000
    mode = f" in mode {row['mode']}" if row["mode"] else ""
    lines = [row["sentence"], f"made by {row['asset']}{mode}, {at(row['start'])}, {seconds:.3g} s"]
    if row["score"] is not None and row["limit"] is not None:
        rest = ", provisional: " if row["provisional"] else ", "
        lines.append(
            f"score {row['score']:.2f}, limit {row['limit']:.2f}{rest}"
            f"{row['learnt']} healthy parts were known"
        )
    lines += [
        f"  {one['share']:4.0%} {one['signal'] or 'cycle'}, {one['measure']}: "
        f"{one['actual']:.4g} instead of {one['expected']:.4g} {written(one['unit'])}".rstrip()
        for one in row["deviations"]
    ]
    if row["label"] is not None:
        lines.append(f"called {labelled(row)}")
    return lines


def _kept(journal: "Journal", asked: dict[str, Any]) -> "list[PartRow]":
    from gateway.rows import part_row

    target, verdict = asked.get("asset"), asked.get("verdict")
    rows = [
        part_row(part)
        for part in reversed(parts_kept(journal, ""))
        if target in (None, part.asset, part.asset.rpartition("/")[2])
        and verdict in (None, part.verdict)
    ]
    return rows[: asked["limit"]]
