"""``wheeltapper grafana``: the boards, brought to a Grafana that is there already, or as files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.options import AsJson, Authority

if TYPE_CHECKING:
    from connectors.grafana.door import Grafana
    from connectors.grafana.publishing import Comparison

TOKEN = "GRAFANA_TOKEN"  # noqa: S105 - the name of a variable
SHOWN = 12
"""Changes of a board that are shown to people; --json tells all."""
DIFFERS = 1

app = typer.Typer(no_args_is_help=True, help="The boards of Grafana.")

Url = Annotated[str, typer.Argument(metavar="URL", help="As https://grafana.plant:3000.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(help=f"File whose first line is the token of a service account; else ${TOKEN}."),
]
Ca = Authority
ConsoleUrl = Annotated[
    str, typer.Option("--console", help="Where browsers reach the console, for the links.")
]
CONSOLE = "http://127.0.0.1:8080"
BOARDS = "/var/lib/grafana/dashboards/wheeltapper"


@app.command("push")
def push(
    url: Url,
    token_file: TokenFile = None,
    console: ConsoleUrl = CONSOLE,
    folder: Annotated[str, typer.Option(help="Title of the folder of new boards.")] = "Wheeltapper",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what somebody else has changed.")
    ] = False,
    ca: Ca = None,
    as_json: AsJson = False,
) -> None:
    """Bring the boards to a Grafana; a second run changes nothing.

    The token comes from the environment (GRAFANA_TOKEN) or from a file. Ends with 1 when a board
    was kept back or a data source is missing there, 2 when something has to be set right, 3 when
    nobody answers.
    """
    from connectors.grafana.publishing import compare
    from connectors.grafana.publishing import push as bring
    from plant.errors import Rejected
    from wheeltapper import terminal

    kept = False
    with _grafana(url, token_file, ca) as grafana:
        found = [compare(grafana, board) for board in _boards(console)]
        _make_folder(grafana, folder, found)
        for one in found:
            row: dict[str, Any] = {"board": one.uid, "was": str(one.standing)}
            try:
                done = bring(grafana, one, _uid_of(folder), overwrite=overwrite)
                row["done"] = _done(one, done=done)
            except Rejected as error:
                kept = True
                row |= {"done": "kept back", "why": str(error)}
            terminal.record(row) if as_json else terminal.say(_sentence(row))
        missing = _tell_sources(grafana, as_json=as_json)
    raise typer.Exit(DIFFERS if kept or missing else 0)


@app.command("diff")
def diff(
    url: Url,
    token_file: TokenFile = None,
    console: ConsoleUrl = CONSOLE,
    ca: Ca = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a push would change, and change nothing.

    Ends with 0 when nothing differs, with 1 when something does, or a data source is missing there.
    """
    from connectors.grafana.publishing import Standing, compare
    from wheeltapper import terminal

    with _grafana(url, token_file, ca) as grafana:
        found = [compare(grafana, board) for board in _boards(console)]
        for one in found:
            if as_json:
                changes = [
                    {"path": each.path, "there": each.there, "here": each.here}
                    for each in one.changes
                    if one.standing is not Standing.SAME
                ]
                terminal.record(
                    {"board": one.uid, "standing": str(one.standing), "changes": changes}
                )
            else:
                for line in _lines(one):
                    terminal.say(line)
        missing = _tell_sources(grafana, as_json=as_json)
    differs = any(one.standing is not Standing.SAME for one in found)
    raise typer.Exit(DIFFERS if differs or missing else 0)


@app.command("files")
def files(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where they are put.")],
    console: ConsoleUrl = CONSOLE,
    bucket: Annotated[
        str, typer.Option(help="First part of the names of the buckets, or the database.")
    ] = "wheeltapper",
    single: Annotated[
        bool, typer.Option("--single", help="One bucket holds all that is sent.")
    ] = False,
    influx1: Annotated[
        bool, typer.Option("--influx1", help="The store is an InfluxDB 1: one database.")
    ] = False,
    boards: Annotated[str, typer.Option(help="Where Grafana finds the boards.")] = BOARDS,
    as_json: AsJson = False,
) -> None:
    """Write the files that a Grafana takes at its start: boards, data sources, alert rules.

    Address and token of the store are not in them: Grafana reads INFLUX_URL and INFLUX_READ_TOKEN
    (InfluxDB 1: INFLUX_USER, INFLUX_PASSWORD) from its own environment.
    """
    from dashboards.provision import Store
    from dashboards.provision import files as made
    from wheeltapper import terminal

    store = Store(bucket=bucket, split=not (single or influx1), version1=influx1)
    for name, text in made(store, _address(console), boards).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        same = path.exists() and path.read_bytes() == text.encode()
        if not same:
            path.write_text(text, encoding="utf-8")
        done = "was there" if same else "written"
        if as_json:
            terminal.record({"file": str(path), "done": done})
        else:
            terminal.say(f"{path}: {done}")


def _address(console: str) -> str:
    """Give the console's address as links begin with it."""
    from urllib.parse import urlsplit

    from plant.errors import Misconfigured

    parts = urlsplit(console)
    if parts.scheme not in ("http", "https") or not parts.hostname or "$" in console:
        raise Misconfigured(f"--console: {console!r} is no address; write http://host:8080")
    return console.rstrip("/")


def _boards(console: str) -> list[dict[str, Any]]:
    """Make every board, with links to the console at this address."""
    from dashboards.collection import boards

    where = _address(console)
    return [one.written(where) for one in boards()]


@contextmanager
def _grafana(url: str, token_file: Path | None, ca: Path | None) -> "Iterator[Grafana]":
    from pydantic import ValidationError

    from connectors.grafana.access import GrafanaConfig
    from connectors.grafana.door import Grafana
    from plant.errors import Misconfigured
    from wheeltapper.secret import token_of

    try:
        config = GrafanaConfig(url=url, ca=ca)
    except ValidationError as error:
        raise Misconfigured(
            "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
        ) from None
    if ca is not None and not ca.is_file():
        raise Misconfigured(f"--ca: {ca} is no file")
    grafana = Grafana(config, token_of(token_file, "--token-file", TOKEN, "a service account"))
    try:
        grafana.version()  # told to anybody: what goes wrong here is the address, not the token
        yield grafana
    finally:
        grafana.close()


def _uid_of(folder: str) -> str:
    """Make the uid of a folder from its title.

    Examples
    --------
    >>> _uid_of("Wheeltapper"), _uid_of("Halle 3 / Süd")
    ('wheeltapper', 'halle-3-s-d')
    """
    import re

    return re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")[:40] or "wheeltapper"


def _make_folder(grafana: "Grafana", folder: str, found: "list[Comparison]") -> None:
    """Make the folder if a board is new and it is not there."""
    if any(one.stored is None for one in found) and not grafana.has_folder(_uid_of(folder)):
        grafana.make_folder(_uid_of(folder), folder)


def _tell_sources(grafana: "Grafana", *, as_json: bool) -> bool:
    """Tell which data sources the boards ask and Grafana lacks; tell whether any is missing."""
    from dashboards.provision import Store
    from wheeltapper import terminal

    asked = [one["uid"] for one in Store().sources()]
    missing = [uid for uid in asked if grafana.has_source(uid) is False]
    for uid in missing:
        if as_json:
            terminal.record({"source": uid, "standing": "is not there"})
        else:
            terminal.say(
                f"data source {uid}: is not there, so that panels stay empty; make one of type "
                "InfluxDB (InfluxQL) with this uid: wheeltapper grafana files writes its file"
            )
    return bool(missing)


def _done(one: "Comparison", *, done: bool) -> str:
    if not done:
        return "left as it is"
    return "made" if one.stored is None else "renewed"


def _sentence(row: dict[str, Any]) -> str:
    why = f"\n  {row['why']}" if "why" in row else ""
    return f"board {row['board']}: {row['done']} (it {row['was']}){why}"


def _lines(one: "Comparison") -> list[str]:
    from connectors.grafana.publishing import Standing

    told = [f"board {one.uid}: {one.standing}"]
    if one.standing is Standing.SAME:
        return told
    if one.standing is Standing.FOREIGN and one.stored is not None:
        told[0] += f": {one.stored.by}, version {one.stored.version}"
    told += [f"  {each.path}: {each.there} → {each.here}" for each in one.changes[:SHOWN]]
    more = len(one.changes) - SHOWN
    return told + ([f"  and {more} more; --json tells all"] if more > 0 else [])
