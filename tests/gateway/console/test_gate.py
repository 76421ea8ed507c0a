"""Only the operator's own browser gets in: Host, Origin and Content-Type are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gateway.console.conftest import Console, Plant

pytestmark = pytest.mark.journey

SAID = {"actor": "Ana", "note": "seen"}


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_local_names_are_answered(console: Console, name: str) -> None:
    assert console.ask("/", headers={"Host": f"{name}:{console.port}"}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", ""]
)
@pytest.mark.parametrize("path", ["/", "/api/line", "/events", "/metrics", "/static/console.js"])
def test_other_hosts_are_refused_everywhere(console: Console, host: str, path: str) -> None:
    answer = console.ask(path, headers={"Host": host.format(port=console.port)})

    assert answer.status == 421
    assert f"http://127.0.0.1:{console.port}" in answer.content["error"]


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}", "", "x"],
)
def test_foreign_origin_changes_nothing(console: Console, plant: Plant, origin: str) -> None:
    plant.alarmed()

    answer = console.acknowledge(12, SAID, Origin=origin.format(port=console.port))

    assert answer.status == 403
    assert plant.alarm_state == "UNACK"


def test_own_origin_may_acknowledge(console: Console, plant: Plant) -> None:
    plant.alarmed()

    assert console.acknowledge(12, SAID, Origin=console.url).status == 200


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_form_like_request_changes_nothing(console: Console, plant: Plant, media: str) -> None:
    plant.alarmed()

    answer = console.acknowledge(12, SAID, Content_Type=media)

    assert answer.status == 415
    assert plant.alarm_state == "UNACK"


def test_json_with_a_charset_is_json(console: Console, plant: Plant) -> None:
    plant.alarmed()

    answer = console.acknowledge(12, SAID, Content_Type="application/json; charset=utf-8")

    assert answer.status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_reading_paths_take_no_writes(console: Console, method: str) -> None:
    headers = {"Content-Type": "application/json"}

    assert console.ask("/api/line", method=method, headers=headers).status == 405


def test_acknowledging_takes_no_get(console: Console, plant: Plant) -> None:
    plant.alarmed()

    assert console.ask("/api/alarms/12/acknowledge").status == 405
    assert plant.alarm_state == "UNACK"


@pytest.mark.parametrize("path", ["/", "/api/line", "/static/console.js", "/api/nothing"])
def test_every_answer_carries_the_safeguards(console: Console, path: str) -> None:
    headers = console.ask(path).headers

    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_data_is_never_cached(console: Console) -> None:
    assert console.ask("/api/line").headers["cache-control"] == "no-store"
