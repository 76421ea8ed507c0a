"""P26: another pymodbus than the one pinned is refused in words, not met in values."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from connectors.modbus import wire
from plant.errors import Misconfigured
from tests.faults.rows import Row

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"


@pytest.mark.pain(
    "P26",
    "the standard's own examples of every request, asked at each start of what is installed; then "
    "with the bits of a byte the other way round, as in pymodbus 3.10",
    "pymodbus as pinned",
    "proven at start; a changed one refused by name",
)
def test_p26_pymodbus(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.prove.cache_clear()
    wire.prove()
    pinned = f"pymodbus=={version('pymodbus')}"
    assert pinned in LOCK.read_text()
    with monkeypatch.context() as changed:
        original = wire.WriteMultipleCoilsRequest.encode

        def reversed_bits(request: wire.WriteMultipleCoilsRequest) -> bytes:
            good = original(request)
            return good[:5] + bytes(int(f"{byte:08b}"[::-1], 2) for byte in good[5:])

        changed.setattr(wire.WriteMultipleCoilsRequest, "encode", reversed_bits)
        wire.prove.cache_clear()
        with pytest.raises(Misconfigured, match="pymodbus"):
            wire.prove()
    wire.prove.cache_clear()
    wire.prove()
    row.measured(examples=len(wire._GOLDEN), pinned=pinned)


@pytest.mark.pain(
    "P26", "installed from a folder of wheels without a network", "pip --no-index",
    "installs and starts",
)  # fmt: skip
def test_p26_offline(row: Row, full: bool, tmp_path: Path) -> None:
    if not full:
        pytest.skip("fetching the wheels of all dependencies takes minutes; FULL=1 does it")
    wheels, there = tmp_path / "wheels", tmp_path / "there"
    lock = ["--constraint", str(LOCK)]
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels))
    (own,) = (str(path) for path in wheels.iterdir())
    run(sys.executable, "-m", "pip", "download", "--dest", str(wheels), *lock, own)
    run(sys.executable, "-m", "venv", str(there))
    offline = ["--no-index", "--find-links", str(wheels)]
    run(str(there / "bin/python"), "-m", "pip", "install", *offline, "wheeltapper")
    schema = run(str(there / "bin/wheeltapper"), "config", "schema")
    assert json.loads(schema)["properties"]
    row.measured(wheels=len(list(wheels.iterdir())), starts="yes")


def run(*words: str) -> str:
    """Run a command to its end; give what it said."""
    ran = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True, timeout=900)
    return ran.stdout
