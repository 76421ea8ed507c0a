"""The sink and version 2 of the API, by its published contract: a scripted server, no InfluxDB."""

from collections.abc import Iterator

import pytest

from connectors.influx.config import InfluxConfig
from connectors.influx.sink import InfluxSink
from plant.errors import Misconfigured
from plant.records import SampleRecord
from tests.connectors.influx.apiv2 import ADMIN, ApiV2
from tests.connectors.influx.records import T0, samples, tags

pytestmark = pytest.mark.journey
GOOD = [f"signal v={i}.0 {i}" for i in range(300)]


@pytest.fixture
def api() -> Iterator[ApiV2]:
    with ApiV2(buckets=[{"id": "1", "name": "wheeltapper"}]) as served:
        yield served


@pytest.fixture
def config(api: ApiV2, monkeypatch: pytest.MonkeyPatch) -> InfluxConfig:
    monkeypatch.setenv("TOKEN", ADMIN)
    return InfluxConfig(name="central", url=api.url, org="plant", split=False, token_env="TOKEN")


def sink(config: InfluxConfig, **changes: object) -> InfluxSink:
    return InfluxSink(config.model_copy(update=changes), tags(), "edge-1")


def one() -> SampleRecord:
    return samples([0], [T0], [1.5])


def test_lines_arrive_in_the_bucket(api: ApiV2, config: InfluxConfig) -> None:
    with sink(config) as entered:
        assert list(entered.write([one()])) == []

    assert api.lines["wheeltapper"][0].endswith(f"v=1.5,q=0i {T0}")


@pytest.mark.parametrize("bad", [[0], [299], [150], [3, 4, 200], list(range(0, 300, 30))])
@pytest.mark.parametrize(
    ("field", "reason"),
    [("NaN", "400: unable to parse 'signal v=NaN"), ('"text"', "422: failure writing points")],
)
def test_bad_lines_are_found_whatever_becomes_of_their_batch(
    api: ApiV2,
    config: InfluxConfig,
    monkeypatch: pytest.MonkeyPatch,
    bad: list[int],
    field: str,
    reason: str,
) -> None:
    lines = [f"signal v={field} {i}" if i in bad else line for i, line in enumerate(GOOD)]

    with sink(config) as entered:
        entered.write([one()])
        encode = entered._points.encode
        made = encode([])
        made.lines["signal"] = lines
        monkeypatch.setattr(entered._points, "encode", lambda _: made)
        api.lines.clear()
        refusals = entered.write([])

    assert [refusal.what for refusal in refusals] == [lines[i] for i in bad]
    assert all(refusal.reason.startswith(reason) for refusal in refusals)
    kept = {line for i, line in enumerate(lines) if i not in bad}
    assert set(api.lines["wheeltapper"]) == kept


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bucket": "nowhere"}, r"no bucket nowhere .*wheeltapper central init$"),
        ({"org": "works"}, "no organization works"),
        ({"split": True}, r"no bucket wheeltapper_1y .*split = false"),
        ({"token_env": None}, "asks who we are"),
    ],
)
def test_what_is_missing_is_said_at_entering(
    config: InfluxConfig, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(Misconfigured, match=words):
        sink(config, **changes).__enter__()


def test_a_wrong_token(config: InfluxConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "wrong")

    with pytest.raises(Misconfigured, match="does not know the token in the variable TOKEN"):
        sink(config).__enter__()


def test_a_token_that_was_put_right_is_taken_without_a_restart(
    api: ApiV2, config: InfluxConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = sink(config)
    monkeypatch.setenv("TOKEN", "wrong")
    with pytest.raises(Misconfigured):
        entered.__enter__()
    monkeypatch.setenv("TOKEN", ADMIN)

    with entered:
        entered.write([one()])

    assert len(api.lines["wheeltapper"]) == 2
