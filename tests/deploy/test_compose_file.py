"""What docker-compose.yml has to say of each service, and must not say."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.walk import FILE, ROOT, SERVICES
from tests.lacking import lacking

SERVICE = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
OURS = {name: one for name, one in SERVICES.items() if "build" in one}
SECRET = re.compile(r"pass|token|secret|key", re.IGNORECASE)


def composer() -> str:
    program = shutil.which("docker-compose")
    if program is None:
        lacking("docker-compose — install with: apt-get install -y docker-compose")
    return str(program)


def test_compose_itself_takes_it() -> None:
    checked = subprocess.run(
        [composer(), "-f", ROOT / "docker-compose.yml", "config", "--quiet"],
        capture_output=True, text=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@SERVICE
def test_it_cannot_do_more_than_it_has_to(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9][0-9]*:[0-9]+", service["user"])
    assert service["pids_limit"] <= 200
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service)
    assert service.get("network_mode", "none") == "none"


@SERVICE
def test_it_cannot_fill_the_box(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[1-9][0-9]*[mg]", service["mem_limit"])
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert all("size=" in one for one in service["tmpfs"])


@SERVICE
def test_its_image_is_one_version(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+", service["image"])


@SERVICE
def test_it_is_watched_while_it_runs_or_ends_by_itself(service: dict[str, Any]) -> None:
    check = service["healthcheck"]
    ends = (service["restart"], check) == ("no", {"disable": True})
    runs = service["restart"] == "unless-stopped" and {*check} >= {"test", "interval", "timeout"}
    assert ends or runs


@SERVICE
def test_podman_takes_it_as_well(service: dict[str, Any]) -> None:
    """podman 4.3 knows no owner of a tmpfs, and takes words of a check apart at blanks."""
    assert not any("uid=" in one or "gid=" in one for one in service["tmpfs"])
    assert not any(" " in word for word in service["healthcheck"].get("test", []))


@SERVICE
def test_nobody_but_this_box_reaches_it_unless_somebody_says_so(service: dict[str, Any]) -> None:
    for port in service.get("ports", []):
        assert port.startswith("${BIND:-127.0.0.1}:")


@SERVICE
def test_no_secret_stands_in_it(service: dict[str, Any]) -> None:
    named = {
        name: value for name, value in service.get("environment", {}).items() if SECRET.search(name)
    }
    assert all(name.endswith("_FILE") for name in named)
    assert all(value.startswith("/secrets/") for value in named.values())


def test_secrets_are_read_only_but_where_they_are_made() -> None:
    writing = {
        (name, volume.partition(":")[0])
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
        if "/secrets/" in volume and not volume.endswith(":ro")
    }
    assert writing == {
        ("prepare", "store-secrets"),
        ("prepare", "grafana-secrets"),
        ("prepare", "console-secrets"),
        ("setup", "tokens"),
        ("trainer", "model-keys"),
    }


def test_every_volume_is_told_and_used() -> None:
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
    }
    assert {name for name in used if not name.startswith("./")} == set(FILE["volumes"])
    assert all((ROOT / name).exists() for name in used if name.startswith("./"))


def test_the_store_is_in_a_network_of_its_own() -> None:
    assert FILE["networks"]["store"] == {"internal": True}
    assert SERVICES["influxdb"]["networks"] == ["store"]
    assert "ports" not in SERVICES["influxdb"]


def test_the_gateway_waits_for_no_store() -> None:
    assert set(SERVICES["gateway"]["depends_on"]) == {"prepare"}


def test_images_are_those_that_were_looked_at() -> None:
    boards = (ROOT / "tests/parts/grafana-schema/package.json").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    grafana = SERVICES["grafana"]["image"].partition(":")[2]
    assert f'"@grafana/schema": "{grafana}"' in boards
    assert SERVICES["influxdb"]["image"] == "influxdb:2.9.1"
    version = project["version"]
    train = SERVICES["trainer"]
    assert train["image"] == f"wheeltapper-train:{version}"
    assert (train["build"]["args"]["WITHOUT"], train["profiles"]) == ("", ["train"])
    others = {one["image"] for name, one in OURS.items() if name != "trainer"}
    assert others == {f"wheeltapper:{version}"}


def test_the_image_is_made_of_what_is_here() -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    copied = {
        name
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)
    assert [line for line in lines if line.startswith("USER")] == ["USER 1000:1000"]
    assert {line for line in lines if line.startswith("FROM")} == {
        "FROM ${BASE} AS python", "FROM python AS builder", "FROM python",
    }  # fmt: skip


def test_each_folder_of_a_volume_belongs_to_the_one_who_writes_it() -> None:
    """An empty volume takes its owner from the image: without that nobody could write it."""
    image = (ROOT / "Dockerfile").read_text()
    made = set(re.search(r"--mode 0700 (.*?)\nCOPY", image, re.DOTALL)[1].split())  # type: ignore[index]
    mounted = {
        Path(volume.split(":")[1])
        for service in OURS.values()
        for volume in service.get("volumes", [])
        if not volume.startswith("./")
    }
    assert mounted == {Path(one) for one in made if one != "\\"}
