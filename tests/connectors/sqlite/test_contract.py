"""The embedded history against the suites that every sink and every history has to pass."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from connectors.checks import histories, sinks
from connectors.checks.histories import HistoryUnderTest
from connectors.checks.sinks import TAGS, SinkUnderTest
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.sink import SqliteSink
from plant.records import SummaryRecord
from plant.tags import TagHandle


@pytest.mark.parametrize("check", sinks.applicable({}), ids=lambda check: check.__name__)
def test_sink(check: sinks.Check, sink_under_test: SinkUnderTest) -> None:
    check(sink_under_test)


@pytest.fixture
def history_under_test(
    make: Callable[[Sequence[TagHandle]], SqliteSink],
    history: Callable[[], SqliteHistory],
    tmp_path: Path,
) -> HistoryUnderTest:
    def keep(tags: Sequence[TagHandle], records: Sequence[SummaryRecord]) -> None:
        with make(tags) as sink:
            sink.write(records)

    keep(TAGS, [])
    return HistoryUnderTest(
        make=history, keep=keep, unreachable=lambda: SqliteHistory(tmp_path / "missing.db")
    )


@pytest.mark.parametrize("check", histories.applicable({}), ids=lambda check: check.__name__)
def test_history(check: histories.Check, history_under_test: HistoryUnderTest) -> None:
    check(history_under_test)


@pytest.mark.parametrize("suite", [sinks, histories])
def test_every_check_of_a_suite_is_in_it(suite: object) -> None:
    named = {name for name in dir(suite) if name.startswith("check_")}
    assert {check.__name__ for check in suite.ALL_CHECKS} == named  # type: ignore[attr-defined]
