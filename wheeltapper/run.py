"""``wheeltapper run CONFIG``: the gateway itself."""

from wheeltapper.options import AsJson, ConfigFile


def run(config: ConfigFile, as_json: AsJson = False) -> None:
    """Run the gateway until Ctrl-C or SIGTERM."""
    import asyncio
    import os
    import sys

    from gateway.config.loader import load
    from gateway.runtime import Gateway
    from gateway.servicemanager import ServiceManager
    from plant.errors import Misconfigured
    from wheeltapper.check import FILLED_BY
    from wheeltapper.folder import usable
    from wheeltapper.session import stopping_on_signals
    from wheeltapper.story import Recorded, Spoken, Teller

    plan = load(config)
    if not plan.tags:
        raise Misconfigured(f"{config}: the sheet of tags is empty; {FILLED_BY.format(config)}")
    usable(plan.data)
    teller: Teller = Recorded() if as_json else Spoken(plan.console.port)

    # What believes a registry is loaded by a short process, never by the gateway.
    pull = (sys.executable, "-m", "wheeltapper", "models", "pull", str(config), "--json")

    async def go() -> None:
        stop = asyncio.Event()
        with stopping_on_signals(stop):
            manager = ServiceManager(os.environ)
            await Gateway(plan, on_event=teller.tell, pull=pull, manager=manager).run(stop)

    asyncio.run(go())
