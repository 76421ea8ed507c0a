"""``wheeltapper models pull CONFIG``: one look into the registry, in a process of its own.

A running gateway starts it: what is needed to believe a registry is never loaded by the gateway.
"""

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from wheeltapper.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from connectors.registry.outcome import Outcome
    from connectors.registry.puller import Check
    from connectors.registry.ways import Patience, Way
    from gateway.config.plan import ModelsPlan, Plan

FOLDER = "models"
"""Below the data folder."""
LONGEST_S = 900
"""Of a pull, however slowly bytes come."""


def pull(config: ConfigFile, as_json: AsJson = False) -> None:
    """Fetch what the registry has for the assets of a gateway, and say what came and what did not.

    Ends with 0 when all is well, whether something came or not; 1 when something was refused or the
    clock is behind; 2 when the configuration is wrong; 3 when nobody answers or the link broke.
    With --json one object, described in docs/models.md, unless it ends with 2.
    """
    from connectors.registry.outcome import State
    from gateway.config.loader import load
    from wheeltapper import terminal

    outcome = _pulled(load(config), config)
    if as_json:
        terminal.record(outcome.row())
    else:
        _say(outcome)
    if outcome.state is State.UNREACHABLE:
        raise typer.Exit(3)
    if outcome.refused or outcome.state is not State.OK:
        raise typer.Exit(1)


def _pulled(plan: "Plan", config: Path) -> "Outcome":
    import time

    from analytics.modelfiles import model_folder
    from connectors.registry.puller import Puller
    from gateway.journal.marks import latest
    from plant.errors import Misconfigured

    models = plan.models
    if models.root is None:
        raise Misconfigured(
            f"{config}: [models] names no registry; write url = or folder =, and root = and keys = "
            "of the kit that wheeltapper models init made"
        )
    folder = plan.data / FOLDER
    puller = Puller(
        way_of(models),
        models.root.read_bytes(),
        folder,
        {asset.path: folder / model_folder(asset.path) for asset in plan.assets},
        models.ring,
        check_of(models),
    )
    signal.signal(signal.SIGALRM, _enough)
    signal.alarm(LONGEST_S)
    try:
        return puller.pull(time.time_ns(), latest(plan.data / "journal.db"))
    finally:
        signal.alarm(0)


def _enough(_number: int, _frame: FrameType | None) -> None:
    from plant.errors import Unreachable

    raise Unreachable(f"not done after {LONGEST_S} s; the next pull goes on where this one ended")


def way_of(models: "ModelsPlan", patience: "Patience | None" = None) -> "Way":
    """Give the way to the registry; `patience`: other than that of a pull."""
    from connectors.registry.ways import Folder, Web
    from plant.errors import Misconfigured

    if models.url is not None:
        return Web(models.url, patience)
    if models.folder is None:
        raise Misconfigured("[models] names no registry: write url = or folder =")
    return Folder(models.folder)


def check_of(models: "ModelsPlan") -> "Check":
    """Hold a file to the rules for model files before it is put in place."""
    from importlib.metadata import version

    from analytics.modelfiles import read_model
    from plant.errors import Rejected
    from plant.keys import read_public

    keys = [read_public(path) for path in models.keys]
    ours = version("wheeltapper")

    def check(asset: str, number: int, data: bytes) -> None:
        header = read_model(data, keys, ours).header
        if (header.name, header.version) != (asset, number):
            raise Rejected(
                f"says itself that it is {header.name} {header.version}, not {asset} {number}"
            )

    return check


def _say(outcome: "Outcome") -> None:
    from wheeltapper import terminal

    terminal.say(f"{outcome.place}: {outcome.why or outcome.state}")
    for one in outcome.new:
        terminal.say(f"new      {one.asset} {one.version}  {one.size:,} B")
    for held in outcome.kept:
        terminal.say(f"kept     {held.asset} {held.version}")
    for no in outcome.refused:
        what = " ".join(str(part) for part in (no.asset or no.line, no.version) if part)
        terminal.say(f"refused  {what or 'the registry'}: {no.reason}: {no.why}")
    if outcome.stale_since is not None:
        terminal.say(
            f"updates stale since {terminal.local_time(outcome.stale_since / 1e6)}; the models "
            "that are here go on"
        )
