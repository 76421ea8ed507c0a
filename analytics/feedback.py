"""What people said of earlier incidents, and what follows from it for one that looks alike.

An incident is told by its fingerprint: the signed deviations of its signals as a unit vector, with
a part for the operating mode. Two incidents are alike by the cosine between them (case-based
reasoning after Aamodt and Plaza, AI Communications 7(1), 1994: retrieve, reuse, retain).

An incident that people called false or expected raises the bar for those like it: they have to be
more severe to be annunciated. The bar is bounded in three ways, so that nothing is ever silenced
for good: it lies a fixed factor above what was labelled, it fades with time, and it never reaches
the severity of the most urgent alarms. One that was called real takes the bar down again.

One that people acknowledged and called nothing asks a little for a few days: what shows in the same
signals, in whatever mode, is no news to those who have just looked until it has grown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.alarms import Label
from plant.reasons import Reason

Columns = NDArray[np.float64]

MODE_WEIGHT = 0.5
"""Length of the mode's part beside the unit vector: alike in all but the mode is 0.8 alike."""
MODELESS = 0.0
"""The same where the mode does not count."""
ALIKE = 0.9
"""Similarity from which on an earlier label counts."""
RELATED = 0.5
"""Similarity from which on an earlier incident is shown, and one that was acknowledged counts: a
level that is new shows in other shares, and with other signals beside it, in each mode."""
SHOWN = 3
MARGIN = 1.5
"""A similar incident is annunciated when it is so many times as severe as the one labelled. It is
the growth at which a watch tells a standing alarm anew, so a peak is known to within it."""
FADES_NS = 30 * 24 * 3600 * 10**9
"""Time in which half of what the bar lies above the limit is forgotten."""
KEPT = 200
"""Incidents remembered for each asset."""
_LABELS = ("", *Label)
_SEEN = len(_LABELS)
"""Stands for a label where people acknowledged and called it nothing."""


def deviations(reason: Reason, signals: Sequence[str]) -> Columns:
    """Give the signed deviation of each signal (p,) that a reason tells of, up to a factor.

    A share is a part of a sum of squares, so its root goes with the deviation; the sign is that of
    actual − expected.
    """
    place = {name: index for index, name in enumerate(signals)}
    z = np.zeros(len(signals))
    for part in reason.contributions:
        if part.signal in place and part.share > 0:
            z[place[part.signal]] = np.copysign(part.share**0.5, part.actual - part.expected)
    return z


def fingerprint(z: Columns) -> Columns:
    """Give the direction of signed deviations (p,) as a unit vector; zeros where there is none.

    Examples
    --------
    >>> fingerprint(np.array([3.0, -4.0])).tolist()
    [0.6, -0.8]
    """
    known = np.nan_to_num(z, posinf=0.0, neginf=0.0)
    length = float(np.sqrt(known @ known))
    return known / length if length > 0 else known


def similarity(
    one: Columns, many: Columns, same_mode: NDArray[np.bool_], mode_weight: float = MODE_WEIGHT
) -> Columns:
    """Give the cosine (k,) of a unit vector (p,) with others (k, p), their modes taken in.

    Examples
    --------
    >>> east = np.array([1.0, 0.0])
    >>> similarity(east, np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([True, False])).tolist()
    [1.0, 0.8]
    """
    weight = mode_weight**2
    found: Columns = (many @ one + weight * same_mode) / (1 + weight)
    return found


@dataclass(frozen=True, slots=True)
class Likeness:
    """An earlier incident and how like it is; `label` is None where nobody said anything."""

    id: int
    similarity: float
    at: int
    label: Label | None


@dataclass(frozen=True, slots=True)
class Bar:
    """The severity that an incident has to reach, and the earlier one that asks for it.

    `label` is None where people acknowledged that one and called it nothing.
    """

    severity: float
    because: int
    label: Label | None


class Incidents:
    """The incidents of one asset as they were raised, and their labels.

    Parameters
    ----------
    signals
        Names of the asset's signals, in the order of the fingerprints.
    ceiling
        Severity that is always annunciated.
    urgent
        Severity that is annunciated whatever was acknowledged.
    same_ns
        For how long one that was acknowledged asks something of those like it, ns.
    """

    def __init__(
        self, signals: Sequence[str], ceiling: float, urgent: float = 1.0, same_ns: int = 0
    ) -> None:
        self.signals = tuple(signals)
        self._ceiling, self._urgent, self._same_ns = ceiling, urgent, same_ns
        self._prints = np.zeros((0, len(self.signals)))
        self._severity = np.zeros(0)
        self._facts = np.zeros((0, 4), np.int64)
        """id, mode, source time (ns) and number of the label of each."""

    def remember(self, number: int, at: int, mode: int, reason: Reason) -> None:
        """Keep an incident as it is raised; the oldest without a label goes when there are many."""
        unit = fingerprint(deviations(reason, self.signals))
        self._prints = np.vstack((self._prints, unit))
        self._severity = np.append(self._severity, reason.severity)
        self._facts = np.vstack((self._facts, np.array([number, mode, at, 0], np.int64)))
        if len(self._facts) > KEPT:
            # A stable sort: what nobody labelled first, and of that the oldest; never the newest.
            labelled = self._facts[:-1, 3] % _SEEN > 0
            gone = int(np.argsort(labelled, kind="stable")[0])
            self._prints = np.delete(self._prints, gone, axis=0)
            self._severity = np.delete(self._severity, gone)
            self._facts = np.delete(self._facts, gone, axis=0)

    def worsen(self, number: int, severity: float) -> None:
        """Take in how severe an incident has become; nothing is done for one not kept."""
        mine = self._facts[:, 0] == number
        self._severity[mine] = np.maximum(self._severity[mine], severity)

    def label(self, number: int, label: Label) -> None:
        """Take in what people called an incident; nothing is done for one not kept."""
        self._facts[self._facts[:, 0] == number, 3] = _LABELS.index(label)

    def see(self, number: int) -> None:
        """Take in that people acknowledged an incident; what they called it says more."""
        mine = (self._facts[:, 0] == number) & (self._facts[:, 3] == 0)
        self._facts[mine, 3] = _SEEN

    def work(self) -> None:
        """Take in that the machine was worked on: what was acknowledged before says nothing now."""
        self._facts[self._facts[:, 3] == _SEEN, 3] = 0

    def alike(self, number: int) -> tuple[Likeness, ...]:
        """Give the earlier incidents most like incident `number`, the nearest first."""
        found = self._likeness(number)
        order = np.argsort(-found, kind="stable")[:SHOWN]
        return tuple(self._like(i, float(found[i])) for i in order.tolist() if found[i] >= RELATED)

    def bar(self, number: int, at: int) -> Bar | None:
        """Give what incident `number` has to reach at source time `at`, ns; None: nothing more.

        The strictest of those alike decides, unless one at least as like it was called real.
        """
        found, anyhow = self._likeness(number), self._likeness(number, MODELESS)
        label = self._facts[:, 3]
        real = (found >= ALIKE) & (label == _LABELS.index(Label.REAL))
        trusted = float(found[real].max(initial=0.0))
        age = np.maximum(at - self._facts[:, 2], 0)
        said = (found >= ALIKE) & (label > _LABELS.index(Label.REAL)) & (label < _SEEN)
        seen = (anyhow >= RELATED) & (label == _SEEN) & (age <= self._same_ns)
        counts = (said | seen) & (found > trusted)
        if not counts.any():
            return None
        kept = np.exp2(-age / FADES_NS)
        raised = 1 + np.maximum(MARGIN * self._severity - 1, 0) * kept
        raised = np.minimum(raised, np.where(label == _SEEN, self._urgent, self._ceiling))
        strictest = int(np.argmax(np.where(counts, raised, -np.inf)))
        called = _called(int(label[strictest]))
        return Bar(float(raised[strictest]), int(self._facts[strictest, 0]), called)

    def _like(self, i: int, similarity: float) -> Likeness:
        number, _, at, label = self._facts[i].tolist()
        return Likeness(number, min(similarity, 1.0), at, _called(label))

    def _likeness(self, number: int, weight: float = MODE_WEIGHT) -> Columns:
        """Cosine (k,) of an incident with the others kept; −1 with itself and with later ones."""
        known = np.flatnonzero(self._facts[:, 0] == number)
        if not len(known) or not self._prints[known[0]].any():
            return np.full(len(self._facts), -1.0)
        index = int(known[0])
        same = self._facts[:, 1] == self._facts[index, 1]
        found = similarity(self._prints[index], self._prints, same, weight)
        found[self._facts[:, 0] >= number] = -1.0
        return found

    def state(self) -> dict[str, NDArray[Any]]:
        """Give what is remembered as arrays."""
        return {
            "prints": self._prints.copy(),
            "severity": self._severity.copy(),
            "facts": self._facts.copy(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state` of incidents with the same signals."""
        self._prints = np.array(state["prints"], np.float64)
        self._severity = np.array(state["severity"], np.float64)
        self._facts = np.array(state["facts"], np.int64)


def _called(label: int) -> Label | None:
    """Give the label of that number; None where people called it nothing."""
    return Label(_LABELS[label]) if 0 < label < _SEEN else None
