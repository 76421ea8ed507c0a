"""`doctor` at stores at fault: each fault has its own words, mend and ending."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.influx.config import InfluxConfig
from connectors.sqlite.config import SqliteConfig
from gateway.config.plan import Plan
from plant.findings import Finding, Verdict
from plant.tags import Tag
from tests.parts.stores.proxy import Fault, FaultProxy, answer
from tests.ports import free_port
from wheeltapper import examination
from wheeltapper.examination import _sink

TAGS = (Tag(name="a/b/c", source="plc", address="x"),)


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """A store that answers as it is told; there is nothing behind it."""
    with FaultProxy(free_port()) as made:
        yield made


def examined(folder: Path, config: Any) -> Finding:
    plan = Plan(name="line", data=folder, tags=TAGS, sinks=(config,))
    return asyncio.run(_sink(config, plan))


def influx(proxy: FaultProxy, **more: Any) -> InfluxConfig:
    return InfluxConfig(name="central", url=proxy.url, org="works", split=False, **more)


@pytest.mark.parametrize(
    ("fault", "verdict", "result", "mend"),
    [
        (answer(204), Verdict.GOOD, "lets this gateway in", ""),
        (
            answer(401, b'{"code":"unauthorized","message":"unauthorized access"}'),
            Verdict.WRONG,
            "/token: unauthorized access",
            "wheeltapper central init",
        ),
        (
            answer(404, b'{"code":"not found","message":"bucket not found"}'),
            Verdict.WRONG,
            "has no bucket wheeltapper",
            "make them with wheeltapper central init",
        ),
        (
            answer(503, b'{"message":"starting"}', retry_after="9"),
            Verdict.UNREACHABLE,
            "is busy: starting",
            "asked again by itself",
        ),
        (Fault(), Verdict.UNREACHABLE, "answers 502", "its own log"),
    ],
)
def test_each_answer_has_its_words(
    tmp_path: Path, proxy: FaultProxy, fault: Fault, verdict: Verdict, result: str, mend: str
) -> None:
    proxy.always(fault)
    token = tmp_path / "token"
    token.write_text("a-token")
    found = examined(tmp_path, influx(proxy, token_file=token))
    assert (found.subject, found.check, found.verdict) == ("central", "store", verdict)
    assert result in found.result
    assert mend in found.mend


def test_nobody_listens(tmp_path: Path) -> None:
    config = InfluxConfig(name="central", url=f"http://127.0.0.1:{free_port()}", org="works")
    found = examined(tmp_path, config)
    assert found.verdict is Verdict.UNREACHABLE
    assert "does not answer" in found.result
    assert "is the store on, and does url name its port?" in found.mend
    assert "the journal keeps what waits" in found.mend


def test_a_token_file_that_is_missing(tmp_path: Path, proxy: FaultProxy) -> None:
    found = examined(tmp_path, influx(proxy, token_file=tmp_path / "token"))
    assert found.verdict is Verdict.WRONG
    assert "token cannot be read: No such file" in found.result


def test_a_store_that_takes_its_time(
    tmp_path: Path, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "STORE_S", 0.3)
    proxy.always(replace(answer(204), delay_s=1.0))
    found = examined(tmp_path, influx(proxy))
    assert found.verdict is Verdict.UNREACHABLE
    assert "does not answer within" in found.result


def test_the_history_here(tmp_path: Path) -> None:
    found = examined(tmp_path, SqliteConfig())
    assert found.verdict is Verdict.GOOD
    assert "none yet" in found.result
    assert not (tmp_path / "history.db").exists()
    (tmp_path / "history.db").write_bytes(b"no database at all, and long enough to be one" * 100)
    found = examined(tmp_path, SqliteConfig())
    assert found.verdict is Verdict.WRONG
    assert "history.db" in found.result
