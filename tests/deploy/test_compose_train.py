"""The trainer of docker-compose.yml, run as it stands there: from the store to the gateway."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.influx.config import InfluxConfig
from connectors.influx.schema import buckets_of
from connectors.influx.sink import InfluxSink
from connectors.registry.names import role_of
from connectors.registry.registry import Registry
from plant.summaries import HOUR, MINUTE
from tests import mill
from tests.deploy.walk import PATIENCE_S, ROOT, Walk
from tests.parts.stores.servers import Store, fetched, influx1
from tests.ports import free_port

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]
CONFIG = ROOT / "deploy/compose/gateway.toml"
LINE = mill.PATH.rpartition("/")[0]
SHARED = ("/secrets/tokens", "/srv/kit", "/srv/models")
HOURS = 6


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An InfluxDB with the last hours of a mill in the buckets that the gateway writes to."""
    now = time.time_ns() // HOUR * HOUR
    monkeypatch.setattr(mill, "BEGIN", now - HOURS * HOUR)
    one = influx1(tmp_path)
    one.start()
    try:
        filled(one)
        yield one
    finally:
        one.stop()


def filled(one: Store) -> None:
    config = InfluxConfig(name="central", url=one.url, api="v1", split=True)
    for bucket in buckets_of(config):
        fetched(f"{one.url}/query", {"q": f'CREATE DATABASE "{bucket}"'})
    with InfluxSink(config, mill.HANDLES, "line-1") as sink:
        sink.write([mill.summaries(mill.rows(HOURS * 3600), every) for every in (MINUTE, HOUR)])


def listed(registry: Registry) -> bool:
    """Tell whether what gateways see of the registry names a model: it is signed last of all."""
    folder = registry.shelf.folder
    if not registry.models():
        return False
    number = json.loads((folder / "timestamp.json").read_text())["signed"]["meta"]["snapshot.json"]
    snapshot = json.loads((folder / f"{number['version']}.snapshot.json").read_text())["signed"]
    line = registry.shelf.line(LINE)
    assert line is not None
    return bool(snapshot["meta"][f"{role_of(LINE)}.json"]["version"] == line.signed.version)


def configured(walk: Walk) -> Path:
    """Put the configuration of a line of its own where the container sees it, with models."""
    ours = CONFIG.read_text()
    models = ours.partition("# [models]")[2].replace("\n# ", "\n")
    machine = mill.config().partition("[detection]")
    file = walk.folder / "etc/wheeltapper/gateway.toml"
    file.parent.mkdir(parents=True)
    whole = f"{ours}\n[models]{models}\n{machine[1]}{machine[2]}"
    file.write_text(walk.mapped(whole))
    return file


def test_what_the_store_has_comes_to_the_gateway_as_a_model(store: Store, tmp_path: Path) -> None:
    port = str(free_port())
    places = {"http://influxdb:8086": store.url, "http://models:8070": f"http://127.0.0.1:{port}"}
    box, training = Walk(tmp_path / "box", places), Walk(tmp_path / "trainer", places)
    box.share(training, *SHARED)
    (box.folder / "secrets/tokens/read.token").write_text("any\n")
    (box.folder / "secrets/tokens/write.token").write_text("any\n")
    assert box.run("prepare", box.words("prepare")).returncode == 0
    configured(training)
    config = configured(box)
    # The image listens in its own network alone; the test on this machine alone.
    box.elsewhere |= {"0.0.0.0": "127.0.0.1", "8070": port}

    registry = Registry(box.folder / "srv/models")
    until = time.monotonic() + PATIENCE_S
    words = training.words("trainer", MODELS_LINE=LINE)
    with training.running("trainer", words=words) as trainer:
        while (
            training.run("trainer", training.check("trainer")).returncode or not registry.models()
        ):
            assert trainer.poll() is None, trainer.communicate()
            assert time.monotonic() < until, (trainer.terminate(), trainer.communicate())
            time.sleep(0.5)
    assert trainer.returncode == 0
    (model,) = registry.models()
    assert (model.asset, model.version, model.rings) == (mill.PATH, 1, ("all",))

    with box.running("models"):
        pull = ["wheeltapper", "models", "pull", str(config), "--json"]
        while (pulled := box.run("gateway", pull)).returncode == 3:
            assert time.monotonic() < until
            time.sleep(0.5)
    assert pulled.returncode == 0, pulled.stdout + pulled.stderr
    assert [one["asset"] for one in json.loads(pulled.stdout)["new"]] == [mill.PATH]
