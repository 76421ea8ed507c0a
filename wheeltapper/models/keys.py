"""``wheeltapper models keys``: who may sign what, for how long, and how that is changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.models.keyring import HERE, KIT, Keyring, Keys, PassphraseFile, Place
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from connectors.registry.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Who may sign what of a registry, and for how long.")
LineOf = Annotated[str, typer.Argument(metavar="LINE", help="As site/area/line.")]


@app.command("show")
def show(registry: Place, as_json: AsJson = False) -> None:
    """List roles and lines, until when they are signed, and by whose key; 1 if one is over."""
    from datetime import UTC, datetime

    from connectors.registry.ceremony import states
    from connectors.registry.registry import Registry
    from wheeltapper import terminal

    now = datetime.now(UTC)
    rows = [
        {
            "role": one.role,
            "version": one.version,
            "expires": None if one.expires is None else one.expires.isoformat(),
            "expired": one.expires is not None and one.expires <= now,
            "due": one.due,
            "keys": list(one.keys),
        }
        for one in states(Registry(registry))
    ]
    terminal.listing(rows, _show, "", as_json=as_json)
    if any(row["expired"] for row in rows):
        raise typer.Exit(1)


def _show(rows: Sequence[Any]) -> None:
    from wheeltapper import terminal

    def state(row: dict[str, Any]) -> str:
        if row["expires"] is None:
            return "nothing published yet"
        return "EXPIRED" if row["expired"] else "sign anew soon" if row["due"] else ""

    terminal.table(
        "roles and lines",
        ("role", "version", "signed until", "", "key"),
        [
            (
                row["role"],
                str(row["version"]),
                (row["expires"] or "")[:16],
                state(row),
                " ".join(key[:12] for key in row["keys"]),
            )
            for row in rows
        ],
    )


@app.command("add")
def add(
    registry: Place,
    line: LineOf,
    trainer: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Public key of its trainer (PEM); else of the one that is here."
        ),
    ] = None,
    keys: Keys = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a new line to a trainer's key; needs the offline key of targets."""
    from connectors.registry.ceremony import entrust
    from connectors.registry.registry import Registry
    from plant.errors import Misconfigured
    from plant.keys import read_public

    held = Keyring(keys, passphrase_file)
    place = Registry(registry)
    if line in place.lines():
        raise Misconfigured(
            f"{line} has a key already; replace it by: wheeltapper models keys rotate {registry} "
            f"{line}"
        )
    key = held.trainer().public_key() if trainer is None else read_public(trainer)
    entrust(place, line, key, held.role("targets"))
    _end(place, held, line, as_json)


@app.command("rotate")
def rotate(
    registry: Place,
    role: Annotated[
        str,
        typer.Argument(
            metavar="ROLE", help="root, targets, snapshot, timestamp, or a line as site/area/line."
        ),
    ],
    new: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The new key, made if it is not there; needed with a line."
        ),
    ] = None,
    keys: Keys = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key: signs with the offline key what the new one may sign.

    A line's key: its public part, written beside it as FILE.pub.pem, also belongs into keys of
    [models] of each gateway, beside the old one until no model of that is in force. Of the others
    the old file is kept as ROLE.pem.old; what it signs is worth nothing any more.
    """
    from connectors.registry import ceremony
    from connectors.registry.keys import write_public
    from connectors.registry.registry import Registry
    from plant.errors import Misconfigured
    from plant.files import put

    held = Keyring(keys, passphrase_file)
    place = Registry(registry)
    if role not in ceremony.ROLES:
        if new is None:
            raise Misconfigured("--new is missing: the file of the new key of this line")
        place.shelf.keys_of(role)
        key = held.read(new) if new.exists() else held.make(new)
        ceremony.entrust(place, role, key.public_key(), held.role("targets"), key)
        write_public(new.with_suffix(".pub.pem"), key.public_key())
        _end(place, held, role, as_json)
        return
    root = held.role("root")
    made = new or held.path(role).with_suffix(".new.pem")
    key = held.read(made) if made.exists() else held.make(made)
    ceremony.rotate(place, role, key, root)
    if held.path(role).exists():
        held.path(role).replace(held.path(role).with_suffix(".pem.old"))
    made.replace(held.path(role))
    (keys / KIT).mkdir(exist_ok=True)
    put(keys / KIT / "root.json", place.shelf.content("root"))
    _end(place, held, role, as_json)


def _end(place: "Registry", held: Keyring, role: str, as_json: bool) -> None:
    from wheeltapper import terminal

    online = held.online()
    if online is not None:
        place.refresh(online)
    if as_json:
        terminal.record({"role": role, "out": online is not None})
        return
    terminal.say(f"{role}: has its key")
    if online is None:
        terminal.say(
            "it is out when the machine with the online keys has run: wheeltapper models refresh"
        )
