"""``wheeltapper walk``: stories of several commands, told while they happen."""

from pathlib import Path
from typing import Annotated, Protocol

import typer

from wheeltapper.options import AsJson

app = typer.Typer(
    no_args_is_help=True,
    help="Walk through what takes several commands, on a simulated machine, command by command.",
)
Folder = Annotated[
    Path | None, typer.Option(help="Keep everything here, an empty folder; else it is removed.")
]


class Walk(Protocol):
    """Tells a story in an empty folder; raises what went otherwise than it should."""

    def __call__(self, folder: Path, *, as_json: bool) -> None:
        """Tell it."""
        ...


@app.command("models")
def models(folder: Folder = None, as_json: AsJson = False) -> None:
    """Train, sign, try and promote a model as normal moves; see bad ones taken back.

    About twelve minutes. Ends with 0 if all of it went as told.
    """
    from wheeltapper.walks.models import walk

    _in(folder, walk, as_json)


def _in(folder: Path | None, walk: Walk, as_json: bool) -> None:
    from tempfile import TemporaryDirectory

    from plant.errors import Misconfigured
    from wheeltapper import terminal

    if folder is None:
        with TemporaryDirectory(prefix="wheeltapper-walk-") as kept:
            walk(Path(kept), as_json=as_json)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Misconfigured(f"{folder}: is not empty; name another folder")
    walk(folder.resolve(), as_json=as_json)
    if not as_json:
        terminal.say(f"\nEverything is in {folder}.")
