"""A store that is a file, and does what the test tells it to: the receiving side of a courier."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from connectors.contract import Refusal
from plant.records import EventRecord, Record, SampleRecord, ScoreRecord, SummaryRecord


def rows_of(record: Record) -> list[list[Any]]:
    """The rows of a record, each with what makes it itself."""
    match record:
        case EventRecord():
            return [["event", record.kind, record.at, record.body]]
        case ScoreRecord():
            columns = zip(record.at.tolist(), record.score.tolist(), strict=True)
            return [["score", record.asset, at, score] for at, score in columns]
        case SummaryRecord():
            windows = zip(
                record.tag.tolist(), record.start.tolist(), record.mean.tolist(), strict=True
            )
            return [["window", record.every, tag, start, mean] for tag, start, mean in windows]
        case SampleRecord():
            batch = record.batch
            columns = zip(batch.tag.tolist(), batch.at.tolist(), batch.value.tolist(), strict=True)
            return [["sample", tag, at, value] for tag, at, value in columns]


class FileSink:
    """Appends rows to a file, a line a row.

    Attributes
    ----------
    before : callable
        Called with the records of each call before they are written; may raise, or wait.
    refuse : callable
        Tells of a row whether it is refused.
    calls : list
        Kinds of rows of each call that was taken.
    """

    name = "file"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before: Callable[[Sequence[Record]], None] = lambda _records: None
        self.entering: Callable[[], None] = lambda: None
        self.refuse: Callable[[list[Any]], bool] = lambda _row: False
        self.calls: list[list[list[Any]]] = []
        self.entered = 0
        self.sent_bytes = 0
        self.sent_rows = 0
        self.took = threading.Event()

    def __enter__(self) -> Self:
        self.entering()
        self.entered += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def write(self, records: Sequence[Record]) -> Sequence[Refusal]:
        self.before(records)
        rows = [row for record in records for row in rows_of(record)]
        refused = [row for row in rows if self.refuse(row)]
        taken = [row for row in rows if row not in refused]
        text = "".join(f"{json.dumps(row)}\n" for row in taken)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)
        self.sent_bytes += len(text)
        self.sent_rows += len(taken)
        self.calls.append(taken)
        self.took.set()
        return [Refusal(json.dumps(row), "no such column") for row in refused]

    def rows(self) -> list[list[Any]]:
        """Every row of the file in its order, those that came twice included."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]

    def numbers(self) -> list[int]:
        """The numbers of the events called "n", in the order of their coming."""
        return [row[3]["n"] for row in self.rows() if row[:2] == ["event", "n"]]
