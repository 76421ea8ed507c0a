"""One asset under watch: the watch in force, and what else is known of its models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.judgements import Judgement
from analytics.settings import WatchSettings
from analytics.watch import Watch
from gateway.models.figures import Figures
from gateway.models.stopwatch import Stopwatch
from plant.assets import Asset

OWN = 0
"""Version of what the gateway learnt by itself."""
HISTORY = 50
"""Changes of an asset that are kept in memory; the journal keeps them all."""


class Role(StrEnum):
    """What a watch beside the one in force is there for."""

    SHADOW = "shadow"
    """A new one that is tried."""
    FORMER = "former"
    """The one before, as long as the way back to it is kept warm."""


class Action(StrEnum):
    """What changes which model is where."""

    SHADOW = "shadow"
    PROMOTE = "promote"
    KEEP = "keep"
    """Its probation is over; it follows from the rows."""
    RETURN = "return"
    DISCARD = "discard"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Tenure:
    """Which model is in a place, since when (ns of the gateway's clock), by whom and why."""

    version: int = OWN
    sha256: str = ""
    since: int = 0
    actor: str = ""
    why: str = ""
    person: str = ""
    """Why no rule may put it into force; empty if one may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A model comes to a place or goes; `at` in ns of the gateway's clock."""

    at: int
    action: Action
    version: int
    sha256: str
    why: str
    actor: str
    person: str = ""


@dataclass(slots=True)
class Beside:
    """A watch that judges the same rows and acts on nothing."""

    role: Role
    tenure: Tenure
    watch: Watch
    figures: Figures = field(default_factory=Figures)
    stopwatch: Stopwatch = field(default_factory=Stopwatch)


@dataclass(slots=True)
class Rested:
    """The watch before the one in force, as it was when the probation was over."""

    tenure: Tenure
    watch: Watch


@dataclass(slots=True)
class Models:
    """The models of one asset.

    Parameters
    ----------
    tenure
        Which one is in force.
    beside, rested
        The one beside it, and the one to go back to that judges no more.
    highest
        Highest version that was ever beside.
    blocked
        Versions that are never taken up again, and why.
    shown
        Share of rows outside alarms that only the one in force called anomalous as a shadow.
    history
        The last changes, oldest first.
    """

    tenure: Tenure = Tenure()
    beside: Beside | None = None
    rested: Rested | None = None
    highest: int = OWN
    blocked: dict[int, str] = field(default_factory=dict)
    shown: float = 0.0
    history: list[Change] = field(default_factory=list)

    def note(self, change: Change) -> None:
        """Keep a change."""
        self.history = [*self.history, change][-HISTORY:]

    @property
    def used(self) -> frozenset[int]:
        """Versions that judge, are tried, or may come back."""
        kept = (self.tenure, *(one.tenure for one in (self.beside, self.rested) if one is not None))
        return frozenset(one.version for one in kept)

    @property
    def blank(self) -> bool:
        """Whether no model ever came."""
        return not self.history


NO_MODE = 0


@dataclass(slots=True)
class WatchedAsset:
    """One asset under watch: where its columns stand, and what was last said of it.

    Its snapshot goes by `key`; `watch` is the one in force.

    Attributes
    ----------
    settings
        How this gateway watches it when no model says otherwise.
    """

    asset: Asset
    key: str
    watch: Watch
    signals: NDArray[np.intp]
    mode: int | None
    part: int | None
    last: Judgement | None = None
    mode_now: int = NO_MODE
    models: Models = field(default_factory=Models)
    settings: WatchSettings = field(init=False)

    def __post_init__(self) -> None:
        """Keep how it is watched before a model comes."""
        self.settings = self.watch.settings

    @property
    def bench(self) -> str:
        """Name under which the one in force is benched when it fails."""
        return bench_of(self.asset.path, self.models.tenure.version)


def bench_of(path: str, version: int) -> str:
    """Name what fails when a model of an asset does."""
    return path if version == OWN else f"{path} model {version}"


def change_body(asset: str, change: Change) -> dict[str, Any]:
    """Write a change as the body of its event."""
    return {
        "asset": asset,
        "action": str(change.action),
        "version": change.version,
        "sha256": change.sha256,
        "why": change.why,
        "actor": change.actor,
        **({"person": change.person} if change.person else {}),
    }


def change_from(at: int, body: Mapping[str, Any]) -> Change:
    """Read a change back from the body of its event."""
    return Change(
        at=at,
        action=Action(body["action"]),
        version=int(body["version"]),
        sha256=body["sha256"],
        why=body["why"],
        actor=body["actor"],
        person=body.get("person", ""),
    )
