"""Gateways with machines of one class at loads of their own: configuration and history, no sockets.

The simulated line is read at full speed and summarised as a gateway does it, in windows of 10 s.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analytics.summaries import summarise
from connectors.simulated.faults import KINDS, change
from connectors.simulated.line import SimulatedLine
from connectors.simulated.machine import Rows, Surroundings
from connectors.simulated.signals import LINE, MODES
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.sink import SqliteSink
from plant.records import SummaryRecord
from plant.summaries import TEN_SECONDS
from plant.tags import Tag, TagHandle

SECOND, HOUR_S = 10**9, 3600
HOUR_NS = HOUR_S * SECOND
START = 1_700_006_400 * SECOND
"""2023-11-15T00:00Z."""
ASSET = f"{LINE}/pump-1"
SWINGS_S = (7_100.0, 19_300.0)
"""How fast the demand wanders through a site's range, s."""
RAMP_S = 60.0

CONFIG = """version = 1
tags = "tags.csv"

[gateway]
name = "{name}"

[[source]]
type = "opcua"
name = "line-opcua"
url = "opc.tcp://127.0.0.1:4840"
security = "none"

[[asset]]
path = "{asset}"
modes = {{ {modes} }}
"""


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault of a kind of `connectors.simulated.faults`, so many times as strong as there."""

    kind: str
    start_h: float
    stop_h: float
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Machine:
    """One gateway and its pump.

    Parameters
    ----------
    name
        Of the gateway.
    seed
        Of its line.
    load
        Range of its demand in standard deviations of the line's own (2 % of the flow each).
    later
        Another range, from an hour on.
    faults
        What befalls it.
    start
        Time of its first row, ns since 1970 UTC.
    path
        What its pump is called.
    """

    name: str
    seed: int
    load: tuple[float, float]
    later: tuple[float, tuple[float, float]] | None = None
    faults: tuple[Struck, ...] = ()
    start: int = START
    path: str = ASSET


class LoadedLine(SimulatedLine):
    """The simulated line with a demand of its own."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.seed, fault="none", start=machine.start)
        self.site = machine
        self._turns = np.random.default_rng([machine.seed, 51]).uniform(0, 2 * np.pi, 2)

    def _around(self, second: Rows, around: Surroundings) -> Surroundings:
        low, high = (np.full(len(second), end) for end in self.site.load)
        if self.site.later is not None:
            hour, (other_low, other_high) = self.site.later
            late = second >= hour * HOUR_S
            low, high = np.where(late, other_low, low), np.where(late, other_high, high)
        waves = np.sin(2 * np.pi * second[:, None] / SWINGS_S + self._turns).mean(axis=1)
        return replace(around, demand=around.demand + low + (high - low) * (0.5 + 0.5 * waves))

    def _strike(self, number: int, signals: Rows, second: Rows, speed: Rows) -> None:
        if self.asset_paths[number] != ASSET:
            return
        names = tuple(channel.name for channel in self._machines[number].channels)
        for fault in self.site.faults:
            since = np.clip((second - fault.start_h * HOUR_S) / RAMP_S, 0.0, 1.0)
            strength = np.where(second < fault.stop_h * HOUR_S, since, 0.0) * fault.strength
            if strength.any():
                change(KINDS[fault.kind].effects, names, signals, strength, speed)


def pump_columns(line: LoadedLine) -> list[int]:
    """Give the columns of the pump that are judged or tell its mode."""
    return [
        at for at, tag in enumerate(line.tags)
        if tag.asset == ASSET and tag.role in ("signal", "mode")
    ]  # fmt: skip


def pump_tags(line: LoadedLine) -> list[Tag]:
    """Give their tags, as they are called at this site."""
    own = [line.tags[at] for at in pump_columns(line)]
    return [replace(tag, name=f"{line.site.path}/{tag.signal}") for tag in own]


def write_config(folder: Path, name: str, tags: Sequence[Tag]) -> Path:
    """Write the configuration of a gateway, as a person would have it."""
    folder.mkdir(parents=True, exist_ok=True)
    modes = ", ".join(f'{number} = "{word}"' for number, word in MODES)
    path = folder / f"{name}.toml"
    path.write_text(CONFIG.format(name=name, asset=ASSET, modes=modes), encoding="utf-8")
    with (folder / "tags.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("tag", "source", "address", "type", "unit", "role", "low", "high"))
        for tag in tags:
            kind = "" if tag.type is None else tag.type.value
            ends = ("" if end is None else f"{end:g}" for end in (tag.low, tag.high))
            rows.writerow((tag.name, tag.source, tag.address, kind, tag.unit, tag.role, *ends))
    return path


def windows(line: LoadedLine, hours: int) -> Iterator[SummaryRecord]:
    """Summarise the pump hour by hour, in windows of 10 s; its tags by their place."""
    columns = pump_columns(line)
    for first in range(0, hours * HOUR_S, HOUR_S):
        values = line.values(first, HOUR_S)[:, columns]
        rows, width = values.shape
        at = line.site.start + (first + np.arange(rows, dtype=np.int64)) * SECOND
        yield summarise(
            "line-opcua",
            TEN_SECONDS,
            np.tile(np.arange(width, dtype=np.int32), rows),
            np.repeat(at, width),
            values.ravel(),
            np.zeros(values.size, np.uint32),
        )


def settle(folder: Path, machine: Machine, hours: int) -> Path:
    """Write configuration and history of a gateway that has run for so many hours."""
    config = write_config(folder, machine.name, pump_tags(LoadedLine(machine)))
    keep_history(folder / "data", machine, hours)
    return config


def keep_history(data: Path, machine: Machine, hours: int) -> None:
    """Write the history of a gateway that has run for so many hours."""
    line = LoadedLine(machine)
    handles = [TagHandle(place, tag) for place, tag in enumerate(pump_tags(line))]
    data.mkdir(exist_ok=True)
    kept = SqliteConfig(days_10s=20_000)
    with SqliteSink(kept, handles, machine.name, data) as sink:
        for record in windows(line, hours):
            sink.write([record])
