"""The console as one ASGI application."""

from collections.abc import Callable, Collection
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.access import Access
from gateway.accounts.roles import Right
from gateway.console.answers import refuse
from gateway.console.api import Api
from gateway.console.asking import Asking
from gateway.console.assets import FORMS, Assets
from gateway.console.doors import Door, peer
from gateway.console.entrance import Entrance, Records, no_records
from gateway.console.gate import Gate, Refused
from gateway.console.setpoints import Setpoints
from gateway.console.stream import Stream
from gateway.console.view import View
from gateway.guard.line import GuardLine

PAGES = (
    "/", "/asset", "/alarms", "/report", "/tags", "/sources", "/history", "/models", "/setpoints",
    "/audit",
)  # fmt: skip


def create_app(
    view: View,
    *,
    stream: Stream | None = None,
    access: Access | None = None,
    records: Records = no_records,
    names: Collection[str] = (),
    network: bool = False,
    guard: GuardLine | None = None,
) -> Starlette:
    """Build the console over `view`.

    Parameters
    ----------
    view
        What is shown.
    stream
        The push of the overview; give one to close it from outside.
    access
        Who is let in; None: whoever reaches it.
    records
        Gives the newest events of the audit.
    names, network
        See `Gate`.
    guard
        Line to the guard of setpoints; None: none is configured.
    """
    entrance = Entrance(access, records)
    app = Starlette(
        routes=[
            *doors(view, stream or Stream(view), entrance),
            *setpoint_doors(Setpoints(guard, access)),
            *(Asking(guard).doors() if guard else ()),
        ],
        middleware=[Middleware(Gate, names=names, network=network, refused=_written_by(access))],
        exception_handlers={HTTPException: _refused, 500: _failed},
    )
    app.state.access = access
    return app


def doors(view: View, stream: Stream, entrance: Entrance) -> list[Door]:
    """Give every endpoint with the right that it asks for; there are no others."""
    api, assets = Api(view), Assets()
    read: list[tuple[str, Callable[..., Any]]] = [
        ("/api/line", api.line),
        ("/api/asset", api.asset),
        ("/api/asset/scores", api.scores),
        ("/api/trend", api.trend),
        ("/api/alarms", api.alarms),
        ("/api/alarms/{alarm:int}", api.alarm),
        ("/api/holds", api.holds),
        ("/api/instruments", api.instruments),
        ("/api/models", api.models),
        ("/api/report", api.report),
        ("/api/parts", api.parts),
        ("/api/tags", api.tags),
        ("/api/sources", api.sources),
        ("/api/sinks", api.sinks),
        ("/api/savings", api.savings),
        ("/api/setpoints/proposers", api.proposers),
        ("/api/gaps", api.gaps),
        ("/events", stream),
    ]
    change = [
        ("/api/alarms/{alarm:int}/acknowledge", api.acknowledge, Right.ACKNOWLEDGE),
        ("/api/alarms/{alarm:int}/feedback", api.feedback, Right.FEEDBACK),
        # Of the other kinds of holds more is asked once the body is read.
        ("/api/holds", api.hold, Right.SHELVE),
        ("/api/holds/release", api.release, Right.SHELVE),
        ("/api/instruments/trust", api.trust, Right.ACCEPT),
        ("/api/models/promote", api.promote_model, Right.MODELS),
        ("/api/models/return", api.return_model, Right.MODELS),
        ("/api/models/discard", api.discard_model, Right.MODELS),
        ("/api/parts/label", api.label_part, Right.FEEDBACK),
        ("/api/parts/normal", api.new_parts, Right.ACCEPT),
        ("/api/session", entrance.touch, Right.READ),
        ("/api/password", entrance.password, Right.READ),
        # Who has no session needs these two.
        ("/api/login", entrance.login, Right.OPEN),
        ("/api/logout", entrance.logout, Right.OPEN),
    ]
    return [
        # The pages hold nothing of the plant: a link from elsewhere comes without the cookie.
        *(Door(path, assets.page, Right.OPEN) for path in PAGES),
        *(Door(f"/{name}", assets.form, Right.OPEN) for name in FORMS),
        Door("/static/{path:path}", assets.file, Right.OPEN),
        *(Door(path, endpoint, Right.READ) for path, endpoint in read),
        Door("/api/session", entrance.session, Right.READ),
        Door("/api/audit", entrance.audit, Right.AUDIT),
        Door("/health", api.health, Right.MEASURE),
        Door("/metrics", api.metrics, Right.MEASURE),
        *(Door(path, endpoint, right, changes=True) for path, endpoint, right in change),
    ]


def setpoint_doors(setpoints: Setpoints) -> list[Door]:
    """Give the endpoints of setpoints; the guard decides for itself who may what."""
    change = [
        # A stop asks for nothing: it is better pulled once too often.
        ("/api/setpoints/stop", setpoints.stop, Right.READ),
        ("/api/setpoints/start", setpoints.order("start"), Right.APPROVE),
        ("/api/setpoints/approve", setpoints.order("approve"), Right.APPROVE),
        ("/api/setpoints/reject", setpoints.order("reject"), Right.APPROVE),
        ("/api/setpoints/revert", setpoints.order("revert"), Right.ACKNOWLEDGE),
        ("/api/setpoints/unlock", setpoints.order("unlock"), Right.APPROVE),
    ]
    return [
        Door("/api/setpoints", setpoints.all, Right.READ),
        Door("/api/setpoints/switch", setpoints.switch, Right.READ),
        *(Door(path, endpoint, right, changes=True) for path, endpoint, right in change),
    ]


def _written_by(access: Access | None) -> Refused:
    if access is None:
        return lambda _scope, _why: None
    return lambda scope, why: access.audit.refusal("", peer(scope), why, scope["path"])


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return refuse(error.status_code, error.detail)


async def _failed(_request: Request, _error: Exception) -> Response:
    return refuse(500, "The gateway could not answer; its log says why.")
