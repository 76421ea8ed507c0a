"""``wheeltapper setpoints learn``: how a signal answers to a setpoint, from the history."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wheeltapper.options import AsJson, DataFolder, Since, Until

if TYPE_CHECKING:
    from analytics.response import Response
    from analytics.smoothing import Columns
    from gateway.config.plan import Plan
    from wheeltapper.training.stores import Store

LENGTHS = {"10s": 10 * 10**9, "1m": 60 * 10**9, "1h": 3600 * 10**9}
STEPS = 9
WIDE = 40


def learn(
    setpoints: Annotated[
        list[str], typer.Argument(metavar="TAG...", help="The setpoint; one or two of them.")
    ],
    effect: Annotated[str, typer.Option(metavar="SIGNAL", help="The tag that answers.")],
    config: Annotated[Path, typer.Option(metavar="CONFIG", help="The gateway's: tags, units.")],
    context: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="What it depends on as well. May be repeated."),
    ] = None,
    since: Since = "7d",
    until: Until = "",
    every: Annotated[str, typer.Option(metavar="LENGTH", help="Windows of 10s, 1m or 1h.")] = "1m",
    settle: Annotated[
        int, typer.Option(min=0, max=1000, help="Windows left out after a setpoint has moved.")
    ] = 2,
    data: DataFolder = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as JSON, for an optimiser.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Learn how a signal answers to setpoints, show it, and write it for an optimiser.

    Nothing comes into force by it. Ends with 1, and figures, when the history cannot tell.
    """
    from dataclasses import replace

    from analytics.response import learn as learnt_from
    from analytics.response import write_response
    from gateway.config.loader import load
    from plant import files
    from plant.errors import Rejected
    from wheeltapper import terminal
    from wheeltapper.export import span
    from wheeltapper.training.stores import Store

    if every not in LENGTHS:
        raise typer.BadParameter(f"--every {every!r}: one of {', '.join(LENGTHS)}")
    if not 1 <= len(setpoints) <= 2:
        raise typer.BadParameter("one setpoint, or two")
    plan = load(config, reads=False)
    tags = _known(plan, [*setpoints, *(context or []), effect])
    start, stop = span(since, until)
    try:
        columns = rows_of(
            Store(data or plan.data), tags, len(setpoints), (start, stop), LENGTHS[every], settle
        )
        units = {tag.name: tag.unit for tag in plan.tags}
        found = learnt_from(
            tags[:-1], len(setpoints), columns[:, :-1], columns[:, -1], tags[-1], units,
            LENGTHS[every] / 1e9,
        )  # fmt: skip
    except Rejected as error:
        if as_json:
            terminal.record({"learnt": False, "why": str(error)})
        else:
            terminal.say(f"the history cannot tell: {error}")
        raise typer.Exit(1) from error
    found = replace(found, start=start, stop=stop)
    if out is not None:
        files.put(out, write_response(found).encode())
    _tell(found, out, as_json)


def rows_of(
    store: "Store",
    tags: Sequence[str],
    setpoints: int,
    span: tuple[int, int],
    every: int,
    settle: int,
) -> "Columns":
    """Read the windows in which every tag is known and no setpoint moves.

    Parameters
    ----------
    store
        The history.
    tags
        The setpoints first, the effect last (p,).
    setpoints
        How many of them are setpoints.
    span
        From and to, ns.
    every
        Length of the windows, ns.
    settle
        Windows left out after a move.

    Returns
    -------
    Rows in the order of time (n, p).

    Raises
    ------
    Rejected
        Of a tag nothing is kept.
    """
    import numpy as np

    from analytics.response import MOVED

    mean, spread = _windows(store, tags, span, every)
    length = len(mean)
    # A tag that is sent on change has windows only where it changed: its value holds till then.
    held = mean[:, :-1].copy()
    for place in range(held.shape[1]):
        known = np.where(np.isfinite(held[:, place]), np.arange(length), -1)
        last = np.maximum.accumulate(known)
        held[:, place] = np.where(last >= 0, held[np.maximum(last, 0), place], np.nan)
    rows = np.column_stack([held, mean[:, -1]])
    still = np.logical_and.reduce(np.isfinite(rows), axis=1)
    for place in range(setpoints):
        least = MOVED * max(float(np.nanmax(held[:, place]) - np.nanmin(held[:, place])), 1e-12)
        step = np.abs(np.diff(held[:, place], prepend=held[0, place]))
        moving = (step > least) | (spread[:, place] > least)
        for after in range(settle + 1):
            still[after:] &= ~moving[: length - after]
    return rows[still]


def _windows(
    store: "Store", tags: Sequence[str], span: tuple[int, int], every: int
) -> "tuple[Columns, Columns]":
    """Read mean and spread of the windows (n, p); NaN and 0 where nothing good is kept."""
    import numpy as np

    from plant.errors import Rejected

    start, stop = span
    length = -(-stop // every) - start // every
    mean = np.full((length, len(tags)), np.nan)
    spread = np.zeros((length, len(tags)))
    with store.open() as history:
        for piece in history.read(tags, start, stop, every):
            usable = (piece.good > 0) & np.isfinite(piece.mean)
            at = (piece.start[usable] // every - start // every, piece.tag[usable])
            mean[at] = piece.mean[usable]
            spread[at] = piece.high[usable] - piece.low[usable]
    for place, tag in enumerate(tags):
        if not np.isfinite(mean[:, place]).any():
            raise Rejected(f"of {tag} nothing good is kept in that time and length of windows")
    return mean, spread


def _known(plan: "Plan", named: Sequence[str]) -> list[str]:
    """Find tags by their name or the last part of it; each once."""
    from gateway.config.problems import nearest
    from plant.errors import Misconfigured

    found = []
    for name in named:
        fits = [tag.name for tag in plan.tags if name in (tag.name, tag.signal)]
        if len(fits) != 1:
            hint = nearest(name, [tag.name for tag in plan.tags])
            why = f"is the end of {len(fits)} tags" if fits else f"is no tag{hint}"
            raise Misconfigured(f'"{name}" {why}')
        found += fits
    if len(set(found)) < len(found):
        raise Misconfigured("a tag is named twice")
    return found


def _tell(found: "Response", out: Path | None, as_json: bool) -> None:
    import json

    from analytics.response import INTERVAL, write_response
    from plant.units import written
    from wheeltapper import terminal

    if as_json:
        terminal.record({"learnt": True, "out": None if out is None else str(out)}
                        | json.loads(write_response(found)))  # fmt: skip
        return
    unit = written(found.units[found.effect])
    terminal.table(
        f"{found.effect} from {found.rows:,} windows of {found.every_s:g} s; R² "
        f"{found.held_out:.2f} on the last quarter; ± {found.noise:.2g} {unit} is noise",
        ("tag", "one more gives", "at 95 %", "seen"),
        [
            (
                one.tag if one.power == 1 else f"({one.tag} − {one.centre:.4g})²",
                f"{one.coefficient / one.deviation:+.3g}",
                f"± {INTERVAL * one.error / one.deviation:.2g}",
                "{:g} … {:g}".format(*found.seen[one.tag]),
            )
            for one in found.columns
        ],
    )
    for tag in found.setpoints:
        _draw(found, tag)
    if out is not None:
        terminal.say(f'{out}: written; name it as response = "{out.name}" of an optimiser')
    terminal.say(
        "this is what went together, and no trial: where people lowered the setpoint because of "
        "the signal, it says so too; look whether you believe it"
    )


def _draw(found: "Response", tag: str) -> None:
    """Draw the effect over the range of a setpoint, the other inputs at the middle of theirs."""
    from plant.units import written
    from wheeltapper import terminal

    middle = {one: sum(found.seen[one]) / 2 for one in found.inputs}
    low, high = found.seen[tag]
    marks = [low + (high - low) * step / (STEPS - 1) for step in range(STEPS)]
    told = [found.expected({**middle, tag: mark}) for mark in marks]
    half = [found.change(middle, {**middle, tag: mark})[1] for mark in marks]
    least = min(value - width for value, width in zip(told, half, strict=True))
    most = max(value + width for value, width in zip(told, half, strict=True))
    scale = (WIDE - 1) / (most - least if most > least else 1.0)
    unit, effect = written(found.units[tag]), written(found.units[found.effect])
    terminal.say(
        f"{tag.rpartition('/')[2]} [{unit}]  {found.effect.rpartition('/')[2]} [{effect}], "
        "± of the change from the middle"
    )
    for mark, value, width in zip(marks, told, half, strict=True):
        line = [" "] * WIDE
        ends = [round((value + side * width - least) * scale) for side in (-1, 1)]
        line[ends[0] : ends[1] + 1] = "─" * (ends[1] - ends[0] + 1)
        line[round((value - least) * scale)] = "●"
        terminal.say(f"{mark:>10.4g}  {''.join(line)}  {value:.4g} ± {width:.2g}")
