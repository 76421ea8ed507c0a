"""The machine of a walk: days of a simulated pump as a recording, and the gateway that reads it."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.simulated.line import SimulatedLine
from connectors.simulated.signals import LINE
from plant.tags import Tag

Rows = NDArray[np.float64]

SECOND = 10**9
HOUR_S = 3600
PUMP = f"{LINE}/pump-2"
OVERHAUL = {"flow": 1.03, "power": 1.05, "current": 1.05, "discharge_pressure": 1.03}
"""What a new, larger impeller does to signals; part of what they were."""
PIECE = 6 * HOUR_S
STRETCH = 8
"""Runs last 8 to 20 minutes and stops 3 to 5, not two minutes as in the demo: in windows of ten
seconds little is left of a stop of half a minute."""


def pump_rows(seed: int, start: int, hours: int, overhaul_h: float) -> tuple[list[Tag], Rows]:
    """Give tags (p,) and rows (n, p) of the pump, one a second.

    Parameters
    ----------
    seed
        Decides everything.
    start
        Source time of row 0, ns since 1970 UTC.
    hours
        Length, h.
    overhaul_h
        Hours after which it has a new impeller.
    """
    line = SimulatedLine(seed, fault="none", start=start, stretch=STRETCH)
    columns = [at for at, tag in enumerate(line.tags) if tag.asset == PUMP]
    tags = [line.tags[at] for at in columns]
    rows = np.concatenate(
        [line.values(first, PIECE)[:, columns] for first in range(0, hours * HOUR_S, PIECE)]
    )
    after = slice(round(overhaul_h * HOUR_S), None)
    for at, tag in enumerate(tags):
        rows[after, at] *= OVERHAUL.get(tag.signal, 1.0)
    return tags, rows


def write_recording(file: Path, start: int, tags: Sequence[Tag], rows: Rows) -> None:
    """Write rows (n, p), one a second, as the CSV file that a replay reads."""
    at = np.datetime64(start, "ns") + np.arange(len(rows)) * np.timedelta64(1, "s")
    stamps = np.datetime_as_string(at, unit="s")
    with file.open("w", encoding="utf-8") as out:
        out.write(",".join(["time", *(tag.signal for tag in tags)]) + "\n")
        for begin in range(0, len(rows), PIECE):
            part = io.StringIO()
            np.savetxt(part, rows[begin : begin + PIECE], fmt="%.6g", delimiter=",")
            lines = zip(stamps[begin : begin + PIECE], part.getvalue().splitlines(), strict=True)
            out.writelines(f"{stamp}Z,{line}\n" for stamp, line in lines)


def configuration(
    name: str,
    tags: Sequence[Tag],
    speed: float,
    learn_h: float,
    more: str,
    *,
    asset: str = PUMP,
    ends: bool = False,
) -> str:
    """Write the configuration of a gateway that reads the recording.

    Parameters
    ----------
    more
        Further sections.
    ends
        Whether tags have the lowest and highest value that they can show.
    """
    said = [
        "version = 1",
        "",
        "[gateway]",
        f'name = "{name}"',
        "",
        "[detection]",
        f"learn_s = {learn_h * HOUR_S:g}",
        "",
        "[[source]]",
        'type = "replay"',
        'name = "pump"',
        'file = "pump.csv"',
        f"speed = {speed:g}",
        "",
        "[[asset]]",
        f'path = "{asset}"',
        'modes = { 0 = "idle", 1 = "run", 2 = "changeover" }',
        'suppress = ["changeover"]',
        'cycle = { by = "none" }',
        "",
        more.strip(),
    ]
    for tag in tags:
        said += [
            "",
            "[[tag]]",
            f'tag = "{tag.name}"',
            'source = "pump"',
            f'address = "{tag.signal}"',
            f'unit = "{tag.unit}"',
            f'role = "{tag.role}"',
        ]
        if ends and tag.low is not None and tag.high is not None:
            said += [f"low = {tag.low:g}", f"high = {tag.high:g}"]
    return "\n".join(said) + "\n"
