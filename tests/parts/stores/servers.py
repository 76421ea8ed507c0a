"""Real stores in processes of their own: InfluxDB 1.6 and VictoriaMetrics, as Debian packs them."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lacking import lacking
from tests.ports import free_port

HOST = "127.0.0.1"
START_S = 30.0
INFLUXD = "influxd"
VICTORIA = "victoria-metrics"
_PACKAGES = {INFLUXD: "influxdb", VICTORIA: "victoria-metrics"}
_CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
logging-enabled = false
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
auth-enabled = {auth}
[monitor]
store-enabled = false
[logging]
level = "error"
"""


def need(program: str) -> str:
    """Give the program; a missing one is listed and skipped, and a failure in CI."""
    found = shutil.which(program)
    if found is None:
        package = _PACKAGES[program]
        lacking(f"{package} — install with: apt-get install -y {package}")
    return str(found)


def fetched(url: str, form: dict[str, str] | None = None) -> bytes:
    """Ask for a page; with a form by POST."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url, data, timeout=60) as page:
        body: bytes = page.read()
        return body


@dataclass
class Store:
    """A running server; `start` and `stop` may be repeated, what it keeps stays."""

    words: list[str]
    port: int
    ready: str
    environment: dict[str, str] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment
        )
        until = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, f"{self.words[0]} ended by itself"
            assert time.monotonic() < until, f"{self.words[0]} does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            fetched(self.url + self.ready)
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def influx1(folder: Path, *, auth: bool = False) -> Store:
    """Describe an InfluxDB 1.6 below `folder`; it is not started yet."""
    program = need(INFLUXD)
    port = free_port()
    config = folder / "influxdb.conf"
    config.write_text(
        _CONFIG.format(folder=folder, port=port, rpc=free_port(), auth=str(auth).lower())
    )
    home = {**os.environ, "HOME": str(folder)}
    return Store([program, "-config", str(config)], port, "/ping", home)


def victoria(folder: Path) -> Store:
    """Describe a VictoriaMetrics below `folder`; it is not started yet."""
    program = need(VICTORIA)
    port = free_port()
    words = [
        program,
        f"-httpListenAddr={HOST}:{port}",
        f"-storageDataPath={folder / 'victoria'}",
        "-retentionPeriod=100y",
        "-search.latencyOffset=0s",
    ]
    return Store(words, port, "/health")


def posted(url: str, body: bytes, token: str = "") -> None:
    """Post lines as they are."""
    with urllib.request.urlopen(_request(url, body, token), timeout=60) as page:
        assert page.status in (200, 204)


def asked(url: str, database: str, query: str, token: str = "") -> list[dict[str, Any]]:
    """Ask in InfluxQL, independently of the product; give the series."""
    form = urllib.parse.urlencode({"db": database, "q": query, "epoch": "ns"}).encode()
    with urllib.request.urlopen(_request(f"{url}/query", form, token), timeout=60) as page:
        (result,) = json.load(page)["results"]
    assert "error" not in result, result["error"]
    series: list[dict[str, Any]] = result.get("series", [])
    return series


def _request(url: str, body: bytes, token: str) -> urllib.request.Request:
    request = urllib.request.Request(url, body)
    if token:
        request.add_header("Authorization", f"Token {token}")
    return request


def series_of(url: str, match: str = '{__name__!=""}') -> dict[str, dict[int, float]]:
    """Give what a VictoriaMetrics holds: each series as text to its points, ms to value."""
    fetched(f"{url}/internal/force_flush")
    lines = fetched(f"{url}/api/v1/export", {"match[]": match}).splitlines()
    found = {}
    for row in map(json.loads, lines):
        labels = row["metric"]
        name = labels.pop("__name__")
        told = ",".join(f"{key}={labels[key]}" for key in sorted(labels) if key != "db")
        found[f"{name}{{{told}}}"] = dict(zip(row["timestamps"], row["values"], strict=True))
    return found
