"""Small mistakes put into a module one at a time: a test has to notice each.

Sentences for people are left alone; everything else is changed: comparisons, and/or, not, numbers,
plus and minus, true and false, names of keys, conditions, and what is returned. Each mistake is
tried in a process of its own, on the tests that are named.

``python -m tests.gateway.guard.mutants checks:4 limits`` tries each fourth mistake in the checks,
and all in the reading of limits, and prints what no test noticed.
"""

import ast
import copy
import importlib
import importlib.abc
import importlib.machinery
import inspect
import json
import os
import re
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[3]
TESTS = {
    "checks": ("test_checks", "test_process", "test_review"),
    "lifecycle": ("test_lifecycle",),
    "limits": ("test_limits", "test_outlets"),
    "policy": ("test_policy", "test_limits", "test_checks", "test_process"),
}
SAME = {
    ("opened.read(MOST_BYTES + 1)", "1 → 2"): "one byte too many is enough to see; two are as well",
}
"""Mistakes that are none, by the line they are in, and why."""
LONGEST_S, SLOWEST_S = 20, 600
"""A test that does not end has noticed: processor time, s, and wall time on the busiest machine."""
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip
_WORD = re.compile(r"[a-z_0-9]{2,}")
_SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}


def changes(node: ast.AST) -> Iterator[Callable[[], None]]:  # noqa: C901
    """Give what can be done to a node, each as a change of it in place."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARED:
            yield lambda: setattr(node, "ops", [_COMPARED[type(op)]()])
        case ast.Compare(ops=ops):
            for place, one in enumerate(ops):
                if type(one) in _COMPARED:
                    yield lambda p=place, o=one: node.ops.__setitem__(p, _COMPARED[type(o)]())  # type: ignore[misc]
        case ast.BoolOp(op=ast.And()):
            yield lambda: setattr(node, "op", ast.Or())
        case ast.BoolOp(op=ast.Or()):
            yield lambda: setattr(node, "op", ast.And())
        case ast.BinOp(op=op) if type(op) in _COUNTED:
            yield lambda: setattr(node, "op", _COUNTED[type(op)]())
        case ast.If(test=test) | ast.IfExp(test=test):
            yield lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.Constant(value=bool(value)):
            yield lambda: setattr(node, "value", not value)
        case ast.Constant(value=int(value) | float(value)):
            yield lambda: setattr(node, "value", value + 1)
        case ast.Constant(value=str(value)) if _WORD.fullmatch(value):
            yield lambda: setattr(node, "value", value + "x")
        case ast.Attribute(value=ast.Name(id="_S")):
            yield lambda: setattr(node, "attr", _other(STATES, node.attr))
        case ast.Attribute(value=ast.Name(id="_E")):
            yield lambda: setattr(node, "attr", _other(EVENTS, node.attr))
        case ast.Call(func=ast.Name(id=name)) if name in _SWAPPED:
            yield lambda: setattr(node.func, "id", _SWAPPED[name])
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield lambda: setattr(node, "value", ast.Constant(None))


STATES = [
    "RECEIVED", "AUTHENTICATED", "WELL_FORMED", "ALLOWED", "WITHIN_LIMITS", "PERMITTED", "PENDING",
    "ARMED", "WRITTEN", "READ_BACK", "HELD", "ADVISED", "REJECTED", "EXPIRED", "UNKNOWN",
    "REVERTED",
]  # fmt: skip
EVENTS = [
    "KNOWN", "FORMED", "ALLOWED", "BOUNDED", "PERMITTED", "ADVISE", "ASK", "ARM", "SENT", "SEEN",
    "KEPT", "REJECT", "EXPIRE", "DOUBT", "FOUND", "MISSED", "REVERT",
]  # fmt: skip


def _other(names: list[str], name: str) -> str:
    """Give the next of some names."""
    return names[(names.index(name) + 1) % len(names)]


def skipped(tree: ast.Module) -> set[int]:  # noqa: C901
    """Give the nodes in which nothing would be a mistake: docstrings, annotations, decorators."""
    left: set[int] = set()

    def leave(node: ast.AST | None) -> None:
        left.update(id(one) for one in ast.walk(node)) if node is not None else None

    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            leave(node)
        if isinstance(node, ast.ClassDef) and any(
            isinstance(one, ast.Name) and one.id == "StrEnum" for one in node.bases
        ):
            leave(node)  # words for people and files; the names are what is used
        if isinstance(node, ast.AnnAssign):
            leave(node.annotation)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for one in node.decorator_list:
                leave(one)
        if isinstance(node, ast.FunctionDef):
            leave(node.returns)
        if isinstance(node, ast.arg):
            leave(node.annotation)
        if isinstance(node, ast.FormattedValue):
            leave(node.format_spec)
    return left


def mutants(source: str) -> Iterator[tuple[str, CodeType]]:
    """Give each mistake: where it is, and the module with it."""
    tree, lines = ast.parse(source), source.splitlines()
    left = skipped(tree)
    nodes = [node for node in ast.walk(tree) if id(node) not in left]
    for node in nodes:
        for change in changes(node):
            before, was = copy.copy(node.__dict__), ast.unparse(node).splitlines()[0]
            ops = list(before["ops"]) if "ops" in before else None
            inner = node.func.id if isinstance(node, ast.Call) else ""  # type: ignore[attr-defined]
            change()
            fixed = ast.fix_missing_locations(tree)
            number = getattr(node, "lineno", 0)
            words = f"{was} → {ast.unparse(node).splitlines()[0]}"
            if not any(line in lines[number - 1] and words == what for line, what in SAME):
                yield f"line {number}: {words}", compile(fixed, "<mutant>", "exec")
            node.__dict__.update(before)
            if ops is not None:
                node.ops = ops  # type: ignore[attr-defined]
            if inner:
                node.func.id = inner  # type: ignore[attr-defined]


class _Put(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Has a module be imported as some code."""

    def __init__(self, name: str, code: CodeType) -> None:
        self.name, self.code = name, code

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        return importlib.machinery.ModuleSpec(name, self) if name == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def cases(function: Any) -> Iterator[dict[str, Any]]:
    """Give the arguments with which pytest would call a test."""
    rows: list[dict[str, Any]] = [{}]
    for mark in getattr(function, "pytestmark", []):
        if mark.name != "parametrize":
            continue
        names, values = mark.args[:2]
        keys = [one.strip() for one in names.split(",")] if isinstance(names, str) else list(names)
        many = len(keys) > 1
        rows = [
            row | dict(zip(keys, value if many else (value,), strict=True))
            for row in rows
            for value in values
        ]
    yield from rows


def _folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory()))


def _patch(stack: ExitStack) -> Any:
    import pytest

    return stack.enter_context(pytest.MonkeyPatch.context())


FIXTURES: dict[str, Callable[[ExitStack], Any]] = {"tmp_path": _folder, "monkeypatch": _patch}


def noticed(tests: str) -> bool:
    """Tell whether a test of a module fails."""
    try:
        module = importlib.import_module(f"tests.gateway.guard.{tests}")
        for name, function in vars(module).items():
            if not name.startswith("test_") or not inspect.isfunction(function):
                continue
            asked = inspect.signature(function).parameters
            for row in cases(function):
                with ExitStack() as stack:
                    made = {key: FIXTURES[key](stack) for key in asked if key not in row}
                    function(**row, **made)
    except BaseException:  # noqa: BLE001 - whatever it is: it was noticed
        return True
    return False


def survives(name: str, code: CodeType, tests: tuple[str, ...]) -> bool:
    """Try one mistake in a process of its own."""
    child = os.fork()
    if child == 0:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_S, LONGEST_S))
        signal.alarm(SLOWEST_S)
        sys.meta_path.insert(0, _Put(name, code))
        os._exit(int(any(noticed(one) for one in tests)))
    _, status = os.waitpid(child, 0)
    return status == 0


def tried(module: str, every: int = 1) -> tuple[int, list[str]]:
    """Give how many mistakes were put into a module, and those that nobody noticed.

    Parameters
    ----------
    module
        Name of a module of the guard.
    every
        Only each n-th of them.
    """
    name = f"gateway.guard.{module}"
    if name in sys.modules:
        raise SystemExit(f"{name} is imported already: no mistake would be put into it")
    source = (ROOT / "gateway" / "guard" / f"{module}.py").read_text(encoding="utf-8")
    if not survives(name, compile(source, "<as it is>", "exec"), TESTS[module]):
        raise SystemExit(f"{module}: the tests fail without a mistake in it")
    count, left = 0, []
    for number, (words, code) in enumerate(mutants(source)):
        if number % every:
            continue
        count += 1
        if survives(name, code, TESTS[module]):
            left.append(f"{module}.py {words}")
    return count, left


def warmed() -> None:
    """Import what the tests need and no mistake is put into, so that no child has to."""
    with suppress(ImportError):
        for one in (
            "asyncio", "hashlib", "pytest", "numpy", "gateway.accounts.passwords",
            "gateway.accounts.register", "gateway.config.lines", "gateway.config.problems",
            "gateway.accounts.waits", "plant.setpoints",
            "cryptography.hazmat.primitives.asymmetric.ed25519",
            "cryptography.hazmat.primitives.kdf.argon2", "connectors.contract",
            "connectors.catalogue", "gateway.config.loader", "typer.testing",
        ):  # fmt: skip
            importlib.import_module(one)
    # What had the real modules of the guard imported would never meet a mistake in them.
    for one in list(sys.modules):
        if one.startswith(("gateway.guard", "gateway.config")):
            del sys.modules[one]


if __name__ == "__main__":
    warmed()
    for word in sys.argv[1:]:
        named, _, each = word.partition(":")
        total, survivors = tried(named, int(each or 1))
        sys.stdout.write(
            json.dumps({"module": named, "mutants": total, "left": survivors}, indent=1) + "\n"
        )
        sys.stdout.flush()
