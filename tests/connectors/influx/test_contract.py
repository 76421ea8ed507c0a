"""InfluxDB against the suites that every sink and every history has to pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from connectors.checks import histories, sinks
from connectors.checks.histories import HistoryUnderTest
from connectors.checks.sinks import SinkUnderTest
from connectors.influx.history import InfluxHistory
from connectors.influx.points import as_written
from connectors.influx.sink import InfluxSink
from plant.records import SummaryRecord
from plant.tags import TagHandle
from tests.connectors.influx.records import Place
from tests.parts.stores.proxy import Fault, FaultProxy
from tests.ports import free_port

pytestmark = pytest.mark.journey
LOST = Fault(status=200, body=b"the answer is lost on the way", forwarded=1, cut_after=4)


@pytest.fixture
def behind_proxy(place: Place) -> Iterator[tuple[Place, FaultProxy]]:
    url = urlsplit(place.config.url)
    with FaultProxy(url.port or 8086, url.hostname or "") as proxy:
        changes = {"url": proxy.url, "windows": ("10s", "1m", "1h")}
        yield replace(place, config=place.config.model_copy(update=changes)), proxy


@pytest.fixture
def sink_under_test(behind_proxy: tuple[Place, FaultProxy]) -> SinkUnderTest:
    place, proxy = behind_proxy

    @contextmanager
    def failing() -> Iterator[None]:
        proxy.always(LOST)
        yield
        proxy.always(None)

    nobody = f"http://127.0.0.1:{free_port()}"

    def off(tags: Sequence[TagHandle]) -> InfluxSink:
        return place.sink(list(tags), url=nobody)

    return SinkUnderTest(
        make=lambda tags: place.sink(list(tags)),
        history=lambda: InfluxHistory(place.config),
        rounded=as_written,
        unreachable=off,
        failing=failing,
    )


@pytest.fixture
def history_under_test(behind_proxy: tuple[Place, FaultProxy]) -> HistoryUnderTest:
    place, _ = behind_proxy
    elsewhere = place.config.model_copy(update={"url": f"http://127.0.0.1:{free_port()}"})

    def keep(tags: Sequence[TagHandle], records: Sequence[SummaryRecord]) -> None:
        with place.sink(list(tags)) as sink:
            assert list(sink.write(records)) == []

    return HistoryUnderTest(
        make=lambda: InfluxHistory(place.config),
        keep=keep,
        rounded=as_written,
        unreachable=lambda: InfluxHistory(elsewhere),
    )


@pytest.mark.parametrize("check", sinks.applicable({}), ids=lambda check: check.__name__)
def test_sink(check: sinks.Check, sink_under_test: SinkUnderTest) -> None:
    check(sink_under_test)


@pytest.mark.parametrize("check", histories.applicable({}), ids=lambda check: check.__name__)
def test_history(check: histories.Check, history_under_test: HistoryUnderTest) -> None:
    check(history_under_test)
