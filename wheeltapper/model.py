"""``wheeltapper model``: which model judges a machine at a running gateway, and who changed it.

What is published for gateways to take is another matter: ``wheeltapper models``.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.alarms import Actor, Data, Url, answered, ordered
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from gateway.journal import Journal

app = typer.Typer(
    no_args_is_help=True,
    help="Say which model judges a machine at this gateway: the one that is tried, or the one "
    "before.",
)

Asset = Annotated[str, typer.Argument(metavar="ASSET", help="The machine: its name or its path.")]
Version = Annotated[
    int | None,
    typer.Option("--version", min=0, help="Only if it is this one now; else nothing is done."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


@app.command("show")
def show(
    asset: Annotated[
        str, typer.Argument(metavar="[ASSET]", help="A machine; without one all of them.")
    ] = "",
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Tell which model is in force, which is tried beside it, and each demand of the rule."""
    from plant.errors import Rejected
    from wheeltapper import terminal

    told = answered(data, url, "/api/models", _kept)
    rows = [row for row in told["assets"] if asset in ("", row["asset"], row["name"])]
    if not rows:
        raise Rejected(f'There is no asset "{asset}".')
    for row in rows:
        if as_json:
            terminal.record(row)
        else:
            _tell(row)
    if not as_json:
        for one in told["refused"]:
            terminal.say(f"not taken: {one['asset']}, {one['file']}: {one['why']}")


@app.command("promote")
def promote(
    asset: Asset,
    actor: Actor,
    reason: Reason,
    version: Version = None,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Put the model that is tried into force at the next row; against the rule if need be."""
    _change("promote", asset, version, actor, reason, data, url, as_json)


@app.command("return")
def take_back(
    asset: Asset,
    actor: Actor,
    reason: Reason,
    version: Version = None,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Have the model before take over again; the one in force is blocked for good."""
    _change("return", asset, version, actor, reason, data, url, as_json)


@app.command("discard")
def discard(
    asset: Asset,
    actor: Actor,
    reason: Reason,
    version: Version = None,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Try a model no longer; this version never comes back."""
    _change("discard", asset, version, actor, reason, data, url, as_json)


def _change(
    action: str,
    asset: str,
    version: int | None,
    actor: str,
    reason: str,
    data: Any,
    url: str,
    as_json: bool,
) -> None:
    from wheeltapper import terminal

    said = {"target": asset, "version": version, "actor": actor, "note": reason}
    row = ordered(data, url, f"/api/models/{action}", said, "do it again")
    if as_json:
        terminal.record(row)
    else:
        _tell(row)


def _tell(row: Any) -> None:
    from wheeltapper import terminal

    terminal.say(f"{row['asset']}: {named(row['in_force'])} is in force{_since(row['in_force'])}")
    beside = row["tried"]
    if beside is not None and beside["role"] == "former":
        hours = f"{beside['hours']:.1f} of {beside['probation_h']:g} h"
        terminal.say(f"on probation, {hours}; {named(beside['model'])} stands by")
    elif beside is not None:
        terminal.say(f"{named(beside['model'])} is tried beside it")
        terminal.table(
            f"what the rule demands of model {beside['model']['version']}",
            ("met", "what", "is", "demanded"),
            [
                ("yes" if one["met"] else "NO", one["name"], one["value"], one["demand"])
                for one in beside["clauses"]
            ],
        )
    for blocked in row["blocked"]:
        terminal.say(f"model {blocked['version']} is blocked: {blocked['why']}")


def named(tenure: Any) -> str:
    """Name a model.

    Examples
    --------
    >>> named({"version": 0}), named({"version": 7})
    ('what this gateway learnt by itself', 'model 7')
    """
    version = tenure["version"]
    return f"model {version}" if version else "what this gateway learnt by itself"


def _since(tenure: Any) -> str:
    from wheeltapper import terminal

    if tenure["since"] is None:
        return ""
    why = f": {tenure['why']}" if tenure["why"] else ""
    return f" since {terminal.local_time(tenure['since'])}, by {tenure['actor']}{why}"


def _kept(journal: "Journal") -> dict[str, Any]:
    """Say why a journal alone does not tell."""
    from plant.errors import Rejected

    raise Rejected(
        f"no gateway runs on {journal.path.parent}: which model is in force it tells when it runs; "
        "`wheeltapper audit` tells what was changed"
    )
