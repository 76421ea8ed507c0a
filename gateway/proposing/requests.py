"""What a request has to be before it is carried to the guard; the guard believes none of it."""

import math

from gateway.guard.words import LONGEST_TEXT
from gateway.proposing.contract import NS, Look, Proposer
from plant.quality import Status
from plant.setpoints import LONGEST_S, Request

TEXTS = ("id", "key", "tag", "unit", "proposer", "reason", "effect", "model", "version")


def flaw_of(request: object, proposer: Proposer, unit: str, look: Look) -> str:
    """Say why this is no request of that proposer; empty when it is.

    Parameters
    ----------
    request
        What it gave.
    unit
        Of its setpoint.
    look
        What it was shown.
    """
    if not isinstance(request, Request):
        return f"{type(request).__name__} is no Request"
    for name in TEXTS:
        text = getattr(request, name)
        if not isinstance(text, str) or len(text) > LONGEST_TEXT or not text.isprintable():
            return f"{name} is no text of {LONGEST_TEXT} characters at most"
    value = request.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"the value is {value!r:.40}"
    if (request.tag, request.proposer) != (proposer.tag, proposer.name):
        return f"{request.tag} by {request.proposer} is not its own"
    if request.unit != unit:
        return f"{request.unit!r} is not the unit of {request.tag}, {unit!r}"
    if not request.reason or not request.effect or not request.model or not request.version:
        return "reason, effect, model and version are needed"
    if not look.now < request.not_after <= look.now + int(LONGEST_S * NS):
        return f"it is void now, or only after more than {LONGEST_S:g} s"
    return _basis(request, look)


def _basis(request: Request, look: Look) -> str:
    """Say why what it rests on is not what the proposer was shown."""
    if not request.based_on:
        return "it rests on nothing"
    for basis in request.based_on:
        if basis != look.of(basis.tag).basis:
            return f"it rests on another {basis.tag} than it was shown"
        if basis.status >= Status.UNCERTAIN:
            return f"it rests on {basis.tag}, which has bad quality"
    return ""
