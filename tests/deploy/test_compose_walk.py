"""The services of docker-compose.yml, as far as they are ours, run as they stand there."""

import json
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.loader import load
from plant.errors import Misconfigured
from tests.connectors.influx import apiv2
from tests.deploy.walk import PATIENCE_S, ROOT, SERVICES, Walk, filled
from tests.parts.stores.servers import Store, fetched, victoria
from tests.ports import free_port

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]
CONFIG = ROOT / "deploy/compose/gateway.toml"
SECRETS = (
    "secrets/console/admin.password",
    "secrets/grafana/admin.password",
    "secrets/store/admin.password",
    "secrets/store/admin.token",
)
FIRST_S = 300.0
"""Time for a first value to come to the store, s; the promise, on a quiet box, is 120."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    walk = Walk(tmp_path_factory.mktemp("walk"), {})
    ended = walk.run("prepare", walk.words("prepare"))
    assert ended.returncode == 0, ended.stderr
    return walk


def secrets_of(walk: Walk) -> list[str]:
    return [(walk.folder / name).read_text().strip() for name in SECRETS]


def test_prepare_makes_secrets_for_one_user_and_tells_none(prepared: Walk) -> None:
    found = {path for path in prepared.folder.glob("secrets/*/*") if path.is_file()}
    assert found == {prepared.folder / name for name in SECRETS}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert len(set(secrets_of(prepared))) == len(SECRETS)


def test_prepare_changes_nothing_the_second_time(prepared: Walk) -> None:
    before = secrets_of(prepared)
    again = prepared.run("prepare", prepared.words("prepare"))
    assert again.returncode == 0
    assert secrets_of(prepared) == before
    assert not any(secret in again.stdout + again.stderr for secret in before)
    assert "admin is there already" in again.stdout


def test_no_two_boxes_have_a_secret_in_common(prepared: Walk, tmp_path: Path) -> None:
    other = Walk(tmp_path, {})
    assert other.run("prepare", other.words("prepare")).returncode == 0
    assert not set(secrets_of(other)) & set(secrets_of(prepared))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, prepared: Walk) -> Iterator[apiv2.ApiV2]:
    """What InfluxDB's own set-up leaves: the token of prepare, one bucket of ten years."""
    token = (prepared.folder / "secrets/store/admin.token").read_text().strip()
    monkeypatch.setattr(apiv2, "ADMIN", token)
    told = SERVICES["influxdb"]["environment"]
    hours = int(told["DOCKER_INFLUXDB_INIT_RETENTION"].removesuffix("h"))
    bucket = {
        "id": "0000000000000002",
        "orgID": apiv2.ORG["id"],
        "name": told["DOCKER_INFLUXDB_INIT_BUCKET"],
        "retentionRules": [{"type": "expire", "everySeconds": hours * 3600}],
    }
    with apiv2.ApiV2(buckets=[bucket]) as api:
        yield api


def test_setup_gives_grafana_all_that_it_asks_for(
    prepared: Walk, store: apiv2.ApiV2, tmp_path: Path
) -> None:
    prepared.elsewhere = {"http://influxdb:8086": store.url}
    first = prepared.run("setup", prepared.words("setup"))
    assert first.returncode == 0, first.stderr
    assert "bucket  wheeltapper: was there (keeps 10 years)" in first.stdout
    made = len(store.authorizations)
    assert prepared.run("setup", prepared.words("setup")).returncode == 0
    assert len(store.authorizations) == made == 2

    start = tmp_path / "run.sh"
    start.write_text('#!/bin/sh\nprintf %s "$INFLUX_READ_TOKEN"\n')
    start.chmod(0o755)
    prepared.elsewhere = {"/run.sh": str(start)}
    grafana = prepared.run("grafana", prepared.words("grafana"))
    read = (prepared.folder / "secrets/tokens/read.token").read_text().strip()
    assert grafana.stdout == read
    assert read in {one["token"] for one in store.authorizations}

    told = prepared.environment("grafana")
    provisioning = Path(prepared.mapped(told["GF_PATHS_PROVISIONING"]))
    home = Path(prepared.mapped(told["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]))
    provider = json.loads((provisioning / "dashboards/wheeltapper.yaml").read_text())
    boards = Path(prepared.mapped(SERVICES["setup"]["command"][0].split("--boards ")[1].split()[0]))
    assert provider["providers"][0]["options"]["path"] == str(boards)
    assert home.parent == boards
    assert json.loads(home.read_text())["uid"] == "wheeltapper-site"
    assert (provisioning / "datasources/wheeltapper.yaml").exists()
    assert "https://localhost:8080" in (boards / "04-alarms.json").read_text()


@pytest.fixture(scope="module")
def sent_to(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real store that takes what is written to an InfluxDB 2."""
    one = victoria(tmp_path_factory.mktemp("store"))
    one.start()
    yield one
    one.stop()


def series_of(store: Store) -> list[Any]:
    lines = fetched(f"{store.url}/api/v1/export?match[]=state_ne107").splitlines()
    return [json.loads(line) for line in lines]


def test_the_gateway_shows_the_line_and_sends_it(prepared: Walk, sent_to: Store) -> None:
    prepared.elsewhere = {"http://influxdb:8086": sent_to.url}
    config = prepared.folder / "etc/wheeltapper/gateway.toml"
    config.parent.mkdir(parents=True)
    config.write_text(prepared.mapped(CONFIG.read_text()))
    (prepared.folder / "secrets/tokens").mkdir(exist_ok=True)
    (prepared.folder / "secrets/tokens/write.token").write_text("any\n")
    until = time.monotonic() + FIRST_S
    # The image listens in its own network alone; the test on this machine alone.
    here = {"WHEELTAPPER__CONSOLE__HOST": "127.0.0.1", "WHEELTAPPER__CONSOLE__PORT": "0"}
    with prepared.running("gateway", "--hours=0.2", **here) as gateway:
        while not series_of(sent_to):
            assert gateway.poll() is None, gateway.communicate()
            assert time.monotonic() < until
            time.sleep(0.5)
        healthy = prepared.run("gateway", prepared.check("gateway"))
        assert healthy.returncode == 0, healthy.stderr
        assert healthy.stdout.splitlines()[0] in {"ok", "degraded"}
        told = json.loads((prepared.folder / "var/lib/wheeltapper/gateway.json").read_text())
        assert told["url"].startswith("https://")
    assert gateway.returncode == 0
    sick = prepared.run("gateway", prepared.check("gateway"))
    assert sick.returncode == 3
    assert {one["metric"]["line"] for one in series_of(sent_to)} == {"line-1"}


def test_without_an_account_the_console_stays_closed(prepared: Walk, tmp_path: Path) -> None:
    told = {"WHEELTAPPER__CONSOLE__NAMES": filled(
        SERVICES["gateway"]["environment"]["WHEELTAPPER__CONSOLE__NAMES"],
        {"CONSOLE_NAME": "wheeltapper.plant.example"},
    )}  # fmt: skip
    own = tmp_path / "gateway.toml"
    own.write_text(prepared.mapped(CONFIG.read_text()))
    plan = load(own, told, reads=False)
    assert (plan.console.host, plan.console.tls) == ("0.0.0.0", True)
    assert plan.console.names == ("wheeltapper.plant.example",)
    own.write_text(CONFIG.read_text().replace("/var/lib/wheeltapper", str(tmp_path / "data")))
    with pytest.raises(Misconfigured, match="no account can log in"):
        load(own, told, reads=False)


def status_of(url: str, method: str = "GET") -> int:
    try:
        asked = urllib.request.Request(url, method=method, data=b"" if method == "PUT" else None)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_models_are_fetched_and_nothing_else(prepared: Walk) -> None:
    shelf = prepared.folder / "srv/models"
    (shelf / "pump-2").mkdir(parents=True)
    (shelf / "pump-2/1.model").write_bytes(bytes(range(256)))
    port = str(free_port())
    prepared.elsewhere = {"0.0.0.0": "127.0.0.1", "8070": port}
    with prepared.running("models") as server:
        assert server.stdout
        assert port in server.stdout.readline()
        until = time.monotonic() + PATIENCE_S
        while prepared.run("models", prepared.check("models")).returncode:
            assert time.monotonic() < until
        url = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{url}/pump-2/1.model", timeout=60) as answer:
            assert answer.read() == bytes(range(256))
            tag = answer.headers["ETag"]
        again = urllib.request.Request(f"{url}/pump-2/1.model", headers={"If-None-Match": tag})
        with pytest.raises(urllib.error.HTTPError) as unchanged:
            urllib.request.urlopen(again, timeout=60)
        assert unchanged.value.code == 304
        unchanged.value.close()
        assert status_of(f"{url}/pump-2/2.model") == 404
        assert status_of(f"{url}/pump-2/") == 404
        assert status_of(f"{url}/%2e%2e/%2e%2e/secrets/store/admin.token") == 404
        assert status_of(f"{url}/pump-2/2.model", "PUT") == 405
    assert prepared.run("models", prepared.check("models")).returncode != 0
