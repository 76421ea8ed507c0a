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
        str,
        typer.Option(
            metavar="HASH|FILE", help="Of a record that you kept elsewhere; or a file with such."
        ),
    ] = "",
    central: Annotated[
        str, typer.Option(metavar="SINK", help="Hold it against this sink of --data CONFIG.")
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Token that may read from that store.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look whether each record is as it was written, and name the first that is not.

    What was cut off at its end, or written anew as a whole, shows only against what was kept
    elsewhere: --central SINK asks the central store for the checkpoints that the gateway has sent,
    --kept FILE takes any export of them.
    """
    from dataclasses import asdict

    from gateway.guard.audit import verify as looked
    from plant.keys import read_public
    from wheeltapper import terminal

    path = _file(data, file)
    elsewhere = {*_kept(kept), *_sent(data, central, token_file)}
    found = looked(path, [read_public(key or path.with_name("audit.pub"))], kept=elsewhere)
    held = {"held_against": len(elsewhere)}
    if as_json:
        terminal.record({"ok": not found.bad, "file": str(path), **asdict(found), **held})
    elif found.bad:
        terminal.say(f"{path}: record {found.bad}: {found.why}")
        terminal.say(f"{found.records} records before it are whole, {found.signed} of them signed")
    else:
        terminal.say(f"{path}: {found.records} records, {found.signed} of them signed, whole")
        if elsewhere:
            terminal.say(f"all {len(elsewhere)} that were kept elsewhere are in it")
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


def _kept(words: str) -> set[str]:
    """Read hashes: one, or a file with some among whatever else stands there."""
    import re

    from plant.errors import Misconfigured

    digest = r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])"
    if not words or re.fullmatch(digest, words):
        return {words} - {""}
    try:
        found = set(re.findall(digest, Path(words).read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{words}: is no hash of 64 digits, nor a file of such") from error
    if not found:
        raise Misconfigured(f"{words}: holds no hash of 64 digits")
    return found


def _sent(data: Path | None, sink: str, token_file: Path | None) -> set[str]:
    """Ask a central store which checkpoints of this gateway it has been sent."""
    if not sink:
        return set()
    if data is None or data.suffix != ".toml":
        raise typer.BadParameter("--central needs the configuration: --data CONFIG.toml")
    from connectors.influx.history import InfluxHistory
    from gateway.config.loader import load
    from plant.errors import Misconfigured
    from wheeltapper.train import store_of

    plan = load(data)
    store = store_of(plan, None, sink, token_file, data).influx
    found = {}
    if store is not None:
        with InfluxHistory(store) as history:
            found = history.checkpoints(plan.name)
    if not found:
        raise Misconfigured(f"{sink}: has no checkpoint of {plan.name}: nothing to hold against")
    return set(found)


def _file(data: Path | None, file: Path | None) -> Path:
    from gateway.guard.words import AUDIT
    from plant.errors import Misconfigured
    from wheeltapper.setpoints import guards_folder

    path = file or guards_folder(data) / AUDIT
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
