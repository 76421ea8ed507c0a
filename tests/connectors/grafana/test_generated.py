"""The statement of Grafana's OpenAPI file, held against what Grafana Labs generate from that file.

Their client in Go (github.com/grafana/grafana-openapi-client-go, Apache-2.0) is the file in another
language: a method a verb and path, a type a shape. GRAFANA_CLIENT names the folder of its source.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.connectors.grafana.published import ANY, ERROR, OPERATIONS, Kind, Operation, Shape

_CALL = re.compile(r'ID:\s*"(\w+)",\s*Method:\s*"(\w+)",\s*PathPattern:\s*"([^"]+)"')
_ANSWER = re.compile(r"case (\d+):\s*result := New(\w+)\(\)")
_FIELD = re.compile(r'^\t(\w+) +(\S+) `json:"(\w+)(?:,omitempty)?"', re.MULTILINE)
_WORD = re.compile(r"^\t(\w+) \*?(int64|string|bool)$", re.MULTILINE)
PLAIN = {"string": str, "int64": int, "bool": bool, "strfmt.DateTime": str}
NAMED = {"ManagerKind": str, "DsAccess": str, "JSON": ANY, "Metadata": ANY}
OPEN = {"*AnnotationPermission", "map[string]bool", "map[string]string"}
"""Objects that the statement does not look into."""
UNTOLD = {("Folder", "parents")}
"""A list that holds its own shape again; nobody here sends or reads it."""


class Client:
    """The source of the client: its calls and its types."""

    def __init__(self, folder: Path) -> None:
        self.sources = {
            path: path.read_text()
            for part in ("client", "models")
            for path in sorted((folder / part).rglob("*.go"))
        }
        self.whole = "\n".join(self.sources.values())
        self.calls = {
            (verb, path): name[0].upper() + name[1:]
            for name, verb, path in _CALL.findall(self.whole)
        }

    def struct(self, name: str) -> str:
        found = re.search(rf"^type {name} struct {{$(.*?)^}}$", self.whole, re.M | re.S)
        assert found is not None, f"no type {name}"
        return found[1]

    def shape(self, name: str) -> Shape:
        fields = [
            (word, kind)
            for _, kind, word in _FIELD.findall(self.struct(name))
            if (name, word) not in UNTOLD
        ]
        may = {word: self._kind(kind) for word, kind in fields}
        must = {word for word, kind in fields if kind.startswith("*") and self._must(name, word)}
        return Shape(may, frozenset(must))

    def _must(self, name: str, word: str) -> bool:
        checked = rf"\*{name}\) validate\w+\(.*?\n}}"
        return any(
            f'validate.Required("{word}"' in text
            for text in re.findall(checked, self.whole, re.DOTALL)
        )

    def _kind(self, kind: str) -> Kind:
        bare = kind.removeprefix("[]").lstrip("*")
        found: Kind = (
            ANY
            if kind in OPEN
            else {**PLAIN, **NAMED}[bare]
            if bare in PLAIN or bare in NAMED
            else self.shape(bare)
        )
        return [found] if kind.startswith("[]") and isinstance(found, Shape) else found

    def answers(self, name: str) -> Mapping[int, Shape]:
        reader = re.search(rf"\*{name}Reader\) ReadResponse\(.*?\n}}", self.whole, re.DOTALL)
        assert reader is not None
        return {
            int(status): self.shape(
                self._payload(rf"^type {answer} struct {{$.*?^\tPayload (\S+)$")
            )
            for status, answer in _ANSWER.findall(reader[0])
        }

    def body(self, name: str) -> Shape | None:
        sent = re.search(r"^\tBody (\S+)$", self.struct(f"{name}Params"), re.MULTILINE)
        return None if sent is None else self.shape(sent[1].rpartition(".")[2])

    def query(self, name: str) -> Mapping[str, type]:
        told = self.struct(f"{name}Params")
        words = {word.lower(): PLAIN[kind] for word, kind in _WORD.findall(told)}
        return {
            word: kind for word, kind in words.items() if f'SetQueryParam("{word}"' in self.whole
        }

    def _payload(self, pattern: str) -> str:
        found = re.search(pattern, self.whole, re.MULTILINE | re.DOTALL)
        assert found is not None
        return found[1].rpartition(".")[2].lstrip("*")


@pytest.fixture(scope="module")
def client() -> Client:
    folder = os.environ.get("GRAFANA_CLIENT", "")
    if not folder:
        pytest.skip(
            "MISSING PART: the client generated from Grafana's OpenAPI file — set GRAFANA_CLIENT "
            "to a clone of its source; see docs/boards.md"
        )
    return Client(Path(folder))


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: f"{one.verb} {one.path}")
def test_the_statement_is_what_was_generated(client: Client, one: Operation) -> None:
    name = client.calls[one.verb, one.path]
    assert client.query(name) == one.query
    assert client.body(name) == one.body
    assert client.answers(name) == one.answers


def test_an_error_is_what_was_generated(client: Client) -> None:
    assert client.shape("ErrorResponseBody") == ERROR
