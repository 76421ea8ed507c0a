"""``wheeltapper alarms sensors`` and ``trust``: instruments at fault, and those that are not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.alarms import Actor, Data, Url, answered, ordered
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from gateway.console.view import InstrumentRow
    from gateway.journal import Journal

Signal = Annotated[str, typer.Argument(metavar="SIGNAL", help="Its tag, or the last part of it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why it is right; kept with it.")]


def sensors(data: Data = None, url: Url = "", as_json: AsJson = False) -> None:
    """List the sensors at fault: stuck, spiking, drifting, swapped, dropped out, saturated."""
    from wheeltapper import terminal

    rows: list[Any] = answered(data, url, "/api/instruments", instruments_kept)["instruments"]
    terminal.listing(rows, show, "no sensor is at fault", as_json=as_json)


def trust(
    signal: Signal,
    actor: Actor,
    reason: Reason,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Say that a sensor is right: it counts again, and has to stand still for longer next time."""
    from wheeltapper import terminal

    said = {"target": signal, "actor": actor, "note": reason}
    row = ordered(data, url, "/api/instruments/trust", said, "do it again")
    if as_json:
        terminal.record(row)
    else:
        terminal.say(f"{row['tag']} is believed again")


def show(rows: Sequence["InstrumentRow"]) -> None:
    """Write instruments at fault as a table, with the letter of NE 107."""
    from wheeltapper import terminal
    from wheeltapper.story import counted

    terminal.table(
        counted(len(rows), "sensor") + " at fault",
        ("NE 107", "since", "asset", "what"),
        [
            (letter(row), terminal.local_time(row["since"]), row["asset"], row["sentence"])
            for row in rows
        ],
    )


def letter(row: "InstrumentRow") -> str:
    """Give the letter of NE 107 of a signal."""
    from plant.assets import Health

    letters = {
        Health.FAILURE: "F",
        Health.CHECK_FUNCTION: "C",
        Health.OFF_SPEC: "S",
        Health.MAINTENANCE_REQUIRED: "M",
    }
    return letters[Health(row["health"])]


def instruments_kept(journal: "Journal") -> dict[str, Any]:
    """Give the instruments that were at fault when a journal ended."""
    from gateway.rows import instrument_row
    from plant.alarms import AlarmAction
    from plant.errors import Misconfigured
    from plant.instruments import Doubt, doubt_from

    events, damaged = journal.events("instrument")
    if damaged:
        raise Misconfigured(f"{journal.path}: {damaged} events of instruments are damaged")
    standing: dict[str, tuple[Doubt, int]] = {}
    for event in events:
        doubt = doubt_from(event.body)
        if event.body["action"] == AlarmAction.RAISE:
            standing[doubt.signal] = doubt, event.at
        else:
            standing.pop(doubt.signal, None)
    return {"instruments": [instrument_row(doubt, at) for doubt, at in standing.values()]}
