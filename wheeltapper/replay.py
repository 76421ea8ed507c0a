"""``wheeltapper replay FILE``: a recording through the whole gateway, as fast as it goes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.options import AsJson, DropLateRows, Labels, split

if TYPE_CHECKING:
    from connectors.replay.config import ReplayConfig
    from connectors.replay.recording import Recording
    from gateway.config.plan import Plan
    from wheeltapper.progress import Bar


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, plain or gzipped.")],
    labels: Labels = "",
    learn: Annotated[
        float | None, typer.Option(min=1, help="Learn from the first N seconds.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Keep the journal in this new folder.")] = None,
    drop_late_rows: DropLateRows = False,
    as_json: AsJson = False,
) -> None:
    """Run a recording through the gateway and list the alarms."""
    import asyncio
    import tempfile
    from contextlib import ExitStack

    from connectors.replay.config import LateRows, ReplayConfig
    from connectors.replay.recording import read_recording
    from plant.errors import Misconfigured
    from wheeltapper import terminal
    from wheeltapper.alarms import show
    from wheeltapper.folder import usable
    from wheeltapper.progress import Bar
    from wheeltapper.story import counted

    if data is not None and data.exists():
        raise Misconfigured(f"{data}: is there already; a replay begins in a new folder")
    late_rows: LateRows = "drop" if drop_late_rows else "refuse"
    recording = read_recording(file, split(labels), late_rows=late_rows)
    if not as_json:
        for note in recording.notes:
            terminal.say(f"{file}: {note}")
    with ExitStack() as stack:
        folder = usable(data or Path(stack.enter_context(tempfile.TemporaryDirectory())))
        source = ReplayConfig(
            name=recording.tags[0].source,
            file=file,
            speed=0.0,
            labels=split(labels),
            late_rows=late_rows,
        )
        plan = replay_plan(recording, source, folder, learn)
        samples = len(recording) * len(recording.tags)
        rows, sensors = asyncio.run(_run(plan, Bar("replay", samples, drawn=not as_json)))
        judged = _judged(folder)
    if as_json:
        for row in rows.values():
            terminal.record({"stage": "alarm", **row})
        for row in sensors:
            terminal.record({"stage": "instrument", **row})
        counts = {"rows": len(recording), "judged": judged, "alarms": len(rows)}
        terminal.record({"stage": "done", **counts})
    else:
        if rows:
            show(list(rows.values()))
        for row in sensors:
            terminal.say(f"{terminal.local_time(row['at'])} SENSOR: {row['sentence']}")
        found = "" if rows else ", no alarms"
        terminal.say(f"{counted(len(recording), 'row')}, {judged} judged{found}")


def replay_plan(
    recording: "Recording", source: "ReplayConfig", data: Path, learn_s: float | None
) -> "Plan":
    """Plan a gateway that judges the file as one machine, on the file's own grid of time."""
    import numpy as np

    from gateway.config.document import LONGEST_GRID_S
    from gateway.config.plan import DetectionPlan, Plan
    from plant.assets import asset_of
    from wheeltapper.scene import learning_time

    steps = np.diff(recording.at) / 1e9
    step_s = max(1.0, round(float(np.median(steps)))) if len(steps) else 1.0
    grid_s = min(step_s, LONGEST_GRID_S)
    span_s = float(recording.at[-1] - recording.at[0]) / 1e9
    return Plan(
        name="replay",
        data=data,
        sources=(source,),
        tags=recording.tags,
        assets=(asset_of(recording.asset, recording.tags),),
        detection=DetectionPlan(
            learn_s=learning_time(span_s, step_s) if learn_s is None else learn_s,
            grid_s=grid_s,
            stale_s=5 * step_s,
        ),
        notice=f"Replay of {recording.path.name}",
    )


async def _run(plan: "Plan", bar: "Bar") -> tuple[dict[int, dict[str, Any]], list[dict[str, Any]]]:
    """Read the recording to its end.

    Returns
    -------
    The last row of each alarm by its number, and each sensor that was found at fault.
    """
    import asyncio
    from dataclasses import replace
    from functools import partial

    from connectors.catalogue import build
    from gateway.runtime import Gateway
    from wheeltapper.session import stopping_on_signals

    stop = asyncio.Event()
    alarms: dict[int, dict[str, Any]] = {}
    sensors: list[dict[str, Any]] = []

    def hear(kind: str, row: dict[str, Any]) -> None:
        if kind == "prelude":
            bar.add(row["samples"])
        elif kind in {"alarm", "worse"}:
            alarms[row["id"]] = row
        elif kind == "instrument" and row["action"] == "raise":
            sensors.append(row)
        elif kind == "live":
            stop.set()

    prelude = [partial(build, source) for source in plan.sources]
    try:
        with stopping_on_signals(stop):
            offline = replace(plan, sources=())
            await Gateway(offline, prelude=prelude, on_event=hear, listen=False).run(stop)
    finally:
        bar.done()
    return alarms, sensors


def _judged(data: Path) -> int:
    """Count the rows that were judged: silence means nothing where nobody listened."""
    import numpy as np

    from gateway.journal import Journal, ScoreRecord
    from plant.records import JUDGED

    journal = Journal.open(data / "journal.db")
    try:
        scores = [entry for _, entry in journal.read(kinds=(ScoreRecord,))]
    finally:
        journal.close()
    return sum(
        int(np.count_nonzero(entry.flags & JUDGED))
        for entry in scores
        if isinstance(entry, ScoreRecord)
    )
