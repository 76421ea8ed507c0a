"""Did the gateway do the work? Reads its journal back and holds it against the formula."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.findings import Finding, is_abnormal
from bench.loads.formula import (
    MODBUS_HEADER,
    MODBUS_REGISTERS,
    OpcUaSignals,
    modbus_faulty,
    modbus_values,
)
from gateway.journal import DamagedRecord, Journal, SampleRecord
from plant.quality import is_good

NOT_JUDGED = np.uint8(Finding.LEARNING | Finding.NOT_GOOD | Finding.UNSCORED)
NOT_RANGED = np.uint8(Finding.NOT_GOOD | Finding.UNSCORED)
"""While it learns, a monitor does judge the range."""


@dataclass(slots=True)
class Found:
    """Counts over the samples of one source within the measured time.

    `faults`, `flagged` and `hits` are about the samples that a monitor judged.
    """

    sent: int = 0
    journalled: int = 0
    twice: int = 0
    wrong: int = 0
    scored: int = 0
    faults: int = 0
    flagged: int = 0
    hits: int = 0

    def judge(self, verdict: NDArray[np.uint8], fault: NDArray[np.bool_], deaf: np.uint8) -> None:
        """Count verdicts (n,) against the injected faults; those with a bit of `deaf` are left."""
        judged = verdict & deaf == 0
        flag = is_abnormal(verdict) & judged
        self.faults = int(np.count_nonzero(fault & judged))
        self.flagged = int(np.count_nonzero(flag))
        self.hits = int(np.count_nonzero(flag & fault))

    @property
    def proved(self) -> bool:
        """Whether all that was sent was kept, once and unchanged, and scored."""
        whole = self.sent == self.journalled == self.scored > 0
        return whole and self.wrong == self.twice == 0

    def report(self) -> dict[str, float | int | None]:
        """Give the counts with what follows from them."""
        return {
            "proved": self.proved,
            **asdict(self),
            "recall": round(self.hits / self.faults, 4) if self.faults else None,
            "precision": round(self.hits / self.flagged, 4) if self.flagged else None,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Samples of one source as they stand in the journal, in its order."""

    tag: NDArray[np.int64]
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    status: NDArray[np.uint32]
    verdict: NDArray[np.uint8]

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> "Columns":
        """Keep or order samples."""
        return Columns(
            self.tag[which],
            self.at[which],
            self.value[which],
            self.status[which],
            self.verdict[which],
        )

    def within(self, start: int, stop: int) -> "Columns":
        """Keep what has its source time in [start, stop) ns."""
        return self[(self.at >= start) & (self.at < stop)]

    @property
    def scored(self) -> int:
        """Samples that monitors had their say on."""
        return int(np.count_nonzero(self.verdict & np.uint8(Finding.UNSCORED) == 0))


def columns(journal: Journal, source: str) -> Columns:
    """Read all samples of one source.

    Raises
    ------
    ValueError
        A record is damaged.
    """
    kept: list[SampleRecord] = []
    for _, entry in journal.read(kinds=[SampleRecord]):
        if isinstance(entry, DamagedRecord):
            raise ValueError(f"journal: record {entry.position} is damaged: {entry.reason}")
        if isinstance(entry, SampleRecord) and entry.batch.source == source:
            kept.append(entry)
    batches = [record.batch for record in kept]
    return Columns(
        np.concatenate([batch.tag for batch in batches]).astype(np.int64),
        np.concatenate([batch.at for batch in batches]),
        np.concatenate([batch.value for batch in batches]),
        np.concatenate([batch.status for batch in batches]),
        np.concatenate([record.verdict for record in kept]),
    )


def prove_opcua(
    held: Columns, number: NDArray[np.int64], signals: OpcUaSignals, start: int, stop: int
) -> Found:
    """Hold the OPC UA samples against the formula.

    Parameters
    ----------
    held
        Every OPC UA sample of the journal.
    number
        Number of the load's tag, by handle.
    signals
        The formula.
    start, stop
        The measured time, ns; each tick within it was sent once for each tag.
    """
    first, last = -(-start // signals.period_ns), -(-stop // signals.period_ns)
    inside = held.within(first * signals.period_ns, last * signals.period_ns)
    tag, tick = number[inside.tag], signals.tick(inside.at)
    bad = signals.bad(tag, tick)
    # A Bad sample has no number, so only its status can be wrong.
    value_wrong = (inside.value != signals.values(tag, tick)) & ~bad
    wrong = value_wrong | (is_good(inside.status) == bad) | (inside.at % signals.period_ns != 0)
    times = np.bincount((tick - first) * signals.tags + tag)
    found = Found(
        sent=signals.tags * (last - first),
        journalled=len(inside.tag),
        twice=int(np.count_nonzero(times > 1)),
        wrong=int(np.count_nonzero(wrong)),
        scored=inside.scored,
    )
    found.judge(inside.verdict, signals.faulty(tag, tick), NOT_JUDGED)
    return found


def prove_modbus(held: Columns, number: NDArray[np.int64], start: int, stop: int) -> Found:
    """Hold the Modbus samples against the formula and against the units' counts of their answers.

    `number` gives ``100 · unit + register`` by handle.

    Raises
    ------
    ValueError
        The samples do not make up whole answers.
    """
    inside = held.within(start, stop)
    place = number[inside.tag]
    order = np.lexsort((place % MODBUS_REGISTERS, inside.at, place // MODBUS_REGISTERS))
    shape = (-1, MODBUS_REGISTERS)
    place, value = place[order].reshape(shape), inside.value[order].reshape(shape)
    unit, register = np.divmod(place, MODBUS_REGISTERS)
    if (register != np.arange(MODBUS_REGISTERS)).any() or not np.isfinite(value).all():
        raise ValueError("journal: a Modbus answer is not whole")
    tick = np.broadcast_to(value[:, :1] + 65_536 * value[:, 1:2], value.shape).astype(np.int64)
    payload = (slice(None), slice(MODBUS_HEADER, None))
    wrong = (value != modbus_values(unit, register, tick))[payload]
    answers = _counts(unit[:, 0], value[:, 2].astype(np.int64))
    found = Found(
        sent=MODBUS_REGISTERS * sum(sent for sent, _ in answers),
        journalled=value.size,
        twice=MODBUS_REGISTERS * sum(twice for _, twice in answers),
        wrong=int(np.count_nonzero(wrong)),
        scored=inside.scored,
    )
    verdict = inside.verdict[order].reshape(shape)[payload]
    fault = modbus_faulty(unit, register, tick)[payload]
    found.judge(verdict.ravel(), fault.ravel(), NOT_RANGED)
    return found


def _counts(unit: NDArray[np.int64], counter: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Give for each unit the answers it sent and those that stand here twice."""
    found = []
    for each in np.unique(unit):
        steps = np.diff(counter[unit == each]) % 65_536
        found.append((1 + int(steps.sum()), int(np.count_nonzero(steps == 0))))
    return found
