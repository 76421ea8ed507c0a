"""``wheeltapper models init``: a registry, its keys, and what belongs where."""

from pathlib import Path
from typing import Annotated

import typer

from wheeltapper.models.keyring import (
    HERE,
    KIT,
    OFFLINE,
    ONLINE,
    TRAINER,
    Keyring,
    Keys,
    PassphraseFile,
    Place,
)
from wheeltapper.options import AsJson


def init(
    registry: Place,
    line: Annotated[
        list[str],
        typer.Option(metavar="LINE", help="A line whose models the trainer signs; repeatable."),
    ],
    keys: Keys = HERE,
    life_days: Annotated[
        float,
        typer.Option(min=1, max=365, help="For which the online keys sign: 7 to 30 is usual."),
    ] = 14.0,
    passphrase_file: PassphraseFile = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Leave a registry that is there as it is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a registry, the keys of its roles, and the kit for gateways; say what belongs where.

    Keys are files that only their owner can read, encrypted when there is a passphrase. None lies
    in the registry. Ends with 2 when there is a registry or a key already: none is written over.
    """
    from connectors.registry.ceremony import Offline, entrust, found
    from connectors.registry.keys import write_public
    from connectors.registry.names import checked_line
    from connectors.registry.registry import Online
    from plant.errors import Misconfigured
    from plant.files import put

    for each in line:
        checked_line(each)
    if (registry / "metadata").exists():
        if if_missing:
            return
        raise Misconfigured(
            f"{registry} is a registry already; another line gets its key by: wheeltapper models "
            f"keys add {registry} LINE"
        )
    if keys.resolve().is_relative_to(registry.resolve()):
        raise Misconfigured(f"{keys} would be given out with {registry}: keep keys elsewhere")
    ring = Keyring(keys, passphrase_file)
    root, targets = ring.make(ring.path("root")), ring.make(ring.path("targets"))
    online = Online(ring.make(ring.path("snapshot")), ring.make(ring.path("timestamp")))
    trainer = ring.make(keys / TRAINER / "trainer.pem")
    made = found(registry, Offline(root, targets), online, life_days)
    for each in line:
        entrust(made, each, trainer.public_key(), targets, trainer)
    made.refresh(online)
    (keys / KIT).mkdir(exist_ok=True)
    put(keys / KIT / "root.json", made.shelf.content("root"))
    write_public(keys / KIT / "trainer.pub.pem", trainer.public_key())
    _tell(registry, keys, line, life_days, as_json)


def _tell(registry: Path, keys: Path, lines: list[str], life_days: float, as_json: bool) -> None:
    from wheeltapper import terminal

    belongs = (
        (OFFLINE, "on a stick in a safe; needed for a new line, and to replace keys"),
        (TRAINER, f"with whoever trains: signs the models of {', '.join(lines)}"),
        (ONLINE, "with the machine that runs, every day: wheeltapper models refresh"),
        (KIT, "to every gateway, into a folder models beside its configuration"),
    )
    rows = [
        {
            "folder": str(keys / folder),
            "files": sorted(path.name for path in (keys / folder).iterdir()),
            "belongs": words,
        }
        for folder, words in belongs
    ]
    if as_json:
        terminal.record(
            {"registry": str(registry), "lines": lines, "life_days": life_days, "keys": rows}
        )
        return
    terminal.table(
        f"{registry} is a registry; who is to have what:",
        ("folder", "files", "belongs"),
        [(str(row["folder"]), "  ".join(row["files"]), str(row["belongs"])) for row in rows],
    )
    terminal.say("Give it out:  wheeltapper models serve " + str(registry))
    terminal.say("Into the configuration of each gateway:")
    terminal.say("")
    for words in (
        "[models]",
        'url = "http://HOST:8070"',
        'root = "models/root.json"',
        'keys = ["models/trainer.pub.pem"]',
    ):
        terminal.say(words)
    terminal.say("")
    terminal.say(
        f"Snapshot and timestamp are signed for {life_days:g} days: gateways take nothing new once "
        "they are over, and go on with what they have."
    )
