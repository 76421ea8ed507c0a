"""What Grafana's OpenAPI file says of the calls that are made here: verbs, paths, words, answers.

Written by hand, for the file itself is under the AGPL and is not kept here. Each line was held
against the public file of Grafana 13.0 as docs/boards.md tells ("What was run against what").
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

ANY = dict
"""An object of which the file says no more."""


@dataclass(frozen=True)
class Shape:
    """An object of the file: what it may hold, and what it has to.

    Parameters
    ----------
    may
        Each field with its type, an inner shape, or a list of one.
    must
        The fields that are required.
    """

    may: Mapping[str, "Kind"]
    must: frozenset[str] = frozenset()


Kind: TypeAlias = "type | Shape | list[Shape]"


def _shape(must: str = "", **may: "Kind") -> Shape:
    return Shape(may, frozenset(must.split()))


@dataclass(frozen=True)
class Operation:
    """One verb of one path.

    Parameters
    ----------
    verb, path
        As in the file, the path below ``/api``.
    answers
        Statuses that the file knows of, each with what comes back.
    query
        Words after the question mark, each a number (``int``) or a text (``str``).
    body
        What is sent; None for nothing.
    """

    verb: str
    path: str
    answers: Mapping[int, Shape]
    query: Mapping[str, type] = field(default_factory=dict)
    body: Shape | None = None

    def fits(self, verb: str, path: str) -> bool:
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(self.path))
        return verb == self.verb and re.fullmatch(pattern, path) is not None


ERROR = _shape("message", error=str, message=str, status=str)
META = _shape(
    annotationsPermissions=ANY,
    apiVersion=str,
    canAdmin=bool,
    canDelete=bool,
    canEdit=bool,
    canSave=bool,
    canStar=bool,
    created=str,
    createdBy=str,
    expires=str,
    folderId=int,
    folderTitle=str,
    folderUid=str,
    folderUrl=str,
    hasAcl=bool,
    isFolder=bool,
    isSnapshot=bool,
    isStarred=bool,
    provisioned=bool,
    provisionedExternalId=str,
    publicDashboardEnabled=bool,
    slug=str,
    type=str,
    updated=str,
    updatedBy=str,
    url=str,
    version=int,
)
VERSION = _shape(
    created=str,
    createdBy=str,
    dashboardId=int,
    data=ANY,
    id=int,
    message=str,
    parentVersion=int,
    restoredFrom=int,
    uid=str,
    version=int,
)
FOLDER = _shape(
    accessControl=ANY,
    canAdmin=bool,
    canDelete=bool,
    canEdit=bool,
    canSave=bool,
    created=str,
    createdBy=str,
    hasAcl=bool,
    id=int,
    managedBy=str,
    orgId=int,
    parentUid=str,
    title=str,
    uid=str,
    updated=str,
    updatedBy=str,
    url=str,
    version=int,
)
SOURCE = _shape(
    access=str,
    accessControl=ANY,
    basicAuth=bool,
    basicAuthUser=str,
    database=str,
    id=int,
    isDefault=bool,
    jsonData=ANY,
    name=str,
    orgId=int,
    readOnly=bool,
    secureJsonFields=ANY,
    type=str,
    typeLogoUrl=str,
    uid=str,
    url=str,
    user=str,
    version=int,
    withCredentials=bool,
)
HEALTH = _shape(apiserver=str, commit=str, database=str, enterpriseCommit=str, version=str)
SAVED = _shape(
    "id status title uid url version",
    folderUid=str,
    id=int,
    status=str,
    title=str,
    uid=str,
    url=str,
    version=int,
)


def _answers(good: Shape, *bad: int) -> dict[int, Shape]:
    return {200: good, **dict.fromkeys((*bad, 500), ERROR)}


OPERATIONS = (
    Operation("GET", "/health", {200: HEALTH, 503: ERROR}),
    Operation(
        "GET",
        "/dashboards/uid/{uid}",
        _answers(_shape(dashboard=ANY, meta=META), 401, 403, 404, 406),
    ),
    Operation(
        "GET",
        "/dashboards/uid/{uid}/versions",
        _answers(_shape(continueToken=str, versions=[VERSION]), 401, 403, 404),
        query={"limit": int, "start": int},
    ),
    Operation(
        "POST",
        "/dashboards/db",
        _answers(SAVED, 400, 401, 403, 404, 412, 422),
        body=_shape(
            UpdatedAt=str,
            dashboard=ANY,
            folderId=int,
            folderUid=str,
            isFolder=bool,
            message=str,
            overwrite=bool,
            userId=int,
        ),
    ),
    Operation(
        "DELETE",
        "/dashboards/uid/{uid}",
        _answers(_shape("message title uid", message=str, title=str, uid=str), 401, 403, 404),
    ),
    Operation("GET", "/folders/{folder_uid}", _answers(FOLDER, 401, 403, 404)),
    Operation(
        "POST",
        "/folders",
        _answers(FOLDER, 400, 401, 403, 409),
        body=_shape(description=str, parentUid=str, title=str, uid=str),
    ),
    Operation("GET", "/datasources/uid/{uid}", _answers(SOURCE, 400, 401, 403, 404)),
    Operation(
        "POST",
        "/datasources",
        _answers(
            _shape("datasource id message name", datasource=SOURCE, id=int, message=str, name=str),
            401,
            403,
            409,
        ),
        body=_shape(
            access=str,
            basicAuth=bool,
            basicAuthUser=str,
            database=str,
            isDefault=bool,
            jsonData=ANY,
            name=str,
            secureJsonData=ANY,
            type=str,
            uid=str,
            url=str,
            user=str,
            withCredentials=bool,
        ),
    ),
    Operation("DELETE", "/datasources/uid/{uid}", _answers(_shape(message=str), 401, 403, 404)),
)


def operation(verb: str, path: str) -> Operation | None:
    """Give the operation that a request is; None where the file has none."""
    return next((one for one in OPERATIONS if one.fits(verb, path)), None)


def request_objections(verb: str, target: str, body: Any) -> Iterator[str]:
    """Tell what the file does not know of a request; `target` below ``/api``, with its query."""
    parts = urlsplit(target)
    known = operation(verb, parts.path)
    if known is None:
        yield f"{verb} {parts.path}: there is no such operation"
        return
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known.query:
            yield f"{verb} {known.path}?{name}: there is no such word"
        elif known.query[name] is int and not value.isdecimal():
            yield f"{verb} {known.path}?{name}={value}: is no number"
    if known.body is not None:
        yield from _objections(body, known.body, f"{verb} {known.path} body")
    elif body is not None:
        yield f"{verb} {known.path}: takes no body"


def answer_objections(verb: str, target: str, status: int, body: Any) -> Iterator[str]:
    """Tell what the file does not know of an answer."""
    known = operation(verb, urlsplit(target).path)
    if known is None:
        return
    if status not in known.answers:
        yield f"{verb} {known.path}: never answers {status}"
        return
    yield from _objections(body, known.answers[status], f"{verb} {known.path} {status}")


def _objections(value: Any, kind: "Kind", where: str) -> Iterator[str]:
    if isinstance(kind, list):
        if not isinstance(value, list):
            yield f"{where}: is no list"
            return
        for number, one in enumerate(value):
            yield from _objections(one, kind[0], f"{where}[{number}]")
    elif isinstance(kind, type):
        if type(value) is not kind:
            yield f"{where}: is {type(value).__name__}, not {kind.__name__}"
    elif not isinstance(value, dict):
        yield f"{where}: is no object"
    else:
        yield from (f"{where}.{name}: is missing" for name in sorted(kind.must - {*value}))
        for name, inner in value.items():
            if name not in kind.may:
                yield f"{where}.{name}: there is no such field"
            else:
                yield from _objections(inner, kind.may[name], f"{where}.{name}")
