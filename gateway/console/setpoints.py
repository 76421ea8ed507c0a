"""Setpoints in the console: what the guard says, and what people tell it.

The guard decides and checks each password itself: a session is no proof to it. The kill switch
needs neither a password nor a guard that runs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.access import Access, Who
from gateway.console.answers import answer, long_answer
from gateway.console.doors import peer
from gateway.console.queries import SetpointOrder, setpoint_order
from gateway.guard.history import Told, told
from gateway.guard.line import GuardLine
from gateway.guard.stopping import pull, stopped
from gateway.guard.words import AUDIT
from plant.errors import Misconfigured, PlantError, Rejected, Unreachable
from plant.files import stamp

FRESH_S = 0.5
"""So old what the guard said may be for the next page that asks."""
LOOK_S = 2.0
"""So long a question that only looks waits."""
STOP_S = 0.6
"""So long a stop waits for the guard before the file is made without it."""
TAIL = 2_000_000
"""Bytes of the audit's end that are read for the history: some hundred requests."""
MOST = 100
MS = 1e6
_ORDERS = {
    "start": ("setpoints started", "", "stopped"),
    "approve": ("setpoint approved", "id", "request"),
    "reject": ("setpoint rejected", "id", "request"),
    "revert": ("setpoint reverted", "tag", "to"),
    "unlock": ("setpoint unlocked", "tag", "value"),
}
"""Order → how the audit calls it, by what it names what it is about, and what is answered."""


@dataclass(slots=True)
class _Seen:
    """What was last seen of the guard, and when (monotonic, s)."""

    at: float = float("-inf")
    why: str = ""
    status: dict[str, Any] = field(default_factory=dict)
    setpoints: list[dict[str, Any]] = field(default_factory=list)
    pending: list[dict[str, Any]] = field(default_factory=list)
    stopped: dict[str, Any] | None = None
    told: Told = field(default_factory=lambda: Told([], {}))
    trouble: str = ""
    """Why the audit cannot be read."""


class Setpoints:
    """Endpoints of the setpoints.

    Parameters
    ----------
    line
        To the guard; None where none is configured.
    access
        Where it is written down who did what; None: nowhere but in the guard's own audit.
    """

    def __init__(self, line: GuardLine | None, access: Access | None) -> None:
        self._line, self._access = line, access
        self._seen = _Seen()
        self._one = asyncio.Lock()
        self._stamp: tuple[int, ...] | None = None

    async def switch(self, _request: Request) -> Response:
        """Answer what stands in the head of every page."""
        if self._line is None:
            return answer({"configured": False})
        seen = await self._look(self._line)
        locked = [one for one in seen.setpoints if one["locked"]]
        return answer(
            {
                "configured": True,
                "running": not seen.why,
                "mode": seen.status.get("mode"),
                "stopped": seen.stopped,
                "pending": [_row(one) for one in seen.pending],
                "locked": [{"tag": one["tag"], "why": one["locked"]} for one in locked],
            }
        )

    async def all(self, request: Request) -> Response:
        """Answer everything of the page."""
        if self._line is None:
            return answer({"configured": False})
        seen = await self._look(self._line)
        checks = {row["id"]: row["checks"] for row in seen.told.requests}
        return await long_answer(
            request,
            {
                "configured": True,
                "running": not seen.why,
                "why": seen.why,
                "now": time.time() * 1000,
                "stopped": seen.stopped,
                **{key: seen.status.get(key) for key in ("mode", "serial", "signer")},
                "expires": seen.status.get("expires", 0) / MS,
                "alarms": seen.status.get("alarms", {}),
                "off": seen.status.get("off", {}),
                "setpoints": [_standing(one, seen.told.locked) for one in seen.setpoints],
                "pending": [_row({**one, "checks": checks.get(one["id"], [])})
                            for one in seen.pending],
                "history": [_row(one) for one in seen.told.requests],
                "trouble": seen.trouble,
            },
        )  # fmt: skip

    async def stop(self, request: Request) -> Response:
        """Make everything advice, with the guard or without it."""
        line = self._needed()
        known: Who = request.scope["who"]
        try:
            name = (await setpoint_order(request)).actor
        except HTTPException:
            # It asks for nothing: no name that cannot be read keeps it from being pulled.
            name = known.name if known.role is not None else ""
        who = f"{name or 'somebody'} from {peer(request.scope)}"
        try:
            await line.tell(
                {"op": "stop", "name": who, "place": peer(request.scope)}, answer_s=STOP_S
            )
        except PlantError:
            # One that hangs is not waited for: the file binds it as soon as it goes on.
            try:
                await asyncio.to_thread(pull, line.folder, who)
            except OSError as error:
                self._note(request, "setpoints stop failed", "", why=str(error.strerror))
                raise HTTPException(
                    503, f"{line.folder} cannot be written: use the stop at the plant."
                ) from error
        self._note(request, "setpoints stopped", "all setpoints are advice")
        self._forget()
        # What the page shows next, without waiting for a guard that hangs.
        return answer({"stopped": {"who": who, "since": time.time() * 1000, "why": "stopped"}})

    def order(self, op: str) -> Callable[[Request], Awaitable[Response]]:
        """Give the endpoint that tells the guard what a person wants, and answers what came of it.

        Parameters
        ----------
        op
            ``start``: end a stop. ``approve``, ``reject``: a request that waits. ``revert``: lead a
            setpoint back. ``unlock``: take a person's word that he has looked at a locked one.
        """
        what, names, answers = _ORDERS[op]

        async def told(request: Request) -> Response:
            said = await setpoint_order(request)
            asked = {"op": op, **({names: said.target} if names else {})}
            if op == "reject":
                asked["why"] = said.note
            done = await self._told_to(what, request, said, asked)
            return answer(
                _row(done["request"]) if answers == "request" else {answers: done[answers]}
            )

        return told

    async def _told_to(
        self, what: str, request: Request, said: SetpointOrder, asked: dict[str, Any]
    ) -> dict[str, Any]:
        """Tell the guard what a person wants, and write down what came of it."""
        line = self._needed()
        if not said.password:
            raise HTTPException(400, "Your password is needed: the guard looks at it itself.")
        who = {"name": said.actor, "password": said.password, "place": peer(request.scope)}
        words = self._words(asked.get("id", asked.get("tag", "")))
        try:
            done = await line.tell({**asked, **who})
        except Rejected as error:
            if self._access is not None:
                act = f"{asked['op']} {words}".strip()
                self._access.audit.refusal(said.actor, peer(request.scope), str(error), act)
            raise HTTPException(409, f"{error}.") from error
        except Unreachable as error:
            raise HTTPException(503, f"{error}.") from error
        finally:
            self._forget()
        row = done.get("request", {})
        came = row.get("why") or row.get("state", "")
        self._note(request, what, words, why=f"{came}; {said.note}" if said.note else came)
        return done

    def _words(self, of: str) -> str:
        """Name a request by what it asks for; a tag stays one."""
        row = next((one for one in self._seen.pending if one["id"] == of), None)
        return of if row is None else f"{row['tag']} = {row['value']:g} {row['unit']}"

    def _note(self, request: Request, what: str, act: str, why: str = "") -> None:
        who: Who = request.scope["who"]
        if self._access is not None:
            more = {"act": act, "why": why, "role": str(who.role or "")}
            self._access.audit.note(what, who.name, peer(request.scope), **more)

    def _needed(self) -> GuardLine:
        if self._line is None:
            raise HTTPException(409, "No guard is configured: see docs/setpoints.md.")
        return self._line

    def _forget(self) -> None:
        self._seen.at = float("-inf")

    async def _look(self, line: GuardLine) -> _Seen:
        """Ask the guard, once for all who want to know at the same time."""
        async with self._one:
            if time.monotonic() - self._seen.at < FRESH_S:
                return self._seen
            seen = _Seen(told=self._seen.told, trouble=self._seen.trouble)
            try:
                seen.status = await line.tell({"op": "status"}, LOOK_S)
                seen.setpoints = await _all_of(line)
                seen.pending = (await line.tell({"op": "pending"}, LOOK_S))["requests"]
            except PlantError as error:
                # Half of what it said would be shown as if it were all.
                seen = _Seen(why=str(error), told=seen.told, trouble=seen.trouble)
            await asyncio.to_thread(self._read, line.folder, seen)
            seen.at = time.monotonic()
            self._seen = seen
            return seen

    def _read(self, folder: Path, seen: _Seen) -> None:
        """Read what lies in files: who has stopped, and the end of the audit if it has grown."""
        found, why = stopped(folder), seen.status.get("stopped", "")
        if found is not None:
            seen.stopped = {"who": found.who, "since": found.at / MS or None, "why": "stopped"}
        elif why:
            seen.stopped = {"who": "", "since": None, "why": why}
        file = folder / AUDIT
        now = stamp(file)
        if now == self._stamp:
            return
        try:
            seen.told, seen.trouble = told(file, MOST, TAIL), ""
        except Misconfigured as error:
            seen.told, seen.trouble = Told([], {}), str(error) if file.exists() else ""
        self._stamp = now


async def _all_of(line: GuardLine) -> list[dict[str, Any]]:
    """Ask for the setpoints, in as many answers as it takes."""
    rows: list[dict[str, Any]] = []
    while True:
        said = await line.tell({"op": "setpoints", "from": len(rows)}, LOOK_S)
        rows += said["setpoints"]
        if not said["left"] or not said["setpoints"]:
            return rows


def _standing(row: dict[str, Any], locked: dict[str, int]) -> dict[str, Any]:
    """Give a setpoint with times in ms."""
    last = row["last"]
    since = locked.get(row["tag"])
    return {
        **row,
        "last": None if last is None else {**last, "at": last["at"] / MS},
        "locked_since": None if since is None or not row["locked"] else since / MS,
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Give a request with times in ms, and without what no page shows."""
    kept = (
        "id", "tag", "value", "unit", "reason", "effect", "proposer", "model", "version", "state",
        "code", "why", "approvals", "before",
    )  # fmt: skip
    based = row.get("based_on", [])
    return {
        **{key: row.get(key) for key in kept},
        "received": row["received"] / MS,
        "not_after": row["not_after"] / MS,
        "based_on": [
            {"tag": one["tag"], "at": one["at"] / MS, "status": one["status"]} for one in based
        ],
        "checks": row.get("checks", []),
    }
