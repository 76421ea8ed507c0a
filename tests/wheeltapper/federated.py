"""Gateways with a history of their own, made of rows."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.sink import SqliteSink
from plant.files import put
from plant.keys import private_pem, public_pem
from plant.records import SummaryRecord
from plant.summaries import TEN_SECONDS
from plant.tags import Role, Tag, TagHandle
from tests.analytics.federation.agreed import ASSET, CENTRE, START, healthy, terms

Columns = NDArray[np.float64]
PLAN = terms()
CONFIG = """version = 1
tags = "tags.csv"

[gateway]
name = "{name}"

[[source]]
type = "opcua"
name = "plc"
url = "opc.tcp://127.0.0.1:4840"
security = "none"

[[asset]]
path = "{asset}"
modes = {{ 0 = "idle", 1 = "run" }}
"""


def tags(**changed: Any) -> list[Tag]:
    """Give the tags of the pump; `changed` are other units, by signal."""
    own = [
        Tag(
            name=f"{ASSET}/{name}", source="plc", address=f"nsu=urn:plc;{name}",
            unit=changed.get(name, unit), low=low, high=high,
        )
        for name, unit, low, high in zip(
            PLAN.signals, PLAN.units, PLAN.low, PLAN.high, strict=True
        )
    ]  # fmt: skip
    mode = Tag(name=f"{ASSET}/mode", source="plc", address="nsu=urn:plc;mode", role=Role.MODE)
    return [*own, mode]


@dataclass(frozen=True)
class Place:
    """A folder with gateways and a centre."""

    folder: Path

    @property
    def key(self) -> Path:
        return self.folder / "centre.pem"

    @property
    def trust(self) -> Path:
        return self.folder / "centre.pub.pem"

    @property
    def plan(self) -> Path:
        return self.folder / "plan.wtm"

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    def found(self) -> None:
        put(self.key, private_pem(CENTRE), 0o600)
        self.trust.write_bytes(public_pem(CENTRE.public_key()))
        self.inbox.mkdir()

    def data(self, name: str) -> Path:
        return self.folder / name / "data"

    def gateway(self, name: str, **units: str) -> Path:
        """Write a configuration."""
        folder = self.folder / name
        (folder / "data").mkdir(parents=True)
        path = folder / f"{name}.toml"
        path.write_text(CONFIG.format(name=name, asset=ASSET), encoding="utf-8")
        with (folder / "tags.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("tag", "source", "address", "unit", "role", "low", "high"))
            for tag in tags(**units):
                ends = ("" if end is None else end for end in (tag.low, tag.high))
                rows.writerow((tag.name, tag.source, tag.address, tag.unit, tag.role, *ends))
        return path

    def history(self, name: str, values: Columns, mode: Columns | None = None) -> None:
        """Keep windows of 10 s whose means are these rows (n, 3)."""
        told = np.column_stack([values, np.ones(len(values)) if mode is None else mode])
        rows, width = told.shape
        start = START - START % TEN_SECONDS + np.arange(rows) * TEN_SECONDS
        handles = [TagHandle(place, tag) for place, tag in enumerate(tags())]
        means = told.T.ravel()
        record = SummaryRecord(
            "plc", TEN_SECONDS,
            np.repeat(np.arange(width, dtype=np.int32), rows), np.tile(start, width),
            np.full(means.size, 10, np.uint32), np.full(means.size, 10, np.uint32),
            means, means, means, np.zeros(means.size), means, means,
        )  # fmt: skip
        kept = SqliteConfig(days_10s=30_000)
        with SqliteSink(kept, handles, name, self.data(name)) as sink:
            sink.write([record])


LOADS = {"north": 0.3, "east": 0.5, "south": 0.7}


def settled(folder: Path) -> tuple[Place, dict[str, Path]]:
    """Give three gateways that have run for 9,000 rows of 10 s each."""
    place = Place(folder)
    place.found()
    configs = {}
    for seed, (name, load) in enumerate(LOADS.items()):
        configs[name] = place.gateway(name)
        place.history(name, healthy(seed, load, 9000))
    return place, configs
