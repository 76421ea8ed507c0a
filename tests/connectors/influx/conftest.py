"""Stores that take what the sink sends."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient

from connectors.influx.config import InfluxConfig
from tests.connectors.influx.records import Place
from tests.parts.stores.proxy import FaultProxy
from tests.parts.stores.servers import Store, fetched, influx1, victoria

REAL = "INFLUX_URL"
GUARD = (
    "CREATE USER \"admin\" WITH PASSWORD 'admin' WITH ALL PRIVILEGES",
    'CREATE DATABASE "plant"',
    "CREATE USER \"gw\" WITH PASSWORD 'pa ss:wört'",
    'GRANT ALL ON "plant" TO "gw"',
)


@pytest.fixture(scope="session")
def influx16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = influx1(tmp_path_factory.mktemp("influx16"))
    store.start()
    yield store
    store.stop()


@pytest.fixture(scope="session")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = victoria(tmp_path_factory.mktemp("victoria"))
    store.start()
    yield store
    store.stop()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An InfluxDB 1.6 that asks who is there; user gw may do everything in database plant."""
    store = influx1(tmp_path_factory.mktemp("guarded"), auth=True)
    store.start()
    try:
        fetched(f"{store.url}/query", {"q": GUARD[0]})
        for query in GUARD[1:]:
            fetched(f"{store.url}/query?u=admin&p=admin", {"q": query})
        yield store
    finally:
        store.stop()


@pytest.fixture
def database(influx16: Store) -> Iterator[str]:
    """A database of its own in the InfluxDB 1.6."""
    name = f"t{uuid.uuid4().hex}"
    fetched(f"{influx16.url}/query", {"q": f'CREATE DATABASE "{name}"'})
    yield name
    fetched(f"{influx16.url}/query", {"q": f'DROP DATABASE "{name}"'})


@pytest.fixture
def v1(influx16: Store, database: str) -> Place:
    config = InfluxConfig(name="central", url=influx16.url, api="v1", bucket=database)
    return Place(config, influx16.url, database, f"{influx16.url}/write?db={database}")


@pytest.fixture
def v2() -> Iterator[Place]:
    """A bucket of its own in the InfluxDB that INFLUX_URL names."""
    url = os.environ.get(REAL, "")
    if not url:
        pytest.skip(
            "MISSING PART: a real InfluxDB 2 — set INFLUX_URL, INFLUX_TOKEN (all access) and "
            "INFLUX_ORG; see docs/central.md"
        )
    org, token = os.environ["INFLUX_ORG"], os.environ["INFLUX_TOKEN"]
    name = f"t{uuid.uuid4().hex}"
    with InfluxDBClient(url, token=token, org=org) as client:
        bucket = client.buckets_api().create_bucket(bucket_name=name, org=org)
        config = InfluxConfig(
            name="central", url=url, org=org, bucket=name, split=False, token_env="INFLUX_TOKEN"
        )
        writing = f"{url}/api/v2/write?{urlencode({'org': org, 'bucket': name})}"
        yield Place(config, url, name, writing, token)
        client.buckets_api().delete_bucket(bucket)


@pytest.fixture(params=["v1", "v2"], ids=["influxdb-1.6", "INFLUX_URL"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def proxy(influx16: Store) -> Iterator[FaultProxy]:
    with FaultProxy(influx16.port) as between:
        yield between


@pytest.fixture
def behind(proxy: FaultProxy, v1: Place) -> Place:
    """The InfluxDB 1.6 behind the proxy."""
    return replace(v1, config=v1.config.model_copy(update={"url": proxy.url}))


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    return path
