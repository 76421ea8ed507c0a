"""Who did what: events in the journal beside those of the alarms, and how they read."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypedDict

from gateway.journal import JSON, EventRecord

KIND = "audit"
ACTS = (
    "acknowledge", "feedback", "hold", "release", "trust", "part-label", "part-normal", "model",
    "models-dropped",
)  # fmt: skip
"""Events of what people did with the alarms, parts and models; each has its actor, and
whence he came. What nobody ordered of a model was done by ``rule``."""
KINDS = (KIND, *ACTS)
MODEL_ACTS = {
    "shadow": "tried beside the one in force",
    "promote": "promoted",
    "keep": "kept",
    "return": "taken back, and blocked",
    "discard": "tried no longer",
    "block": "blocked",
}
PLACE: ContextVar[str] = ContextVar("place", default="")
"""Address of whoever is being served; the doors say it, orders are written down with it."""
MS = 1_000_000
BURST, EACH_S = 100, 10.0
"""Refusals that are told at once, and how often one more after them: so nobody can fill the disk
from outside. Those between are counted and told with the next."""
SAME_S = 60.0
"""The same refusal of the same caller is told once in so long, and counted."""
CALLERS = 1_000
MOST_ROWS = 500
"""The newest of the audit that are shown at once."""


class AuditRow(TypedDict):
    """One line of the audit; `at` in ms since 1970, `place` where it came from."""

    at: float
    who: str
    role: str
    place: str
    what: str
    words: str


class Audit:
    """Writes what happened at the console's door.

    Parameters
    ----------
    append
        Takes an event into the journal.
    clock
        Monotonic time, s.
    """

    def __init__(
        self,
        append: Callable[[EventRecord], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._append = append
        self._clock = clock
        self._room, self._since = float(BURST), clock()
        self._untold = 0
        self._last: OrderedDict[tuple[str, ...], tuple[float, int]] = OrderedDict()

    def note(self, what: str, who: str, place: str, **more: JSON) -> None:
        """Write down what was done: a login, a logout, a change of an account."""
        body: dict[str, JSON] = {"what": what, "who": who, "from": place, **more}
        if self._untold:
            body["untold"], self._untold = self._untold, 0
        self._append(EventRecord(KIND, time.time_ns(), body))

    def failure(self, what: str, who: str, place: str, **more: JSON) -> None:
        """Write down a login that failed; very many are counted instead."""
        now = self._clock()
        self._room = min(BURST, self._room + (now - self._since) / EACH_S)
        self._since = now
        if self._room < 1:
            self._untold += 1
            return
        self._room -= 1
        self.note(what, who, place, **more)

    def refusal(self, who: str, place: str, why: str, act: str) -> None:
        """Write down what was refused to somebody; the same within a minute is counted."""
        key, now = (who, place, why, act), self._clock()
        told, times = self._last.pop(key, (now - SAME_S, 0))
        if now - told < SAME_S:
            self._last[key] = told, times + 1
            return
        self._last[key] = now, 0
        while len(self._last) > CALLERS:
            self._last.popitem(last=False)
        more: dict[str, JSON] = {"why": why, "act": act}
        if times:
            more["times"] = times
        self.failure("refused", who, place, **more)


def rows(events: Iterable[EventRecord]) -> list[AuditRow]:
    """Write events down for people, newest first."""
    told = sorted(events, key=lambda event: event.at, reverse=True)
    return [_row(event) for event in told if event.kind in KINDS]


def _row(event: EventRecord) -> AuditRow:
    body: Mapping[str, Any] = event.body
    own = event.kind == KIND
    return {
        "at": event.at / MS,
        "who": str(body.get("who" if own else "actor", "")),
        "role": str(body.get("role", "")),
        "place": str(body.get("from", "")),
        "what": str(body.get("what", "")) if own else event.kind.replace("-", " "),
        "words": _words(body) if own else _act(event.kind, body),
    }


def _words(body: Mapping[str, Any]) -> str:
    parts = [str(body[key]) for key in ("act", "account", "why") if body.get(key)]
    if body.get("changed"):
        parts.append(f"at {body['changed']}")
    if body.get("times"):
        parts.append(f"{body['times']} more times since it was last told")
    if body.get("untold"):
        parts.append(f"{body['untold']} refusals before it were counted and not told")
    return ": ".join(parts[:2]) + "".join(f"; {part}" for part in parts[2:])


def _act(kind: str, body: Mapping[str, Any]) -> str:
    note = f": {body['note']}" if body.get("note") else ""
    match kind:
        case "acknowledge":
            return f"alarm {body['id']}{note}"
        case "feedback":
            learnt = ", learn it as normal" if body.get("new_normal") else ""
            return f"alarm {body['id']} was {body['label']}{learnt}{note}"
        case "hold" | "release":
            over = "no longer " if kind == "release" else ""
            return f"{body['asset']} {over}{str(body['kind']).replace('-', ' ')}{note}"
        case "trust":
            return f"{body['tag']} is right{note}"
        case "model":
            why = f": {body['why']}" if body.get("why") else ""
            return f"{body['asset']}, model {body['version']}: {MODEL_ACTS[body['action']]}{why}"
        case "models-dropped":
            return f"{body['asset']}, files of {numbered(body['versions'])}: {body['why']}"
        case "part-label":
            return f"part {body['number']} of {body['asset']} is {body['label']}{note}"
    return f"{body['asset']}: parts are made otherwise from now on{note}"


def numbered(versions: Sequence[int]) -> str:
    """Name versions in ascending order.

    Examples
    --------
    >>> numbered([3]), numbered([1, 2, 3, 7])
    ('model 3', 'models 1 to 3, 7')
    """
    runs: list[list[int]] = []
    for version in versions:
        if runs and runs[-1][-1] == version - 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    told = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    return f"model{'s' if len(versions) > 1 else ''} {', '.join(told)}"
