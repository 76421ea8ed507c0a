"""The statement of Grafana's OpenAPI file, and that the contract's server holds everybody to it."""

from contextlib import suppress
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.connectors.grafana.conftest import Site
from tests.connectors.grafana.contract import EDITOR, Contract
from tests.connectors.grafana.published import (
    OPERATIONS,
    answer_objections,
    operation,
    request_objections,
)

BOARD = "/dashboards/uid/wheeltapper-site"
SAVED = {"id": 1, "status": "x", "title": "x", "uid": "x", "url": "x", "version": 1}


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: f"{one.verb} {one.path}")
def test_each_operation_is_found_by_its_path(one: Any) -> None:
    assert operation(one.verb, one.path.replace("{", "").replace("}", "")) is one
    assert operation("PATCH", one.path) is None


@pytest.mark.parametrize(
    ("verb", "target", "body", "said"),
    [
        ("GET", "/dashboards/id/7", None, "no such operation"),
        ("PUT", "/dashboards/db", {}, "no such operation"),
        ("GET", "/folders/a/b", None, "no such operation"),
        ("GET", f"{BOARD}/versions?limt=1", None, "no such word"),
        ("GET", f"{BOARD}/versions?limit=", None, "is no number"),
        ("GET", BOARD, {}, "takes no body"),
        ("POST", "/dashboards/db", None, "is no object"),
        ("POST", "/dashboards/db", {"dashbord": {}}, "dashbord: there is no such field"),
        ("POST", "/dashboards/db", {"overwrite": 1}, "overwrite: is int, not bool"),
        ("POST", "/dashboards/db", {"dashboard": "{}"}, "dashboard: is str, not dict"),
        ("POST", "/folders", {"title": None}, "title: is NoneType, not str"),
    ],
)
def test_a_request_that_the_file_does_not_know(
    verb: str, target: str, body: Any, said: str
) -> None:
    (told,) = request_objections(verb, target, body)
    assert told.endswith(said)


@pytest.mark.parametrize(
    ("verb", "target", "status", "body", "said"),
    [
        ("GET", BOARD, 418, {}, "never answers 418"),
        ("GET", BOARD, 404, {}, "404.message: is missing"),
        ("GET", BOARD, 200, {"meta": {"version": "3"}}, "meta.version: is str, not int"),
        ("GET", f"{BOARD}/versions", 200, [], "200: is no object"),
        ("GET", f"{BOARD}/versions", 200, {"versions": {}}, "versions: is no list"),
        (
            "GET",
            f"{BOARD}/versions",
            200,
            {"versions": [{"by": ""}]},
            "[0].by: there is no such field",
        ),
        ("POST", "/dashboards/db", 200, {**SAVED, "slug": "x"}, "slug: there is no such field"),
    ],
)
def test_an_answer_that_the_file_does_not_know(
    verb: str, target: str, status: int, body: Any, said: str
) -> None:
    (told,) = answer_objections(verb, target, status, body)
    assert told.endswith(said)


def test_what_is_known_is_not_objected_to() -> None:
    board = {"dashboard": {"uid": "x"}, "message": "m", "overwrite": False, "folderUid": "f"}
    assert [*request_objections("POST", "/dashboards/db", board)] == []
    assert [*request_objections("GET", f"{BOARD}/versions?limit=1", None)] == []
    assert [*answer_objections("POST", "/dashboards/db", 200, SAVED)] == []


def test_a_block_with_a_strange_request_fails() -> None:
    served = Contract().__enter__()
    with suppress(HTTPError):
        Site(served.url, EDITOR).ask("GET", "/dashboards/id/7")
    with pytest.raises(AssertionError, match="OpenAPI file"):
        served.__exit__(None, None, None)
