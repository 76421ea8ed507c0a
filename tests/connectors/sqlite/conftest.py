"""A history in a folder of the test's own."""

import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.checks.sinks import SinkUnderTest
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.sink import SqliteSink
from plant.tags import TagHandle

Make = Callable[[Sequence[TagHandle]], SqliteSink]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda tags: SqliteSink(SqliteConfig(), tags, "gateway", tmp_path)


@pytest.fixture
def history(tmp_path: Path) -> Callable[[], SqliteHistory]:
    return lambda: SqliteHistory(tmp_path / "history.db")


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file grow beyond a few pages, as a disk that is full in the middle of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def sink_under_test(
    make: Make, history: Callable[[], SqliteHistory], tmp_path: Path
) -> SinkUnderTest:
    shut = tmp_path / "shut"
    shut.write_text("a file where a folder should be")
    return SinkUnderTest(
        make=make,
        history=history,
        unreachable=lambda tags: SqliteSink(SqliteConfig(), tags, "gateway", shut),
        failing=no_room,
        patience=0.1,
    )
