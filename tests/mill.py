"""A small machine with a history: four signals and a mode, a row a second, in windows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analytics.summaries import summarise
from plant.records import SummaryRecord
from plant.summaries import TEN_SECONDS
from plant.tags import Role, Tag, TagHandle

SECOND = 10**9
BEGIN = 1_767_614_400 * SECOND
"""2026-01-05T12:00Z."""
PATH = "works/hall/line/mill"
IDLE, RUN = 0, 1
NAMES = ("speed", "torque", "power", "temperature")
UNITS = ("/min", "N.m", "kW", "Cel")
TAGS = (
    *(
        Tag(name=f"{PATH}/{name}", source="plc", address=name, unit=unit)
        for name, unit in zip(NAMES, UNITS, strict=True)
    ),
    Tag(name=f"{PATH}/mode", source="plc", address="mode", role=Role.MODE),
)
HANDLES = [TagHandle(handle, tag) for handle, tag in enumerate(TAGS)]
CONFIG = """\
version = 1

[gateway]
name = "line-1"
data = "data"

[detection]
learn_s = 3600

[[source]]
type = "modbus"
name = "plc"
host = "127.0.0.1"

[[asset]]
path = "works/hall/line/mill"
modes = { 0 = "idle", 1 = "run" }
"""
TAG = """
[[tag]]
tag = "works/hall/line/mill/{name}"
source = "plc"
address = "unit 1, holding {place}, float32"
unit = "{unit}"
role = "{role}"
"""


def config(units: Sequence[str] = UNITS) -> str:
    """Write the configuration of the machine."""
    tags = zip((*NAMES, "mode"), (*units, ""), ("signal",) * 4 + ("mode",), strict=True)
    return CONFIG + "".join(
        TAG.format(name=name, place=2 * place, unit=unit, role=role)
        for place, (name, unit, role) in enumerate(tags)
    )


def rows(seconds: int, seed: int = 0) -> NDArray[np.float64]:
    """Give rows (n, 5) of a machine that is well: runs of half an hour, and stops between."""
    random = np.random.default_rng(seed)
    second = np.arange(seconds)
    mode = np.where(second % 1800 < 1500, RUN, IDLE).astype(np.float64)
    noise = random.standard_normal((seconds, 6))
    load = np.empty(seconds)
    level = 0.0
    for at, push in enumerate(noise[:, 5].tolist()):
        level = 0.97 * level + 0.24 * push
        load[at] = level
    turning = np.where(mode == RUN, 1.0, 0.0)
    speed = turning * (900 + 4 * load) + noise[:, 0]
    torque = turning * (40 + 3 * load) + 0.5 * noise[:, 1]
    power = speed * torque / 9550 + 0.05 * noise[:, 2]
    temperature = 50 + 5 * turning + load + 0.2 * noise[:, 3]
    return np.stack([speed, torque, power, temperature, mode], axis=1)


def summaries(
    values: NDArray[np.float64], every: int = TEN_SECONDS, bad: NDArray[np.bool_] | None = None
) -> SummaryRecord:
    """Summarise rows (n, 5) as a gateway does; `bad` marks samples (n, 5) that are not Good."""
    n, p = values.shape
    at = np.repeat(BEGIN + SECOND * np.arange(n, dtype=np.int64), p)
    tag = np.tile(np.arange(p, dtype=np.int32), n)
    status = np.zeros(n * p, np.uint32)
    if bad is not None:
        status[bad.ravel()] = 0x80000000
    known = ~np.isnan(values.ravel())  # NaN: nothing came
    return summarise("plc", every, tag[known], at[known], values.ravel()[known], status[known])


def folder(path: Path) -> Path:
    """Make the folder of a gateway with its configuration."""
    (path / "data").mkdir(parents=True, exist_ok=True)
    (path / "gateway.toml").write_text(config())
    return path
