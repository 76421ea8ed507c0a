"""``wheeltapper guard CONFIG``: the process that alone may write setpoints."""

from typing import TYPE_CHECKING

from wheeltapper.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from gateway.guard.process import Guard


def guard(config: ConfigFile, as_json: AsJson = False) -> None:
    """Run the guard of setpoints until Ctrl-C or SIGTERM.

    It runs beside the gateway, as a user of its own where the configuration gives it a folder and a
    group, and does nothing unless the configuration and the signed limits both say so.
    """
    import asyncio
    import os

    from gateway.config.loader import load
    from gateway.guard.separation import flaws
    from gateway.guard.starting import serve
    from gateway.guard.words import SOCKET, folder_of
    from plant.errors import Misconfigured
    from wheeltapper import terminal
    from wheeltapper.folder import usable
    from wheeltapper.session import stopping_on_signals

    plan = load(config, console=False)
    if plan.setpoints.folder is None:
        usable(plan.data)
    found = [*flaws(plan, config, os.geteuid())]
    if found:
        raise Misconfigured("\n".join(": ".join(flaw) for flaw in found))
    place = folder_of(plan) / SOCKET

    def told(running: "Guard") -> None:
        state = running.status()
        if as_json:
            terminal.record({"event": "guard", "socket": str(place), **state})
            return
        for line in words(state):
            terminal.say(line)
        terminal.say(f"listens at {place}; Ctrl-C ends it")

    async def go() -> None:
        ended = asyncio.Event()
        with stopping_on_signals(ended):
            await serve(plan, ended, told)

    asyncio.run(go())


def words(state: dict[str, object]) -> list[str]:
    """Say in a few lines how a guard stands."""
    stopped = f", and {state['stopped']}: everything is advice" if state["stopped"] else ""
    lines = [f"guard: {state['mode']}{stopped}; limits {state['serial']} by {state['signer']}"]
    setpoints = state["setpoints"]
    if isinstance(setpoints, dict):
        for tag, one in setpoints.items():
            value = "not read yet" if one["value"] is None else f"{one['value']:g} {one['unit']}"
            locked = f", LOCKED: {one['locked']}" if one["locked"] else ""
            lines.append(f"  {tag}: {one['mode']}, {value}{locked}")
    for named in ("alarms", "off"):
        stands = state[named]
        if isinstance(stands, dict):
            lines += [f"  {named.rstrip('s')} {what}: {why}" for what, why in stands.items()]
    return lines
