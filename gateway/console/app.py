"""The console as one ASGI application."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.answers import refuse
from gateway.console.api import Api
from gateway.console.assets import Assets
from gateway.console.gate import Gate
from gateway.console.stream import Stream
from gateway.console.view import View

PAGES = ("/", "/asset", "/alarms", "/report", "/tags", "/sources", "/history")


def create_app(view: View, *, stream: Stream | None = None) -> Starlette:
    """Build the console over `view`.

    Parameters
    ----------
    view
        What is shown.
    stream
        The push of the overview; give one to close it from outside.
    """
    api, assets = Api(view), Assets()
    routes = [
        *(Route(path, assets.page) for path in PAGES),
        Route("/static/{path:path}", assets.file),
        Route("/api/line", api.line),
        Route("/api/asset", api.asset),
        Route("/api/asset/scores", api.scores),
        Route("/api/trend", api.trend),
        Route("/api/alarms", api.alarms),
        Route("/api/alarms/{alarm:int}", api.alarm),
        Route("/api/alarms/{alarm:int}/acknowledge", api.acknowledge, methods=["POST"]),
        Route("/api/alarms/{alarm:int}/feedback", api.feedback, methods=["POST"]),
        Route("/api/holds", api.holds, methods=["GET"]),
        Route("/api/holds", api.hold, methods=["POST"]),
        Route("/api/holds/release", api.release, methods=["POST"]),
        Route("/api/instruments", api.instruments, methods=["GET"]),
        Route("/api/instruments/trust", api.trust, methods=["POST"]),
        Route("/api/report", api.report),
        Route("/api/parts", api.parts),
        Route("/api/parts/label", api.label_part, methods=["POST"]),
        Route("/api/parts/normal", api.new_parts, methods=["POST"]),
        Route("/api/tags", api.tags),
        Route("/api/sources", api.sources),
        Route("/api/sinks", api.sinks),
        Route("/api/savings", api.savings),
        Route("/api/gaps", api.gaps),
        Route("/events", stream or Stream(view)),
        Route("/health", api.health),
        Route("/metrics", api.metrics),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Gate)],
        exception_handlers={HTTPException: _refused, 500: _failed},
    )


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return refuse(error.status_code, error.detail)


async def _failed(_request: Request, _error: Exception) -> Response:
    return refuse(500, "The gateway could not answer; its log says why.")
