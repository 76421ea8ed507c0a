"""What a watch says about rows: scores, and what happened to the alarm."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from analytics.sightings import contributions
from plant.alarms import AlarmAction
from plant.instruments import Doubt
from plant.reasons import Reason

Columns = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Transition:
    """The alarm of an asset comes or goes.

    Parameters
    ----------
    at
        Source time of the row that decided it, ns.
    onset
        Source time at which the first contributor had left its normal, ns.
    action
        RAISE, WORSEN or CLEAR.
    reason
        Why it was raised or grew; for CLEAR what the row that cleared it showed.
    """

    at: int
    onset: int
    action: AlarmAction
    reason: Reason


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A fault of an instrument comes (RAISE) or goes (CLEAR), at a source time, ns."""

    at: int
    action: AlarmAction
    doubt: Doubt


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What a watch says about rows (n,).

    Parameters
    ----------
    at
        Source time of each row, ns.
    score, threshold
        Strangeness and its limit; NaN where the row was not judged.
    judged
        Whether the row was judged.
    anomalous
        Whether its score was above the limit; an alarm needs this to last.
    transitions
        What happened to the alarm, in time order.
    diagnoses
        Which instruments are not believed from then on, or are again.
    contributions
        What each signal has in each score (n, p), summing to it; None unless it was asked for.
    """

    at: NDArray[np.int64]
    score: Columns
    threshold: Columns
    judged: NDArray[np.bool_]
    anomalous: NDArray[np.bool_]
    transitions: tuple[Transition, ...]
    diagnoses: tuple[Diagnosis, ...] = ()
    contributions: Columns | None = None


class Verdict(Protocol):
    """Takes in what is said of rows while they are being worked through."""

    def score(self, i: int, score: float, threshold: float, strength: Columns) -> None:
        """Say how strange row i is, and how far each signal (p,) deviates, in limits."""
        ...

    def add(self, transition: Transition) -> None:
        """Say that the alarm came or went."""
        ...

    def diagnose(self, diagnosis: Diagnosis) -> None:
        """Say that an instrument is at fault, or no longer."""
        ...


class OneRow:
    """The score of a single row, and no more of what is said of it."""

    def __init__(self) -> None:
        self.said: tuple[float, float] | None = None
        """Score and limit; None while the row is not judged."""

    def score(self, _i: int, score: float, threshold: float, _strength: Columns) -> None:
        """Say how strange the row is."""
        self.said = score, threshold

    def add(self, _transition: Transition) -> None:
        """Pass over that the alarm came or went."""

    def diagnose(self, _diagnosis: Diagnosis) -> None:
        """Pass over what was found of an instrument."""


class OpenJudgement:
    """A judgement while its rows are being worked through.

    Parameters
    ----------
    at
        Source time of the rows (n,), ns.
    explained
        Number of signals over which every score is split; 0: it is not.
    """

    def __init__(self, at: NDArray[np.int64], explained: int = 0) -> None:
        self._at = at
        said = np.empty((2, len(at)))
        said.fill(np.nan)
        self._score, self._threshold = said
        self._strength = np.full((len(at), explained), np.nan) if explained else None
        self._transitions: list[Transition] = []
        self._diagnoses: list[Diagnosis] = []

    def score(self, i: int, score: float, threshold: float, strength: Columns) -> None:
        """Say how strange row i is, and how far each signal (p,) deviates, in limits."""
        self._score[i], self._threshold[i] = score, threshold
        if self._strength is not None:
            self._strength[i] = strength

    def scores(
        self, begin: int, scores: list[float], thresholds: list[float], strength: Columns
    ) -> None:
        """Say the same of several rows (n,) at once; deviations (n, p)."""
        end = begin + len(scores)
        self._score[begin:end], self._threshold[begin:end] = scores, thresholds
        if self._strength is not None:
            self._strength[begin:end] = strength

    def add(self, transition: Transition) -> None:
        """Say that the alarm came or went."""
        self._transitions.append(transition)

    def diagnose(self, diagnosis: Diagnosis) -> None:
        """Say that an instrument is at fault, or no longer."""
        self._diagnoses.append(diagnosis)

    def close(self) -> Judgement:
        """Give the finished judgement."""
        return Judgement(
            at=self._at,
            score=self._score,
            threshold=self._threshold,
            judged=self._score == self._score,  # NaN is unlike itself
            anomalous=self._score > self._threshold,
            transitions=tuple(self._transitions),
            diagnoses=tuple(self._diagnoses),
            contributions=None
            if self._strength is None
            else contributions(self._score, self._strength),
        )
