"""The unit is one that systemd takes, and lets the gateway do little."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/wheeltapper.service"
EXPOSURE = 1.5
"""Of 10, as `systemd-analyze security` counts; it calls up to 2 "OK"."""


def analyze(*words: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("systemd-analyze")
    if program is None:
        missing = "MISSING PART: systemd — install with: apt-get install -y systemd"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    return subprocess.run([str(program), *words], capture_output=True, text=True)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program in it that is installed here."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/wheeltapper/bin/wheeltapper", sys.executable))
    return copy


def test_systemd_knows_every_word(unit: Path) -> None:
    verified = analyze("verify", str(unit))
    assert (verified.returncode, verified.stderr) == (0, "")


def test_an_unknown_word_would_be_found(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("WatchdogSec", "WachdogSec"))
    assert "WachdogSec" in analyze("verify", str(unit)).stderr


def test_it_is_exposed_little(unit: Path) -> None:
    said = analyze("security", "--offline=true", "--no-pager", str(unit)).stdout
    found = re.search(r"exposure level for wheeltapper.service: ([0-9.]+)", said)
    assert found, said
    assert float(found[1]) <= EXPOSURE


def test_what_the_gateway_says_is_listened_to() -> None:
    told = configparser.RawConfigParser(strict=False, delimiters=("=",))
    told.optionxform = str  # type: ignore[assignment, method-assign]
    told.read_string(UNIT.read_text())
    service = told["Service"]
    assert service["Type"] == "notify"
    assert 0 < int(service["WatchdogSec"]) <= 60
    assert service["DynamicUser"] == "yes"
    assert service["StateDirectory"] == "wheeltapper"
    assert service["Restart"] == "always"
    assert told["Unit"]["StartLimitIntervalSec"] == "0"
