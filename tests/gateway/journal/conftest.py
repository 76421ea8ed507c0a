"""A journal in a folder of the test's own, and records to put into it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gateway.journal import Journal, SampleRecord
from plant.samples import Batch

SECOND = 10**9
Samples = Callable[..., SampleRecord]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal.open(path)
    yield opened
    opened.close()


@pytest.fixture
def samples() -> Samples:
    """Make one record: tags 1 to n at second `second`, value = number + tag / 100."""

    def make(number: int, n: int = 5, source: str = "line", second: int = 0) -> SampleRecord:
        tag = np.arange(1, n + 1, dtype=np.int32)
        at = np.full(n, (second or number) * SECOND, np.int64)
        status = np.zeros(n, np.uint32)
        batch = Batch(source, tag, at, number + tag / 100, status, int(at[0]), number, number)
        return SampleRecord(batch, np.zeros(n, np.uint8))

    return make
