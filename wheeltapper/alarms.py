"""``wheeltapper alarms``: what stands, and to take note of it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wheeltapper.options import AsJson

app = typer.Typer(no_args_is_help=True, help="List alarms and acknowledge them.")

Data = Annotated[Path | None, typer.Option(help="Data folder of the gateway.")]
Url = Annotated[str, typer.Option(help="Console of a running gateway, http://127.0.0.1:8080.")]


@app.command("list")
def list_(data: Data = None, url: Url = "", as_json: AsJson = False) -> None:
    """List alarms, from the running gateway or, when none runs, from the journal in --data."""
    from wheeltapper import terminal

    rows = _from_console(url) if url else _from_data(_named(data))
    if as_json:
        for row in rows:
            terminal.record(row)
    elif rows:
        show(rows)
    else:
        terminal.say("no alarms")


@app.command("ack")
def acknowledge(
    alarm: Annotated[int, typer.Argument(help="Number of the alarm.")],
    actor: Annotated[str, typer.Option("--actor", help="Who takes note of it.")],
    reason: Annotated[str, typer.Option("--reason", help="What was found or done.")],
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Acknowledge an alarm at the running gateway; name and reason are kept with it."""
    from plant.errors import Unreachable
    from wheeltapper import terminal
    from wheeltapper.running import ask, console_of
    from wheeltapper.story import STATES

    console = url or console_of(_named(data))
    if console is None:
        raise Unreachable(f"{data}: no gateway runs on this folder; start it, then acknowledge")
    row = ask(console, f"/api/alarms/{alarm}/acknowledge", {"actor": actor, "note": reason})
    if as_json:
        terminal.record(row)
    else:
        terminal.say(f"alarm {row['id']} is {STATES[row['state']]}: {row['sentence']}")


def show(rows: list[Any]) -> None:
    """Write alarms as a table."""
    from wheeltapper import terminal
    from wheeltapper.story import STATES, counted

    terminal.table(
        counted(len(rows), "alarm"),
        ("id", "state", "raised", "asset", "why", "acknowledged by"),
        [
            (
                str(row["id"]),
                STATES[row["state"]],
                terminal.local_time(row["raised"]),
                row["asset"],
                row["sentence"],
                f"{row['actor']}: {row['note']}" if row["actor"] else "",
            )
            for row in rows
        ],
    )


def _named(data: Path | None) -> Path:
    if data is None:
        raise typer.BadParameter("say which gateway: --data FOLDER or --url ADDRESS")
    return data


def _from_console(url: str) -> list[Any]:
    from wheeltapper.running import ask

    return list(ask(url, "/api/alarms")["alarms"])


def _from_data(data: Path) -> list[Any]:
    from plant.errors import Unreachable
    from wheeltapper.running import console_of

    console = console_of(data)
    if console is not None:
        try:
            return _from_console(console)
        except Unreachable:
            # Killed before it could take its address back: then the journal is free to be read.
            return _from_journal(data)
    return _from_journal(data)


def _from_journal(data: Path) -> list[Any]:
    from gateway.alarms import alarm_from
    from gateway.journal import DamagedRecord, EventRecord, Journal
    from gateway.rows import alarm_row
    from plant.errors import Misconfigured

    path = data / "journal.db"
    if not path.is_file():
        raise Misconfigured(f"{data}: no journal there; name the data folder of a gateway")
    latest: dict[int, Any] = {}
    journal = Journal.open(path)
    try:
        for _, record in journal.read(kinds=(EventRecord,)):
            if isinstance(record, DamagedRecord):
                raise Misconfigured(f"{path}: damaged at {record.position}: {record.reason}")
            if isinstance(record, EventRecord) and record.kind == "alarm":
                alarm = alarm_from(record.body)
                latest[alarm.id] = alarm_row(alarm)
    finally:
        journal.close()
    return [latest[number] for number in sorted(latest, reverse=True)]
