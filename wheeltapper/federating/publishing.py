"""``wheeltapper federation publish``: the consolidated model for every machine of its class."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from wheeltapper.federation import Trusted
from wheeltapper.models.delivery import Ring, tell
from wheeltapper.models.keyring import HERE, Keyring, Keys, PassphraseFile, Place, Trainer
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from analytics.modelfiles import Header


def publish(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The consolidated model.")],
    registry: Place,
    asset: Annotated[
        list[str] | None,
        typer.Option("--asset", metavar="PATH", help="These instead of those that told."),
    ] = None,
    trusted: Trusted = None,
    ring: Ring = "all",
    keys: Keys = HERE,
    trainer: Trainer = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Publish the consolidated model, one file for each machine, to be tried beside its own.

    A gateway takes from it what the signals do together, and learns by itself where its own machine
    lies and how restless it is; until then it judges nothing by it. MODEL is believed if the centre
    of --trust has signed it, or the trainer; what is published is signed by the trainer.
    """
    from analytics.federation.messages import read_consolidated
    from analytics.federation.watching import of_asset
    from analytics.modelfiles import write_model
    from connectors.registry.registry import Registry
    from plant.errors import Rejected
    from plant.keys import read_public
    from wheeltapper.federating.ways import fetched

    held = Keyring(keys, passphrase_file)
    key, online, place = held.trainer(trainer), held.online(), Registry(registry)
    believed = [key.public_key(), *([] if trusted is None else [read_public(trusted)])]
    known, file = read_consolidated(fetched(model), believed)
    if not known.complete:
        raise Rejected(
            f"{model}: has no limits yet: merge the scores of the sites (--scores), and compare "
            "before it is published"
        )
    here = place.versions()
    paths = asset or _told(file.header)
    if not paths:
        raise Rejected(f"{model}: its card names no machine; name them with --asset")
    created, done = time.time_ns(), []
    try:
        for path in paths:
            version = max(here.get(path, [0])[0] + 1, file.header.version)
            header = of_asset(file.header, path, version, created)
            data = write_model(header, file.arrays, key)
            done.append(place.publish(path, version, data, key, None, ring))
    finally:
        # What was published before one that is refused is out as well, in one go.
        if online is not None and done:
            place.refresh(online)
        for listed in done:
            tell(listed, ring, online is not None, as_json)


def _told(header: "Header") -> list[str]:
    """List the machines whose sums are in a model, as far as its card names them."""
    match header.card.get("modes"):
        case [*modes]:
            sites = [each.get("sites") for each in modes if isinstance(each, dict)]
            names = {name for told in sites if isinstance(told, dict) for name in told}
            return sorted({name.partition(":")[2] for name in names} - {""})
    return []
