"""The centre's side: a folder of contributions, and the small server that fills it."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics.federation.contribution import Contribution
from analytics.federation.messages import most_bytes, read_contribution
from analytics.federation.refusals import Refused, Why
from analytics.federation.terms import Terms
from plant.files import alone, put

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request

TURNED = "refused.jsonl"
PUBLISHED = "published"
MOST_FILES = 10_000
MOST_TURNED = 10_000
"""Lines of refusals that are kept: a stranger must not fill the disk with them."""


class Centre:
    """A folder into which contributions come, over HTTP or by hand.

    Parameters
    ----------
    folder
        ``*.wtm`` contributions; ``refused.jsonl`` what was not taken; ``published`` what gateways
        may fetch: the plan, models.
    terms
        The plan.
    """

    def __init__(self, folder: Path, terms: Terms) -> None:
        self.folder, self.terms = folder, terms
        self._read: dict[str, Contribution | None] = {}

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Give the files, those that are too large cut just behind what would be too large."""
        for path in sorted(self.folder.glob("*.wtm")):
            with path.open("rb") as file:
                yield path.name, file.read(most_bytes(self.terms) + 1)

    def take(self, data: bytes) -> tuple[Contribution, bool]:
        """Keep a contribution; tell whether it is new.

        Raises
        ------
        Refused
            It is none of this plan, or tells of rows that another one has told of.
        """
        told = read_contribution(data, self.terms)
        name = f"{hashlib.sha256(data).hexdigest()}.wtm"
        with alone(self.folder):
            held = self._held()
            if name in held or (self.folder / name).exists():
                return told, False
            if len(held) >= MOST_FILES:
                raise Refused(Why.TOO_LARGE, f"{len(held)} contributions are here already")
            for file, before in held.items():
                if before is not None and told.overlaps(before):
                    if (self.folder / file).read_bytes() == data:
                        return told, False  # put here by hand, under another name
                    what = f"tells of rows that message {before.number} of {before.site} told of"
                    raise Refused(Why.OVERLAP, what)
            put(self.folder / name, data)
        return told, True

    def _held(self) -> dict[str, Contribution | None]:
        """Give what lies here, each file read once; None for what is no contribution."""
        there = {path.name for path in self.folder.glob("*.wtm")}
        self._read = {name: told for name, told in self._read.items() if name in there}
        for name in sorted(there - self._read.keys()):
            try:
                self._read[name] = read_contribution((self.folder / name).read_bytes(), self.terms)
            except Refused:
                self._read[name] = None  # of another plan, or put here by hand: `merge` names it
        return self._read

    def turn(self, file: str, refused: Refused, sender: str) -> None:
        """Note what was not taken."""
        row = {
            "at": time.time_ns(),
            "file": file[:200],
            "why": refused.why.value,
            "message": str(refused)[:500],
            "from": sender,
        }
        with alone(self.folder):
            path = self.folder / TURNED
            lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
            lines.append(json.dumps(row, sort_keys=True).encode() + b"\n")
            put(path, b"".join(lines[-MOST_TURNED:]), 0o600)

    def turned(self) -> list[dict[str, Any]]:
        """List what was not taken over HTTP, oldest first."""
        path = self.folder / TURNED
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


def site(centre: Centre) -> "Starlette":
    """Build the server: contributions are put there, what is published can be read, no more."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    async def health(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    async def contribution(request: Request) -> JSONResponse:
        from anyio import to_thread

        name = str(request.path_params["name"])
        sender = request.client.host if request.client else ""
        try:
            data = await _body(request, most_bytes(centre.terms))
            _, new = await to_thread.run_sync(centre.take, data)
        except Refused as refused:
            await to_thread.run_sync(centre.turn, name, refused, sender)
            told = {"why": refused.why.value, "message": str(refused)}
            return JSONResponse(told, status_code=422)
        said = {"sha256": hashlib.sha256(data).hexdigest()}
        return JSONResponse(said, status_code=201 if new else 200)

    published = centre.folder / PUBLISHED
    published.mkdir(parents=True, exist_ok=True)
    return Starlette(
        routes=[
            Route("/health", health),
            Route("/contributions/{name}", contribution, methods=["PUT"]),
            Mount("/", StaticFiles(directory=published)),
        ]
    )


async def _body(request: "Request", most: int) -> bytes:
    """Take in a body of a bounded size."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise Refused(Why.TOO_LARGE, f"more than {most} bytes, which no contribution has")
    return bytes(data)
