"""The JSON endpoints: read the query, ask the view, answer."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.console.answers import answer
from gateway.console.queries import ROWS_LIMIT, WORD_LIMIT, acknowledgement, window, word
from gateway.console.view import TagRow, View
from plant.errors import Rejected, Unreachable


class Api:
    """Endpoints over one `View`."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def line(self, _request: Request) -> Response:
        """Answer the overview."""
        return answer(self._view.line())

    async def asset(self, request: Request) -> Response:
        """Answer one asset."""
        path = word(request.query_params, "path")
        try:
            return answer(self._view.asset(path))
        except KeyError as error:
            raise _unknown("asset", path) from error

    async def scores(self, request: Request) -> Response:
        """Answer the scores of one asset over a window."""
        path, span = word(request.query_params, "path"), window(request.query_params)
        try:
            series = await self._view.scores(path, span.start, span.stop, span.points)
        except KeyError as error:
            raise _unknown("asset", path) from error
        except Unreachable as error:
            raise HTTPException(503, str(error)) from error
        return answer(series)

    async def trend(self, request: Request) -> Response:
        """Answer the values of one tag over a window."""
        tag, span = word(request.query_params, "tag"), window(request.query_params)
        try:
            series = await self._view.trend(tag, span.start, span.stop, span.points)
        except KeyError as error:
            raise _unknown("tag", tag) from error
        except Unreachable as error:
            raise HTTPException(503, str(error)) from error
        return answer(series)

    async def alarms(self, _request: Request) -> Response:
        """Answer the alarm list."""
        return answer({"alarms": self._view.alarms()})

    async def sources(self, _request: Request) -> Response:
        """Answer the connections."""
        return answer({"sources": self._view.sources()})

    async def gaps(self, _request: Request) -> Response:
        """Answer the gap ledger."""
        return answer({"gaps": self._view.gaps()})

    async def acknowledge(self, request: Request) -> Response:
        """Acknowledge one alarm and answer its new row."""
        alarm = request.path_params["alarm"]
        said = await acknowledgement(request)
        try:
            row = await self._view.acknowledge(alarm, said.actor, said.note)
        except KeyError as error:
            raise HTTPException(404, f"There is no alarm {alarm}.") from error
        except Rejected as error:
            raise HTTPException(409, str(error)) from error
        except Unreachable as error:
            raise HTTPException(503, str(error)) from error
        return answer(row)

    async def tags(self, request: Request) -> Response:
        """Answer the tags that hold every word of ``match``, at most `ROWS_LIMIT` of them."""
        match = request.query_params.get("match", "")[:WORD_LIMIT].casefold().split()
        rows = self._view.tags()
        found = [row for row in rows if _holds(row, match)]
        return answer({"tags": found[:ROWS_LIMIT], "matching": len(found), "total": len(rows)})

    async def health(self, _request: Request) -> Response:
        """Answer 200 with the status in the body.

        A degraded gateway still works; a probe that restarted it would make matters worse.
        """
        return answer(self._view.health())

    async def metrics(self, _request: Request) -> Response:
        """Answer the figures for Prometheus."""
        return Response(self._view.metrics(), media_type="text/plain; version=0.0.4")


def _unknown(what: str, name: str) -> HTTPException:
    return HTTPException(404, f"There is no {what} '{name}'.")


def _holds(row: TagRow, words: list[str]) -> bool:
    text = " ".join(
        (row["tag"], row["source"], row["role"], row["quality"], row["finding"], row["description"])
    ).casefold()
    return all(word in text for word in words)
