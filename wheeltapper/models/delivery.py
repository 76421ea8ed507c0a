"""``wheeltapper models publish``, ``promote``, ``rollback``, ``refresh``: what is signed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wheeltapper.models.keyring import HERE, Keyring, Keys, PassphraseFile, Place, Trainer
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from connectors.registry.registry import Listed

AssetPath = Annotated[str, typer.Argument(metavar="ASSET", help="As site/area/line/asset.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=1)]
Ring = Annotated[
    str, typer.Option(help="Gateways that get it; widen it later with wheeltapper models promote.")
]


def publish(
    registry: Place,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Model files, *.wtm.")],
    ring: Ring = "all",
    keys: Keys = HERE,
    trainer: Trainer = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign model files and list them for a ring of gateways.

    Each file says itself whose it is and which version, and has to be signed by the trainer's key.
    Without the online keys it is out when the machine that has them has run wheeltapper models
    refresh.
    """
    from analytics.modelfiles import MOST_BYTES, ModelRefused, read_model
    from connectors.registry.registry import Registry
    from plant.errors import Rejected

    held = Keyring(keys, passphrase_file)
    key, online = held.trainer(trainer), held.online()
    place = Registry(registry)
    done = []
    try:
        for file in files:
            with file.open("rb") as stream:
                data = stream.read(MOST_BYTES + 1)
            try:
                header = read_model(data, [key.public_key()]).header
            except ModelRefused as error:
                raise Rejected(f"{file}: {error}") from error
            done.append(place.publish(header.name, header.version, data, key, None, ring))
    finally:
        # What was published before a file that is refused is out as well, in one go.
        if online is not None and done:
            place.refresh(online)
        for listed in done:
            tell(listed, ring, online is not None, as_json)


def promote(
    registry: Place,
    asset: AssetPath,
    version: Version,
    ring: Ring = "all",
    keys: Keys = HERE,
    trainer: Trainer = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """List a version that is here for one more ring of gateways; nothing is copied."""
    from connectors.registry.registry import Registry
    from wheeltapper import terminal

    held = Keyring(keys, passphrase_file)
    online = held.online()
    rings = Registry(registry).promote(asset, version, ring, held.trainer(trainer), online)
    if as_json:
        terminal.record(
            {"asset": asset, "version": version, "rings": rings, "out": online is not None}
        )
        return
    terminal.say(f"{asset} {version}: for the ring {ring} from now on")
    _say_if_waiting(online is not None)


def rollback(
    registry: Place,
    asset: AssetPath,
    version: Version,
    ring: Ring = "all",
    keys: Keys = HERE,
    trainer: Trainer = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Public key by which the old model was signed, if other."
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Publish what an older version had learnt as a new version: gateways take no older one.

    Its header says of which version it is the arrays (reissue_of).
    """
    import time
    from dataclasses import replace

    from analytics.modelfiles import ModelRefused, read_model, write_model
    from connectors.registry.registry import Registry
    from plant.errors import Rejected
    from plant.keys import read_public

    held = Keyring(keys, passphrase_file)
    key, online = held.trainer(trainer), held.online()
    believed = [key.public_key(), *map(read_public, also or ())]
    place = Registry(registry)
    data = place.read(asset, version)
    newest = place.versions()[asset][0]
    try:
        old = read_model(data, believed)
    except ModelRefused as error:
        raise Rejected(f"{asset} {version}: {error}") from error
    header = replace(
        old.header,
        version=newest + 1,
        created=time.time_ns(),
        parent=newest,
        reissue_of=version,
    )
    again = write_model(header, old.arrays, key)
    tell(place.publish(asset, newest + 1, again, key, online, ring), ring, online is not None,
         as_json, reissue_of=version)  # fmt: skip


def refresh(
    registry: Place,
    keys: Keys = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign anew what is due and whose key is here; every day, where the online keys are.

    Snapshot and timestamp are signed each time, and take up what a trainer has published. Of root,
    targets and lines it signs what has passed half of its time, if the keys are in the folder.
    """
    from connectors.registry.ceremony import renew, states
    from connectors.registry.registry import Registry
    from plant.errors import Misconfigured
    from wheeltapper import terminal

    held = Keyring(keys, passphrase_file)
    online, far = held.online(), held.far()
    place = Registry(registry)
    if online is None and not far:
        raise Misconfigured(f"{keys} holds no key; name the folder with --keys")
    renewed = renew(place, far)
    if online is not None:
        place.refresh(online)
    timestamp = next(state for state in states(place) if state.role == "timestamp")
    until = None if timestamp.expires is None else timestamp.expires.isoformat()
    if as_json:
        terminal.record({"renewed": renewed, "out": online is not None, "until": until})
        return
    for role in renewed:
        terminal.say(f"{role}: signed anew")
    if online is not None:
        terminal.say(f"timestamp {timestamp.version}: good until {until}")
    _say_if_waiting(online is not None)


def tell(
    listed: "Listed", ring: str, out: bool, as_json: bool, reissue_of: int | None = None
) -> None:
    """Tell of a version that was listed for a ring; `reissue_of`: whose arrays it has again."""
    from wheeltapper import terminal

    if as_json:
        terminal.record(
            {
                "asset": listed.asset,
                "version": listed.version,
                "size": listed.size,
                "sha256": listed.sha256,
                "ring": ring,
                "out": out,
                "reissue_of": reissue_of,
            }
        )
        return
    again = "" if reissue_of is None else f", which is {reissue_of} again"
    terminal.say(f"{listed.asset} {listed.version}{again}: {listed.size:,} B for the ring {ring}")
    _say_if_waiting(out)


def _say_if_waiting(out: bool) -> None:
    from wheeltapper import terminal

    if not out:
        terminal.say(
            "it is out when the machine with the online keys has run: wheeltapper models refresh"
        )
