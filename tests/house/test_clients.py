"""One place builds OPC UA clients, and nothing goes around what it checks."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("plant", "connectors", "analytics", "gateway", "wheeltapper")
BUILDERS = {"Client", "UaClient"}
SIGNING_IN = {"activate_session", "create_session"}
BELIEVERS = {"CertificateValidator", "TrustStore", "set_security_string", "certificate_validator"}
PLACE = "connectors/opcua/connect.py"
ASKING = "connectors/opcua/commissioning/discovery.py"


@cache
def called(tree: ast.AST) -> set[str]:
    """Last names of all that is called."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    names = {getattr(each, "attr", getattr(each, "id", "")) for each in calls}
    given = [node for node in ast.walk(tree) if isinstance(node, ast.alias) and node.asname]
    return names | {each.name for each in given if each.asname in names}


@cache
def spoken(tree: ast.AST) -> set[str]:
    """All names, wherever they stand."""
    nodes = list(ast.walk(tree))
    names = {getattr(node, "id", getattr(node, "attr", "")) for node in nodes}
    return names | {node.name for node in nodes if isinstance(node, ast.alias)}


@cache
def text_of(path: Path) -> str:
    return path.read_text("utf-8")


@cache
def tree_of(path: Path) -> ast.AST:
    return ast.parse(text_of(path))


def where(names: set[str], of: object, folder: Path, rooms: tuple[str, ...] = ROOMS) -> list[str]:
    return [
        path.relative_to(folder).as_posix()
        for room in rooms
        for path in sorted((folder / room).rglob("*.py"))
        # Most files do not even hold such a word, and need not be parsed.
        if any(name in text_of(path) for name in names) and names & of(tree_of(path))  # type: ignore[operator]
    ]


def test_one_place_builds_clients() -> None:
    assert where(BUILDERS, called, ROOT) == [PLACE]


def test_who_only_asks_for_endpoints_opens_no_session() -> None:
    bare = where({"BoundedUaClient"}, called, ROOT)
    assert set(bare) <= {PLACE, ASKING}
    assert ASKING not in where(SIGNING_IN, called, ROOT)


def test_one_place_sets_the_security_and_always_with_a_certificate() -> None:
    assert where({"set_security"}, called, ROOT) == [PLACE]
    tree = ast.parse((ROOT / PLACE).read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (only,) = [call for call in calls if getattr(call.func, "attr", "") == "set_security"]
    assert {"server_certificate", "mode"} <= {each.arg for each in only.keywords}


def test_the_validator_of_the_library_believes_anybody_and_is_not_used() -> None:
    assert where(BELIEVERS, spoken, ROOT) == []


@pytest.mark.parametrize("text", ["asyncua.Client(url)", "from asyncua import Client as C\nC(url)"])
def test_the_search_finds_what_it_looks_for(text: str, tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    (room / "x.py").write_text(text)
    assert where(BUILDERS, called, tmp_path, ("room",)) == ["room/x.py"]
