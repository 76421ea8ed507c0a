"""Where windows are read from: the history of a gateway's data folder, or a central store."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plant.errors import Misconfigured

if TYPE_CHECKING:
    from connectors.contract import History
    from gateway.console.view import GapRow

MS = 10**6
Gaps = Callable[[int, int], list[dict[str, Any]]]
"""Gives what could not be read between two source times, ns."""


@dataclass(frozen=True, slots=True)
class Place:
    """An open history, where it is, and the gaps of the time that is read from it."""

    history: "History"
    words: str
    gaps: Gaps


def place(
    opened: ExitStack, data: Path | None, sink: str = "", token_file: Path | None = None
) -> Place:
    """Open what is to be read: a store where a sink is named, else the history of a gateway."""
    from wheeltapper.alarms import named

    if sink:
        return central(opened, data, sink, token_file)
    return here(opened, named(data))


def here(opened: ExitStack, folder: Path) -> Place:
    """Open the history that a gateway keeps in its data folder."""
    from connectors.sqlite.history import SqliteHistory

    path = folder / "history.db"
    if not path.is_file():
        raise Misconfigured(
            f"{folder}: no history there yet; it begins with the first minute of a gateway's run "
            "(--every raw reads the journal)"
        )
    history = opened.enter_context(SqliteHistory(path))
    return Place(history, str(folder), lambda start, stop: gaps_here(folder, start, stop))


def central(
    opened: ExitStack, config: Path | None, name: str, token_file: Path | None = None
) -> Place:
    """Open the store that a configuration names among its sinks.

    Parameters
    ----------
    opened
        Closes it.
    config
        The configuration of a gateway.
    name
        Name of the sink.
    token_file
        A token that may read; that of the sink often may only write.

    Raises
    ------
    Misconfigured
        The configuration has no such sink, or the store does not let us read.
    Unreachable
        It does not answer.
    """
    from connectors.influx.config import InfluxConfig
    from connectors.influx.history import InfluxHistory
    from gateway.config.loader import load

    if config is None or config.suffix != ".toml":
        raise Misconfigured(
            f"the store {name}: name the configuration in which it is a [[sink]], as in "
            "--data line1.toml"
        )
    sinks = load(config, here=False).sinks
    known = {sink.name: sink for sink in sinks if isinstance(sink, InfluxConfig)}
    if name not in known:
        there = f"there is {', '.join(known)}" if known else "there is none at all"
        raise Misconfigured(f'{config}: no [[sink]] of type "influx" is called {name}; {there}')
    store = known[name]
    if token_file is not None:
        store = store.model_copy(update={"token_file": token_file, "token_env": None})
    history = opened.enter_context(InfluxHistory(store))
    return Place(
        history,
        store.place,
        lambda start, stop: [
            _told(gap.start, gap.stop)
            | {
                "source": gap.source,
                "gateway": gap.gateway,
                "cause": gap.cause,
                "why": gap.why,
                "recovered": gap.recovered,
                "lost": gap.lost,
                "estimated": gap.estimated,
            }
            for gap in history.gaps(start, stop)
        ],
    )


def gaps_here(data: Path, start: int, stop: int) -> list[dict[str, Any]]:
    """Give the gaps of a time, from the running gateway or its journal."""
    from wheeltapper.alarms import answered
    from wheeltapper.gaps import gaps_kept

    rows: list[GapRow] = answered(data, "", "/api/gaps", gaps_kept)["gaps"]
    return [
        _told(round(row["start"] * MS), None if row["stop"] is None else round(row["stop"] * MS))
        | {
            "source": row["source"],
            "cause": row["cause"],
            "why": row["why"],
            "recovered": row["republished"] + row["history"],
            "lost": row["lost"],
            "estimated": row["estimated"],
        }
        for row in rows
        if row["start"] * MS < stop and (row["stop"] is None or row["stop"] * MS >= start)
    ]


def _told(start: int, stop: int | None) -> dict[str, Any]:
    return {"from": instant(start), "to": None if stop is None else instant(stop)}


def instant(ns: float) -> str:
    """Write a time in ISO 8601, UTC, to the ms."""
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds")
