"""The picture of one recording: what was labelled, what was alarmed, the score, the signals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.protocol import Run
from analytics.evaluation.segments import stretches
from analytics.evaluation.summary import Episode, Summary, strength
from wheeltapper.evaluation.drawing import Drawing, Path, Rect, Role, Text, envelope, steps
from wheeltapper.evaluation.recordings import Evaluated
from wheeltapper.evaluation.words import duration, instant, percent

Columns = NDArray[np.float64]

WIDTH, LEFT, RIGHT = 1040.0, 196.0, 18.0
STRIP, PANEL, SCORE, APART = 22.0, 66.0, 130.0, 12.0
POINTS = 1600
"""Points of a line at most; every peak is kept."""
SIGNALS = 8
"""Signals drawn at most, those that caused most alarms first."""
LOWEST, LEAST_TOP = 0.1, 4.0
"""Bounds of the score's axis, in multiples of the limit; the upper one grows with the score."""
NUMBERED = 11.0
"""Width from which on an alarm's bar holds its number."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A recording and what a detector made of it."""

    recording: Evaluated
    run: Run
    summary: Summary


class Chart:
    """Draws one result, from top to bottom.

    Parameters
    ----------
    result
        What is drawn.
    """

    def __init__(self, result: Result) -> None:
        self._recording, self._run, self._summary = result.recording, result.run, result.summary
        self._at = self._recording.at
        self._learnt = self._recording.warmup
        self._sheet = Drawing(WIDTH, 0, f"{self._recording.name}: score, alarms and signals")
        self._y = 6.0
        self._faulty = [] if self._recording.truth is None else stretches(self._recording.truth)
        span = max(int(self._at[-1] - self._at[0]), 1)
        self._scale = (WIDTH - LEFT - RIGHT) / span

    def drawn(self, heading: Sequence[str] = ()) -> Drawing:
        """Draw everything, under a heading where the picture stands alone."""
        for number, line in enumerate(heading):
            first = number == 0
            self._sheet.add(Text(8, self._y + 14, line, "strong" if first else "text", size=13))
            self._y += 20
        if self._recording.truth is not None:
            self._labels()
        self._alarms()
        self._score()
        shown = leading_signals(self._run, self._summary)[:SIGNALS]
        for signal in shown:
            self._signal(signal)
        more = len(self._run.signals) - len(shown)
        if more:
            why = ": they caused less of the alarms" if self._summary.alarms else ""
            words = f"{more} more signals are not drawn{why}"
            self._sheet.add(Text(LEFT, self._y + 18, words, "soft"))
            self._y += 26
        self._clock()
        self._sheet.height = self._y
        return self._sheet

    def _x(self, rows: NDArray[np.intp] | Sequence[int]) -> Columns:
        """Give the place of rows of the recording, warm-up included."""
        at = self._at[np.clip(np.asarray(rows, np.int64), 0, len(self._at) - 1)]
        return np.asarray(LEFT + (at - self._at[0]) * self._scale, np.float64)

    def _bar(self, first: int, last: int, y: float, height: float, role: Role, hint: str) -> Rect:
        begin, end = self._x([first, last]).tolist()
        return Rect(begin, y, max(end - begin, 2.0), height, role, hint)

    def _strip(self, name: str) -> float:
        """Begin a strip; give its top."""
        top = self._y
        self._sheet.add(
            Rect(LEFT, top, WIDTH - LEFT - RIGHT, STRIP, "panel"),
            Text(LEFT - 10, top + STRIP - 6, name, "text", "end"),
        )
        self._y += STRIP + 4
        return top

    def _labels(self) -> None:
        top = self._strip("labelled faulty")
        for first, last in self._faulty:
            when = f"labelled {self._when(first)} to {self._when(last)}"
            self._sheet.add(self._bar(first, last, top + 3, STRIP - 6, "label", when))
        if self._recording.changes is not None:
            for x in self._x(np.flatnonzero(self._recording.changes)).tolist():
                self._sheet.add(Rect(x, top, 1.5, STRIP, "axis", "labelled change"))
        self._learning(top, STRIP, "")

    def _alarms(self) -> None:
        top = self._strip("alarms")
        bars = [
            self._bar(*self._rows_of(alarm), top + 3, STRIP - 6, "alarm", self._hint(number, alarm))
            for number, alarm in enumerate(self._summary.alarms, 1)
        ]
        self._sheet.add(*bars)
        free = [*(bar.x for bar in bars[1:]), WIDTH][: len(bars)]
        for number, (bar, until) in enumerate(zip(bars, free, strict=True), 1):
            words, y, beyond = str(number), top + STRIP - 7, bar.x + bar.width + 4
            if bar.width > NUMBERED * len(words):
                middle = bar.x + bar.width / 2
                self._sheet.add(Text(middle, y, words, "on-alarm", "middle", 11))
            elif until - beyond > NUMBERED * len(words):
                self._sheet.add(Text(beyond, y, words, "soft", size=11))
        self._learning(top, STRIP, "learning, not judged")

    def _rows_of(self, alarm: Episode) -> tuple[int, int]:
        """Give first and last row in the recording."""
        return alarm.first + self._learnt, alarm.last + self._learnt

    def _hint(self, number: int, alarm: Episode) -> str:
        first, last = self._rows_of(alarm)
        why = ", ".join(f"{name} {percent(share)}" for name, share in alarm.reasons)
        return f"alarm {number}: {self._when(first)} to {self._when(last)}. {why}"

    def _shade(self, alarms: Iterable[Episode], top: float, height: float) -> None:
        for alarm in alarms:
            self._sheet.add(self._bar(*self._rows_of(alarm), top, height, "alarm-band", ""))

    def _score(self) -> None:
        known = not np.isnan(self._run.threshold).all()
        values = strength(self._run)
        values = np.where(self._run.judged, values, np.nan)
        top, height = self._panel(SCORE, "score" if known else "score, as it is")
        self._shade(self._summary.alarms, top, height)
        if known:
            self._sheet.add(Text(8, top + 24, "in multiples of", "soft", size=11))
            self._sheet.add(Text(8, top + 38, "its limit, log scale", "soft", size=11))
            low, high = np.log10(LOWEST), np.log10(max(LEAST_TOP, 1.3 * _top(values)))
            values = np.log10(np.clip(values, LOWEST, 10**high))
            ticks = [
                (np.log10(t), f"{t:g} ×") for t in (0.1, 1, 10, 100, 1000, 10_000) if t < 10**high
            ]
        else:
            low, high = _range(values)
            ticks = [(t, f"{t:g}") for t in steps(low, high, 4)]
        for tick, words in ticks:
            y = top + height * (1 - (tick - low) / (high - low))
            role: Role = "limit" if words == "1 ×" else "grid"
            line = np.array([[LEFT, y], [WIDTH - RIGHT, y]])
            named = "limit 1 ×" if words == "1 ×" else words
            self._sheet.add(Path(line, role), Text(LEFT - 10, y + 4, named, "soft", "end", 11))
        self._line(np.arange(len(values)) + self._learnt, values, low, high, top, height, "score")
        self._learning(top, height, "")

    def _signal(self, signal: str) -> None:
        place = self._run.signals.index(signal)
        values = self._recording.rows[:, place]
        guilty = [
            alarm for alarm in self._summary.alarms if signal in {name for name, _ in alarm.reasons}
        ]
        top, height = self._panel(PANEL, signal)
        self._shade(guilty, top, height)
        low, high = _range(values)
        for tick in steps(low, high, 3):
            y = top + height * (1 - (tick - low) / (high - low))
            line = np.array([[LEFT, y], [WIDTH - RIGHT, y]])
            words = f"{tick:g}"
            self._sheet.add(Path(line, "grid"), Text(LEFT - 10, y + 4, words, "soft", "end", 11))
        self._learning(top, height, "")
        self._line(np.arange(len(values)), values, low, high, top, height, "signal")

    def _panel(self, height: float, name: str) -> tuple[float, float]:
        """Begin a panel under its name; give top and height of where lines go."""
        self._y += APART
        top = self._y
        self._sheet.add(Rect(LEFT, top, WIDTH - LEFT - RIGHT, height, "panel"))
        for number, line in enumerate(_lines(name)):
            self._sheet.add(Text(8, top + 13 + 15 * number, line, "strong"))
        for first, last in self._faulty:
            self._sheet.add(self._bar(first, last, top, 3, "label", ""))
        self._y += height
        return top + 5, height - 10

    def _line(
        self,
        rows: NDArray[np.intp],
        values: Columns,
        low: float,
        high: float,
        top: float,
        height: float,
        role: Role,
    ) -> None:
        y = top + height * (1 - (np.clip(values, low, high) - low) / (high - low))
        self._sheet.add(Path(envelope(self._x(rows), y, POINTS), role))

    def _learning(self, top: float, height: float, words: str) -> None:
        """Veil the warm-up."""
        end = float(self._x([self._learnt])[0])
        if words:
            self._sheet.add(Rect(LEFT, top, end - LEFT, height, "learning"))
            fits = [said for said in (words, "learning") if end - LEFT > 6.5 * len(said)]
            self._sheet.add(*(Text(LEFT + 6, top + height - 7, said, "soft") for said in fits[:1]))
        else:
            line = np.array([[end, top], [end, top + height]])
            self._sheet.add(Path(line, "axis"))

    def _clock(self) -> None:
        """Write times along the foot, on round steps."""
        span_s = float(self._at[-1] - self._at[0]) / 1e9
        step_s = next((s for s in _STEPS_S if span_s / s <= 8), _STEPS_S[-1])
        form = "%H:%M:%S" if step_s < 60 else "%H:%M" if step_s < 86_400 else "%d %b"
        first = -(-int(self._at[0]) // int(step_s * 1e9))
        last = int(self._at[-1]) // int(step_s * 1e9)
        top = self._y + 4
        for k in range(first, last + 1):
            ns = k * int(step_s * 1e9)
            x = LEFT + (ns - int(self._at[0])) * self._scale
            words = instant(ns, form)
            self._sheet.add(Rect(x, top, 1, 5, "axis"))
            self._sheet.add(Text(x, top + 19, words, "soft", "middle"))
        begin, end = instant(int(self._at[0])), instant(int(self._at[-1]))
        said = (
            f"{begin} to {end}, {duration(span_s)}, time as in the file (UTC if it names no zone)"
        )
        self._sheet.add(Text(LEFT, top + 38, said, "soft"))
        self._y = top + 48

    def _when(self, row: int) -> str:
        return instant(int(self._at[min(row, len(self._at) - 1)]))


_STEPS_S = (
    1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
    172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
)  # fmt: skip


def leading_signals(run: Run, summary: Summary) -> list[str]:
    """Order the signals by how much of the alarms they caused, then as in the file."""
    caused = dict.fromkeys(run.signals, 0.0)
    for alarm in summary.alarms:
        for name, share in alarm.reasons:
            caused[name] += share
    return sorted(run.signals, key=lambda name: -caused[name])


def _lines(name: str) -> list[str]:
    """Break a long name into at most three lines, behind its slashes where it has some."""
    return wrap(name.replace("/", "/ "), 20, max_lines=3, placeholder="…")


def _top(values: Columns) -> float:
    known = values[np.isfinite(values)]
    return float(min(known.max(), 1e4)) if len(known) else 1.0


def _range(values: Columns) -> tuple[float, float]:
    """Give what is drawn of a signal: all of it, with a little room."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    room = 0.04 * (high - low) or max(abs(high), 1.0) * 0.1
    return low - room, high + room


def histogram(result: Result) -> Drawing:
    """Draw how often each score came: where the healthy bulk lies and how far away the limit is."""
    values = strength(result.run)[result.run.judged]
    known = not np.isnan(result.run.threshold).all()
    sheet = Drawing(WIDTH, 150, f"{result.recording.name}: how often each score came")
    if not len(values):
        return sheet
    if known:
        values = np.log10(np.clip(values, LOWEST, None))
    low, high = float(values.min()), float(max(values.max(), 0.3 if known else values.min() + 1e-9))
    counts, edges = np.histogram(values, bins=80, range=(low, high))
    wide = (WIDTH - LEFT - RIGHT) / (high - low)
    heights = 100 * np.log1p(counts) / np.log1p(counts.max())
    sheet.add(Rect(LEFT, 8, WIDTH - LEFT - RIGHT, 104, "panel"))
    sheet.add(Text(8, 21, "rows", "strong"), Text(8, 36, "(log)", "soft", "start", 11))
    for count, height, begin, end in zip(counts, heights, edges[:-1], edges[1:], strict=True):
        middle = (begin + end) / 2
        role: Role = "alarm" if known and middle >= 0 else "bar"
        said = 10**middle if known else middle
        box = Rect(
            LEFT + (begin - low) * wide, 112 - height, (end - begin) * wide - 1, height, role,
            f"{int(count)} rows at {said:.3g}",
        )  # fmt: skip
        sheet.add(box)
    ticks = (0.1, 0.2, 0.5, 1, 2, 5, 10, 100, 1000) if known else steps(low, high, 6)
    for tick in ticks:
        place = np.log10(tick) if known else tick
        if low <= place <= high:
            x, words = LEFT + (place - low) * wide, f"{tick:g} ×" if known else f"{tick:g}"
            sheet.add(Text(x, 128, words, "soft", "middle", 11))
    if known and low <= 0 <= high:
        sheet.add(Rect(LEFT - low * wide, 4, 1.5, 110, "limit", "limit"))
    sheet.add(Text(LEFT, 146, "score in multiples of its limit" if known else "score", "soft"))
    return sheet
