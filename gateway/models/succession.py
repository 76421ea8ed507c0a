"""Which model of an asset is in force: a fold over its rows and over what is ordered.

The one in force and the one beside it judge the same rows; only the former acts. A change takes
place between two batches, so no row is missed or judged twice. One that fails is replaced within
the batch: its rows are then those of the model before.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analytics.judgements import Judgement, OpenJudgement
from analytics.watch import Watch
from gateway.models.figures import BESIDE, IN_FORCE, Figures
from gateway.models.rule import Terms, strays, too_many
from gateway.models.watched import (
    OWN,
    Action,
    Beside,
    Change,
    Models,
    Rested,
    Role,
    Tenure,
    WatchedAsset,
    bench_of,
)
from plant.errors import Rejected

RULE = "rule"
"""Who does what nobody ordered."""
EVERY = 60
"""Rows between two looks at the distribution of the scores."""

Library = Callable[[WatchedAsset, int, str], Watch]
"""Gives the watch in the model file of an asset with a version and a SHA-256; raises `Rejected`."""


class Containment(Protocol):
    """Runs a detector so that its failure benches it instead of stopping acquisition."""

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        """Give the result, or None when it failed."""
        ...


def no_library(state: WatchedAsset, version: int, _sha256: str) -> Watch:
    """Give no model: this gateway has no folder of them."""
    raise Rejected(f"{state.asset.path}: model {version} is not in the folder of models")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows (n,) of one asset in known modes: source times, ns, values (n, p), modes.

    `now` is the time of their batch on the gateway's clock, ns.
    """

    at: NDArray[np.int64]
    value: NDArray[np.float64]
    mode: NDArray[np.int64]
    now: int


@dataclass(slots=True)
class Said:
    """What the one in force says of rows, what the one beside it, and what changed by that."""

    judgement: Judgement | None
    beside: tuple[Role, int, Judgement] | None = None
    changes: list[Change] = field(default_factory=list)


class Succession:
    """Judges rows by the model in force, and changes which one that is.

    Parameters
    ----------
    contain
        Runs each watch; the supervisor's business.
    terms
        What the plant wants of a change.
    library
        Gives the models.
    failure
        Says why something was benched, and lets it off: it is not run again.
    """

    def __init__(
        self,
        contain: Containment,
        terms: Terms,
        library: Library = no_library,
        failure: Callable[[str], str] = lambda _name: "",
    ) -> None:
        self._contain = contain
        self._terms = terms
        self._library = library
        self._failure = failure

    # What the rows say.

    def judge(self, state: WatchedAsset, rows: Rows) -> Said:
        """Judge rows by the one in force and the one beside it."""
        models = state.models
        beside = models.beside
        if beside is None:
            said = Said(self._run(state, state.watch, models.tenure.version, rows))
        else:
            said = self._both(state, beside, rows)
        # Without a way back it stays benched: the machine is then shown as one that nobody judges.
        watched = models.tenure.version != OWN and _back(models) is not None
        if watched and (fault := self._fault(state, said.judgement)):
            self._replace(state, rows, said, fault)
        elif beside is not None and said.beside is not None and len(rows.at):
            self._compare(state, beside, rows, said)
        return said

    def _run(self, state: WatchedAsset, watch: Watch, version: int, rows: Rows) -> Judgement | None:
        judged: Judgement | None = self._contain(
            bench_of(state.asset.path, version),
            lambda: watch.judge(rows.at, rows.value, rows.mode),
        )
        return judged

    def _both(self, state: WatchedAsset, beside: Beside, rows: Rows) -> Said:
        models, clock, count = state.models, beside.stopwatch, len(rows.at)
        version = beside.tenure.version
        # What the one that is trusted alarms on is no measure of the other.
        trusted = state.watch if beside.role is Role.SHADOW else beside.watch
        stood = trusted.alarmed
        own = clock.run(
            IN_FORCE, count, lambda: self._run(state, state.watch, models.tenure.version, rows)
        )
        if _would_learn(beside, rows) and (stood or trusted.alarmed or _misled(trusted)):
            other: Judgement | None = OpenJudgement(rows.at).close()
        else:
            other = clock.run(BESIDE, count, lambda: self._run(state, beside.watch, version, rows))
        said = Said(own)
        fault = "" if version == OWN and other is not None else _oddity(beside.watch, other)
        if fault:
            why = self._reason(state, version, fault)
            said.changes.append(self._dropped(state, rows.now, why))
            return said
        assert other is not None  # noqa: S101 - a failure has its reason
        said.beside = beside.role, version, other
        ripe = beside.role is Role.FORMER or beside.watch.learnt
        if own is not None and count and ripe:
            standing = stood or trusted.alarmed
            beside.figures.take(rows.at, rows.mode, (own, other), standing=standing)
        return said

    def _fault(self, state: WatchedAsset, judgement: Judgement | None) -> str:
        fault = _oddity(state.watch, judgement)
        return self._reason(state, state.models.tenure.version, fault) if fault else ""

    def _reason(self, state: WatchedAsset, version: int, fault: str) -> str:
        told = self._failure(bench_of(state.asset.path, version))
        return f"{fault}: {told}" if told else fault

    def _replace(self, state: WatchedAsset, rows: Rows, said: Said, fault: str) -> None:
        """Have the model before judge rows at which the one in force failed."""
        back = _back(state.models)
        if back is None:
            return
        if said.beside is not None and said.beside[0] is Role.FORMER:
            said.judgement = said.beside[2]
            said.beside = None
        else:
            said.judgement = self._run(state, back.watch, back.tenure.version, rows)
        said.changes.append(self._returned(state, rows.now, fault, RULE))

    def _compare(self, state: WatchedAsset, beside: Beside, rows: Rows, said: Said) -> None:
        """Take back, stop or keep a model by what the figures say."""
        figures, models = beside.figures, state.models
        if beside.role is Role.SHADOW:
            if why := too_many(figures, self._terms, BESIDE):
                said.changes.append(self._dropped(state, rows.now, why))
            return
        why = too_many(figures, self._terms, IN_FORCE)
        if not why and figures.rows // EVERY != (figures.rows - len(rows.at)) // EVERY:
            why = strays(figures, models.shown)
        if why:
            said.changes.append(self._returned(state, rows.now, why, RULE))
        elif self._terms.hours(figures) >= self._terms.probation_h:
            said.changes.append(self._kept(state, rows.now))

    # What is ordered.

    def order(self, state: WatchedAsset, change: Change) -> None:
        """Do what is ordered; what a rule did already, when its rows were judged, stays done.

        Raises
        ------
        Rejected
            It cannot be done; the message is the reason.
        """
        models, version = state.models, change.version
        match change.action:
            case Action.SHADOW:
                self._try(state, change)
            case Action.PROMOTE:
                self._promote(state, change)
            case Action.RETURN | Action.BLOCK if models.tenure.version == version:
                self._returned(state, change.at, change.why, change.actor)
            case Action.KEEP if models.beside and models.tenure.version == version:
                self._kept(state, change.at)
            case Action.DISCARD | Action.BLOCK if self._is_beside(models, version):
                self._dropped(state, change.at, change.why, change.actor)
            case Action.BLOCK if version not in models.blocked:
                self._block(state, change)
            case Action.RETURN | Action.DISCARD if change.actor != RULE:
                if version in models.blocked:
                    raise Rejected(f"{state.asset.path}: model {version} is gone already")
                place = "in force" if change.action is Action.RETURN else "beside the one in force"
                raise Rejected(f"{state.asset.path}: model {version} is not {place}")

    def _is_beside(self, models: Models, version: int) -> bool:
        return models.beside is not None and models.beside.tenure.version == version

    def _try(self, state: WatchedAsset, change: Change) -> None:
        models, path = state.models, state.asset.path
        if change.version in models.blocked:
            raise Rejected(
                f"{path}: model {change.version} is blocked: {models.blocked[change.version]}"
            )
        if change.version <= models.highest:
            raise Rejected(
                f"{path}: model {change.version} is not newer than {models.highest}, which was "
                "here already; publish it under a new version"
            )
        if models.beside is not None and models.beside.role is Role.FORMER:
            raise Rejected(f"{path}: model {models.tenure.version} is on probation; wait for it")
        watch = self._library(state, change.version, change.sha256)
        if (watch.signals, watch.units) != (state.watch.signals, state.watch.units):
            raise Rejected(f"{path}: model {change.version} is of other signals or units")
        models.beside = Beside(Role.SHADOW, _tenure(change), watch)
        models.highest = change.version
        models.note(change)

    def _promote(self, state: WatchedAsset, change: Change) -> None:
        models, beside = state.models, state.models.beside
        known = beside is not None and beside.role is Role.SHADOW
        if beside is None or not known or beside.tenure.version != change.version:
            raise Rejected(f"{state.asset.path}: model {change.version} is no shadow here")
        if not beside.watch.learnt:
            raise Rejected(
                f"{state.asset.path}: model {change.version} has learnt "
                f"{beside.watch.progress:.0%} of what it needs of this machine, and judges "
                "nothing yet; wait for it"
            )
        only, rows = beside.figures.alone(BESIDE)
        models.shown = only / rows if rows else 0.0
        models.beside = Beside(Role.FORMER, models.tenure, state.watch)
        models.rested = None
        models.tenure = replace(_tenure(change), sha256=beside.tenure.sha256)
        state.watch = beside.watch
        models.note(change)

    def _returned(self, state: WatchedAsset, at: int, why: str, actor: str) -> Change:
        models, gone = state.models, state.models.tenure
        back = _back(models)
        if back is None:
            raise Rejected(
                f"{state.asset.path}: there is no model before the one in force to return to"
            )
        change = Change(
            at=at, action=Action.RETURN, version=gone.version, sha256=gone.sha256, why=why,
            actor=actor,
        )  # fmt: skip
        models.tenure = replace(back.tenure, since=at, actor=actor, why=why)
        state.watch = back.watch
        models.blocked[gone.version] = why
        models.rested = None
        if models.beside is back:
            models.beside = None
        elif models.beside is not None:
            # The one that is tried stays, and is held against the one that came back.
            models.beside.figures = Figures()
        models.note(change)
        return change

    def _dropped(self, state: WatchedAsset, at: int, why: str, actor: str = RULE) -> Change:
        """Have the one beside judge no more; a shadow is blocked."""
        models, beside = state.models, state.models.beside
        assert beside is not None  # noqa: S101 - whoever calls has looked
        gone = beside.tenure
        change = Change(
            at=at, action=Action.DISCARD, version=gone.version, sha256=gone.sha256, why=why,
            actor=actor,
        )  # fmt: skip
        models.beside = None
        if beside.role is Role.SHADOW:
            models.blocked[gone.version] = why
        models.note(change)
        return change

    def _kept(self, state: WatchedAsset, at: int) -> Change:
        models, beside = state.models, state.models.beside
        assert beside is not None  # noqa: S101 - whoever calls has looked
        hours = self._terms.hours(beside.figures)
        change = Change(
            at=at, action=Action.KEEP, version=models.tenure.version, sha256=models.tenure.sha256,
            why=f"{hours:.3g} h on probation went well", actor=RULE,
        )  # fmt: skip
        models.rested = Rested(beside.tenure, beside.watch)
        models.beside = None
        models.note(change)
        return change

    def _block(self, state: WatchedAsset, change: Change) -> None:
        state.models.blocked[change.version] = change.why
        state.models.highest = max(state.models.highest, change.version)
        state.models.note(change)

    def tell(self, state: WatchedAsset, call: Callable[[Watch], Any]) -> None:
        """Do something with the one beside that a person orders of the one in force."""
        beside = state.models.beside
        if beside is not None:
            name = bench_of(state.asset.path, beside.tenure.version)
            self._contain(name, lambda: call(beside.watch))


def _would_learn(beside: Beside, rows: Rows) -> bool:
    """Tell whether one that is tried would learn modes from rows, as one of a class does here.

    It must not take a fault that the one in force alarms on, or what an instrument shows that it
    does not believe, for the level of its machine.
    """
    watch = beside.watch
    if beside.role is not Role.SHADOW or watch.finds_modes:
        return False
    return not watch.learnt or not all(map(watch.knows, set(rows.mode.tolist())))


def _misled(watch: Watch) -> bool:
    return any(one.kind.misleads for one in watch.doubts)


def _tenure(change: Change) -> Tenure:
    return Tenure(change.version, change.sha256, change.at, change.actor, change.why, change.person)


def _back(models: Models) -> Beside | Rested | None:
    """Give the model before the one in force."""
    beside = models.beside
    return beside if beside is not None and beside.role is Role.FORMER else models.rested


def _oddity(watch: Watch, judgement: Judgement | None) -> str:
    """Say what is wrong with how a watch judged; empty when nothing is."""
    if judgement is None:
        return "it failed while judging"
    if not math.isfinite(watch.strangeness) or np.isinf(judgement.score).any():
        return "its score is not finite"
    return ""
