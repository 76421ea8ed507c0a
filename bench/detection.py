"""Detection, lives and defects against what the product promises, as a table and as JSON.

    python -m bench.detection --data DIR [--detector NAME] [--seeds 5] [--anonymous] [--only skab,…]

DIR holds any of ``skab/``, ``nab/``, ``cmapss_*/`` and ``ai4i/``; `docs/evaluation.md` says where
they come from. Generated plants, injected faults and the time a row need no data. One setting for
everything; nothing is chosen here. JSON goes to stdout, the table and the progress to stderr.
"""

import argparse
import contextlib
import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import analytics.evaluation
from analytics.evaluation.injections import FAULTS, Blame, blame
from analytics.evaluation.parts import Tally, tallied, taught
from analytics.evaluation.plants import SIZES, shares_alarmed
from analytics.evaluation.protocol import Decides, Explains, Factory
from analytics.evaluation.sensors import KINDS, MACHINES, SENSORS, Told, told
from bench.machine import machine
from bench.speed import ASSETS, speed
from plant.errors import Misconfigured, PlantError
from wheeltapper import terminal
from wheeltapper.evaluation import public
from wheeltapper.evaluation.detectors import named
from wheeltapper.evaluation.figures import plain
from wheeltapper.evaluation.words import figure

WARM, TIMED = 500, 1500
"""Rows learnt before, and rows timed, for the time a row."""
FEATURES = (8, 64)
INJECTED = {"signals": 12, "plants": 5}
"""Size of the plants that faults are injected into, and plants a kind."""
SENSED = {"signals": 12, "plants": 20}
"""Size of the plants that sensors are told from machines in, and plants a kind."""
MADE = {"machines": 40, "parts": 1000, "taught": 12, "labels": 8}
"""Generated machines that make parts, parts of each; machines taught by so many labels."""
PARTS = ("skab", "nab", "plants", "faults", "sensors", "time", "speed", "lives", "defects", "parts")

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Promise:
    """What a figure must be and should be; `high` where more is better."""

    must: float
    aim: float
    high: bool = False

    def verdict(self, value: float) -> str:
        """Say which of the two a value keeps."""
        if np.isnan(value):
            return "not measured"
        sign = 1 if self.high else -1
        if sign * value >= sign * self.aim:
            return "aim"
        return "must" if sign * value >= sign * self.must else "MISSES"


PROMISES: Mapping[str, Promise] = {
    "skab F1": Promise(0.83, 0.88, high=True),
    "skab healthy rows alarmed, %": Promise(15, 8),
    "skab healthy recording alarmed, %": Promise(5, 2),
    "skab false episodes an hour": Promise(1, 0.5),
    "skab events seen": Promise(16, 16, high=True),
    "skab changepoints": Promise(33, 42, high=True),
    "nab standard": Promise(65, 72, high=True),
    "nab standard, half the series, median": Promise(60, 72, high=True),
    "nab VUS-PR": Promise(0.40, 0.45, high=True),
    **{
        f"plants of {size}: {name}, %": promise
        for size in SIZES
        for name, promise in {
            "healthy": Promise(2, 1),
            "step": Promise(80, 95, high=True),
            "ramp": Promise(60, 85, high=True),
            "variance": Promise(50, 85, high=True),
            "standing": Promise(100, 100, high=True),
        }.items()
    },
    "faults: culprit first, % of seen": Promise(80, 80, high=True),
    "faults: culprit in the top 3, % of seen": Promise(95, 95, high=True),
    "time a row at 64 signals with contributions, µs": Promise(30, 15),
    "speed: a row alone with contributions, µs": Promise(30, 15),
    "speed: a row in a block with contributions, µs": Promise(30, 15),
    "speed: 500 assets at 1 Hz, % of a core": Promise(10, 10),
    "lives: RMSE, truth capped at 125": Promise(11.0, 10.0),
    "lives: PHM08, truth capped at 125": Promise(195, 165),
    "lives: a prediction, ms": Promise(1, 1),
    "defects: PR-AUC": Promise(0.88, 0.92, high=True),
    "defects: F1": Promise(0.83, 0.88, high=True),
    "parts: false verdicts a thousand": Promise(2, 1),
}


def main() -> None:
    """Measure, say what came out, end with 1 when a must was missed."""
    asked = _asked()
    try:
        runs = [_measured(asked, asked.seed + k) for k in range(asked.seeds)]
    except PlantError as error:
        sys.exit(f"{error}")
    spread = {name: [one[name] for one in runs] for name in runs[0]}
    _show(spread)
    found = {name: _row(name, values) for name, values in spread.items()}
    report = {
        "detector": asked.detector, "seed": asked.seed, "seeds": asked.seeds,
        "anonymous": asked.anonymous, "machine": machine(), "figures": found,
    }  # fmt: skip
    print(json.dumps(plain(report), indent=1, ensure_ascii=False))
    sys.exit(1 if any(row["verdict"] == "MISSES" for row in found.values()) else 0)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.detection", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with skab/, nab/, cmapss_*/, ai4i/")
    parser.add_argument("--detector", default="default")
    parser.add_argument("--life", metavar="MODULE:FACTORY", help="model of remaining life")
    parser.add_argument("--defect", metavar="MODULE:FACTORY", help="defect model")
    parser.add_argument("--seed", type=int, default=0, help="named in advance")
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds from there on")
    parser.add_argument("--anonymous", action="store_true", help="columns renamed and reordered")
    parser.add_argument("--only", default=",".join(PARTS), help="any of: " + ",".join(PARTS))
    asked = parser.parse_args()
    asked.only = asked.only.split(",")
    unknown = [name for name in asked.only if name not in PARTS]
    if unknown:
        parser.error(f"--only {unknown[0]}: there are {', '.join(PARTS)}")
    if asked.data is not None and not asked.data.is_dir():
        parser.error(f"--data {asked.data}: is no folder")
    return asked


def _measured(asked: argparse.Namespace, seed: int) -> Figures:
    """Measure every part for one seed; a part without its data or model is left out."""
    factory = named(asked.detector)
    trial = public.Trial(factory, seed, asked.anonymous)
    known = public.layout(asked.data) if asked.data is not None else ()
    parts: dict[str, Callable[[], Figures] | None] = {
        "skab": (lambda: _skab(asked.data / "skab", trial)) if "skab" in known else None,
        "nab": (lambda: _nab(asked.data / "nab", trial)) if "nab" in known else None,
        "plants": lambda: _plants(factory, seed),
        "faults": lambda: _faults(factory, seed),
        "sensors": lambda: _sensors(seed),
        "time": lambda: _times(factory, seed),
        "speed": lambda: _speed(seed),
        "lives": _lives(asked, known, seed),
        "defects": _defects(asked, known, seed),
        "parts": lambda: _parts(seed),
    }
    figures: Figures = {}
    for name in asked.only:
        part = parts[name]
        if part is None:
            _say(f"{name}: left out, its data or its model is not here")
            continue
        begun = time.monotonic()
        _say(f"{name}, seed {seed} …")
        figures |= part()
        _say(f"{name}, seed {seed}: {time.monotonic() - begun:.0f} s")
    if not figures:
        raise Misconfigured("nothing was measured: give --data DIR, or other parts with --only")
    return figures


def _skab(folder: Path, trial: public.Trial) -> Figures:
    got = public.skab(folder, trial)
    return {
        "skab F1": got.f1,
        "skab healthy rows alarmed, %": 100 * got.far,
        "skab faulty rows missed, %": 100 * got.mar,
        "skab healthy recording alarmed, %": 100 * got.free_far,
        "skab false episodes an hour": got.false_an_hour,
        "skab events seen": got.events_seen,
        "skab events": got.events,
        "skab delay, s": got.delay_s,
        "skab changepoints": got.changepoints,
        "skab changepoints, low FP": got.changepoints_low_fp,
        "skab changepoints, low FN": got.changepoints_low_fn,
        "skab AUC-PR": got.auc_pr,
        "skab VUS-PR": got.vus_pr,
        "skab F1, threshold on labels (bound)": got.oracle_f1,
    }


def _nab(folder: Path, trial: public.Trial) -> Figures:
    got = public.nab(folder, trial)
    return {
        "nab standard": got.standard,
        "nab low FP": got.low_fp,
        "nab low FN": got.low_fn,
        "nab standard, half the series, median": got.half_median,
        "nab standard, half the series, worst tenth": got.half_low,
        "nab standard, threshold on labels (bound)": got.oracle,
        "nab AUC-PR": got.auc_pr,
        "nab VUS-PR": got.vus_pr,
        "nab windows seen": got.events_seen,
        "nab windows": got.events,
        "nab false episodes a thousand rows": got.false_a_thousand,
    }


def _plants(factory: Factory, seed: int) -> Figures:
    figures: Figures = {}
    for size in SIZES:
        shares = asdict(shares_alarmed(factory, size, seed))
        figures |= {f"plants of {size}: {name}, %": 100 * shares[name] for name in shares}
    return figures


def _faults(factory: Factory, seed: int) -> Figures:
    """Inject every kind of fault; plants differ between seeds.

    Nobody earns a promise by being blind: unless half of the faults are seen it is not judged.
    """
    count = INJECTED["plants"]
    seeds = range(1000 * seed, 1000 * seed + count)
    kinds = {kind: blame(factory, kind, INJECTED["signals"], seeds) for kind in FAULTS}
    total = Blame.total(kinds.values())
    seen = total.seen if 2 * total.seen >= total.faults else float("nan")
    figures = {
        "faults: culprit first, % of seen": 100 * total.first / seen,
        "faults: culprit in the top 3, % of seen": 100 * total.top / seen,
        "faults: seen, %": 100 * total.seen / total.faults,
    }
    for kind, one in kinds.items():
        figures[f"faults: {kind}: seen of {one.faults}"] = one.seen
        figures[f"faults: {kind}: culprit first"] = one.first
        figures[f"faults: {kind}: culprit in the top 3"] = one.top
    return figures


def _sensors(seed: int) -> Figures:
    """Tell faults of sensors from those of machines; plants differ between seeds.

    It is the watch of the product that is asked, whatever the detector: no other one names sensors.
    """
    seeds = range(1000 * seed + 500, 1000 * seed + 500 + SENSED["plants"])
    kinds = {}
    for kind in KINDS:
        kinds[kind] = told(kind, SENSED["signals"], seeds)
        _say(f"  {kind}: {_what(kinds[kind])}")
    sensor = [kinds[kind] for kind in SENSORS]
    machine = [kinds[kind] for kind in MACHINES]
    figures = {
        "sensors: named right, %": _share([one.right for one in sensor], sensor),
        "sensors: of their faults, the machine alarmed at the end, %": _share(
            [one.standing for one in sensor], sensor
        ),
        "sensors: machine faults alarmed, %": _share([one.alarmed for one in machine], machine),
        "sensors: machine faults called a sensor's, %": _share(
            [one.elsewhere for one in machine], machine
        ),
        "sensors: healthy plants in which one was named, %": _share(
            [kinds["healthy"].elsewhere], [kinds["healthy"]]
        ),
    }
    for kind, one in kinds.items():
        figures[f"sensors: {kind}: named right of {one.plants}"] = one.right
        for name, count in one.named.items():
            figures[f"sensors: {kind}: named {name}"] = count
        figures[f"sensors: {kind}: another signal named"] = one.elsewhere
        figures[f"sensors: {kind}: machine alarmed"] = one.alarmed
        figures[f"sensors: {kind}: machine alarmed at the end"] = one.standing
    return figures


def _share(counts: Sequence[int], parts: Sequence[Told]) -> float:
    return 100 * sum(counts) / sum(one.plants for one in parts)


def _what(one: Told) -> str:
    names = ", ".join(f"{name} {count}" for name, count in one.named.items())
    return (
        f"{one.plants} plants, named {names or 'nothing'}; another signal {one.elsewhere}; "
        f"machine alarmed {one.alarmed}, at the end {one.standing}"
    )


def _times(factory: Factory, seed: int) -> Figures:
    figures: Figures = {}
    for features in FEATURES:
        bare, explained = row_times(factory, features, seed)
        figures[f"time a row at {features} signals, µs"] = bare
        figures[f"time a row at {features} signals with contributions, µs"] = explained
    return figures


def row_times(factory: Factory, features: int, seed: int) -> tuple[float, float]:
    """Give median µs of score + alarm + learn for one row, without and with contributions."""
    random = np.random.default_rng(seed)
    drift = random.standard_normal((WARM + TIMED, features)).cumsum(0) * 0.05
    rows = (drift + random.standard_normal((WARM + TIMED, features))).tolist()
    names = [f"f{i}" for i in range(features)]
    return _timed(factory, names, rows, seed, False), _timed(factory, names, rows, seed, True)


def _timed(
    factory: Factory, names: list[str], rows: list[list[float]], seed: int, explained: bool
) -> float:
    detector = factory(names, seed)
    for row in rows[:WARM]:
        detector.learn_one(dict(zip(names, row, strict=True)))
    end = getattr(detector, "end_warmup", None)
    if end is not None:
        end()
    decide = detector.alarm_one if isinstance(detector, Decides) else None
    explain = detector.explain_one if explained and isinstance(detector, Explains) else None
    adaptive, spent = bool(getattr(detector, "adaptive", False)), []
    for row in rows[WARM:]:
        x = dict(zip(names, row, strict=True))
        begun = time.perf_counter_ns()
        score = detector.score_one(x)
        if decide is not None:
            decide(score, x)
        if explain is not None:
            explain(x)
        if adaptive:
            detector.learn_one(x)
        spent.append(time.perf_counter_ns() - begun)
    if explained and explain is None:
        return float("nan")
    return float(np.median(spent)) / 1e3


def _speed(seed: int) -> Figures:
    """Time the watch of the product, whatever the detector."""
    got = speed(seed)
    return {
        "speed: a row alone, µs": got.alone,
        "speed: a row alone with contributions, µs": got.explained,
        "speed: a row in a block with contributions, µs": got.block,
        "speed: a row of 500 assets in turn, µs": got.in_turn,
        "speed: 500 assets at 1 Hz, % of a core": got.share(ASSETS),
    }


def _lives(
    asked: argparse.Namespace, known: Sequence[str], seed: int
) -> Callable[[], Figures] | None:
    factory = _model(asked.life, "remaining_life")
    folders = [name for name in known if name.startswith("cmapss_")]
    if factory is None or not folders:
        return None
    return lambda: _one_life(asked.data / folders[0], factory, seed)


def _one_life(folder: Path, factory: Any, seed: int) -> Figures:
    got, fit_s, each_ms = public.lives(folder, factory, seed, time.monotonic)
    return {
        "lives: RMSE, truth capped at 125": got.rmse_capped,
        "lives: PHM08, truth capped at 125": got.phm08_capped,
        "lives: RMSE": got.rmse,
        "lives: PHM08": got.phm08,
        "lives: late by more than 10 cycles, %": 100 * got.late,
        "lives: learning, s": fit_s,
        "lives: a prediction, ms": each_ms,
    }


def _defects(
    asked: argparse.Namespace, known: Sequence[str], seed: int
) -> Callable[[], Figures] | None:
    factory = _model(asked.defect, "defect")
    if factory is None or "ai4i" not in known:
        return None

    def measure() -> Figures:
        got = public.defects(asked.data / "ai4i", factory, seed)
        return {
            "defects: PR-AUC": got.pr_auc,
            "defects: F1": got.f1,
            "defects: macro F1": got.macro_f1,
            "defects: ECE": got.ece,
        }

    return measure


def _parts(seed: int) -> Figures:
    """Judge the parts of generated machines; they differ between seeds."""
    total = Tally()
    seeds = range(1000 * seed, 1000 * seed + MADE["machines"])
    for one in seeds:
        total.add(tallied(one, MADE["parts"]))
    figures = {
        "parts: false verdicts a thousand": total.false_in_1000,
        "parts: healthy ones judged": total.healthy,
        "parts: defective ones found, %": 100 * total.recall,
        "parts: large defects found, %": 100 * total.large_found / total.large,
        "parts: signal named first, % of found": 100 * total.first / sum(total.found.values()),
    }
    for kind, made in total.made.items():
        figures[f"parts: {kind}, % found of {made}"] = 100 * total.found[kind] / made
    pupils = seeds[: MADE["taught"]]
    worth = np.mean([taught(one, 600, MADE["labels"]) for one in pupils], axis=0)
    names = ("found without labels, %", "found with 8 labels, %", "false with them, a thousand")
    for name, value, factor in zip(names, worth.tolist(), (100, 100, 1), strict=True):
        figures[f"parts: a machine's usual small defect, {name}"] = factor * value
    return figures


def _model(text: str | None, exported: str) -> Any:
    """Find a model by ``MODULE:FACTORY``, or the product's own once it is exported."""
    if text is None:
        return getattr(analytics.evaluation, exported, None)
    module, _, name = text.partition(":")
    return getattr(importlib.import_module(module), name)


def _row(name: str, values: Sequence[float]) -> dict[str, Any]:
    row: dict[str, Any] = {"value": values[0]}
    if len(values) > 1:
        row |= {"low": min(values), "median": float(np.median(values)), "high": max(values)}
    promise = PROMISES.get(name)
    if promise is None:
        return row | {"verdict": ""}
    return row | {
        "must": promise.must, "aim": promise.aim, "verdict": promise.verdict(values[0]),
    }  # fmt: skip


def _show(spread: Mapping[str, Sequence[float]]) -> None:
    """Write the table: first what was promised, then the rest."""
    rows = []
    shown = [name for name in spread if name.count(":") < 2]  # one line a kind is for programs
    for name in sorted(shown, key=lambda name: name not in PROMISES):
        row = _row(name, spread[name])
        sign = ("≥ " if PROMISES[name].high else "≤ ") if "must" in row else ""
        span = f"{figure(row['low'])} … {figure(row['high'])}" if "low" in row else ""
        bars = [sign + figure(row[key]) if sign else "" for key in ("must", "aim")]
        rows.append((name, figure(row["value"]), span, *bars, row["verdict"]))
    heads = ("figure", "measured", "over the seeds", "must", "aim", "")
    with contextlib.redirect_stdout(sys.stderr):
        terminal.table("", heads, rows)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
