"""``wheeltapper models prune``: what lies in a registry and nobody can ask for any more."""

from typing import Annotated

import typer

from wheeltapper.models.keyring import Place
from wheeltapper.options import AsJson


def prune(
    registry: Place,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove them; without it they are only listed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the files of versions that are listed no more, and remove them on request.

    The newest eight versions of an asset stay listed, beside those that some ring has and the one
    that a person stands for. Files of the last hour stay: somebody may be fetching them.
    """
    from connectors.registry.registry import Registry
    from wheeltapper import terminal
    from wheeltapper.story import counted

    place = Registry(registry)
    found = place.prune() if delete else place.unlisted()
    size = sum(size for _, size in found)
    if as_json:
        for path, each in found:
            terminal.record({"file": str(path), "size": each, "deleted": delete})
        return
    for path, each in found:
        terminal.say(f"{path}  {each:,} B")
    if not found:
        terminal.say(f"{registry} has nothing that is not listed")
    elif delete:
        terminal.say(f"{counted(len(found), 'file')}, {size:,} B: removed")
    else:
        terminal.say(
            f"{counted(len(found), 'file')}, {size:,} B, which nobody can ask for; --delete "
            "removes them"
        )
