"""``python -m bench.laidrows``: a watch taught with windows beside one taught with raw rows.

The simulated line of `bench.weeks`, with shifts, products, nights and weather but without wear,
sensor faults or work. Three watches of each machine learn from the same days: from the raw rows,
and from the rows that are laid out of windows of 10 s and of 1 min. All judge the same raw rows of
the days after, and the same faults put into them, whole and a fraction of their size.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analytics.judgements import Judgement
from analytics.settings import WatchSettings
from analytics.training.course import Course, Machine
from analytics.training.rows import Rows, rows_of, sampled
from analytics.training.selection import select
from analytics.watch import Watch
from bench.weeks.campaign import START
from bench.weeks.diary import written
from bench.weeks.line import DiarisedLine
from bench.weeks.timetable import DAY, HOUR
from connectors.simulated.faults import KINDS, change
from connectors.simulated.schedule import RUN
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.sink import SqliteSink
from plant.alarms import AlarmAction
from plant.assets import asset_of
from plant.records import SummaryRecord
from plant.summaries import MINUTE, TEN_SECONDS, Windows
from plant.tags import TagHandle

Columns = NDArray[np.float64]
SECOND = 10**9
WEEK = 7 * DAY
SIZES = (1.0, 0.4, 0.2, 0.1)
"""Of the faults, as shares of `connectors.simulated.faults.KINDS`."""
BEFORE, AFTER, RAMP = 900, 1800, 30
"""Healthy rows before a fault is put in, rows of it, and rows until it has its size."""
PLACES = 3
"""Moments at which each fault is put in."""
NAMED = 3
"""A fault is found when one of its signals is among so many first of the reason."""
STEP = 21_600


@dataclass(slots=True)
class Told:
    """What one way of learning came to, over machines and seeds."""

    learnt_rows: int = 0
    judged_weeks: float = 0.0
    false_alarms: int = 0
    faults: int = 0
    found: int = 0
    delays: list[float] | None = None


def healthy(seed: int, days: int) -> DiarisedLine:
    """Make the line with nothing happening but work, nights and weather."""
    diary = written(seed, 24.0, days)
    calm = replace(diary, wear=(), sensors=(), upkeep=(), drops=())
    return DiarisedLine(calm, start=START)


def windows_of(at: NDArray[np.int64], rows: Columns, every: int) -> Iterator[Windows]:
    """Summarise whole rows (n, p), a second apart from a whole window on, tag by tag."""
    samples = every // SECOND
    size = len(rows) // samples
    start = at[: size * samples : samples]
    for tag in range(rows.shape[1]):
        own = rows[: size * samples, tag].reshape(size, samples)
        count = np.full(size, samples, np.int64)
        yield Windows(
            np.full(size, tag, np.int32), start, count, count, own.min(axis=1), own.max(axis=1),
            own.mean(axis=1), own.std(axis=1), own[:, 0], own[:, -1],
        )  # fmt: skip


def laid(machine: Machine, at: NDArray[np.int64], rows: Columns, every: int) -> Rows:
    """Give what a watch is taught with from windows of these rows, mode behind the signals."""
    course = Course.gather(
        windows_of(at, rows, every), machine.sources, int(at[0]), int(at[-1]) + 1, every
    )
    chosen = select(course, machine, [])
    pieces = sampled(chosen, 0, len(course), every // SECOND)
    return rows_of(course, chosen, pieces, len(machine.signals), SECOND)


def raw(machine: Machine, at: NDArray[np.int64], rows: Columns) -> Rows:
    """Give the rows as they are, mode behind the signals."""
    signals = len(machine.signals)
    return Rows(at, rows[:, :signals], rows[:, signals].astype(np.int64))


def judge(watch: Watch, state: dict[str, NDArray[np.generic]], rows: Rows) -> Judgement:
    """Judge rows with a copy of a watch."""
    again = Watch(watch.signals, watch.units, watch.settings)
    again.restore({name: each.copy() for name, each in state.items()})
    return again.judge(rows.at, rows.value, rows.mode)


def places(rows: Rows, random: np.random.Generator) -> list[int]:
    """Draw rows at which faults begin: in a run that goes on for all of it."""
    runs = rows.mode == RUN
    long = np.flatnonzero(np.convolve(runs, np.ones(BEFORE + AFTER), "valid") >= BEFORE + AFTER - 1)
    return (BEFORE + random.choice(long, PLACES, replace=False)).tolist() if len(long) else []


def struck(machine: Machine, rows: Rows, place: int, kind: str, size: float) -> Rows:
    """Put a fault into rows around `place`."""
    part = slice(place - BEFORE, place + AFTER)
    value = rows.value[part].copy()
    names = tuple(name.rpartition("/")[2] for name in machine.signals)
    strength = size * np.clip((np.arange(len(value)) - BEFORE) / RAMP, 0.0, 1.0)
    change(KINDS[kind].effects, names, value, strength, np.ones(len(value)))
    return Rows(rows.at[part], value, rows.mode[part])


def measure(
    seed: int, learn_days: int, judge_days: int, told: dict[tuple[str, float], Told]
) -> None:
    """Teach and judge the machines of one line."""
    line = healthy(seed, learn_days + judge_days)
    seconds = (learn_days + judge_days) * DAY
    values = np.concatenate([line.values(at, STEP) for at in range(0, seconds, STEP)])
    at = START + np.arange(seconds, dtype=np.int64) * SECOND
    names = [tag.name for tag in line.tags]
    learn = slice(0, learn_days * DAY)
    rest = slice(learn_days * DAY, seconds)
    for number, path in enumerate(line.asset_paths):
        asset = asset_of(path, line.tags)
        columns = [names.index(name) for name in (*asset.signals, str(asset.mode))]
        units = tuple(line.tags[column].unit for column in columns[:-1])
        machine = Machine(
            path=path, signals=asset.signals, units=units, sources=("line",) * len(columns),
            mode=asset.mode,
        )  # fmt: skip
        own = values[:, columns]
        held = raw(machine, at[rest], own[rest])
        random = np.random.default_rng([seed, 41, number])
        moments = places(held, random)
        for way in WAYS:
            taught = way.rows(machine, at[learn], own[learn])
            settings = WatchSettings(learn_rows=len(taught), find_modes=False)
            watch = Watch(machine.signals, machine.units, settings)
            watch.judge(taught.at, taught.value, taught.mode)
            state = watch.state()
            judgement = judge(watch, state, held)
            sums = told.setdefault((way.name, 0.0), Told())
            sums.learnt_rows += len(taught)
            sums.judged_weeks += float(judgement.judged.sum()) / WEEK
            sums.false_alarms += sum(
                one.action is AlarmAction.RAISE for one in judgement.transitions
            )
            for kind, size in ((k, s) for k in KINDS for s in SIZES):
                if path.rpartition("/")[2] not in KINDS[kind].machines:
                    continue
                own_sums = told.setdefault((way.name, size), Told(delays=[]))
                for place in moments:
                    _hold_against(own_sums, watch, state, struck(machine, held, place, kind, size),
                                  machine, kind)  # fmt: skip


def _hold_against(
    sums: Told,
    watch: Watch,
    state: dict[str, NDArray[np.generic]],
    rows: Rows,
    machine: Machine,
    kind: str,
) -> None:
    onset = int(rows.at[BEFORE])
    culprits = {f"{machine.path}/{effect.signal}" for effect in KINDS[kind].effects}
    sums.faults += 1
    for one in judge(watch, state, rows).transitions:
        named = {part.signal for part in one.reason.contributions[:NAMED]}
        if one.action is AlarmAction.RAISE and one.at >= onset and named & culprits:
            sums.found += 1
            if sums.delays is not None:
                sums.delays.append((one.at - onset) / SECOND)
            return


@dataclass(frozen=True, slots=True)
class Way:
    """A way to teach: from raw rows, or from windows of `every` ns."""

    name: str
    every: int

    def rows(self, machine: Machine, at: NDArray[np.int64], own: Columns) -> Rows:
        """Give what is taught."""
        return laid(machine, at, own, self.every) if self.every else raw(machine, at, own)


WAYS = (Way("raw rows", 0), Way("windows of 10 s", TEN_SECONDS), Way("windows of 1 min", MINUTE))


CONFIG = """\
version = 1

[gateway]
name = "line-1"

[[source]]
type = "modbus"
name = "{source}"
host = "127.0.0.1"

[[asset]]
path = "{path}"
modes = {{ 0 = "idle", 1 = "run", 2 = "changeover", 3 = "off" }}
suppress = ["changeover", "off"]
"""
TAG = """
[[tag]]
tag = "{name}"
source = "{source}"
address = "unit 1, holding {place}, float32"
unit = "{unit}"
role = "{role}"
"""
SHOWN, WORN, WORN_H, WORN_S = 1, "discharge_blockage", (32.0, 33.0), 600
"""Machine of the history that is written, and the fault in it: from and to, hours, and seconds
until it has its size."""


def write(folder: Path, days: int) -> None:
    """Write what a gateway beside one machine would have kept: windows, configuration, labels."""
    line = healthy(0, days)
    path = line.asset_paths[SHOWN]
    asset = asset_of(path, line.tags)
    own = [tag for tag in line.tags if tag.name in (*asset.signals, asset.mode)]
    columns = [list(line.tags).index(tag) for tag in own]
    values = np.concatenate(
        [line.values(at, STEP)[:, columns] for at in range(0, days * DAY, STEP)]
    )
    begin, end = (round(hour * HOUR) for hour in WORN_H)
    names = tuple(tag.name.rpartition("/")[2] for tag in own)
    life = np.clip(np.arange(end - begin) / WORN_S, 0.0, 1.0)
    runs = (values[begin:end, names.index("mode")] == RUN).astype(np.float64)
    change(KINDS[WORN].effects, names, values[begin:end], life, runs)
    at = START + SECOND * np.arange(len(values), dtype=np.int64)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    source = own[0].source
    text = CONFIG.format(path=path, source=source) + "".join(
        TAG.format(name=tag.name, source=source, place=2 * place, unit=tag.unit, role=tag.role)
        for place, tag in enumerate(own)
    )
    (folder / "gateway.toml").write_text(text, encoding="utf-8")
    handles = [TagHandle(handle, tag) for handle, tag in enumerate(own)]
    with SqliteSink(SqliteConfig(), handles, "line-1", folder / "data") as sink:
        for every in (TEN_SECONDS, MINUTE):
            for piece in windows_of(at, values, every):
                sink.write([_record(piece, source, every)])
    told = [f"{datetime.fromtimestamp(START / 1e9 + one, UTC):%Y-%m-%dT%H:%M:%SZ}"
            for one in (begin, end)]  # fmt: skip
    (folder / "labels.csv").write_text(
        f"asset,from,to,label\n{path},{told[0]},{told[1]},{WORN}\n", encoding="utf-8"
    )


def _record(windows: Windows, source: str, every: int) -> SummaryRecord:
    return SummaryRecord(
        source, every, windows.tag, windows.start, windows.count.astype(np.uint32),
        windows.good.astype(np.uint32), windows.low, windows.high, windows.mean, windows.std,
        windows.first, windows.last,
    )  # fmt: skip


def main() -> None:
    """Print the figures, one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--learn-days", type=int, default=2)
    parser.add_argument("--judge-days", type=int, default=3)
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="a gateway's history instead")
    asked = parser.parse_args()
    if asked.write:
        write(asked.write, asked.learn_days + asked.judge_days)
        return
    told: dict[tuple[str, float], Told] = {}
    for seed in range(asked.seeds):
        measure(seed, asked.learn_days, asked.judge_days, told)
    for (way, size), sums in told.items():
        row = asdict(sums)
        delays = row.pop("delays")
        if delays:
            row["delay_s"] = {
                "median": float(np.median(delays)), "p90": float(np.quantile(delays, 0.9)),
            }  # fmt: skip
        print(json.dumps({"taught": way, "size": size} | row))


if __name__ == "__main__":
    main()
