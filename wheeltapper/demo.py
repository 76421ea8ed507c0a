"""``wheeltapper demo``: a plant, a gateway and an explained alarm, from one command."""

from pathlib import Path
from typing import Annotated

import typer

from wheeltapper.options import AsJson, DefectOneIn, Fault, Labels, split


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Chooses machine, fault and onset.")] = 8,
    fault: Fault = "random",
    defects: DefectOneIn = 0,
    recording: Annotated[
        Path | None, typer.Option(help="Serve this CSV at its own pace instead.")
    ] = None,
    labels: Labels = "",
    hours: Annotated[float, typer.Option(min=0.1, max=48, help="History before now, h.")] = 4.0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page.")] = 8080,
    data: Annotated[
        Path | None, typer.Option(help="Keep everything here; else a folder for the time being.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Name, data, console and sinks from this configuration without sources."),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No progress bar.")] = False,
    until_alarm: Annotated[
        bool,
        typer.Option("--until-alarm", help="End at the first alarm; 0 if it is the right one."),
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Wait for the alarm, s.")] = 180.0,
    as_json: AsJson = False,
) -> None:
    """Show a simulated line, read over OPC UA and Modbus, until one machine falls ill."""
    import asyncio

    from gateway.config.loader import load
    from plant.errors import Misconfigured
    from wheeltapper.play import Play
    from wheeltapper.progress import Bar
    from wheeltapper.scene import RecordedScene, Scene, SimulatedScene
    from wheeltapper.story import Recorded, Spoken, Teller

    settings = None if config is None else load(config, reads=False)
    if settings is not None and (settings.sources or data is not None):
        what = "--data" if data is not None else "a [[source]]"
        raise Misconfigured(f"{config}: {what} beside --config; the demo reads what it simulates")
    scene: Scene
    if recording is not None:
        scene = RecordedScene(recording, split(labels))
    else:
        scene = SimulatedScene(seed, fault, hours, defects)
    bar = Bar("history", round(scene.past_s) * len(scene.feed.tags), drawn=not headless)
    wanted = port if settings is None else settings.console.port
    teller: Teller = Recorded() if as_json else Spoken(wanted, bar)
    play = Play(
        scene=scene,
        teller=teller,
        port=port,
        data=data,
        settings=settings,
        timeout_s=timeout if until_alarm else None,
    )
    raise typer.Exit(asyncio.run(play.run()))
