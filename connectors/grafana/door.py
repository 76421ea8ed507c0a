"""One Grafana over HTTP: grafana-api below, our words for its answers above.

What is used of the library is its raw verbs on uid endpoints: its calls by numeric id are off since
Grafana 13. It speaks plain http unless told otherwise, follows a redirect to a login page and drops
the body on the way, puts every 2xx body through JSON (so 204 raises), falls over an error whose
body is no object, and escapes no path: all of that is caught here, once.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from grafana_api.grafana_api import GrafanaException  # type: ignore[import-untyped]
from grafana_api.grafana_face import GrafanaFace  # type: ignore[import-untyped]

from connectors.grafana.access import GrafanaConfig
from connectors.grafana.answers import CONFLICT, Said, answered, plain
from plant.errors import Misconfigured, Rejected, Unreachable

_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A board as Grafana has it.

    Parameters
    ----------
    board
        Its JSON.
    version
        Grows with every change.
    folder
        Uid of its folder; empty for none.
    by
        Who changed it last.
    message
        What was said with the last change; None where that may not be read.
    file
        The file that it is provisioned from; empty where it is not.
    """

    board: Json
    version: int
    folder: str
    by: str
    message: str | None
    file: str


class Grafana:
    """A connection to one Grafana; nothing is connected before the first question.

    Parameters
    ----------
    config
        Where it is.
    token
        Of a service account.
    """

    def __init__(self, config: GrafanaConfig, token: str) -> None:
        if not (token.isascii() and token.isprintable() and token.strip()):
            raise Misconfigured("the token of Grafana is empty, or holds characters no token has")
        url = urlsplit(config.place)
        path = url.path.strip("/")
        self.place = config.place
        host = url.hostname or ""
        self._api = GrafanaFace(
            token,
            host=f"[{host}]" if ":" in host else host,
            port=url.port,
            url_path_prefix=f"{path}/" if path else "",
            protocol=url.scheme,
            verify=True if config.ca is None else str(config.ca),
            timeout=config.timeout_s,
        ).api
        self._api.s.max_redirects = 0
        self._api.s.hooks["response"].append(self._note)
        self._said: Said | None = None

    def close(self) -> None:
        """Let go of the connections."""
        self._api.s.close()

    def version(self) -> str:
        """Give its version, which it tells anybody.

        Raises
        ------
        Unreachable, Misconfigured
            Nobody answers, or it is no Grafana.
        """
        found = self._asked("GET", "/health", "tell its health")
        if not isinstance(found, dict) or "database" not in found:
            raise Misconfigured(f"{self.place} is no Grafana: it does not tell its health as one")
        return str(found.get("version", "unknown"))

    def board(self, uid: str) -> Stored | None:
        """Give a board by its uid; None where there is none."""
        found = self._found(f"/dashboards/uid/{_part(uid)}", f"read board {uid}")
        if found is None:
            return None
        meta: Json = found.get("meta") or {}
        board: Json = found["dashboard"]
        return Stored(
            board,
            int(board.get("version") or meta.get("version") or 0),
            str(meta.get("folderUid") or ""),
            str(meta.get("updatedBy") or "somebody"),
            self._message(uid),
            str(meta.get("provisionedExternalId") or "a file") if meta.get("provisioned") else "",
        )

    def _message(self, uid: str) -> str | None:
        try:
            found = self._found(f"/dashboards/uid/{_part(uid)}/versions?limit=1", "read versions")
        except Misconfigured:
            return None  # who may write a board need not be let read its past
        # Grafana 12 put the list into an object.
        listed = found.get("versions", []) if isinstance(found, dict) else found or []
        return str(listed[0].get("message") or "") if listed else ""

    def put_board(self, board: Json, folder: str, message: str, *, overwrite: bool) -> None:
        """Put a board; its `version` is the one that it replaces.

        Raises
        ------
        Rejected
            Somebody changed it since it was read, or Grafana will not have it.
        Unreachable, Misconfigured
            Nobody answers, or we are not let.
        """
        body = {"dashboard": board, "message": message, "overwrite": overwrite}
        if folder:
            body["folderUid"] = folder
        uid = board["uid"]
        try:
            self._asked("POST", "/dashboards/db", f"write board {uid}", body)
        except Rejected as error:
            if self._said is not None and self._said.status == CONFLICT:
                raise Rejected(
                    f"board {uid} was changed by somebody else, or another board has its name: "
                    f"{plain(str(error))}; look with wheeltapper grafana diff, and give "
                    "--overwrite to replace it"
                ) from error
            raise

    def has_folder(self, uid: str) -> bool:
        """Tell whether there is a folder of that uid."""
        return self._found(f"/folders/{_part(uid)}", f"read folder {uid}") is not None

    def make_folder(self, uid: str, title: str) -> None:
        """Make a folder."""
        self._asked("POST", "/folders", f"make folder {uid}", {"uid": uid, "title": title})

    def has_source(self, uid: str) -> bool | None:
        """Tell whether there is a data source of that uid; None where we may not see it."""
        try:
            return self._found(f"/datasources/uid/{_part(uid)}", f"read source {uid}") is not None
        except Misconfigured:
            if self._said is not None and self._said.status == 403:
                return None
            raise

    def _found(self, path: str, doing: str) -> Any:
        """Ask for something; None where there is none."""
        try:
            return self._asked("GET", path, doing)
        except Misconfigured:
            if self._said is not None and self._said.status == 404 and self._is_json():
                return None
            raise

    def _is_json(self) -> bool:
        """Tell whether the last answer is one of Grafana's own, not a proxy's page."""
        return self._said is not None and self._said.body.lstrip().startswith("{")

    def _asked(self, verb: str, path: str, doing: str, body: Json | None = None) -> Any:
        self._said = None
        call: Callable[..., Any] = getattr(self._api, verb)
        with self._words(doing):
            return call(path) if body is None else call(path, json=body)

    @contextmanager
    def _words(self, doing: str) -> Iterator[None]:
        """Put what the libraries raise into our words."""
        try:
            yield
        except GrafanaException as error:
            raise answered(self.place, self._last(), doing) from error
        except (requests.JSONDecodeError, TypeError, requests.TooManyRedirects) as error:
            said = self._last()
            if 200 <= said.status < 300 and not said.body.strip():
                return  # done, and nothing to tell
            raise answered(self.place, said, doing) from error
        except requests.exceptions.SSLError as error:
            raise Misconfigured(
                f"{self.place}: TLS fails: {plain(_innermost(error))}; see the certificate, give "
                "the authority that signed it with --ca, or http:// where it speaks no TLS"
            ) from error
        except (requests.RequestException, OSError) as error:
            raise Unreachable(
                f"{self.place} does not answer: {plain(_innermost(error))}"
            ) from error

    def _note(self, response: requests.Response, *_: object, **__: object) -> None:
        headers: Mapping[str, str] = response.headers
        self._said = Said(response.status_code, response.text, headers.get("location", ""))

    def _last(self) -> Said:
        return self._said or Said(0, "")


def _part(uid: str) -> str:
    """Write a uid as a part of a path; what is no uid never gets there."""
    if not _UID.fullmatch(uid):
        raise Rejected(f"{uid!r} is no uid: 1 to 40 of a to z, A to Z, 0 to 9, - and _")
    return quote(uid, safe="")


def _innermost(error: BaseException) -> str:
    """Give the words of what went wrong without the libraries' own around them."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None)
    text = str(reason if reason is not None else error)
    return text.rpartition(": ")[2] if text.startswith("<") else text
