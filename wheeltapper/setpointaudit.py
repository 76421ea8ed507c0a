"""``wheeltapper setpoints audit``: is the record of setpoints as it was written, and what is in it.

The audit of people (``wheeltapper audit``) is another one: it lies in the journal.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from wheeltapper.account import Place
from wheeltapper.options import AsJson

app = typer.Typer(no_args_is_help=True, help="The hash-chained, signed record of setpoints.")


@app.command("verify")
def verify(
    data: Place = None,
    file: Annotated[Path | None, typer.Option(help="An audit kept elsewhere.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="Public key; else audit.pub beside the audit.")
    ] = None,
    kept: Annotated[
        str, typer.Option(metavar="HASH", help="Of a record that you kept elsewhere.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Look whether each record is as it was written, and name the first that is not.

    What was cut off behind the last checkpoint shows only against a hash that was kept elsewhere.
    """
    from dataclasses import asdict

    from gateway.guard.audit import verify as looked
    from gateway.guard.keys import public_key
    from wheeltapper import terminal

    path = _file(data, file)
    found = looked(path, [public_key(key or path.with_name("audit.pub"))], kept=kept)
    if as_json:
        terminal.record({"ok": not found.bad, "file": str(path), **asdict(found)})
    elif found.bad:
        terminal.say(f"{path}: record {found.bad}: {found.why}")
        terminal.say(f"{found.records} records before it are whole, {found.signed} of them signed")
    else:
        terminal.say(f"{path}: {found.records} records, {found.signed} of them signed, whole")
        if found.torn:
            terminal.say(f"its last {found.torn} bytes were never finished: a crash, no tampering")
        terminal.say(f"last hash: {found.last}")
    if found.bad:
        raise typer.Exit(1)


@app.command("show")
def show(
    data: Place = None,
    file: Annotated[Path | None, typer.Option(help="An audit kept elsewhere.")] = None,
    most: Annotated[int, typer.Option(min=1, help="So many records, the newest.")] = 100,
    request: Annotated[str, typer.Option(metavar="ID", help="Only of this request.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show the records, oldest first, as they were written."""
    from collections import deque

    from gateway.guard.audit import records_of
    from wheeltapper import terminal

    path = _file(data, file)
    wanted = (one for one in records_of(path) if not request or request in str(one))
    rows = list(deque(wanted, maxlen=most))
    terminal.listing(rows, _show, f"{path}: no such record", as_json=as_json)


def _file(data: Path | None, file: Path | None) -> Path:
    from plant.errors import Misconfigured
    from wheeltapper.setpoints import folder

    path = file or folder(data) / "guard" / "audit.jsonl"
    if not path.is_file():
        raise Misconfigured(f"{path}: no audit: no guard has run here")
    return path


def _show(rows: Sequence[Any]) -> None:
    import json

    from wheeltapper import terminal
    from wheeltapper.story import counted

    own = {"n", "wall", "mono", "boot", "actor", "event", "prev", "hash"}
    terminal.table(
        counted(len(rows), "record"),
        ("n", "at", "who", "what", "facts"),
        [
            (
                str(row["n"]),
                terminal.local_time(row["wall"] / 1e6),
                row["actor"],
                row["event"],
                json.dumps({key: row[key] for key in row if key not in own}, ensure_ascii=True),
            )
            for row in rows
        ],
    )
