"""What is done about models beside the fold: new files, the rule, the clock; and what people order.

Nothing here changes which model is in force. What is to change is ordered, and stands in the
journal before it counts.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gateway.models.rule import Clause, Costs, Fault, Terms, clauses, late
from gateway.models.shelf import Dropped, Found, Refused, Shelf
from gateway.models.succession import RULE
from gateway.models.watched import Action, Beside, Change, Role, Tenure, WatchedAsset
from plant.alarms import Alarm, Label
from plant.errors import Rejected
from plant.records import JSON

if TYPE_CHECKING:
    from gateway.console.view import ChangeRow, ModelRow, ModelsRow, MovedRow, TenureRow, TriedRow

MS = 1_000_000
NEWS_NS = 24 * 3600 * 10**9
REFUSALS = 100
"""Refused files that are shown, the newest."""

Order = Callable[[str, dict[str, JSON]], Awaitable[None]]
Open = Callable[[str], Alarm | None]
Body = dict[str, JSON]


class ModelDesk:
    """The models of a running gateway.

    Parameters
    ----------
    states
        Every asset under watch.
    terms
        What the plant wants of a change.
    shelf
        The model files.
    open_alarm
        Gives the open alarm of an asset.
    order
        Does what a person orders, durably; see `Pipeline.order`.
    incidents
        Gives the alarms that are remembered, with what people called them.
    pulled
        Tells what a person has to know of the registry; empty if nothing.
    """

    def __init__(
        self,
        states: Sequence[WatchedAsset],
        terms: Terms,
        shelf: Shelf,
        open_alarm: Open,
        order: Order,
        pulled: Callable[[], str] = lambda: "",
        incidents: Callable[[], Sequence[Alarm]] = lambda: (),
    ) -> None:
        self._incidents = incidents
        self._pulled = pulled
        self._states = {state.asset.path: state for state in states}
        self._terms = terms
        self._shelf = shelf
        self._alarm = open_alarm
        self._order = order
        self._refused: list[Refused] = []

    # What nobody orders.

    def look(self) -> tuple[list[Body], list[Refused]]:
        """Look at the files; give what is to be ordered, and what is refused. Blocks."""
        if not self._shelf.trusts:
            return [], []
        highest = {path: state.models.highest for path, state in self._states.items()}
        found, refused = self._shelf.look(self._states, highest)
        self._refused = [*self._refused, *refused][-REFUSALS:]
        return [self._shadowing(one) for one in found if self._may_try(one)], refused

    def thin(self) -> list[Dropped]:
        """Remove the files of old models. Blocks."""
        return self._shelf.thin(self._states) if self._shelf.trusts else []

    def _may_try(self, found: Found) -> bool:
        models = self._states[found.asset].models
        on_probation = models.beside is not None and models.beside.role is Role.FORMER
        return found.version > models.highest and not on_probation

    def _shadowing(self, found: Found) -> Body:
        return {
            "asset": found.asset,
            "action": str(Action.SHADOW),
            "version": found.version,
            "sha256": found.sha256,
            "why": found.why,
            "actor": RULE,
            "person": found.person,
        }

    def due(self) -> Iterator[Body]:
        """Give what the rule and the clock order now."""
        for path, state in self._states.items():
            beside = state.models.beside
            if beside is None:
                continue
            if beside.role is Role.FORMER:
                why = late(beside.stopwatch.costs())
                if why:
                    yield _body(path, Action.RETURN, state.models.tenure, RULE, why)
            elif self._terms.by_rule and all(one.met for one in self._clauses(state, beside)):
                why = "every clause of the rule is met"
                yield _body(path, Action.PROMOTE, beside.tenure, RULE, why)

    # What people order.

    async def promote(self, target: str, version: int | None, actor: str, note: str) -> "ModelRow":
        """Have the model that is tried take over; against a clause as well, and that is said.

        Raises
        ------
        KeyError
            There is no such asset.
        Rejected
            It has no such shadow.
        """
        state = self._state(target)
        beside = self._shadow(state, version)
        unmet = [one for one in self._clauses(state, beside) if not one.met]
        names = "; ".join(f"{one.name}: {one.value}, demanded: {one.demand}" for one in unmet)
        why = f"{note} (against the rule: {names})" if unmet else note
        body = _body(state.asset.path, Action.PROMOTE, beside.tenure, actor, why)
        return await self._done(state, body)

    async def discard(self, target: str, version: int | None, actor: str, note: str) -> "ModelRow":
        """Have the model that is tried judge no more, and never again; raises as `promote`."""
        state = self._state(target)
        beside = self._shadow(state, version)
        body = _body(state.asset.path, Action.DISCARD, beside.tenure, actor, note)
        return await self._done(state, body)

    async def take_back(
        self, target: str, version: int | None, actor: str, note: str
    ) -> "ModelRow":
        """Have the model before the one in force take over again; raises as `promote`."""
        state = self._state(target)
        tenure, path = state.models.tenure, state.asset.path
        if version is not None and version != tenure.version:
            raise Rejected(f"{path}: model {version} is not in force, {_named(tenure)} is")
        if not self._way_back(state):
            raise Rejected(f"{path}: there is no model before {_named(tenure)} to return to")
        return await self._done(state, _body(path, Action.RETURN, tenure, actor, note))

    async def _done(self, state: WatchedAsset, body: Body) -> "ModelRow":
        await self._order("model", body)
        return self.row(state)

    def _state(self, target: str) -> WatchedAsset:
        if target in self._states:
            return self._states[target]
        named = [state for state in self._states.values() if state.asset.name == target]
        if len(named) > 1:
            raise Rejected(f'"{target}" is the name of {len(named)} assets; give the whole path')
        if not named:
            raise KeyError(target)
        return named[0]

    def _shadow(self, state: WatchedAsset, version: int | None) -> Beside:
        beside = state.models.beside
        if beside is None or beside.role is not Role.SHADOW:
            raise Rejected(f"{state.asset.path}: no model is tried beside the one in force")
        if version is not None and version != beside.tenure.version:
            raise Rejected(
                f"{state.asset.path}: model {version} is not tried, {beside.tenure.version} is"
            )
        return beside

    def _way_back(self, state: WatchedAsset) -> bool:
        models = state.models
        former = models.beside is not None and models.beside.role is Role.FORMER
        return former or models.rested is not None

    def _clauses(self, state: WatchedAsset, beside: Beside) -> list[Clause]:
        alarm = self._alarm(state.asset.path)
        return clauses(
            beside.figures,
            self._terms,
            beside.stopwatch.costs(),
            person=beside.tenure.person,
            alarmed=state.watch.alarmed or (alarm is not None and alarm.stands),
            faults=self._faults(state),
            learnt=1.0 if beside.watch.learnt else beside.watch.progress,
            mode_name=state.asset.mode_name if state.mode is not None else lambda _: "any mode",
        )

    def _faults(self, state: WatchedAsset) -> list[Fault]:
        """List what people called a fault of an asset."""
        return [
            Fault(one.onset, state.watch.now if one.ended is None else one.ended)
            for one in self._incidents()
            if one.asset == state.asset.path
            and one.feedback is not None
            and one.feedback.label is Label.REAL
        ]

    # What is shown.

    def rows(self) -> "ModelsRow":
        """Tell of the models of every asset, and of the files that were refused."""
        return {
            "trusts": self._shelf.trusts,
            "by_rule": self._terms.by_rule,
            "pulled": self._pulled(),
            "shadow_h": self._terms.shadow_h,
            "probation_h": self._terms.probation_h,
            "assets": [self.row(state) for state in self._states.values()],
            "refused": [
                {"asset": one.asset, "file": one.file, "cause": one.cause, "why": one.why}
                for one in reversed(self._refused)
            ],
        }

    def news(self, now: int) -> list[str]:
        """Tell of models that the rule took back or stopped within a day before `now`, ns.

        What came after it is no news any more: a person has seen to it.
        """
        found = []
        for state in self._states.values():
            last = state.models.history[-1] if state.models.history else None
            gone = last is not None and last.action in (Action.RETURN, Action.DISCARD)
            if last is not None and gone and last.actor == RULE and now - last.at < NEWS_NS:
                done = "was taken back" if last.action is Action.RETURN else "was stopped"
                found.append(f"{state.asset.name}: model {last.version} {done}: {last.why}")
        return found

    def row(self, state: WatchedAsset) -> "ModelRow":
        """Tell of the models of one asset."""
        models, beside = state.models, state.models.beside
        return {
            "asset": state.asset.path,
            "name": state.asset.name,
            "in_force": _tenure_row(models.tenure),
            "phase": state.watch.phase,
            "tried": None if beside is None else self._tried(state, beside),
            "way_back": self._way_back(state),
            "drift": _drift(state),
            "blocked": [
                {"version": version, "why": why} for version, why in sorted(models.blocked.items())
            ],
            "history": [_change_row(change) for change in reversed(models.history)],
        }

    def _tried(self, state: WatchedAsset, beside: Beside) -> "TriedRow":
        figures, costs = beside.figures, beside.stopwatch.costs()
        shadow = beside.role is Role.SHADOW
        return {
            "role": str(beside.role),
            "model": _tenure_row(beside.tenure),
            "hours": self._terms.hours(figures),
            "probation_h": self._terms.probation_h,
            "clauses": [
                {"name": c.name, "value": c.value, "demand": c.demand, "met": c.met}
                for c in (self._clauses(state, beside) if shadow else ())
            ],
            "agreement": figures.agreement,
            "raised": figures.raised.tolist(),
            "shared": figures.shared,
            "costs": _costs_row(costs),
        }


def _body(path: str, action: Action, tenure: Tenure, actor: str, why: str) -> Body:
    return {
        "asset": path,
        "action": str(action),
        "version": tenure.version,
        "sha256": tenure.sha256,
        "why": why,
        "actor": actor,
    }


def _named(tenure: Tenure) -> str:
    return f"model {tenure.version}" if tenure.version else "what the gateway learnt by itself"


def _tenure_row(tenure: Tenure) -> "TenureRow":
    return {
        "version": tenure.version,
        "sha256": tenure.sha256,
        "since": tenure.since / MS if tenure.since else None,
        "actor": tenure.actor,
        "why": tenure.why,
    }


def _change_row(change: Change) -> "ChangeRow":
    return {
        "at": change.at / MS,
        "action": str(change.action),
        "version": change.version,
        "actor": change.actor,
        "why": change.why,
    }


def _costs_row(costs: Costs) -> list[float | None]:
    return [costs.in_force, costs.beside]


def _drift(state: WatchedAsset) -> "list[MovedRow]":
    """Tell how far the signal that moved most has moved, in each mode that is known."""
    found: list[MovedRow] = []
    modes = {mode for mode, _ in state.asset.modes} | {state.mode_now}
    for mode in sorted(modes):
        drift = state.watch.drift(mode)
        if np.isfinite(drift).any():
            place = int(np.nanargmax(np.abs(drift)))
            found.append(
                {
                    "mode": state.asset.mode_name(mode) if state.mode is not None else "",
                    "signal": state.asset.signals[place].rpartition("/")[2],
                    "drift": float(drift[place]),
                }
            )
    return found
