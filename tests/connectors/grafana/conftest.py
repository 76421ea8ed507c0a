"""Grafanas: the contract, and the one that GRAFANA_URL names."""

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError

import pytest

from dashboards.collection import boards
from tests.connectors.grafana.contract import EDITOR, Contract

SOURCES = ("wheeltapper", "wheeltapper-1y", "wheeltapper-90d")


@dataclass(frozen=True)
class Site:
    """A Grafana, and how a test gets there past the product."""

    url: str
    token: str

    def ask(self, verb: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method=verb,
        )
        with urllib.request.urlopen(request, timeout=60) as page:
            return json.load(page)

    def edited(self, uid: str, title: str) -> None:
        """Change a board as somebody does in the browser."""
        found = self.ask("GET", f"/dashboards/uid/{uid}")
        board = {**found["dashboard"], "title": title}
        folder = found["meta"].get("folderUid", "")
        said = {"dashboard": board, "message": "nicer", "folderUid": folder}
        self.ask("POST", "/dashboards/db", said)

    def furnish(self) -> None:
        """Make the data sources that the boards ask."""
        for uid in SOURCES:
            told = {"type": "influxdb", "access": "proxy", "url": "http://127.0.0.1:8086"}
            self.ask("POST", "/datasources", {"uid": uid, "name": uid, **told})

    def clear(self) -> None:
        paths = [f"/dashboards/uid/{one.uid}" for one in boards()]
        for path in (*paths, *(f"/datasources/uid/{uid}" for uid in SOURCES)):
            with suppress(HTTPError):
                self.ask("DELETE", path)


@pytest.fixture
def contract() -> Iterator[Contract]:
    with Contract() as served:
        yield served


@pytest.fixture
def published(contract: Contract) -> Site:
    return Site(contract.url, EDITOR)


@pytest.fixture
def real() -> Iterator[Site]:
    """The Grafana that GRAFANA_URL names; what the tests put there is taken away again."""
    url = os.environ.get("GRAFANA_URL", "").rstrip("/")
    if not url:
        pytest.skip(
            "MISSING PART: a real Grafana — set GRAFANA_URL and GRAFANA_TOKEN (of a service "
            "account with the role Admin, in an organization of its own); see docs/boards.md"
        )
    site = Site(url, os.environ["GRAFANA_TOKEN"])
    site.clear()
    yield site
    site.clear()


@pytest.fixture(params=["published", "real"], ids=["contract", "GRAFANA_URL"])
def site(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(request.param)
    found.furnish()
    return found
