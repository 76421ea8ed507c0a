"""``wheeltapper models list`` and ``show``: what a registry has."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.models.delivery import AssetPath
from wheeltapper.models.keyring import Place
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from connectors.registry.registry import Listed


def list_(registry: Place, as_json: AsJson = False) -> None:
    """List the models that can be had, each asset's newest first."""
    from connectors.registry.registry import Registry
    from wheeltapper import terminal

    rows = [asdict(one) for one in Registry(registry).models()]
    nothing = f"{registry} has no models yet; wheeltapper models publish {registry} FILE"
    terminal.listing(rows, _list, nothing, as_json=as_json)


def _list(rows: Sequence[Any]) -> None:
    from wheeltapper import terminal
    from wheeltapper.story import counted

    terminal.table(
        counted(len(rows), "model"),
        ("asset", "version", "rings", "size", "SHA-256"),
        [
            (
                row["asset"],
                str(row["version"]),
                " ".join(row["rings"]),
                f"{row['size']:,} B",
                row["sha256"][:16],
            )
            for row in rows
        ],
    )


def show(
    registry: Place,
    asset: AssetPath,
    version: Annotated[
        int | None, typer.Argument(metavar="[VERSION]", help="Else the newest.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what the header of a model says; ends with 1 when the file itself is refused."""
    from analytics.modelfiles import ModelRefused, read_model
    from connectors.registry.registry import Registry
    from plant.errors import Rejected
    from wheeltapper import terminal

    place = Registry(registry)
    listed = [one for one in place.models() if one.asset == asset]
    found = [one for one in listed if version in (None, one.version)]
    if not found:
        known = ", ".join(str(one.version) for one in listed) or "none"
        raise Rejected(f"{asset}: not there; versions here: {known}")
    one = found[0]
    try:
        model = read_model(place.read(asset, one.version), place.keys_of(asset))
    except ModelRefused as error:
        if as_json:
            terminal.record({**asdict(one), "refused": str(error)})
        else:
            terminal.say(f"{asset} {one.version}: {error}")
        raise typer.Exit(1) from error
    body = model.header.body()
    if as_json:
        terminal.record({**asdict(one), "signer": model.signer, "header": body})
    else:
        _show(one, body, model.signer)


def _show(one: "Listed", body: dict[str, Any], signer: str) -> None:
    import json

    from wheeltapper import terminal

    told = {"rings": " ".join(one.rings), "size": f"{one.size:,} B", "SHA-256": one.sha256}
    told["signed by"] = signer
    for name in ("created", "start", "stop"):
        told[name] = terminal.local_time(body[name] / 1e6)
    told["signals"] = ", ".join(
        f"{name} {unit}".strip() for name, unit in zip(body["signals"], body["units"], strict=True)
    )
    rest = ("kind", "history", "parent", "reissue_of", "min_gateway")
    told |= {name: str(body[name]) for name in rest if body[name] is not None}
    for name in ("metrics", "card", "settings"):
        told |= {f"{name} {key}": json.dumps(value) for key, value in sorted(body[name].items())}
    terminal.table(f"{one.asset} {one.version}", ("", ""), list(told.items()))
