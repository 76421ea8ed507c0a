"""A server that keeps the published contract of InfluxDB 2: buckets, authorizations, writes.

It is scripted from https://docs.influxdata.com/influxdb/v2/api/ and no InfluxDB: what runs against
it is checked against the published contract only. It keeps a hash of tokens, as 2.9 does: one is
told when it is made and never again.
"""

import gzip
import json
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.served import Reply, Served

ADMIN = "admin-token"
ORG = {"id": "0000000000000001", "name": "plant"}
_HIDDEN = "redacted"


@dataclass
class ApiV2(Served):
    """Buckets, authorizations and lines of one organization.

    `asked` are the requests that came, `lines` the points that were stored. As version 2 does, a
    line that cannot be read (here: with NaN) refuses its whole batch, while one with a field of
    another type (here: with a text in ``v``) is dropped and the others are stored.
    """

    buckets: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    fail: tuple[int, str] | None = None
    made: int = 16
    lines: dict[str, list[str]] = field(default_factory=dict)
    below: str = ""

    def reply(self, method: str, path: str, headers: Message, raw: bytes) -> Reply:
        known = headers.get("Authorization") == f"Token {ADMIN}"
        if path.startswith("/api/v2/write?"):
            packed = headers.get("Content-Encoding") == "gzip"
            text = (gzip.decompress(raw) if packed else raw).decode()
            status, said = self.written(path, text.split("\n"), known)
        else:
            status, said = self.answer(method, path, json.loads(raw or b"null"), known)
        data = b"" if said is None else json.dumps(said).encode()
        return status, data, {"Content-Type": "application/json"}

    def answer(
        self, method: str, path: str, body: Any, known: bool
    ) -> tuple[int, dict[str, Any] | None]:
        url = urlsplit(path)
        self.asked.append((method, url.path))
        if self.fail is not None:
            return self.fail[0], {"code": "failed", "message": self.fail[1]}
        if not known:
            return 401, {"code": "unauthorized", "message": "unauthorized access"}
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        last = url.path.rpartition("/")[2]
        match (method, url.path.removesuffix(f"/{last}"), last):
            case ("GET", "/api/v2", "orgs"):
                return 200, {"orgs": [ORG]}
            case ("GET", "/api/v2", "buckets"):
                start, most = int(query.get("offset", 0)), int(query.get("limit", 20))
                return 200, {"buckets": self.buckets[start : start + most]}
            case ("POST", "/api/v2", "buckets"):
                return self._made(self.buckets, {**body})
            case ("GET", "/api/v2", "authorizations"):
                hidden = [{**one, "token": _HIDDEN} for one in self.authorizations]
                return 200, {"authorizations": hidden}
            case ("POST", "/api/v2", "authorizations"):
                secret = f"token-{self.made}"
                return self._made(
                    self.authorizations, {"status": "active", **body, "token": secret}
                )
            case ("DELETE", "/api/v2/authorizations", number):
                self.authorizations[:] = [o for o in self.authorizations if o["id"] != number]
                return 204, None
        return 404, {"code": "not found", "message": "path not found"}

    def written(
        self, path: str, lines: list[str], known: bool
    ) -> tuple[int, dict[str, Any] | None]:
        """Store lines, in the order of checks and with the words of http/write_handler.go."""
        self.asked.append(("WRITE", path))
        query = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
        if not known:
            return 401, {"code": "unauthorized", "message": "unauthorized access"}
        if query["org"] != ORG["name"]:
            said = f'organization name "{query["org"]}" not found'
            return 404, {"code": "not found", "message": said}
        if query["bucket"] not in {one["name"] for one in self.buckets}:
            return 404, {"code": "not found", "message": f'bucket "{query["bucket"]}" not found'}
        if bad := next((line for line in lines if "NaN" in line), ""):
            return 400, {"code": "invalid", "message": f"unable to parse '{bad}': invalid number"}
        told = [line for line in lines if line and ' v="' not in line]
        self.lines.setdefault(query["bucket"], []).extend(told)
        if dropped := sum(' v="' in line for line in lines):
            said = f"failure writing points to database: partial write: conflict dropped={dropped}"
            return 422, {"code": "unprocessable entity", "message": said}
        return 204, None

    def _made(self, among: list[dict[str, Any]], one: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.made += 1
        one = {**one, "id": f"{self.made:016x}"}
        among.append(one)
        return 201, one
