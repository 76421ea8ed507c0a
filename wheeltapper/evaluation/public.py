"""Public data sets by the layout of their folders, each by its own published protocol.

``skab/*.csv.gz`` (with ``anomaly_free``), ``nab/*.csv.gz`` with ``windows.json``,
``cmapss_*/train|test|rul.csv.gz``, ``ai4i/ai4i.csv.gz``. The data are not part of the product.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation import changepoints, windows
from analytics.evaluation.confusion import Confusion
from analytics.evaluation.prognoses import (
    DefectFactory,
    DefectFigures,
    LifeFactory,
    LifeFigures,
    cross_validated,
)
from analytics.evaluation.protocol import Factory, Progress, Run, run
from analytics.evaluation.ranking import average_precision, best_f1, roc_auc
from analytics.evaluation.segments import Events, Marks, stretches
from analytics.evaluation.summary import GAP, GAP_ALONE, matched
from analytics.evaluation.volumes import volumes
from analytics.frames import Table
from connectors.replay import cells
from connectors.replay.table import opened
from plant.errors import Misconfigured
from wheeltapper.evaluation.recordings import Evaluated, anonymous, files_of, read

Columns = NDArray[np.float64]

SKAB_WARMUP = 400
FREE = "anomaly_free"
STATE = "anomaly_window"
"""Label column of NAB."""
FIRST_KEY = 7
"""Key of the columns' order in an anonymous run, before the seed is added."""
INPUTS = (
    "air_temperature_k", "process_temperature_k", "rotational_speed_rpm", "torque_nm",
    "tool_wear_min", "type_code",
)  # fmt: skip
GRADES = {"L": 0.0, "M": 1.0, "H": 2.0}


@dataclass(frozen=True, slots=True)
class Trial:
    """How a detector is run over a data set.

    Parameters
    ----------
    factory, seed
        The detector.
    anonymous
        Whether the columns are renamed and reordered, by the seed.
    progress
        Hears of every few hundred rows.
    """

    factory: Factory
    seed: int = 0
    anonymous: bool = False
    progress: Progress | None = None

    def run(self, recording: Evaluated) -> tuple[Evaluated, Run]:
        """Run it over one recording."""
        if self.anonymous:
            recording = anonymous(recording, FIRST_KEY + self.seed)
        done = run(
            self.factory, recording.signals, recording.rows, recording.warmup, self.seed,
            self.progress,
        )  # fmt: skip
        return recording, done


def layout(folder: Path) -> tuple[str, ...]:
    """Name the data sets that a folder holds.

    Examples
    --------
    >>> layout(Path("no/such/folder"))
    ()
    """
    known = ("skab", "nab", "cmapss_*", "ai4i")
    found = (path.name for name in known for path in sorted(folder.glob(name)) if path.is_dir())
    return tuple(found)


@dataclass(frozen=True, slots=True)
class SkabFigures:
    """SKAB, pooled over its files; shares 0 to 1, times in seconds.

    `free_far` and `free_false_an_hour` are of the recording without a fault; NaN without it.
    `oracle_f1` has its threshold from the labels: an upper bound that nobody may claim.
    """

    files: int
    f1: float
    far: float
    mar: float
    free_far: float
    free_false_an_hour: float
    changepoints: float
    changepoints_low_fp: float
    changepoints_low_fn: float
    changepoints_missed: int
    changepoints_false: int
    auc_pr: float
    auc_roc: float
    vus_pr: float
    vus_roc: float
    oracle_f1: float
    events: int
    events_seen: int
    delay_s: float
    false_an_hour: float


def skab(folder: Path, trial: Trial) -> SkabFigures:
    """Judge the files of SKAB: 400 rows of warm-up, 60 s windows, one row a second."""
    counts, events, points, ranks = [], [], [], []
    truths: list[Marks] = []
    scores: list[Columns] = []
    free: Marks | None = None
    for path in files_of([folder]):
        whole = read(path, warmup=str(SKAB_WARMUP), any_rate=True)
        recording, done = trial.run(whole)
        if FREE in path.name:
            free = done.alarm
            continue
        truth, changes = _labels(recording, path)
        counts.append(Confusion.of(truth, done.alarm))
        events.append(Events.of(truth, done.alarm, GAP))
        points.append(matched(done, recording.at, changes))
        roc, precision = volumes(truth, done.score)
        ranked = average_precision(truth, done.score), roc_auc(truth, done.score)
        ranks.append((*ranked, roc, precision))
        truths.append(truth)
        scores.append(done.score)
    if not counts:
        raise Misconfigured(f"{folder}: holds no file of SKAB beside {FREE}; copy its data there")
    pooled, seen, truth = Confusion.total(counts), Events.total(events), np.concatenate(truths)
    auc_pr, auc_roc, vus_roc, vus_pr = np.nanmean(np.array(ranks), axis=0).tolist()
    nothing = Events(0, (), 0) if free is None else Events.of(np.zeros(len(free), bool), free, GAP)
    return SkabFigures(
        files=len(counts),
        f1=pooled.f1,
        far=pooled.far,
        mar=pooled.mar,
        free_far=float("nan") if free is None else float(free.mean()),
        free_false_an_hour=float("nan") if free is None else nothing.false / len(free) * 3600,
        changepoints=changepoints.changepoint_score(points),
        changepoints_low_fp=changepoints.changepoint_score(points, changepoints.LOW_FP),
        changepoints_low_fn=changepoints.changepoint_score(points, changepoints.LOW_FN),
        changepoints_missed=sum(point.missed for point in points),
        changepoints_false=sum(point.false for point in points),
        auc_pr=auc_pr,
        auc_roc=auc_roc,
        vus_pr=vus_pr,
        vus_roc=vus_roc,
        oracle_f1=best_f1(truth, np.concatenate(scores)),
        events=seen.events,
        events_seen=seen.seen,
        delay_s=seen.delay,
        false_an_hour=seen.false / float(np.count_nonzero(~truth)) * 3600,
    )


def _labels(recording: Evaluated, path: Path) -> tuple[Marks, Marks]:
    if recording.truth is None or recording.changes is None:
        raise Misconfigured(
            f"recording {path}, row 1: SKAB's files have the label columns 'anomaly' and "
            "'changepoint'; judge other recordings by their own file or folder"
        )
    return recording.truth[recording.warmup :], recording.changes


@dataclass(frozen=True, slots=True)
class NabFigures:
    """Numenta's benchmark over all series: its score at the detector's own alarms, and beside it.

    `oracle` has its threshold from the labels, as the scoreboard does: nobody may claim it.
    `delay_share` is the part of a window that had passed at its first alarm, median. `half_median`
    and `half_low` are the median and the worst tenth of the score over random halves of the series:
    with a setting that was chosen elsewhere this is what a half-split comes to.
    """

    files: int
    standard: float
    low_fp: float
    low_fn: float
    oracle: float
    auc_pr: float
    vus_pr: float
    events: int
    events_seen: int
    delay_share: float
    false_a_thousand: float
    half_median: float
    half_low: float
    series: dict[str, float]


def _halves(own: Sequence[tuple[Marks, windows.Field]]) -> Columns:
    """Score random halves of the series (100,)."""
    random = np.random.default_rng(0)
    size = (len(own) + 1) // 2
    picked = [random.choice(len(own), size, replace=False).tolist() for _ in range(100)]
    scores = np.array([windows.window_score([own[i] for i in half]) for half in picked])
    known = scores[~np.isnan(scores)]
    return known if len(known) else np.array([np.nan])


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """One series of NAB, judged."""

    name: str
    score: Columns
    alarm: Marks
    field: windows.Field
    events: Events
    ranks: tuple[float, float]
    places: tuple[float, ...]


def nab(folder: Path, trial: Trial) -> NabFigures:
    """Judge the series of NAB: 15 % of warm-up, 750 rows at most, and its windows."""
    series = [_one_series(path, trial) for path in files_of([folder])]
    own = [(each.alarm, each.field) for each in series]
    events = Events.total(each.events for each in series)
    ranked = np.array([each.ranks for each in series if each.events.events])
    places = [place for each in series for place in each.places]
    halves = _halves(own)
    rows = sum(len(each.alarm) - windows.probation(len(each.alarm)) for each in series)
    return NabFigures(
        files=len(series),
        standard=windows.window_score(own),
        low_fp=windows.window_score(own, windows.LOW_FP),
        low_fn=windows.window_score(own, windows.LOW_FN),
        oracle=windows.best_window_score([(each.score, each.field) for each in series])[0],
        auc_pr=float(ranked[:, 0].mean()),
        vus_pr=float(ranked[:, 1].mean()),
        events=events.events,
        events_seen=events.seen,
        delay_share=float(np.median(places)) if places else float("nan"),
        false_a_thousand=events.false / rows * 1000,
        half_median=float(np.median(halves)),
        half_low=float(np.quantile(halves, 0.1)),
        series={each.name: windows.window_score([(each.alarm, each.field)]) for each in series},
    )


def _one_series(path: Path, trial: Trial) -> _Series:
    whole = _series_of(path)
    rows = len(whole.rows)
    recording, done = trial.run(whole)
    warmup, truth = recording.warmup, _truth(whole)[whole.warmup :]
    before = np.full(warmup, -np.inf)
    firsts = ((np.flatnonzero(done.alarm[a : b + 1]), b - a + 1) for a, b in stretches(truth))
    return _Series(
        name=recording.name,
        score=np.concatenate((before, done.score)),
        alarm=np.concatenate((np.zeros(warmup, np.bool_), done.alarm)),
        field=windows.Field.of(rows, _windows(path, _truth(whole))),
        events=Events.of(truth, done.alarm, GAP_ALONE),
        ranks=(average_precision(truth, done.score), volumes(truth, done.score)[1]),
        places=tuple(float(hits[0] / width) for hits, width in firsts if len(hits)),
    )


def _series_of(path: Path) -> Evaluated:
    """Read a series by its rows alone: some of NAB's clocks are set back in the middle."""
    table = numbers(path)
    if not {"value", STATE} <= set(table.columns):
        raise Misconfigured(
            f"recording {path}, row 1: NAB's series have the columns 'value' and {STATE!r}; judge "
            "other recordings by their own file or folder"
        )
    return Evaluated(
        path=path,
        signals=("value",),
        at=np.arange(len(table), dtype=np.int64) * 10**9,
        rows=table["value"][:, None],
        warmup=windows.probation(len(table)),
        truth=table[STATE] == 1,
        changes=None,
        notes=(),
    )


def _truth(recording: Evaluated) -> Marks:
    if recording.truth is None:
        raise Misconfigured(f"recording {recording.path} has no labels")
    return recording.truth


def _windows(path: Path, truth: Marks) -> list[tuple[int, int]]:
    """Read the windows beside the series; without that file they are the labelled stretches."""
    listed = path.with_name("windows.json")
    if not listed.exists():
        return stretches(truth)
    try:
        known = json.loads(listed.read_text(encoding="utf-8"))
        return [(int(first), int(last)) for first, last in known[path.name]]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise Misconfigured(
            f"{listed}: has no windows [[first row, last row], …] of {path.name} ({error}); mend "
            "it, or remove it: then the labelled rows are the windows"
        ) from error


def lives(
    folder: Path, factory: LifeFactory, seed: int, clock: Callable[[], float]
) -> tuple[LifeFigures, float, float]:
    """Judge a model of remaining life on a folder of C-MAPSS.

    Parameters
    ----------
    folder
        With train, test and rul.
    factory, seed
        The model.
    clock
        Gives seconds.

    Returns
    -------
    Figures, seconds of learning, ms a prediction.
    """
    train, test, rul = (numbers(folder / f"{name}.csv.gz") for name in ("train", "test", "rul"))
    runs = [engine.without("unit") for engine in train.groups("unit")]
    histories = [engine.without("unit") for engine in test.groups("unit")]
    if len(histories) != len(rul):
        raise Misconfigured(
            f"{folder / 'rul.csv.gz'}: {len(rul)} lives for {len(histories)} engines in "
            "test.csv.gz; give one for each engine, in their order"
        )
    model, begun = factory(seed), clock()
    model.fit(runs)
    learnt = clock()
    said = np.array([float(model.predict(history)) for history in histories])
    each_ms = 1000 * (clock() - learnt) / len(said)
    return LifeFigures.of(said, rul["rul"]), learnt - begun, each_ms


def defects(folder: Path, factory: DefectFactory, seed: int) -> DefectFigures:
    """Judge a defect model on AI4I: 5 folds, no tool on both sides."""
    table = numbers(folder / "ai4i.csv.gz", {"type": ("type_code", GRADES.__getitem__)})
    inputs = Table(INPUTS, np.column_stack([table[name] for name in INPUTS]))
    truth = table["machine_failure"].astype(np.int64)
    groups = table["tool_episode"].astype(np.int64)
    probability, decided = cross_validated(factory, inputs, truth, groups, seed)
    return DefectFigures.of(truth.astype(bool), probability, decided)


def numbers(
    path: Path, coded: dict[str, tuple[str, Callable[[str], float]]] | None = None
) -> Table:
    """Read the columns of numbers of a CSV file; text columns are left out.

    Parameters
    ----------
    path
        Plain or gzipped.
    coded
        Text column → its new name, and how a cell becomes a number.

    Raises
    ------
    Misconfigured
        No such file, or a coded cell that has no number.
    """
    known = coded or {}
    names: list[str] = []
    columns: list[Columns] = []
    with opened(path) as table:
        parts = list(table.slices())
        for place, name in enumerate(table.header):
            texts = [cell for part in parts for cell in part.columns[place]]
            if name in known:
                new, code = known[name]
                names.append(new)
                columns.append(_coded(path, name, texts, code))
                continue
            values, wrong = cells.numbers(texts)
            if wrong is None:
                names.append(name)
                columns.append(values)
    if not parts:
        raise Misconfigured(f"{path}: has a header but no rows")
    return Table(names, np.column_stack(columns))


def _coded(path: Path, name: str, texts: list[str], code: Callable[[str], float]) -> Columns:
    values = np.empty(len(texts))
    for i, text in enumerate(texts):
        try:
            values[i] = code(text)
        except KeyError:
            raise Misconfigured(
                f"{path}, row {i + 2}, column {name!r}: {text!r} is none of {', '.join(GRADES)}"
            ) from None
    return values
