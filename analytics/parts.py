"""Is this part made as healthy parts are: one judge a machine, over the features of its cycles.

For each operating mode it learns from the parts themselves, without labels,

1. the level of each feature, which follows slow change as warm machines and worn tools bring it;
2. its usual deviation, robustly (a few defects among the parts learnt from do no harm);
3. the relations of the features, as a few common causes and a noise of its own for each (Bishop
   1999; the number of causes by the edge of what pure noise shows, Marchenko & Pastur 1967), so
   that what the others do not explain of a feature is told from what they do (Hawkins 1991).

The score of a part is its largest deviation: of one feature, of what the others leave unexplained
of one, of all features of a signal, or of all of them. Its limit follows from the tail of healthy
scores and a budget of false verdicts a thousand parts. A suspect part teaches nothing, until
somebody calls it good.

With labels: each part that people called a defect, with those alike, gives a direction, w = C⁻¹δ,
in which such parts stand out most from healthy ones (Fisher 1936); looking for it may cost half of
the budget again.

No clock, no input or output: the same parts give the same verdicts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.cycles import MEASURES, feature_count, feature_of
from analytics.forms import Form, alike, floor_of, limit_of
from analytics.scaling import followed
from plant.parts import Deviation, PartLabel, PartVerdict

Columns = NDArray[np.float64]
State = dict[str, NDArray[Any]]

HALF_LIFE = 6.0
"""Parts after which a part counts half in the level: what changes more slowly is no defect."""
RING = 200
"""Healthy parts from which deviations and relations are learnt."""
SCORES = 2000
"""Healthy scores from which the limit is learnt."""
KEPT = 500
"""Last parts of a machine whose features are kept, so that a label can be learnt from."""
DEFECTS = 24
"""Labelled defects of a mode that are looked for; the newest count."""
MODES = 16
UNHEARD = -(2**62)
"""No mode: no part was made yet."""
AFTER_PAUSE = "made right after a pause, and unlike those before it"
FIRST = 3
"""Parts after a pause, one of which that is unlike may as well be the one that is right."""
SETTLES = 10
"""Parts after a pause that bring the level to where the machine stands now, suspect or not: one
that has cooled down makes other parts, and shall not be held against how it was before."""
REACH = 3.0
"""A part moves the level no further than this many deviations."""
ALIKE = 0.5
"""Cosine from which on two labelled defects are of one kind."""
FAR = 10.0
"""A deviation of a labelled defect beyond counts as this."""
KNOWN = 0.5
"""Looking for known defects may cost so much of the budget again."""
VISIBLE = 3.0
"""A labelled defect that lies nearer to healthy parts than this cannot be told from them."""
USUAL = 2.5
"""Deviations on either side that are told as usual."""
TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSettings:
    """What a plant engineer may say about the parts of a machine.

    Parameters
    ----------
    learn
        Healthy parts of a mode to learn from before one is judged.
    false_in_1000
        Healthy parts of a thousand that may be called suspect.
    """

    learn: int = 50
    false_in_1000: float = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one part; the fields are those of `plant.parts.Part`."""

    verdict: PartVerdict
    why: str = ""
    score: float | None = None
    limit: float | None = None
    deviations: tuple[Deviation, ...] = ()
    learnt: int = 0
    provisional: bool = False
    like: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """How the features of one part stand (d,).

    Parameters
    ----------
    away
        Deviations from the level, in their units; NaN = not known.
    z
        The same in usual sizes; 0 where not known.
    left
        What the others leave unexplained, in usual sizes.
    largest
        The larger one of both, ≥ 0.
    """

    away: Columns
    z: Columns
    left: Columns
    largest: Columns


class Baseline:
    """What is known of healthy parts of one mode.

    `away` holds the deviations of the last healthy parts from the level as it then was, once there
    is a level; before, their features.
    """

    def __init__(self, width: int, settings: PartSettings) -> None:
        self._settings = settings
        self.learnt = 0
        self.since = SETTLES
        """Parts since the last pause."""
        self.level = np.full(width, np.nan)
        self.away = np.empty((0, width))
        self.ids = np.empty(0, np.int64)
        self.form: Form | None = None
        self.scores = np.empty(0)
        self.floor = np.full(width, 1e-9)
        self.defects = np.empty((0, width))
        self.defect_ids = np.empty(0, np.int64)
        self.defect_numbers: list[str] = []
        self.limit = float("nan")
        self._hunt = np.empty((width, 0))
        self._hunt_limits = np.empty(0)
        self._hunted: list[str] = []

    def learn(self, part: int, row: Columns) -> None:
        """Take the features (d,) of a healthy part."""
        self.learnt += 1
        if self.form is None:
            self._remember(part, row)
            if len(self.away) >= self._settings.learn:
                self._begin()
            return
        self._remember(part, row - self.level)
        self._follow(row, self.form.scale)
        doubled = self.learnt in (2 * self._settings.learn, 4 * self._settings.learn)
        if doubled or self.learnt % RING == 0:
            self._refit(anew=self.learnt <= RING)

    def _follow(self, row: Columns, scale: Columns, *, suspect: bool = False) -> None:
        gain, away = 1 - 0.5 ** (1 / HALF_LIFE), row - self.level
        if self.since < SETTLES:
            gain = max(gain, 1 / (self.since + 1))
        elif suspect:
            # What made it suspect is no part of the level; the rest goes on.
            away = np.where(np.abs(away) <= REACH * scale, away, 0.0)
        reach = (REACH if self.since else np.inf) * scale
        self.level = self.level + gain * np.clip(away, -reach, reach)
        self.since = min(self.since + 1, SETTLES)

    @property
    def unsure(self) -> float:
        """How much wider a part deviates from a level of few parts than from one of many."""
        return float(np.sqrt(1 + 1 / self.since)) if 0 < self.since < SETTLES else 1.0

    def pass_over(self, row: Columns) -> None:
        """Take the features (d,) of a suspect part: it teaches nothing, but where things stand."""
        if self.form is not None and np.isfinite(row).all():
            self._follow(row, self.form.scale, suspect=True)

    def _remember(self, part: int, row: Columns) -> None:
        self.away = np.concatenate([self.away, row[None, :]])[-RING:]
        self.ids = np.append(self.ids, part)[-RING:]

    def _begin(self) -> None:
        rows = self.away
        self.floor = floor_of(rows)
        self.away, self.level = followed(rows, HALF_LIFE)
        self.since = SETTLES
        self._refit(anew=True)

    def _refit(self, *, anew: bool) -> None:
        """Learn deviations and relations again; `anew` also the scores, each from the others."""
        like = alike(self.away, self.floor)
        self.away, self.ids = self.away[like], self.ids[like]
        self.form, scores = Form.calibrated(self.away, self.floor)
        if anew:
            self.scores = scores
        self.hunt()

    def hunt(self) -> None:
        """Settle the limits, and the directions in which known defects are looked for."""
        budget = self._settings.false_in_1000
        self._hunt, self._hunted = np.empty((len(self.level), 0)), []
        self._hunt_limits = np.empty(0)
        if self.form is None:
            return
        if len(self.defects):
            kinds = self._hunted_for(self.form)
            each = KNOWN * budget / max(kinds, 1)
            healthy = np.clip(self.away / self.form.scale, -FAR, FAR) @ self._hunt
            # A weighted sum of many features is nearly normal. On the defect's side lie those that
            # nobody has labelled; the other side is as wide, and has none of them.
            mirrored = 2 * np.median(healthy, axis=0) - healthy
            least = NormalDist().inv_cdf(1 - each / 1000)
            told = [max(limit_of(m, each, heavy=1.1), least) for m in mirrored.T]
            self._hunt_limits = np.array(told)
        self.limit = limit_of(self.scores, budget)

    def _hunted_for(self, form: Form) -> int:
        """Settle the directions, each of a defect and those alike; give the number of kinds."""
        z = np.clip(self.defects / form.scale, -FAR, FAR)
        gram = form.solve(z) @ z.T
        apart = np.sqrt(np.maximum(np.diag(gram), 1e-12))
        alike = gram > ALIKE * np.outer(apart, apart)
        np.fill_diagonal(alike, val=True)
        middle = (alike @ z) / alike.sum(axis=1)[:, None]
        solved = form.solve(middle)
        apart = np.sqrt(np.maximum((solved * middle).sum(axis=1), 1e-12))
        seen = np.flatnonzero(apart > VISIBLE)
        self._hunt = np.ascontiguousarray((solved[seen] / apart[seen, None]).T)
        self._hunted = [self.defect_numbers[k] for k in seen]
        return len(np.unique(alike[seen], axis=0))

    def alike(self, z: Columns) -> tuple[float, float, str]:
        """Give score, limit and number of the known defect that deviations z (d,) are most like."""
        if not self._hunted:
            return 0.0, np.inf, ""
        told = np.clip(z, -FAR, FAR) @ self._hunt
        best = int((told / self._hunt_limits).argmax())
        return float(told[best]), float(self._hunt_limits[best]), self._hunted[best]

    def count(self, score: float) -> None:
        """Take a healthy score, and settle the limit now and then."""
        self.scores = np.append(self.scores, score)[-SCORES:]
        if len(self.scores) % 10 == 0 or len(self.scores) == SCORES:
            self.hunt()

    def mark(self, part: int, number: str, away: Columns) -> None:
        """Take deviations (d,) of a part that people called a defect."""
        self.forgive(part)
        self.defects = np.concatenate([self.defects, away[None, :]])[-DEFECTS:]
        self.defect_ids = np.append(self.defect_ids, part)[-DEFECTS:]
        self.defect_numbers = [*self.defect_numbers, number][-DEFECTS:]
        if part in self.ids:
            self.away, self.ids = self.away[self.ids != part], self.ids[self.ids != part]
            self.learnt -= 1
            if self.form is not None:
                self._refit(anew=False)
        self.hunt()

    def forgive(self, part: int) -> None:
        """Forget that a part was called a defect."""
        kept = self.defect_ids != part
        if not kept.all():
            pairs = zip(self.defect_numbers, kept.tolist(), strict=True)
            self.defect_numbers = [number for number, stays in pairs if stays]
            self.defects, self.defect_ids = self.defects[kept], self.defect_ids[kept]
            self.hunt()

    def state(self) -> State:
        """Give everything known, as arrays."""
        form = self.form
        return {
            "learnt": np.array([self.learnt, self.since]),
            "level": self.level.copy(),
            "away": self.away.copy(),
            "ids": self.ids.copy(),
            "scores": self.scores.copy(),
            "floor": self.floor.copy(),
            "limit": np.array([self.limit]),
            **({f"form.{name}": array for name, array in form.state().items()} if form else {}),
            "defects": self.defects.copy(),
            "defect_ids": self.defect_ids.copy(),
            "defect_numbers": packed(self.defect_numbers),
            "hunt": self._hunt.copy(),
            "hunt_limits": self._hunt_limits.copy(),
            "hunted": packed(self._hunted),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state."""
        self.learnt, self.since = map(int, state["learnt"])
        self.limit = float(state["limit"][0])
        for name in ("level", "away", "ids", "scores", "floor", "defects", "defect_ids"):
            setattr(self, name, state[name].copy())
        self.form = None
        if "form.scale" in state:
            names = ("scale", "loading", "own", "blocks", "usual")
            self.form = Form(*(state[f"form.{name}"].copy() for name in names))
        self.defect_numbers = unpacked(state["defect_numbers"])
        self._hunt, self._hunt_limits = state["hunt"].copy(), state["hunt_limits"].copy()
        self._hunted = unpacked(state["hunted"])


class PartJudge:
    """Judges the parts of one machine, in the order in which they are made.

    Parameters
    ----------
    names, units
        Tags of the signals (p,) and their UCUM codes.
    settings
        What the plant wants.
    """

    def __init__(
        self, names: Sequence[str], units: Sequence[str], settings: PartSettings | None = None
    ) -> None:
        self._names, self._units = tuple(names), tuple(units)
        self.settings = settings or PartSettings()
        self._width = feature_count(len(names))
        self._modes: dict[int, Baseline] = {}
        self._last_mode = UNHEARD
        self._recent_id = np.empty(0, np.int64)
        self._recent_mode = np.empty(0, np.int64)
        self._recent_row = np.empty((0, self._width))
        self._recent_score = np.empty(0)
        """Of a suspect part; NaN for one that was learnt from or not judged."""

    def learnt(self, mode: int) -> int:
        """Count the healthy parts of a mode that are known."""
        return self._modes[mode].learnt if mode in self._modes else 0

    def judge(self, part: int, row: Columns, mode: int, *, rested: bool = False) -> Verdict:
        """Score a part, decide, then learn.

        Parameters
        ----------
        part
            Its number, by which `label` will speak of it.
        row
            Its features (d,), as `analytics.cycles.features` gives them.
        mode
            Operating mode in which it was made.
        rested
            The machine stood still before it.
        """
        if mode not in self._modes and len(self._modes) >= MODES:
            return Verdict(PartVerdict.CANNOT_JUDGE, f"more than {MODES} operating modes")
        base = self._modes.setdefault(mode, Baseline(self._width, self.settings))
        if rested or mode != self._last_mode:
            base.since = 0
        self._last_mode = mode
        absent = self._absent(row)
        if base.form is None:
            if absent:
                return Verdict(PartVerdict.CANNOT_JUDGE, absent, learnt=base.learnt)
            base.learn(part, row)
            self._keep(part, mode, row, np.nan)
            told = f"{base.learnt} of {self.settings.learn} parts"
            return Verdict(PartVerdict.LEARNING, told, learnt=base.learnt)
        verdict = self._held_against(base, base.form, row, absent)
        if verdict.verdict is PartVerdict.GOOD:
            if not base.since:
                # As before the pause: the level holds.
                base.since = SETTLES
            base.count(verdict.score or 0.0)
            base.learn(part, row)
            self._keep(part, mode, row, np.nan)
        else:
            if base.since < FIRST:
                base.since = 0
            base.pass_over(row)
        if verdict.verdict is PartVerdict.SUSPECT and not absent:
            self._keep(part, mode, row, verdict.score or 0.0)
        return verdict

    def _held_against(self, base: Baseline, form: Form, row: Columns, absent: str) -> Verdict:
        away = row - base.level
        sure = np.nan_to_num(away) / base.unsure
        z, left = form.standing(sure)
        told = form.statistics(sure[None, :])[0]
        largest = np.maximum(np.abs(z), np.abs(left))
        if absent:
            # What the others let expect is not known while some of them are not.
            largest = np.abs(z)
            gone = np.isnan(away[1 :: len(MEASURES)])
            told = np.concatenate([told[:1], told[3:][~gone]])
        score, limit, like = float(told.max()), base.limit, ""
        if score <= limit and not absent:
            known = base.alike(z)
            score, limit, like = known if known[0] > known[1] else (score, limit, like)
        learnt, provisional = base.learnt, base.learnt < 1000 / self.settings.false_in_1000
        if score > limit and base.since < FIRST:
            return Verdict(PartVerdict.CANNOT_JUDGE, AFTER_PAUSE, score, limit, learnt=learnt)
        if score > limit:
            unexplained = left if not absent else np.zeros(len(left))
            why = self._deviations(base.level, form, Standing(away, z, unexplained, largest))
            word = PartVerdict.SUSPECT
            return Verdict(word, absent, score, limit, why, learnt, provisional, like)
        if absent:
            return Verdict(PartVerdict.CANNOT_JUDGE, absent, learnt=learnt)
        return Verdict(PartVerdict.GOOD, "", score, limit, (), learnt, provisional)

    def _absent(self, row: Columns) -> str:
        """Say which signals were not Good all the time; empty when all were."""
        gone = np.flatnonzero(np.isnan(row[1 :: len(MEASURES)]))
        if not len(gone):
            return ""
        names = [self._names[j].rpartition("/")[2] for j in gone[:3]]
        more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
        were = "was" if len(gone) == 1 else "were"
        return f"{', '.join(names)}{more} {were} not Good all the time"

    def _keep(self, part: int, mode: int, row: Columns, score: float) -> None:
        self._recent_id = np.append(self._recent_id, part)[-KEPT:]
        self._recent_mode = np.append(self._recent_mode, mode)[-KEPT:]
        self._recent_row = np.concatenate([self._recent_row, row[None, :]])[-KEPT:]
        self._recent_score = np.append(self._recent_score, score)[-KEPT:]

    def _deviations(
        self, level: Columns, form: Form, standing: "Standing"
    ) -> tuple[Deviation, ...]:
        """Tell the most unusual feature of each signal, the most unusual signal first."""
        z, left, largest = standing.z, standing.left, standing.largest
        owner = np.array([0, *(1 + np.arange(self._width - 1) // len(MEASURES))])
        power = np.bincount(owner, largest**2)
        found = []
        for signal in np.argsort(-power, kind="stable")[:TOLD].tolist():
            own = np.flatnonzero(owner == signal)
            # What is unusual in itself is told first: it needs no explanation.
            place = int(own[np.abs(z[own]).argmax()])
            width, expected = form.scale[place], level[place]
            given = abs(z[place]) < USUAL and bool(np.any(left[own]))
            if given:
                place = int(own[np.abs(left[own]).argmax()])
                # What the other features let expect, and how far from that is usual.
                width = form.left_over()[place] * form.scale[place]
                expected = level[place] + standing.away[place] - left[place] * width
            of, measure = feature_of(place)
            found.append(
                Deviation(
                    signal="" if of is None else self._names[of],
                    measure=measure,
                    actual=float(level[place] + standing.away[place]),
                    expected=float(expected),
                    low=float(expected - USUAL * width),
                    high=float(expected + USUAL * width),
                    unit="s" if of is None else self._units[of],
                    share=float(power[signal] / power.sum()),
                    given=bool(given),
                )
            )
        return tuple(found)

    def label(self, part: int, number: str, label: PartLabel) -> bool:
        """Learn what a part turned out to be; False where its features are no longer kept."""
        place = np.flatnonzero(self._recent_id == part)
        if not len(place):
            return False
        k = int(place[0])
        base, row = self._modes.get(int(self._recent_mode[k])), self._recent_row[k]
        if base is None:
            return False
        if label is PartLabel.DEFECT:
            level = base.level if base.form is not None else np.median(base.away, axis=0)
            base.mark(part, number, row - level)
            return True
        base.forgive(part)
        if np.isfinite(self._recent_score[k]):
            base.count(float(self._recent_score[k]))
            base.learn(part, row)
            base.hunt()
            self._recent_score[k] = np.nan
        return True

    def accept(self) -> None:
        """Forget what healthy parts were like: from now on they are made in another way."""
        self._modes.clear()

    def state(self) -> State:
        """Give everything known, as arrays."""
        known: State = {
            "modes": np.array(list(self._modes), np.int64),
            "last_mode": np.array([self._last_mode]),
            "recent_id": self._recent_id.copy(),
            "recent_mode": self._recent_mode.copy(),
            "recent_row": self._recent_row.copy(),
            "recent_score": self._recent_score.copy(),
        }
        for mode, base in self._modes.items():
            known |= {f"{mode}.{name}": array for name, array in base.state().items()}
        return known

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state of the same signals."""
        self._modes = {}
        for mode in state["modes"].tolist():
            head = f"{mode}."
            own = {k[len(head) :]: v for k, v in state.items() if k.startswith(head)}
            base = self._modes[mode] = Baseline(self._width, self.settings)
            base.restore(own)
        self._last_mode = int(state["last_mode"][0])
        self._recent_id = state["recent_id"].copy()
        self._recent_mode = state["recent_mode"].copy()
        self._recent_row = state["recent_row"].copy()
        self._recent_score = state["recent_score"].copy()


def packed(words: Sequence[str]) -> NDArray[np.uint8]:
    """Write words as an array, for a state."""
    return np.frombuffer(json.dumps(list(words)).encode(), np.uint8)


def unpacked(array: NDArray[np.uint8]) -> list[str]:
    """Read words back."""
    words: list[str] = json.loads(array.tobytes())
    return words
