"""The wheel that is installed at a plant holds our rooms, whole, and nothing else."""

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {"plant", "connectors", "analytics", "dashboards", "gateway", "wheeltapper"}
RUNS_CODE_ON_LOAD = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "shelve",
    "marshal",
}
PASSES_WORK_ON = {"wheeltapper/training/jobs.py": {"joblib"}}
"""A trainer hands work to processes that it starts itself; no gateway loads it (`test_edge`), and
no file is ever read by it."""
ASK = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
print(json.dumps({room: importlib.import_module(room).__file__ for room in sys.argv[2:]}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("wheeltapper-*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def imports(tree: ast.AST) -> set[str]:
    plain = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | named}


def test_top_level_names_are_the_rooms(names: list[str]) -> None:
    top = {name.partition("/")[0] for name in names}

    assert {name for name in top if not name.endswith(".dist-info")} == ROOMS


def test_no_compiled_file_travels(names: list[str]) -> None:
    assert [name for name in names if name.endswith((".pyc", ".so", ".pkl"))] == []


def test_every_tracked_file_of_a_room_is_in_it(names: list[str]) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--", *sorted(ROOMS)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}

    assert tracked - set(names) == set()


def test_nothing_in_it_loads_code_from_data(wheel: Path, names: list[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {
            name: imports(ast.parse(archive.read(name))) & RUNS_CODE_ON_LOAD
            for name in names
            if name.endswith(".py")
        }

    assert {name: modules for name, modules in found.items() if modules} == PASSES_WORK_ON


def test_installed_rooms_are_ours(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    how = ("-q", "--no-deps", "--no-index", "--no-compile", "--target", str(site))
    subprocess.run([sys.executable, "-m", "pip", "install", *how, str(wheel)], check=True)

    asked = subprocess.run(
        [sys.executable, "-I", "-c", ASK, str(site), *sorted(ROOMS)],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip

    files = json.loads(asked.stdout)
    assert files == {room: str(site / room / "__init__.py") for room in ROOMS}
