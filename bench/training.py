"""``make bench-training``: many assets trained from weeks of windows of a minute.

Writes the windows of so many machines into an embedded history, each of twelve signals that go
together and a mode tag, then trains all of them as `wheeltapper train` does, and beside it fits
what anybody would write: StandardScaler and IsolationForest on the means of the same windows, one
asset after the other. Wall time, peak memory of all processes, and the size of a model.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from analytics.settings import WatchSettings
from analytics.training.course import Machine
from analytics.training.training import Wishes
from bench.machine import machine
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.sink import SqliteSink
from plant.records import SummaryRecord
from plant.summaries import MINUTE
from plant.tags import Role, Tag, TagHandle
from wheeltapper.training.jobs import Job, Outcome, run_all
from wheeltapper.training.models import Shelf
from wheeltapper.training.stores import Store

Columns = NDArray[np.float64]
SIGNALS = 12
BEGIN = 1_764_547_200 * 10**9
"""2025-12-01T00:00Z."""
RUN, IDLE = 1, 0
RUNS_MIN, STOPS_MIN = 110, 10
"""A run and the stop behind it, minutes."""
SAMPLES = 60
SLOW, FAST = 0.98, 0.3
"""What a minute hands to the next, and the deviation within a minute."""
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def tags_of(number: int) -> list[Tag]:
    """Name the tags of a machine."""
    path = f"works/hall/line/mill-{number}"
    own = [
        Tag(name=f"{path}/signal-{n}", source="plc", address=str(n), unit="1")
        for n in range(SIGNALS)
    ]
    return [*own, Tag(name=f"{path}/mode", source="plc", address="mode", role=Role.MODE)]


def windows_of(number: int, days: int, first: int) -> SummaryRecord:
    """Make windows of a minute of all tags of a machine, as a gateway would have made them."""
    random = np.random.default_rng(number)
    size = days * 1440
    mixing = random.normal(size=(3, SIGNALS))
    cause = np.zeros((size, 3))
    pushes = random.normal(size=(size, 3)) * np.sqrt(1 - SLOW**2)
    for at in range(1, size):
        cause[at] = SLOW * cause[at - 1] + pushes[at]
    minute = np.arange(size) % (RUNS_MIN + STOPS_MIN)
    mode = np.where(minute < RUNS_MIN, RUN, IDLE).astype(np.float64)
    mean = 20 + mode[:, None] * (10 + cause @ mixing)
    mean += FAST / np.sqrt(SAMPLES) * random.normal(size=mean.shape)
    common = random.normal(size=(2, size, 3)) @ mixing
    ends = mean + FAST * (0.5 * common + 0.8 * random.normal(size=(2, *mean.shape)))
    std = FAST * np.sqrt(random.chisquare(SAMPLES, mean.shape) / SAMPLES)
    low = np.minimum(ends.min(axis=0), mean - 2.4 * std)
    high = np.maximum(ends.max(axis=0), mean + 2.4 * std)
    told = mode[:, None]
    columns = [
        np.concatenate([own, other], axis=1).T.ravel()
        for own, other in (
            (low, told), (high, told), (mean, told), (std, np.zeros_like(told)),
            (ends[0], told), (ends[1], told),
        )
    ]  # fmt: skip
    start = np.tile(BEGIN + MINUTE * np.arange(size, dtype=np.int64), SIGNALS + 1)
    handle = np.repeat(np.arange(first, first + SIGNALS + 1, dtype=np.int32), size)
    count = np.full(len(start), SAMPLES, np.uint32)
    return SummaryRecord("plc", MINUTE, handle, start, count, count.copy(), *columns)


def fill(folder: Path, assets: int, days: int) -> None:
    """Write the history of all machines."""
    every = [tag for number in range(assets) for tag in tags_of(number)]
    handles = [TagHandle(handle, tag) for handle, tag in enumerate(every)]
    with SqliteSink(SqliteConfig(), handles, "bench", folder) as sink:
        for number in range(assets):
            whole = windows_of(number, days, number * (SIGNALS + 1))
            day = (whole.start - BEGIN) // (1440 * MINUTE)
            for one in range(days):
                sink.write([whole.take(np.flatnonzero(day == one))])


def jobs_of(folder: Path, assets: int, days: int) -> list[Job]:
    """Make the work."""
    work = []
    for number in range(assets):
        tags = tags_of(number)
        asset = Machine(
            path=tags[0].asset,
            signals=tuple(tag.name for tag in tags[:-1]),
            units=("1",) * SIGNALS,
            sources=("plc",) * len(tags),
            mode=tags[-1].name,
            names=((IDLE, "idle"), (RUN, "run")),
        )
        work.append(
            Job(
                machine=asset,
                settings=WatchSettings(find_modes=False),
                wishes=Wishes(),
                events=(),
                store=Store(folder),
                start=BEGIN,
                stop=BEGIN + days * 1440 * MINUTE,
                every=MINUTE,
            )
        )
    return work


def trained(work: Sequence[Job], workers: int, backend: str) -> list[Outcome]:
    """Train all of it."""
    return list(run_all(work, workers, backend))


def plain(work: Sequence[Job]) -> int:
    """Fit scikit-learn to the means of the same windows, asset by asset; count the rows."""
    rows = 0
    for job in work:
        size = (job.stop - job.start) // MINUTE, len(job.machine.signals)
        mean = np.full(size, np.nan)
        with SqliteHistory(job.store.folder / "history.db") as history:
            for piece in history.read(job.machine.signals, job.start, job.stop, MINUTE):
                mean[(piece.start - job.start) // MINUTE, piece.tag] = piece.mean
        whole = mean[np.isfinite(mean).all(axis=1)]
        scaled = StandardScaler().fit_transform(whole)
        IsolationForest(n_estimators=100, random_state=0).fit(scaled)
        rows += len(whole)
    return rows


def peak_mb() -> float:
    """Give the largest resident set of this process, and of one of its children, MB."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, child) / 1024


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=20)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--backend", default="loky")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, asked.assets, asked.days)
        work = jobs_of(folder, asked.assets, asked.days)
        begin, cpu = time.perf_counter(), time.process_time()
        rows = plain(work)
        plainly, plain_cpu = time.perf_counter() - begin, time.process_time() - cpu
        begin = time.perf_counter()
        outcomes = trained(work, asked.jobs, asked.backend)
        wall = time.perf_counter() - begin
    shelf = Shelf(None, "none", 0, 0, KEY, ())
    refused = [one.message for one in outcomes if one.reason]
    sizes = [
        len(shelf.file(job.machine, one, None))
        for job, one in zip(work, outcomes, strict=True)
        if not one.reason
    ]
    learnt = [int(str((one.card or {}).get("rows", 0))) for one in outcomes]
    print(
        json.dumps(
            {
                "machine": machine(),
                "assets": asked.assets,
                "days": asked.days,
                "jobs": asked.jobs,
                "backend": asked.backend,
                "windows": rows * (SIGNALS + 1),
                "train_s": round(wall, 1),
                "train_s_an_asset": round(wall / asked.assets, 2),
                "train_cpu_s_an_asset": round(float(np.mean([one.cpu_s for one in outcomes])), 2),
                "rows_learnt_an_asset": round(float(np.mean(learnt))),
                "scikit_learn_s": round(plainly, 1),
                "scikit_learn_s_an_asset": round(plainly / asked.assets, 2),
                "scikit_learn_cpu_s_an_asset": round(plain_cpu / asked.assets, 2),
                "peak_mb_a_process": round(peak_mb()),
                "model_kb": round(float(np.mean(sizes)) / 1000, 1) if sizes else None,
                "refused": refused,
            }
        )
    )


if __name__ == "__main__":
    main()
