"""How a signal answers to setpoints, learnt from a history: a ridge of a few named columns.

Small enough to be read by the person who signs for it: each column with its coefficient and its
standard error, the range that was seen, and how well it foretells what it was not shown. What the
data cannot tell is refused, with figures. It is no experiment: where people had lowered the
setpoint because the signal was high, that stands in it as well.

Hoerl, Kennard: Ridge regression, Technometrics 12 (1970); effective sample size after Bartlett
(1935) for residuals that follow one another.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.errors import Misconfigured, Rejected
from plant.units import written

Columns = NDArray[np.float64]

FORMAT = 1
LEAST_ROWS = 60
MOVES = 3
"""Times that a setpoint has to have moved: of fewer nobody can say what else was different then."""
MOVED = 0.05
"""Of its range: less is no move."""
HELD_OUT = 0.25
RIDGE = 1e-3
"""Penalty, of the number of rows; columns are standardised."""
SURE = 3.0
"""Standard errors by which an effect has to stand out."""
ALIKE = 0.9
"""R² of a setpoint from the other columns from which on nobody can tell them apart."""
CURVED = 0.02
"""Gain of R² on what was held out that pays for a square."""
INTERVAL = 1.96
"""Standard errors on either side of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: (tag − centre) to a power; its coefficient is for one standard deviation."""

    tag: str
    power: int
    centre: float
    coefficient: float
    error: float
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What was learnt.

    Parameters
    ----------
    effect
        The signal that answers.
    setpoints, context
        Tags that it answers to, and those that are taken into account.
    units
        UCUM codes of all of them.
    intercept
        Of the effect, where every column is at its mean.
    columns
        With the setpoints first.
    covariance
        Of the coefficients (k, k).
    seen
        Least and largest value of each tag that was learnt from.
    noise
        Standard deviation of what it does not foretell, in the unit of the effect.
    held_out
        R² on the last quarter of the rows, foretold from those before.
    rows
        How many it was learnt from.
    every_s
        Length of their windows, s.
    start, stop
        Of the history, ns since 1970 UTC.
    """

    effect: str
    setpoints: tuple[str, ...]
    context: tuple[str, ...]
    units: Mapping[str, str]
    intercept: float
    columns: tuple[Column, ...]
    covariance: tuple[tuple[float, ...], ...]
    seen: Mapping[str, tuple[float, float]]
    noise: float
    held_out: float
    rows: int
    every_s: float
    start: int = 0
    stop: int = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """Give the tags that it goes by."""
        return (*self.setpoints, *self.context)

    def _row(self, values: Mapping[str, float]) -> Columns:
        """Give the standardised columns (k,) at these values."""
        powers = [(values[one.tag] - one.centre) ** one.power for one in self.columns]
        return np.array(
            [
                (power - one.mean) / one.deviation
                for power, one in zip(powers, self.columns, strict=True)
            ]
        )

    def expected(self, values: Mapping[str, float]) -> float:
        """Give the effect at these values of its inputs."""
        weights = np.array([one.coefficient for one in self.columns])
        return float(self.intercept + self._row(values) @ weights)

    def change(
        self, before: Mapping[str, float], after: Mapping[str, float]
    ) -> tuple[float, float]:
        """Give the change of the effect from one state to another, and half its 95 % interval."""
        step = self._row(after) - self._row(before)
        weights = np.array([one.coefficient for one in self.columns])
        spread = math.sqrt(max(0.0, float(step @ np.array(self.covariance) @ step)))
        return float(step @ weights), INTERVAL * spread

    def outside(self, values: Mapping[str, float]) -> str:
        """Say which value is outside what was seen; empty when none is."""
        for tag in self.inputs:
            low, high = self.seen[tag]
            slack = 1e-9 * max(abs(low), abs(high), 1.0)
            if not low - slack <= values[tag] <= high + slack:
                return (
                    f"{_signal(tag)} {values[tag]:g} is outside what was seen, {low:g} … {high:g}"
                )
        return ""

    def best(self, values: Mapping[str, float], tag: str, reach: tuple[float, float], aim: str,
             target: float = 0.0) -> float:  # fmt: skip
        """Give the value of a setpoint within `reach` that serves the aim best.

        Parameters
        ----------
        values
            The present state.
        aim
            ``minimise``, ``maximise``, or ``hold`` at `target`.
        """
        own = [one for one in self.columns if one.tag == tag]
        bends = [one for one in own if one.power == 2]
        bend = sum(one.coefficient / one.deviation for one in bends)
        slope = sum(one.coefficient / one.deviation for one in own if one.power == 1)
        slope -= sum(2 * one.centre * one.coefficient / one.deviation for one in bends)
        rest = self.expected(values) - slope * values[tag] - bend * values[tag] ** 2
        roots = np.roots([bend, slope, rest - target]) if aim == "hold" else np.empty(0)
        turning = [-slope / (2 * bend)] if bend else []
        real = [float(root.real) for root in roots if abs(root.imag) < 1e-9]
        choice = [*reach, *(x for x in (*turning, *real) if reach[0] <= x <= reach[1])]

        def cost(x: float) -> float:
            found = rest + slope * x + bend * x * x
            return {"minimise": found, "maximise": -found, "hold": abs(found - target)}[aim]

        # Of two that serve alike, the nearer one.
        return min(choice, key=lambda x: (round(cost(x), 9), abs(x - values[tag])))


def learn(
    tags: Sequence[str],
    setpoints: int,
    inputs: Columns,
    effect: Columns,
    name: str,
    units: Mapping[str, str],
    every_s: float,
) -> Response:
    """Learn how an effect answers.

    Parameters
    ----------
    tags
        Names of the inputs, the setpoints first (p,).
    setpoints
        How many of them are setpoints: 1 or 2.
    inputs, effect
        Rows in the order of time (n, p) and (n,), all finite, none while a setpoint was moving.
    name
        Tag of the effect.
    units
        UCUM codes by tag.
    every_s
        Length of the windows, s.

    Raises
    ------
    Rejected
        The rows cannot tell; the message says why, with figures.
    """
    _tellable(tags, setpoints, inputs, effect)
    varied = [place for place in range(len(tags)) if place < setpoints or np.ptp(inputs[:, place])]
    powers = [(place, 1) for place in varied]
    score, powers = _curved(inputs, effect, powers, setpoints)
    if not score > 0.0:
        raise Rejected(
            f"what was learnt foretells the last {HELD_OUT:.0%} of {_signal(name)} no better than "
            f"its mean does (R² {score:.2f}): name what else it depends on with --context, or "
            "another time"
        )
    fit = _fit(inputs, effect, powers)
    for place, tag in enumerate(tags[:setpoints]):
        own = [k for k, (at, _) in enumerate(powers) if at == place]
        if max(abs(fit.t(k)) for k in own) < SURE:
            span = float(np.ptp(inputs[:, place]))
            raise Rejected(_within_noise(fit, place, tag, span, written(units.get(name, ""))))
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    return Response(
        effect=name,
        setpoints=tuple(tags[:setpoints]),
        context=tuple(tags[setpoints:]),
        units={tag: units.get(tag, "") for tag in (*tags, name)},
        intercept=fit.intercept,
        columns=tuple(
            Column(tags[place], power, *(float(column[k]) for column in fit.columns))
            for k, (place, power) in enumerate(powers)
        ),
        covariance=tuple(tuple(map(float, row)) for row in fit.covariance),
        seen={tag: (float(low[k]), float(high[k])) for k, tag in enumerate(tags)},
        noise=fit.noise,
        held_out=float(score),
        rows=len(effect),
        every_s=every_s,
    )


def _curved(
    inputs: Columns, effect: Columns, powers: list[tuple[int, int]], setpoints: int
) -> tuple[float, list[tuple[int, int]]]:
    """Give how well the columns foretell, and them: with the first bend that helps, if any."""
    score = _held_out(inputs, effect, powers)
    for place in range(setpoints):
        curved = [*powers[:setpoints], (place, 2), *powers[setpoints:]]
        bent = _held_out(inputs, effect, curved)
        if bent > score + CURVED and abs(_fit(inputs, effect, curved).t(setpoints)) > SURE:
            return bent, curved
    return score, powers


def _within_noise(fit: "_Fit", place: int, tag: str, span: float, unit: str) -> str:
    """Say how little a setpoint does over all of its range."""
    slope, error = fit.weights[place], INTERVAL * fit.errors[place]
    scale = span / fit.deviations[place]
    return (
        f"the effect of {_signal(tag)} is within the noise: over all of its range of {span:g}, "
        f"{slope * scale:+.2g} ± {error * scale:.2g} {unit} at 95 %".rstrip()
    )


def moves(column: Columns) -> int:
    """Count how often a setpoint moved.

    Examples
    --------
    >>> moves(np.array([50.0, 50.0, 52.0, 52.0, 50.0]))
    2
    """
    span = float(np.ptp(column)) if len(column) else 0.0
    return int(np.count_nonzero(np.abs(np.diff(column)) > MOVED * span)) if span else 0


def _tellable(tags: Sequence[str], setpoints: int, inputs: Columns, effect: Columns) -> None:
    """Refuse what no method could learn from."""
    if len(effect) < LEAST_ROWS:
        raise Rejected(
            f"{len(effect)} whole windows, after those in which a setpoint moved are left out; "
            f"{LEAST_ROWS} are needed: name a longer time"
        )
    if not np.ptp(effect):
        raise Rejected(f"the effect never moved: it was {effect[0]:g} all the time")
    for place in range(setpoints):
        column, name = inputs[:, place], _signal(tags[place])
        found = moves(column)
        if not found:
            raise Rejected(f"{name} never moved: it was {column[0]:g} all the time")
        if found < MOVES:
            raise Rejected(
                f"{name} moved {found} times ({column.min():g} … {column.max():g}); {MOVES} are "
                "needed: what else was different then cannot be told from it"
            )
        others = np.delete(inputs, place, axis=1)
        others = others[:, np.ptp(others, axis=0) > 0]
        if others.shape[1]:
            likeness = [(_explained(column, others[:, [k]]), k) for k in range(others.shape[1])]
            whole = _explained(column, others)
            if whole > ALIKE:
                kept = [tag for k, tag in enumerate(tags) if k != place and np.ptp(inputs[:, k])]
                raise Rejected(
                    f"{name} went along with {_signal(kept[max(likeness)[1]])} and others (R² "
                    f"{whole:.2f}): whose effect it was cannot be told"
                )


def _explained(column: Columns, others: Columns) -> float:
    """Give the R² of a column from others."""
    design = np.column_stack([np.ones(len(column)), others])
    found, *_ = np.linalg.lstsq(design, column, rcond=None)
    left = column - design @ found
    return 1.0 - float(left.var() / column.var())


@dataclass(frozen=True, slots=True)
class _Fit:
    intercept: float
    centres: Columns
    weights: Columns
    errors: Columns
    means: Columns
    deviations: Columns
    covariance: Columns
    noise: float

    @property
    def columns(self) -> tuple[Columns, ...]:
        return self.centres, self.weights, self.errors, self.means, self.deviations

    def t(self, k: int) -> float:
        return float(self.weights[k] / self.errors[k]) if self.errors[k] else math.inf


def _raised(inputs: Columns, powers: Sequence[tuple[int, int]], centres: Columns) -> Columns:
    columns = zip(powers, centres, strict=True)
    return np.column_stack([(inputs[:, at] - centre) ** power for (at, power), centre in columns])


def _fit(inputs: Columns, effect: Columns, powers: Sequence[tuple[int, int]]) -> _Fit:
    """Fit the ridge; errors allow for residuals that follow one another."""
    # A square about zero would be another copy of its tag.
    centres = np.array([inputs[:, at].mean() if power > 1 else 0.0 for at, power in powers])
    raw = _raised(inputs, powers, centres)
    means, deviations = raw.mean(axis=0), raw.std(axis=0)
    deviations[deviations == 0] = 1.0
    z = (raw - means) / deviations
    n, k = z.shape
    gram = z.T @ z
    inverse = np.linalg.inv(gram + RIDGE * n * np.eye(k))
    weights = inverse @ z.T @ (effect - effect.mean())
    left = effect - effect.mean() - z @ weights
    follows = float(np.clip(_follows(left), 0.0, 0.99))
    independent = max(n * (1 - follows) / (1 + follows), k + 2.0)
    variance = float(left @ left) / max(n - k - 1, 1)
    covariance = variance * (n / independent) * inverse @ gram @ inverse
    return _Fit(
        float(effect.mean()),
        centres,
        weights,
        np.sqrt(np.diag(covariance)),
        means,
        deviations,
        covariance,
        math.sqrt(variance),
    )


def _follows(left: Columns) -> float:
    """Give the correlation of each residual with the one before."""
    power = float(left @ left)
    return float(left[1:] @ left[:-1]) / power if power else 0.0


def _held_out(inputs: Columns, effect: Columns, powers: Sequence[tuple[int, int]]) -> float:
    """Give the R² on the last part, foretold from what was before."""
    cut = round(len(effect) * (1 - HELD_OUT))
    fit = _fit(inputs[:cut], effect[:cut], powers)
    z = (_raised(inputs[cut:], powers, fit.centres) - fit.means) / fit.deviations
    left = effect[cut:] - fit.intercept - z @ fit.weights
    total = float(np.sum((effect[cut:] - effect[cut:].mean()) ** 2))
    return 1.0 - float(left @ left) / total if total else 0.0


# As a file.


def write_response(response: Response) -> str:
    """Give it as JSON that a person can read."""
    said: dict[str, Any] = {
        "format": FORMAT,
        "effect": response.effect,
        "setpoints": list(response.setpoints),
        "context": list(response.context),
        "units": dict(response.units),
        "intercept": response.intercept,
        "columns": [
            {
                "tag": one.tag,
                "power": one.power,
                "centre": one.centre,
                "coefficient": one.coefficient,
                "standard_error": one.error,
                "mean": one.mean,
                "deviation": one.deviation,
            }
            for one in response.columns
        ],
        "covariance": [list(row) for row in response.covariance],
        "seen": {tag: list(span) for tag, span in response.seen.items()},
        "noise": response.noise,
        "held_out_r2": response.held_out,
        "rows": response.rows,
        "every_s": response.every_s,
        "start": response.start,
        "stop": response.stop,
    }
    return json.dumps(said, indent=1) + "\n"


def read_response(text: str, place: str) -> Response:
    """Read it back; Misconfigured says what is wrong with the file, in `place`."""
    try:
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise ValueError(f"format {said['format']}; this release reads {FORMAT}")
        response = Response(
            effect=_text(said["effect"]),
            setpoints=tuple(map(_text, said["setpoints"])),
            context=tuple(map(_text, said["context"])),
            units={_text(tag): _text(unit) for tag, unit in said["units"].items()},
            intercept=_finite(said["intercept"]),
            columns=tuple(
                Column(
                    _text(one["tag"]),
                    _whole_number(one["power"]),
                    centre=_finite(one["centre"]),
                    coefficient=_finite(one["coefficient"]),
                    error=_finite(one["standard_error"]),
                    mean=_finite(one["mean"]),
                    deviation=_finite(one["deviation"]),
                )
                for one in said["columns"]
            ),
            covariance=tuple(tuple(map(_finite, row)) for row in said["covariance"]),
            seen={tag: (_finite(low), _finite(high)) for tag, (low, high) in said["seen"].items()},
            noise=_finite(said["noise"]),
            held_out=_finite(said["held_out_r2"]),
            rows=_whole_number(said["rows"]),
            every_s=_finite(said["every_s"]),
            start=_whole_number(said["start"]),
            stop=_whole_number(said["stop"]),
        )
        _whole(response)
    except (
        ArithmeticError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise Misconfigured(
            f"{place}: is no learnt response ({error!r:.200}): wheeltapper setpoints learn"
        ) from error
    return response


def _whole(response: Response) -> None:
    """Refuse a response whose parts do not fit together."""
    count = len(response.columns)
    if not 1 <= len(response.setpoints) <= 2 or not count:
        raise ValueError("one or two setpoints, and columns")
    if len(response.covariance) != count or any(len(row) != count for row in response.covariance):
        raise ValueError(f"covariance is not {count} by {count}")
    if any(one.deviation <= 0 or one.power not in (1, 2) for one in response.columns):
        raise ValueError("a column without deviation, or of another power")
    if {one.tag for one in response.columns} - set(response.inputs):
        raise ValueError("a column of a tag that is no input")
    if set(response.inputs) - response.seen.keys() or response.noise < 0:
        raise ValueError("seen or noise")
    if any(low > high for low, high in response.seen.values()):
        raise ValueError("seen: low above high")


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.40} is no finite number")
    return float(value)


def _whole_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r:.40} is no whole number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} is no text")
    return value


def _signal(tag: str) -> str:
    return tag.rpartition("/")[2]
