"""The JSON endpoints: read the query, ask the view, answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.roles import Right
from gateway.console.answers import answer, long_answer
from gateway.console.doors import need
from gateway.console.queries import (
    ROWS_LIMIT,
    WORD_LIMIT,
    acknowledgement,
    holding,
    judgement,
    model_change,
    part_label,
    part_normal,
    parts_asked,
    stretch,
    trusting,
    window,
    word,
)
from gateway.console.view import TagRow, View
from plant.alarms import HoldKind
from plant.errors import Rejected, Unreachable

HOLD_RIGHT = {
    HoldKind.SHELVED: Right.SHELVE,
    HoldKind.SUPPRESSED: Right.SUPPRESS,
    HoldKind.OUT_OF_SERVICE: Right.SUPPRESS,
}
"""What a hold, or the end of one, asks of whoever orders it."""


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

    async def alarms(self, request: Request) -> Response:
        """Answer the alarm list."""
        return await long_answer(request, {"alarms": self._view.alarms()})

    async def sources(self, _request: Request) -> Response:
        """Answer the connections."""
        return answer({"sources": self._view.sources()})

    async def sinks(self, _request: Request) -> Response:
        """Answer the stores that are sent what the journal holds."""
        return answer({"sinks": self._view.sinks()})

    async def savings(self, _request: Request) -> Response:
        """Answer what summaries save."""
        return answer(self._view.savings())

    async def proposers(self, _request: Request) -> Response:
        """Answer what may ask for setpoints within the gateway."""
        return answer({"proposers": self._view.proposers()})

    async def gaps(self, _request: Request) -> Response:
        """Answer the gap ledger."""
        return answer({"gaps": self._view.gaps()})

    async def alarm(self, request: Request) -> Response:
        """Answer one alarm."""
        number = request.path_params["alarm"]
        try:
            return answer(self._view.alarm(number))
        except KeyError as error:
            raise _unknown("alarm", number) from error

    async def acknowledge(self, request: Request) -> Response:
        """Acknowledge one alarm and answer its new row."""
        alarm = request.path_params["alarm"]
        said = await acknowledgement(request)
        with _refusing("alarm", alarm):
            return answer(await self._view.acknowledge(alarm, said.actor, said.note))

    async def feedback(self, request: Request) -> Response:
        """Keep what a person calls an alarm and answer its new row."""
        alarm = request.path_params["alarm"]
        said = await judgement(request)
        if said.new_normal:
            need(request, Right.ACCEPT)
        with _refusing("alarm", alarm):
            row = await self._view.feedback(
                alarm, said.label, said.actor, said.note, new_normal=said.new_normal
            )
            return answer(row)

    async def holds(self, _request: Request) -> Response:
        """Answer what keeps alarms quiet."""
        return answer({"holds": self._view.holds()})

    async def hold(self, request: Request) -> Response:
        """Keep an asset quiet and answer how."""
        said = await holding(request)
        need(request, HOLD_RIGHT[HoldKind(said.kind)])
        with _refusing("asset or alarm", said.target):
            row = await self._view.hold(said.target, said.kind, said.seconds, said.actor, said.note)
            return answer(row)

    async def release(self, request: Request) -> Response:
        """End a hold and answer how it was."""
        said = await holding(request)
        need(request, HOLD_RIGHT[HoldKind(said.kind)])
        with _refusing("asset or alarm", said.target):
            return answer(await self._view.release(said.target, said.kind, said.actor, said.note))

    async def instruments(self, _request: Request) -> Response:
        """Answer the instruments at fault."""
        return answer({"instruments": self._view.instruments()})

    async def trust(self, request: Request) -> Response:
        """Believe an instrument again and answer how it was."""
        said = await trusting(request)
        with _refusing("instrument at fault", said.target):
            return answer(await self._view.trust(said.target, said.actor, said.note))

    async def models(self, _request: Request) -> Response:
        """Answer the models of every asset."""
        return answer(self._view.models())

    async def promote_model(self, request: Request) -> Response:
        """Have the model that is tried take over and answer how it is."""
        return await self._change_model("promote", request)

    async def return_model(self, request: Request) -> Response:
        """Have the model before take over again and answer how it is."""
        return await self._change_model("return", request)

    async def discard_model(self, request: Request) -> Response:
        """Have the model that is tried judge no more and answer how it is."""
        return await self._change_model("discard", request)

    async def _change_model(self, action: str, request: Request) -> Response:
        said = await model_change(request)
        with _refusing("asset", said.target):
            told = said.target, said.version, said.actor, said.note
            return answer(await self._view.change_model(action, *told))

    async def report(self, request: Request) -> Response:
        """Answer how the alarms did."""
        with _refusing("report", ""):
            return answer(await self._view.report(*stretch(request.query_params)))

    async def parts(self, request: Request) -> Response:
        """Answer the last parts, newest first."""
        asked = parts_asked(request.query_params)
        with _refusing("asset that makes parts", asked.target or ""):
            rows = self._view.parts(asked.target, asked.verdict, asked.limit)
            return await long_answer(request, {"parts": rows})

    async def label_part(self, request: Request) -> Response:
        """Keep what a part turned out to be and answer its new row."""
        said = await part_label(request)
        with _refusing("asset that makes parts", said.target):
            told = said.target, said.number, said.label, said.actor, said.note
            return answer(await self._view.label_part(*told))

    async def new_parts(self, request: Request) -> Response:
        """Learn anew how healthy parts are and answer how they were."""
        said = await part_normal(request)
        with _refusing("asset that makes parts", said.target):
            return answer(await self._view.new_parts(said.target, said.actor, said.note))

    async def tags(self, request: Request) -> Response:
        """Answer the tags that hold every word of ``match``, at most `ROWS_LIMIT` of them."""
        match = request.query_params.get("match", "")[:WORD_LIMIT].casefold().split()
        rows = self._view.tags()
        found = [row for row in rows if _holds(row, match)]
        told = {"tags": found[:ROWS_LIMIT], "matching": len(found), "total": len(rows)}
        return await long_answer(request, told)

    async def health(self, _request: Request) -> Response:
        """Answer 200 with the status in the body.

        A degraded gateway still works; a probe that restarted it would make matters worse.
        """
        return answer(self._view.health())

    async def metrics(self, _request: Request) -> Response:
        """Answer the figures for Prometheus."""
        return Response(self._view.metrics(), media_type="text/plain; version=0.0.4")


def _unknown(what: str, name: str | int) -> HTTPException:
    quoted = name if isinstance(name, int) else f"'{name}'"
    return HTTPException(404, f"There is no {what} {quoted}.")


@contextmanager
def _refusing(what: str, name: str | int) -> Iterator[None]:
    """Say in the words of the web why something cannot be done."""
    try:
        yield
    except KeyError as error:
        raise _unknown(what, name) from error
    except Rejected as error:
        raise HTTPException(409, str(error)) from error
    except Unreachable as error:
        raise HTTPException(503, str(error)) from error


def _holds(row: TagRow, words: list[str]) -> bool:
    text = " ".join(
        (row["tag"], row["source"], row["role"], row["quality"], row["finding"], row["description"])
    ).casefold()
    return all(word in text for word in words)
