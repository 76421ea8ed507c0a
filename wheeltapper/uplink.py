"""``wheeltapper uplink``: how the stores take what the journal holds, and what they refused."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.alarms import Data, Url, answered, named
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from gateway.journal import Journal

app = typer.Typer(
    no_args_is_help=True,
    help="Tell how the stores take what the journal holds, and what they refused.",
)
OWN = "sink:"
HEADS = ("store", "state", "waits to be sent", "oldest for", "sent", "refused")
NOW_S = 60.0
"""What has waited for less is gathered to go with the next call, s."""


@app.command("status")
def status(data: Data = None, url: Url = "", as_json: AsJson = False) -> None:
    """List the stores, from the running gateway or, when none runs, from the journal in --data."""
    from wheeltapper import terminal

    rows = answered(data, url, "/api/sinks", _places)["sinks"]
    terminal.listing(rows, _show, "nothing is sent anywhere", as_json=as_json)


@app.command("refused")
def refused(
    sink: Annotated[str, typer.Option(help="Only of this store.")] = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List what the stores refused for ever: the row as it was sent, and their reason."""
    from wheeltapper import terminal

    rows = refusals(named(data), sink)
    terminal.listing(rows, _show_refused, "nothing was refused", as_json=as_json)


def refusals(folder: Path, sink: str = "") -> list[dict[str, Any]]:
    """Read the quarantine of a data folder, each row with its sink, oldest first."""
    from gateway.uplink.quarantine import FOLDER, kept

    files = sorted((folder / FOLDER).glob(f"{sink or '*'}.jsonl"))
    return [{"sink": path.stem, **row} for path in files for row in kept(path)]


def _places(journal: "Journal") -> dict[str, Any]:
    """Tell from the journal alone how far each store has come."""
    refused = Counter(row["sink"] for row in refusals(journal.path.parent))
    return {
        "sinks": [
            {
                "name": name.removeprefix(OWN),
                "state": "not running",
                "why": "",
                "backlog": journal.behind(name),
                "unsent_s": None,
                "sent": None,
                "refused": refused[name.removeprefix(OWN)],
            }
            for name in sorted(journal.cursors())
            if name.startswith(OWN)
        ]
    }


def _show(rows: Any) -> None:
    from wheeltapper import terminal
    from wheeltapper.gaps import span_words
    from wheeltapper.story import counted

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        oldest = row["unsent_s"]
        usual = NOW_S + row.get("gathers_s", 0.0)
        waits = f"{row['backlog']:,} records" if row["backlog"] else "nothing"
        return (
            row["name"],
            row["state"],
            waits,
            "" if oldest is None or oldest < usual else span_words(oldest),
            "" if row["sent"] is None else f"{row['sent']:,} rows",
            str(row["refused"]),
        )

    terminal.table(counted(len(rows), "store"), HEADS, map(cells, rows))
    for row in rows:
        if row["why"]:
            terminal.say(f"{row['name']}: {row['why']}")
        if row["refused"]:
            terminal.say(f"{row['name']}: see what was refused with wheeltapper uplink refused")


def _show_refused(rows: Any) -> None:
    from wheeltapper import terminal
    from wheeltapper.story import counted

    terminal.table(
        counted(len(rows), "row"),
        ("at", "store", "why", "as it was sent"),
        [(row["at"], row["sink"], row["reason"], row["what"]) for row in rows],
    )
