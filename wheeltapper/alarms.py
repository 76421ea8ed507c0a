"""``wheeltapper alarms``: what stands, what is kept quiet, and what people say of it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from gateway.journal import EventRecord, Journal

app = typer.Typer(
    no_args_is_help=True,
    help="List alarms, acknowledge and shelve them, say what they were, report how they did.",
)

Data = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of the gateway, or its configuration; without it the folder data here."
    ),
]
Url = Annotated[str, typer.Option(help="Console of a running gateway, http://127.0.0.1:8080.")]
HERE = Path("data")
"""Where `wheeltapper init` puts the data, seen from the configuration's folder."""
Number = Annotated[int, typer.Argument(metavar="N", help="Number of the alarm.")]
Actor = Annotated[str, typer.Option("--actor", help="Who does it.")]


@app.command("list")
def list_(
    data: Data = None,
    url: Url = "",
    open_: Annotated[bool, typer.Option("--open", help="Without the closed ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """List alarms, from the running gateway or, when none runs, from the journal in --data."""
    from wheeltapper import terminal

    rows: list[Any] = answered(data, url, "/api/alarms", alarms_kept)["alarms"]
    if open_:
        rows = [row for row in rows if row["state"] != "NORM"]
    nothing = "no open alarms" if open_ else "no alarms"
    terminal.listing(rows, show, nothing, as_json=as_json)
    if not as_json:
        from wheeltapper import alarmsensors

        asked = answered(data, url, "/api/instruments", alarmsensors.instruments_kept)
        if asked["instruments"]:
            alarmsensors.show(asked["instruments"])


@app.command("show")
def show_(alarm: Number, data: Data = None, url: Url = "", as_json: AsJson = False) -> None:
    """Show one alarm: why, what joined it, and what earlier ones like it turned out to be."""
    from plant.errors import Rejected
    from wheeltapper import terminal
    from wheeltapper.alarmwords import told

    def kept(journal: "Journal") -> Any:
        for row in alarms_kept(journal)["alarms"]:
            if row["id"] == alarm:
                return row
        raise Rejected(f"There is no alarm {alarm}.")

    row = answered(data, url, f"/api/alarms/{alarm}", kept)
    if as_json:
        terminal.record(row)
    else:
        for line in told(row):
            terminal.say(line)


@app.command("ack")
def acknowledge(
    alarm: Number,
    actor: Annotated[str, typer.Option("--actor", help="Who takes note of it.")],
    reason: Annotated[str, typer.Option("--reason", help="What was found or done.")],
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Acknowledge an alarm at the running gateway; name and reason are kept with it."""
    from wheeltapper import terminal
    from wheeltapper.story import STATES

    said: dict[str, Any] = {"actor": actor, "note": reason}
    row = ordered(data, url, f"/api/alarms/{alarm}/acknowledge", said, "acknowledge")
    if as_json:
        terminal.record(row)
    else:
        terminal.say(f"alarm {row['id']} is {STATES[row['state']]}: {row['sentence']}")


@app.command("feedback")
def feedback(
    alarm: Number,
    actor: Actor,
    real: Annotated[bool, typer.Option("--real", help="A fault of the machine.")] = False,
    false: Annotated[bool, typer.Option("--false", help="No fault, and nothing changed.")] = False,
    expected: Annotated[
        str, typer.Option(metavar="WHAT", help='A change that was meant: "product change".')
    ] = "",
    note: Annotated[str, typer.Option("--note", help="What was found or done.")] = "",
    new_normal: Annotated[
        bool, typer.Option("--new-normal", help="It stays like this: learn it as normal.")
    ] = False,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Say what an alarm was; that acknowledges it, and raises the bar for more like a false one."""
    from wheeltapper import terminal

    chosen = [name for name, on in (("real", real), ("false", false), ("expected", expected)) if on]
    if len(chosen) != 1:
        raise typer.BadParameter('say one of --real, --false, --expected "product change"')
    words = "; ".join(part for part in (expected, note) if part)
    said = {"label": chosen[0], "actor": actor, "note": words, "new_normal": new_normal}
    row = ordered(data, url, f"/api/alarms/{alarm}/feedback", said, "say what it was")
    if as_json:
        terminal.record(row)
        return
    terminal.say(f"alarm {row['id']} is kept as {chosen[0]}{f': {words}' if words else ''}")
    if chosen[0] != "real":
        terminal.say("the next one like it is held back, until it is half as severe again as this")


def show(rows: Sequence[Any]) -> None:
    """Write alarms as a table."""
    from wheeltapper import terminal
    from wheeltapper.alarmwords import marks, noted
    from wheeltapper.story import STATES, counted

    terminal.table(
        counted(len(rows), "alarm"),
        ("id", "pr", "state", "raised", "asset", "why", "noted"),
        [
            (
                str(row["id"]),
                str(row["priority"]),
                ", ".join((STATES[row["state"]], *marks(row))),
                terminal.local_time(row["raised"]),
                row["asset"],
                row["sentence"],
                noted(row),
            )
            for row in rows
        ],
    )


def named(data: Path | None) -> Path:
    """Give the data folder that was named, or the one here; an error says how to name one."""
    if data is None:
        if (HERE / "journal.db").exists():
            return HERE
        raise typer.BadParameter(
            "say which gateway: --data FOLDER, --data CONFIG.toml or --url ADDRESS"
        )
    if data.suffix == ".toml":
        from gateway.config.loader import load

        return load(data).data
    return data


def ordered(data: Path | None, url: str, path: str, content: dict[str, Any], what: str) -> Any:
    """Order something of the running gateway: only it may write to its journal.

    Raises
    ------
    Unreachable
        None runs on the folder.
    """
    from plant.errors import Unreachable
    from wheeltapper.running import ask, console_of

    folder = None if url else named(data)
    console = url if folder is None else console_of(folder)
    if console is None:
        raise Unreachable(f"{folder}: no gateway runs on this folder; start it, then {what}")
    return ask(console, path, content)


def answered(data: Path | None, url: str, path: str, kept: "Callable[[Journal], Any]") -> Any:
    """Ask the running gateway or, when none runs, read its journal."""
    from gateway.journal.file import Held
    from plant.errors import Unreachable
    from wheeltapper.running import ask, console_of

    if url:
        return ask(url, path)
    folder = named(data)
    console = console_of(folder)
    if console is not None:
        try:
            return ask(console, path)
        except Unreachable as error:
            # Killed before it could take its address back: then the journal is free to be read.
            try:
                return _from_journal(folder, kept)
            except Held:
                raise error from None  # it runs, and is too busy to answer
    return _from_journal(folder, kept)


def _from_journal(data: Path, kept: "Callable[[Journal], Any]") -> Any:
    from gateway.journal import Journal
    from plant.errors import Misconfigured

    path = data / "journal.db"
    if not path.is_file():
        raise Misconfigured(f"{data}: no journal there; name the data folder of a gateway")
    journal = Journal.open(path)
    try:
        return kept(journal)
    finally:
        journal.close()


def alarms_kept(journal: "Journal") -> dict[str, Any]:
    """Give the alarms of a journal as they last were, newest first."""
    events, damaged = journal.events("alarm")
    return {"alarms": _as_they_last_were(journal.path, events, damaged)}


def every_alarm(path: Path) -> list[Any]:
    """Give every alarm of a journal's file as it last was, newest first, whoever writes it now.

    A running gateway remembers the newest thousand that are closed; what must not be learnt has no
    such end.

    Raises
    ------
    Misconfigured
        The file is damaged, or is no journal.
    """
    from gateway.journal import file, trends

    with file.reader(path) as connection:
        return _as_they_last_were(path, *trends.events_of(connection, "alarm"))


def _as_they_last_were(path: Path, events: "Sequence[EventRecord]", damaged: int) -> list[Any]:
    from gateway.alarms import alarm_from
    from gateway.rows import alarm_row
    from plant.errors import Misconfigured

    if damaged:
        raise Misconfigured(f"{path}: {damaged} events of alarms are damaged")
    latest = {alarm.id: alarm for alarm in (alarm_from(event.body) for event in events)}
    return [alarm_row(latest[number]) for number in sorted(latest, reverse=True)]
