"""The work of a training, asset by asset, on as many processes as are wanted.

A job holds nothing secret but what reads the store, and what it gives back is not signed: the key
stays with the command. Inside a job linear algebra runs on one thread, so that the same history
gives the same bytes wherever the job runs.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from analytics.federation.watching import KIND as CLASS
from analytics.modelfiles import read_model, watch_of
from analytics.settings import WatchSettings
from analytics.training.comparison import Comparison
from analytics.training.course import Course, Machine
from analytics.training.fit import NothingTrained
from analytics.training.selection import Event
from analytics.training.training import Wishes, check_tags, train
from analytics.watch import Watch
from plant.errors import Misconfigured, PlantError
from plant.keys import public_key
from plant.records import JSON
from wheeltapper.training.stores import Store, length_of

BACKENDS = ("loky", "dask", "threading", "sequential")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One asset to train.

    Parameters
    ----------
    machine, settings, wishes, events
        See `analytics.training.training.train`.
    store
        Where its windows are.
    start, stop
        Which time, ns.
    every
        Length of the windows, ns; 0: the shortest that cover the time.
    in_force, believed
        Model file that is in force, empty if none is, and the public keys (PEM) that it may be
        signed by.
    """

    machine: Machine
    settings: WatchSettings
    wishes: Wishes
    events: tuple[Event, ...]
    store: Store
    start: int
    stop: int
    every: int
    in_force: bytes = b""
    believed: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What became of a job: a model to be signed, or why there is none.

    Parameters
    ----------
    reason, message
        Why nothing was trained: a short code, and for people; empty if something was.
    arrays, settings, start, stop, history, card, metrics, comparison
        See `analytics.training.training.Trained`.
    seconds, cpu_s
        How long it took, and the time of processors, s.
    """

    path: str
    reason: str = ""
    message: str = ""
    arrays: Mapping[str, NDArray[Any]] | None = None
    settings: WatchSettings | None = None
    start: int = 0
    stop: int = 0
    history: str = ""
    card: Mapping[str, JSON] | None = None
    metrics: Mapping[str, float] | None = None
    comparison: Comparison | None = None
    seconds: float = 0.0
    cpu_s: float = 0.0


def run_job(job: Job) -> Outcome:
    """Train one asset; what a person can mend comes back as words, everything else is raised."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    begin, used = time.monotonic(), time.process_time()
    path = job.machine.path
    try:
        with threadpool_limits(1):
            course = course_of(job)
            trained = train(
                job.machine, course, job.events, job.settings, job.wishes, watch_in_force(job),
                time.process_time,
            )  # fmt: skip
    except NothingTrained as error:
        return Outcome(path=path, reason=error.reason, message=str(error))
    except PlantError as error:
        return Outcome(path=path, reason="store", message=f"{path}: {error}")
    return Outcome(
        path=path,
        arrays=trained.watch.state(),
        settings=trained.watch.settings,
        start=trained.start,
        stop=trained.stop,
        history=trained.history,
        card=trained.card,
        metrics=trained.metrics,
        comparison=trained.comparison,
        seconds=time.monotonic() - begin,
        cpu_s=time.process_time() - used,
    )


def course_of(job: Job) -> Course:
    """Read the course of a job's machine in its time."""
    machine = job.machine
    with job.store.open() as history:
        check_tags(machine, history.tags())
        grid = job.wishes.grid
        every = job.every or length_of(history, machine.tags[-1:], job.start, job.stop, grid)
        start, stop = job.start - job.start % every, job.stop - job.stop % every
        pieces = history.read(machine.tags, start, stop, every)
        return Course.gather(pieces, machine.sources, start, stop, every)


def watch_in_force(job: Job) -> Watch | None:
    """Read the model in force of a job; None where there is none, or one of its class.

    Raises
    ------
    NothingTrained
        It is of other signals or units than the configuration has now.
    """
    if not job.in_force:
        return None
    keys = [public_key(pem, "the key of the model in force") for pem in job.believed]
    model = read_model(job.in_force, keys)
    if model.header.kind == CLASS:
        return None  # what it knows of this machine the gateway alone has learnt
    machine = job.machine
    if (model.header.name, model.header.signals) != (machine.path, machine.signals):
        raise NothingTrained(
            "tag",
            f"{machine.path}: the model in force is of {model.header.name} with other signals than "
            "the configuration has now; train without it (--parent none)",
        )
    changed = [
        f'{name} from "{before}" to "{now}"'
        for name, before, now in zip(
            machine.signals, model.header.units, machine.units, strict=True
        )
        if before != now
    ]
    if changed:
        raise NothingTrained(
            "units",
            f"{machine.path}: units have changed since the model in force: {', '.join(changed)}; "
            "set them right, or train without it (--parent none) on time after the change",
        )
    return watch_of(model)


def run_all(
    jobs: Sequence[Job], workers: int, backend: str, scheduler: str = ""
) -> Iterator[Outcome]:
    """Run jobs on so many processes; the outcomes come in the order of the jobs.

    Parameters
    ----------
    backend
        One of `BACKENDS`.
    scheduler
        Address of a Dask scheduler; without one the workers are on this machine.
    """
    import joblib  # type: ignore[import-untyped]

    with ExitStack() as opened:
        chosen: dict[str, Any] = {"n_jobs": workers, "backend": backend}
        if backend == "dask" and scheduler:
            chosen["scheduler_host"] = scheduler
        elif backend == "dask":
            cluster = opened.enter_context(_cluster(workers))
            chosen["client"] = opened.enter_context(cluster.get_client())
        opened.enter_context(joblib.parallel_config(**chosen))
        yield from joblib.Parallel(return_as="generator")(joblib.delayed(run_job)(j) for j in jobs)


def _cluster(workers: int) -> Any:
    """Give a cluster of Dask on this machine, to be closed by whoever has it."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise Misconfigured(
            "--backend dask needs Dask, which one machine does not: "
            "pip install 'wheeltapper[dask]', or leave the backend at loky"
        ) from None
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs="ERROR"
    )
