"""What believes a registry is loaded by a short process, never by the gateway itself."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ports import free_port

BELIEVES = re.compile(r"\| +(tuf|securesystemslib|connectors\.registry)\b", re.MULTILINE)
ALL_OF_IT = """
import importlib, pkgutil, sys
import gateway, connectors.catalogue, wheeltapper.run, wheeltapper.demo
for found in pkgutil.walk_packages(gateway.__path__, "gateway."):
    importlib.import_module(found.name)
print({"tuf", "securesystemslib", "connectors.registry"} & set(sys.modules))
"""
CONFIG = """
version = 1
[gateway]
name = "line-1"
[console]
port = {port}
[[source]]
type = "modbus"
name = "press"
host = "127.0.0.1"
port = 9
[[tag]]
tag = "plant/hall/line-1/press-1/force"
source = "press"
address = "unit 1, holding 0, float32"
[models]
folder = "stick"
root = "root.json"
keys = ["trainer.pub.pem"]
"""
PATIENCE_S = 100.0


def test_no_room_of_the_gateway_imports_it() -> None:
    said = subprocess.run([sys.executable, "-c", ALL_OF_IT], capture_output=True, text=True)

    assert said.stdout == "set()\n", said.stderr


@pytest.mark.journey
def test_a_gateway_that_runs_has_not_imported_it(tmp_path: Path) -> None:
    cases = Path(__file__).parents[1] / "cases" / "config" / "models_from_a_registry"
    for name in ("root.json", "trainer.pub.pem"):
        (tmp_path / name).write_bytes((cases / name).read_bytes())
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(port=free_port()))
    told = tmp_path / "imports"
    with told.open("wb") as err:
        running = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "wheeltapper", "run", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
        try:
            until = time.monotonic() + PATIENCE_S
            while not (tmp_path / "data" / "gateway.json").exists() and time.monotonic() < until:
                time.sleep(0.05)
        finally:
            running.terminate()
            running.wait(PATIENCE_S)
    said = told.read_text("utf-8")

    assert (running.returncode, "gateway.runtime" in said) == (0, True), said[-2000:]
    assert BELIEVES.findall(said) == []


def test_the_search_finds_what_it_looks_for() -> None:
    probe = [sys.executable, "-X", "importtime", "-c", "import connectors.registry.puller"]

    said = subprocess.run(probe, capture_output=True, text=True, check=True).stderr

    assert set(BELIEVES.findall(said)) == {"tuf", "securesystemslib", "connectors.registry"}
