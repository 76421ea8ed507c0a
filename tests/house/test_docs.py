"""What the documents say is so: commands, links, the tree, the samples of the connectors."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import TypeAdapter

from connectors.catalogue import SourceConfig
from gateway.config.loader import load
from wheeltapper.app import app

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
TREE_LINE = re.compile(r"^([a-z]+)/ ", re.MULTILINE)
MAKE = re.compile(r"^make ([a-z]+)", re.MULTILINE)
COMMAND = re.compile(r"^\.venv/bin/wheeltapper ([a-z]+(?: [a-z]+(?![a-z0-9.]))*)", re.MULTILINE)
NOT_PRODUCT = {".ci"}


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


FILES = tracked()
DOCUMENTS = [name for name in FILES if name.endswith(".md")]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
SAMPLES = sorted((ROOT / "connectors").glob("*/sample.toml"))
SOURCES = [path for path in SAMPLES if "source" in tomllib.loads(path.read_text())]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    document = ROOT / name
    targets = LINK.findall(document.read_text())

    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_make_has_the_commands(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = MAKE.findall((ROOT / name).read_text())

    assert commands
    assert [command for command in commands if f"\n{command}:" not in makefile] == []


def leads_to_a_command(words: str) -> bool:
    """Tell whether words name a command, with or without what it is given."""
    found: Any = typer.main.get_command(app)
    for word in words.split():
        if not hasattr(found, "commands"):
            return True
        found = found.commands.get(word)
    return found is not None and not hasattr(found, "commands")


def test_the_product_has_the_commands() -> None:
    shown = set(COMMAND.findall(README))

    assert shown
    assert {words for words in shown if not leads_to_a_command(words)} == set()


def test_tree_in_the_readme_is_the_tree() -> None:
    folders = {name.partition("/")[0] for name in FILES if "/" in name}

    assert set(TREE_LINE.findall(README)) == folders - NOT_PRODUCT


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]

    assert numbers == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_decision_says_why_and_what_would_change_it(path: Path) -> None:
    text = path.read_text()

    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert text.startswith(f"# {path.name[:4]} ")
    assert headings == ["Overview", "Decided", "What would change it"]
    assert "\nObjective: " in text


def test_changelog_lines_start_with_their_component() -> None:
    lines = re.findall(r"^- (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert lines
    assert [line for line in lines if not re.match(r"[A-Z][A-Za-z ]+: ", line)] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.parent.name)
def test_sample_is_a_valid_source(path: Path) -> None:
    sources = tomllib.loads(path.read_text())["source"]

    assert TypeAdapter(list[SourceConfig]).validate_python(sources)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_readme_of_a_connector_holds_its_sample(path: Path) -> None:
    assert path.read_text().strip() in (path.parent / "README.md").read_text()


def test_the_configuration_of_the_readme_is_one_that_runs(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("plant.toml", "tags.csv"):
        block = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", text, re.DOTALL)
        assert block
        (tmp_path / name).write_text(block.group(1), encoding="utf-8")
    (tmp_path / "trust").mkdir()
    plan = load(tmp_path / "plant.toml")
    (asset,) = plan.assets
    assert asset.signals == tuple(f"{asset.path}/{name}" for name in ("vibration", "current"))
    assert asset.mode_name(1) == "run"
