"""``wheeltapper health``: how the gateway on this machine is, for whoever watches its process."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wheeltapper.options import AsJson

DEGRADED = 1
PLACES = ("sources", "overdue", "losing", "unsent", "benched")


def health(
    data: Annotated[Path, typer.Option(help="Data folder of the gateway.")] = Path("data"),
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 1 when it is degraded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the gateway that runs here how it is.

    Ends with 0 when it answers, also when it is degraded: with a machine or a network away it goes
    on, and to restart it would make matters worse. With 3 when nothing answers.
    """
    from plant.errors import Unreachable
    from wheeltapper import terminal
    from wheeltapper.running import ask, console_of

    console = console_of(data)
    if console is None:
        raise Unreachable(f"{data}: no gateway runs on this folder")
    told = ask(console, "/health")
    if as_json:
        terminal.record(told)
    else:
        terminal.say(str(told["status"]))
        for line in _reasons(told):
            terminal.say(f"  {line}")
    raise typer.Exit(DEGRADED if strict and told["status"] != "ok" else 0)


def _reasons(told: dict[str, Any]) -> list[str]:
    reasons = [f"journal: {told['journal']}"] if told["journal"] else []
    for place in PLACES:
        reasons += [f"{place}: {name}: {why}" for name, why in told[place].items()]
    return reasons
