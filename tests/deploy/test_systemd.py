"""The units are such that systemd takes, and let gateway and guard do little."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.guard.separation import DROPPED, PASSED
from gateway.guard.stopping import STOPS
from tests.lacking import lacking

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/systemd"
UNIT, GUARD = FOLDER / "wheeltapper.service", FOLDER / "wheeltapper-guard.service"
BESIDE = FOLDER / "wheeltapper.service.d/setpoints.conf"
EXPOSURE = 1.5
"""Of 10, as `systemd-analyze security` counts; it calls up to 2 "OK"."""


def analyze(*words: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("systemd-analyze")
    if program is None:
        lacking("systemd — install with: apt-get install -y systemd")
    return subprocess.run([str(program), *words], capture_output=True, text=True)


def installed(unit: Path, folder: Path) -> Path:
    """Give a unit with a program in it that is installed here, and what belongs to it."""
    copy = folder / unit.name
    copy.write_text(unit.read_text().replace("/opt/wheeltapper/bin/wheeltapper", sys.executable))
    shutil.copytree(FOLDER / f"{UNIT.name}.d", folder / f"{UNIT.name}.d")
    return copy


def words_of(file: Path) -> configparser.RawConfigParser:
    told = configparser.RawConfigParser(strict=False, delimiters=("=",))
    told.optionxform = str  # type: ignore[assignment, method-assign]
    told.read_string(file.read_text())
    return told


UNITS = pytest.mark.parametrize("which", [UNIT, GUARD], ids=["gateway", "guard"])


@UNITS
def test_systemd_knows_every_word(tmp_path: Path, which: Path) -> None:
    verified = analyze("verify", str(installed(which, tmp_path)))
    assert (verified.returncode, verified.stderr) == (0, "")


@UNITS
def test_an_unknown_word_would_be_found(tmp_path: Path, which: Path) -> None:
    unit = installed(which, tmp_path)
    unit.write_text(unit.read_text().replace("RestartSec", "RestrtSec"))
    assert "RestrtSec" in analyze("verify", str(unit)).stderr


def test_an_unknown_word_beside_the_gateway_would_be_found(tmp_path: Path) -> None:
    unit = installed(UNIT, tmp_path)
    beside = tmp_path / BESIDE.relative_to(FOLDER)
    beside.write_text(beside.read_text().replace("SupplementaryGroups", "SupplementalGroups"))
    assert "SupplementalGroups" in analyze("verify", str(unit)).stderr


@UNITS
def test_it_is_exposed_little(tmp_path: Path, which: Path) -> None:
    unit = installed(which, tmp_path)
    said = analyze("security", "--offline=true", "--no-pager", str(unit)).stdout
    found = re.search(rf"exposure level for {which.name}: ([0-9.]+)", said)
    assert found, said
    assert float(found[1]) <= EXPOSURE


def test_gateway_and_guard_share_a_group_and_nothing_else() -> None:
    guard, beside = words_of(GUARD)["Service"], words_of(BESIDE)["Service"]
    folder = f"/var/lib/{guard['StateDirectory']}"
    assert guard["User"] != words_of(UNIT)["Service"]["User"]
    assert guard["Group"] == beside["SupplementaryGroups"]
    assert int(guard["StateDirectoryMode"], 8) == PASSED
    assert beside["ReadWritePaths"] == f"-{folder}/{STOPS}"
    # Else the audit could not name who speaks, nor the group be given what is for it.
    assert "PrivateUsers" not in guard
    made = (FOLDER / "tmpfiles.conf").read_text().splitlines()[-2:]
    whose = f"{guard['User']} {guard['Group']} -"
    assert made == [f"d {folder} {PASSED:04o} {whose}", f"d {folder}/{STOPS} {DROPPED:o} {whose}"]
    users = (FOLDER / "sysusers.conf").read_text().splitlines()
    assert f"g {guard['Group']} -" in users
    assert f"m {guard['User']} {guard['Group']}" in users


def test_what_the_gateway_says_is_listened_to() -> None:
    told = words_of(UNIT)
    service = told["Service"]
    assert service["Type"] == "notify"
    assert 0 < int(service["WatchdogSec"]) <= 60
    assert service["DynamicUser"] == "yes"
    assert service["StateDirectory"] == "wheeltapper"
    assert service["Restart"] == "always"
    assert told["Unit"]["StartLimitIntervalSec"] == "0"
