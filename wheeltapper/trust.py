"""``wheeltapper trust``: which OPC UA servers are believed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.options import AsJson, Sure

if TYPE_CHECKING:
    from connectors.opcua.security.store import Entry, State

app = typer.Typer(no_args_is_help=True, help="Say which OPC UA servers are believed.")

Config = Annotated[
    Path | None, typer.Argument(metavar="CONFIG", help="The TOML configuration: all its folders.")
]
Folder = Annotated[Path | None, typer.Option(help="One trust folder, instead of a configuration.")]
Digits = Annotated[
    str,
    typer.Argument(metavar="THUMBPRINT", help="Its first digits, 4 or more.", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", help="The thumbprint has been compared; do not ask.")]


@app.command("list")
def list_(config: Config = None, folder: Folder = None, as_json: AsJson = False) -> None:
    """List the certificates of servers, issuers and ourselves."""
    from wheeltapper import terminal

    found = _listed(config, folder)
    if as_json:
        for entry in found:
            terminal.record(_row(entry))
        return
    _show(found)


@app.command("accept")
def accept(
    thumbprint: Digits,
    config: Config = None,
    folder: Folder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Trust a server that was rejected, after a look at its thumbprint."""
    from connectors.opcua.security import store

    found = _chosen(config, folder, thumbprint, store.State.REJECTED)
    if not yes:
        _ask(found[0], "Is this the thumbprint that the server itself shows?", as_json)
    _move(found, store.accept, "trusted", as_json)


@app.command("reject")
def reject(
    thumbprint: Digits,
    config: Config = None,
    folder: Folder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Trust a server no longer, from the next connection on."""
    from connectors.opcua.security import store

    found = _chosen(config, folder, thumbprint, store.State.TRUSTED)
    if not yes:
        _ask(found[0], "Trust it no longer?", as_json)
    _move(found, store.reject, "rejected", as_json)


@app.command("renew")
def renew(
    config: Config = None, folder: Folder = None, yes: Sure = False, as_json: AsJson = False
) -> None:
    """Make a new certificate of our own; every server has to trust it anew."""
    from connectors.opcua.security.certificates import read_certificate
    from connectors.opcua.security.certificates import thumbprint as thumbprint_of
    from connectors.opcua.security.identity import renew_identity
    from wheeltapper import terminal

    places = _folders(config, folder, made_by_us=True)
    if not yes:
        _confirm("No server lets us in before it trusts the new one. Make it?", as_json)
    for place in places:
        made = renew_identity(place)
        digits = thumbprint_of(read_certificate(made))
        if as_json:
            terminal.record({"file": str(made), "thumbprint": digits})
        else:
            terminal.say(f"{made}: new, SHA-256 {digits}")
            terminal.say("Used from the next connection on. Trust it at every server.")


def _listed(config: Path | None, folder: Path | None) -> list["Entry"]:
    from connectors.opcua.security.store import entries

    return [entry for place in _folders(config, folder) for entry in entries(place)]


def _folders(config: Path | None, folder: Path | None, made_by_us: bool = False) -> list[Path]:
    from connectors.opcua.config import OpcUaConfig
    from gateway.config.loader import load
    from plant.errors import Misconfigured

    if (config is None) == (folder is None):
        raise typer.BadParameter("say where: a configuration, or --folder FOLDER")
    if folder is not None:
        return [folder]
    sources = load(config).sources if config is not None else ()
    known = [each for each in sources if isinstance(each, OpcUaConfig)]
    named = [each.trust for each in known if each.trust]
    if not named:
        raise Misconfigured(f"{config}: no OPC UA source there has a trust folder")
    if made_by_us:
        named = [each.trust for each in known if each.trust and each.certificate is None]
    if not named:
        raise Misconfigured(
            f"{config}: its sources are given their certificates; renew these where they were made"
        )
    return list(dict.fromkeys(named))


def _chosen(config: Path | None, folder: Path | None, digits: str, state: "State") -> list["Entry"]:
    from connectors.opcua.security.store import chosen

    return chosen(_listed(config, folder), digits, state)


def _ask(entry: "Entry", question: str, as_json: bool) -> None:
    if not as_json:
        _show_one(entry)
    _confirm(question, as_json)


def _confirm(question: str, as_json: bool) -> None:
    from wheeltapper import terminal

    if as_json:
        raise typer.BadParameter("--json asks nothing: add --yes once it has been looked at")
    if not typer.confirm(question):
        terminal.say("Nothing was changed.")
        raise typer.Exit(1)


def _move(found: list["Entry"], move: Callable[["Entry"], Path], state: str, as_json: bool) -> None:
    from wheeltapper import terminal

    for entry in found:
        moved = move(entry)
        if as_json:
            terminal.record({"file": str(moved), "thumbprint": entry.thumbprint, "state": state})
        else:
            terminal.say(f"{moved}: {state} from the next connection on")
            if state == "trusted" and (entry.days or 0) < 0:
                terminal.say(
                    f"out of date since {entry.until[:10]}: refused until the server has a new one"
                )


def _show_one(entry: "Entry") -> None:
    from wheeltapper import terminal

    for name, text in (
        ("subject", entry.subject),
        ("application", ", ".join(entry.uris) or "none"),
        ("hosts", ", ".join(entry.hosts) or "none"),
        ("valid until", f"{entry.until} ({entry.days:g} days)"),
        ("SHA-256", entry.thumbprint),
    ):
        terminal.say(f"{name:12} {text}")


def _show(found: list["Entry"]) -> None:
    from wheeltapper import terminal
    from wheeltapper.story import counted

    read = [entry for entry in found if not entry.problem]
    terminal.table(
        counted(len(read), "certificate"),
        ("state", "subject", "application", "hosts", "valid until", "days", "SHA-256"),
        [
            (
                entry.state.value,
                entry.subject,
                ", ".join(entry.uris),
                ", ".join(entry.hosts),
                entry.until[:10],
                f"{entry.days:.0f}",
                entry.thumbprint,
            )
            for entry in read
        ],
    )
    for entry in found:
        if entry.problem:
            terminal.say(f"{entry.state.value}: {entry.problem}")


def _row(entry: "Entry") -> dict[str, Any]:
    from connectors.opcua.plain import plain

    return {
        "state": entry.state.value,
        "thumbprint": entry.thumbprint,
        "subject": entry.subject,
        "application_uris": list(entry.uris),
        "hosts": list(entry.hosts),
        "valid_until": entry.until,
        "days": entry.days,
        "file": plain(str(entry.file), 4096),
        "problem": entry.problem,
    }
