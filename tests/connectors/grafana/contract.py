"""A server that keeps Grafana's published contract for the calls that we make.

Scripted after the OpenAPI file and the pages on its HTTP API (health, dashboards by uid, their
versions, folders, data sources by uid); it is no Grafana: what runs against it is checked against
the contract only. Each request, and each answer of its own, is held against `published`, and the
block fails in which one was sent that the file does not know. `quirk` makes it answer as what may
stand in front of a Grafana does: that is held against nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from tests.connectors.grafana.published import answer_objections, request_objections
from tests.served import Reply, Served

EDITOR, VIEWER = "glsa_editor", "glsa_viewer"
Answer = tuple[int, Any]
_GONE = "The dashboard has been changed by someone else"


@dataclass
class Contract(Served):
    """One organization of a Grafana.

    Attributes
    ----------
    boards
        By uid: the JSON, its folder, its versions as (message, who).
    asked
        What was asked, in its order.
    rewrites
        Writes a board down in its own way: adds what it takes for granted.
    listed
        Versions come as a plain list, as before Grafana 12; the file of 13.0 knows no such answer.
    quirk
        Answers instead: status, body, headers.
    objections
        What was sent that the file does not know.
    """

    below: str = ""
    boards: dict[str, dict[str, Any]] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    provisioned: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    rewrites: bool = False
    listed: bool = False
    quirk: Callable[[str, str], Reply | None] = lambda *_: None
    objections: list[str] = field(default_factory=list)

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        if raised[0] is None:
            assert self.objections == [], "this is not in Grafana's OpenAPI file"

    def reply(self, method: str, path: str, headers: Message, raw: bytes) -> Reply:
        target, path = path, urlsplit(path).path
        self.asked.append((method, path))
        body = json.loads(raw or b"null")
        inside = target.startswith(f"{self.below}/api/")
        call = target.removeprefix(f"{self.below}/api")
        self.objections += request_objections(method, call, body) if inside else ()
        strange = self.quirk(method, path)
        if strange is not None:
            return strange
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        status, said = self.answer(method, path, body, token)
        known = inside and not (self.listed and path.endswith("/versions"))
        self.objections += answer_objections(method, call, status, said) if known else ()
        return status, json.dumps(said).encode(), {"Content-Type": "application/json"}

    def answer(self, method: str, path: str, body: Any, token: str) -> Answer:
        if not path.startswith(f"{self.below}/api/"):
            return 404, {"message": "Not found"}
        words = path.removeprefix(f"{self.below}/api/").split("/")
        if (method, words) == ("GET", ["health"]):
            return 200, {"commit": "0", "database": "ok", "version": "13.1.0"}
        if token not in (EDITOR, VIEWER):
            return 401, {"message": "Invalid API key"}
        if token == VIEWER and (method != "GET" or words[0] == "datasources"):
            return 403, {"message": "You'll need additional permissions to perform this action."}
        return self._of_boards(method, words, body, token) or self._of_others(method, words, body)

    def _of_boards(self, method: str, words: list[str], body: Any, token: str) -> Answer | None:
        match (method, words):
            case ("GET", ["dashboards", "uid", uid]):
                return self._board(uid)
            case ("GET", ["dashboards", "uid", uid, "versions"]):
                return self._versions(uid)
            case ("POST", ["dashboards", "db"]):
                return self._put(body, token)
            case ("DELETE", ["dashboards", "uid", uid]):
                title = self.boards.pop(uid)["board"]["title"]
                return 200, {"uid": uid, "title": title, "message": f"Dashboard {title} deleted"}
        return None

    def _of_others(self, method: str, words: list[str], body: Any) -> Answer:
        match (method, words):
            case ("GET", ["folders", uid]):
                found = uid in self.folders
                missing = {"message": "folder not found", "status": "not-found"}
                return (200, {"uid": uid, "title": self.folders[uid]}) if found else (404, missing)
            case ("POST", ["folders"]):
                self.folders[body["uid"]] = body["title"]
                return 200, {"id": 1, **body}
            case ("GET", ["datasources", "uid", uid]):
                known = self.sources.get(uid)
                return (200, known) if known else (404, {"message": "Data source not found"})
            case ("POST", ["datasources"]):
                made = self.sources[body["uid"]] = {"id": len(self.sources) + 1, **body}
                told = {"id": made["id"], "name": made["name"], "message": "Datasource added"}
                return 200, {**told, "datasource": made}
            case ("DELETE", ["datasources", "uid", uid]):
                del self.sources[uid]
                return 200, {"message": "Data source deleted"}
        return 404, {"message": "Not found"}

    def _board(self, uid: str) -> Answer:
        found = self.boards.get(uid)
        if found is None:
            return 404, {"message": "Dashboard not found"}
        file = self.provisioned.get(uid, "")
        meta = {
            "type": "db",
            "folderUid": found["folder"],
            "version": len(found["versions"]),
            "updatedBy": found["versions"][-1][1],
            "provisioned": bool(file),
            "provisionedExternalId": file,
        }
        board = {**found["board"], "id": 7, "version": len(found["versions"])}
        if self.rewrites:
            board |= {"fiscalYearStartMonth": 0, "weekStart": "", "liveNow": False}
            board.pop("refresh", None)
        return 200, {"dashboard": board, "meta": meta}

    def _versions(self, uid: str) -> Answer:
        told = [
            {"version": number + 1, "message": message, "createdBy": who}
            for number, (message, who) in enumerate(self.boards[uid]["versions"])
        ][::-1]
        return 200, told if self.listed else {"continueToken": "", "versions": told}

    def _put(self, body: Any, token: str) -> Answer:
        board = dict(body["dashboard"])
        uid, told = board["uid"], board.pop("version", 0)
        folder = body.get("folderUid", "")
        if folder and folder not in self.folders:
            return 400, {"message": "folder not found", "status": "not-found"}
        if uid in self.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        known = self.boards.get(uid)
        named = {
            other
            for other, one in self.boards.items()
            if other != uid and (one["board"]["title"], one["folder"]) == (board["title"], folder)
        }
        if named and not body.get("overwrite"):
            said = "A dashboard with the same name in the folder already exists"
            return 412, {"status": "name-exists", "message": said}
        if known and told != len(known["versions"]) and not body.get("overwrite"):
            return 412, {"status": "version-mismatch", "message": _GONE}
        versions = [*(known["versions"] if known else []), (body.get("message", ""), token)]
        self.boards[uid] = {"board": board, "folder": folder, "versions": versions}
        saved = {"id": 7, "uid": uid, "title": board["title"], "url": f"{self.below}/d/{uid}/x"}
        return 200, {**saved, "status": "success", "version": len(versions)}
