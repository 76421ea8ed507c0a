"""The guard's socket: a file in its folder, for its user or a group; bounded in all it takes."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.accounts.waits import network_of
from gateway.guard.audit import NoAudit
from gateway.guard.desk import WHENCE, Actor
from gateway.guard.process import Guard
from gateway.guard.separation import SPOKEN_TO, open_to
from gateway.guard.tickets import PLACE
from gateway.guard.words import LENGTH, MOST_BYTES, SOCKET, framed, request_of, unframed
from plant.errors import Misconfigured, PlantError, Rejected
from plant.setpoints import State

MOST_LINES = 32
IDLE_S, REST_S = 300.0, 10.0
TICK_S, STOP_S = 1.0, 0.5
MOST_SHOWN = 50
"""Requests in one answer."""
MODE = 0o600


class Server:
    """Serves one guard.

    Parameters
    ----------
    guard
        Who answers.
    folder
        Where the socket is; one guard a folder.
    group
        Number of the group that may speak to it; None: our own user alone.
    """

    def __init__(self, guard: Guard, folder: Path, group: int | None = None) -> None:
        self._guard, self._path, self._group = guard, folder / SOCKET, group
        self._lines = 0
        self._at_work: set[asyncio.Task[None]] = set()
        self._ops: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "status": self._status, "request": self._request, "pending": self._pending,
            "requests": self._requests, "state": self._state, "approve": self._approve,
            "reject": self._reject, "revert": self._revert, "unlock": self._unlock,
            "stop": self._stop, "start": self._start, "setpoints": self._setpoints,
        }  # fmt: skip

    async def run(self, ended: asyncio.Event, begun: Callable[[], None] = lambda: None) -> None:
        """Serve until `ended`; what is being written is still read back then.

        Parameters
        ----------
        ended
            Ends it.
        begun
            Is called once it listens.

        Raises
        ------
        Misconfigured
            The socket cannot be made.
        """
        own = _socket(self._path)
        open_to(self._path, SPOKEN_TO, self._group)
        server = await asyncio.start_unix_server(self._line, sock=own)
        begun()
        loops = [
            asyncio.create_task(_over_and_over(self._guard.tick, TICK_S)),
            asyncio.create_task(_over_and_over(self._guard.look_at_the_stop_tag, STOP_S)),
            asyncio.create_task(_over_and_over(self._guard.beat, STOP_S)),
        ]
        try:
            await asyncio.wait(
                [asyncio.create_task(ended.wait()), *loops], return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            server.close()
            self._path.unlink(missing_ok=True)
            if self._at_work:
                await asyncio.wait(self._at_work, timeout=REST_S)
            for task in (*loops, *self._at_work):
                task.cancel()
            await asyncio.gather(*loops, *self._at_work, return_exceptions=True)
            await self._guard.close()
        for loop in loops:
            if not loop.cancelled() and loop.exception() is not None:
                raise loop.exception() or RuntimeError

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one line until it is silent, hangs up, or sends what is no message."""
        self._lines += 1
        try:
            while self._lines <= MOST_LINES:
                try:
                    async with asyncio.timeout(IDLE_S):
                        length = int.from_bytes(await reader.readexactly(LENGTH), "big")
                        if length > MOST_BYTES:
                            return
                        body = await reader.readexactly(length)
                except (EOFError, OSError, TimeoutError):
                    return
                task = asyncio.create_task(self._answered(body, _peer(writer), writer))
                self._at_work.add(task)
                task.add_done_callback(self._at_work.discard)
                await asyncio.shield(task)
        finally:
            self._lines -= 1
            writer.close()

    async def _answered(self, body: bytes, peer: str, writer: asyncio.StreamWriter) -> None:
        try:
            said = unframed(body)
            op = self._ops.get(str(said.get("op")))
            if op is None:
                raise Rejected(f"there is no {str(said.get('op'))[:40]!r} here")
            PLACE.set(_text(said, "place"))
            WHENCE.set(f"{peer} {network_of(PLACE.get())}")
            answer = {"ok": True, **await op({**said, "peer": peer})}
        except PlantError as error:
            answer = {"ok": False, "why": str(error), "class": type(error).__name__}
        try:
            frame = framed(answer)
        except Rejected as error:
            frame = framed({"ok": False, "why": f"the answer is {error}", "class": "Rejected"})
        # Whoever does not take his answer may not hold a line for ever.
        with suppress(OSError, TimeoutError):
            writer.write(frame)
            async with asyncio.timeout(REST_S):
                await writer.drain()

    async def _status(self, _said: dict[str, Any]) -> dict[str, Any]:
        return self._guard.status()

    async def _setpoints(self, said: dict[str, Any]) -> dict[str, Any]:
        """Say how setpoints stand, from the one numbered `from` on, as many as fit."""
        rows, first = self._guard.standings(), said.get("from", 0)
        if type(first) is not int or first < 0:
            raise Rejected("malformed: from")
        shown = _fitting(rows[first:])
        return {"setpoints": shown, "left": max(0, len(rows) - first - len(shown))}

    async def _request(self, said: dict[str, Any]) -> dict[str, Any]:
        """Take a request of a program, with its token, or of a person, with his password."""
        name = _text(said, "name") or f"unnamed ({said['peer']})"
        try:
            request = request_of(said.get("request"), name)
        except Rejected:
            # What is malformed counts too, or a flood of it would be free.
            self._guard.malformed(self._actor(said, name))
            raise
        if "password" in said:
            ticket = await self._guard.ask_as(request, name, _text(said, "password"))
        else:
            ticket = await self._guard.ask(request, self._actor(said, name))
        return {"request": ticket.shown(), "known": ticket.actor.known}

    def _actor(self, said: dict[str, Any], name: str) -> Actor:
        found = self._guard.program(name, _text(said, "token"))
        # Whoever shows no token bears the name that the kernel gives him.
        return found if found.known else Actor(f"stranger ({said['peer']})", known=False, tags=())

    async def _pending(self, _said: dict[str, Any]) -> dict[str, Any]:
        return self._shown(State.PENDING)

    async def _requests(self, _said: dict[str, Any]) -> dict[str, Any]:
        return self._shown()

    def _shown(self, *states: State) -> dict[str, Any]:
        newest = self._guard.book.tickets(*states)[-MOST_SHOWN:]
        return {"requests": _fitting([one.shown() for one in reversed(newest)])}

    async def _state(self, said: dict[str, Any]) -> dict[str, Any]:
        """Say where a request stands, and no more of the plant than that."""
        ticket = self._guard.book.get(_text(said, "id"))
        if ticket is None:
            raise Rejected("this request is not known")
        return {"id": ticket.request.id, "state": str(ticket.state), "code": str(ticket.code or "")}

    async def _approve(self, said: dict[str, Any]) -> dict[str, Any]:
        return {"request": (await self._guard.approve(*_who(said, "id"))).shown()}

    async def _reject(self, said: dict[str, Any]) -> dict[str, Any]:
        ticket = await self._guard.reject(*_who(said, "id"), _text(said, "why"))
        return {"request": ticket.shown()}

    async def _revert(self, said: dict[str, Any]) -> dict[str, Any]:
        return {"to": await self._guard.revert(*_who(said, "tag"))}

    async def _unlock(self, said: dict[str, Any]) -> dict[str, Any]:
        return {"value": await self._guard.unlock(*_who(said, "tag"))}

    async def _stop(self, said: dict[str, Any]) -> dict[str, Any]:
        """Everybody who can speak here may stop; nobody has to remember a password for it."""
        self._guard.stop(f"{_text(said, 'name') or 'somebody'} ({said['peer']})")
        return {"stopped": True}

    async def _start(self, said: dict[str, Any]) -> dict[str, Any]:
        await self._guard.start(_text(said, "name"), _text(said, "password"))
        return {"stopped": bool(self._guard.stopped())}


def _fitting(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the first rows, as many as one answer holds."""
    shown: list[dict[str, Any]] = []
    room = MOST_BYTES - 1000
    for row in rows:
        room -= len(framed(row))
        if room < 0:
            break
        shown.append(row)
    return shown


def _text(said: dict[str, Any], key: str) -> str:
    value = said.get(key, "")
    if not isinstance(value, str) or len(value) > 1000 or not value.isprintable():
        raise Rejected(f"malformed: {key}")
    return value


def _who(said: dict[str, Any], key: str) -> tuple[str, str, str]:
    return _text(said, key), _text(said, "name"), _text(said, "password")


async def _over_and_over(what: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        # Without an audit nothing is written, and the alarm of it stands; looking goes on.
        with suppress(NoAudit):
            await what()
        await asyncio.sleep(every_s)


def _peer(writer: asyncio.StreamWriter) -> str:
    """Name the user at the other end, as the kernel knows him."""
    own: socket.socket = writer.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", own.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return f"uid {uid}"


def _socket(path: Path) -> socket.socket:
    """Make the socket, for our own user alone yet; what a dead guard left behind gives way."""
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        before = os.umask(0o777 - MODE)
        try:
            own.bind(str(path))
        finally:
            os.umask(before)
    except OSError as error:
        own.close()
        raise Misconfigured(f"{path}: no socket can be made: {error.strerror or error}") from error
    return own
