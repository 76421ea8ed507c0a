"""A week of one machine on one sheet: what happened, what was told, the score, the signals."""

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.weeks.campaign import MINUTE, START, Campaign, Columns
from bench.weeks.diary import entries
from bench.weeks.timetable import DAY, HOUR
from bench.weeks.verdicts import WEEK, FalseAlarm, Verdict, second_of
from connectors.simulated.schedule import CHANGEOVER, OFF, RUN
from connectors.simulated.signals import LINE, MODBUS, OPCUA
from plant.alarms import QUIET, Alarm
from wheeltapper.evaluation.drawing import Drawing, Rect, Role, Text, envelope, steps
from wheeltapper.evaluation.drawing import Path as Line
from wheeltapper.evaluation.words import instant

WIDTH, LEFT, RIGHT = 1040.0, 186.0, 12.0
STRIP, SCORE, PANEL = 17.0, 120.0, 62.0
POINTS = 2600
SIGNALS = 5
"""Signals drawn, those that the week is about first."""
LOWEST, HIGHEST = 0.1, 30.0
"""Bounds of the score's axis, in limits."""
KINDS = {
    "wear": "wear", "repair": "repair", "sensor": "sensor fault", "upkeep": "upkeep",
    "link": "link gone",
}  # fmt: skip


class Week:
    """One week of one machine.

    Parameters
    ----------
    campaign, verdict
        What is drawn.
    asset
        Its path.
    begin
        Second at which the week begins.
    """

    def __init__(self, campaign: Campaign, verdict: Verdict, asset: str, begin: int) -> None:
        self._campaign, self._verdict, self._asset = campaign, verdict, asset
        self._begin, self._end = begin, min(begin + WEEK, campaign.diary.end)
        self._minutes = campaign.minutes[asset]
        self._slice = slice(begin // MINUTE, -(-self._end // MINUTE))
        source = MODBUS if asset == f"{LINE}/press-1" else OPCUA
        self._entries = [
            row
            for row in entries(campaign.diary, asset, source)
            if row[1] < self._end and row[2] > begin
        ]
        first = instant(START + begin * 10**9, "%d %b")
        self._title = f"{asset.rpartition('/')[2]}, week from {first}"
        self._sheet = Drawing(WIDTH, 0, self._title)
        self._y = 6.0

    def drawn(self) -> Drawing:
        """Draw it from top to bottom."""
        false = [one for one in self._false() if self._begin <= one.at < self._end]
        words = f"{self._title}: {len(false)} false alarms"
        self._sheet.add(Text(8, self._y + 14, words, "strong", size=13))
        self._y += 22
        self._modes()
        for kind, name in KINDS.items():
            self._happened(kind, name)
        self._told(quiet=False)
        self._told(quiet=True)
        self._score()
        for signal in self._leading():
            self._signal(signal)
        self._clock()
        self._sheet.height = self._y
        return self._sheet

    def _x(self, second: float) -> float:
        share = (np.clip(second, self._begin, self._end) - self._begin) / WEEK
        return float(LEFT + share * (WIDTH - LEFT - RIGHT))

    def _bar(self, begin: float, end: float, y: float, height: float, role: Role) -> Rect:
        x = self._x(begin)
        return Rect(x, y, max(self._x(end) - x, 1.5), height, role)

    def _strip(self, name: str) -> float:
        top = self._y
        self._sheet.add(
            Rect(LEFT, top, WIDTH - LEFT - RIGHT, STRIP, "panel"),
            Text(LEFT - 8, top + STRIP - 5, name, "text", "end", 11),
        )
        self._y += STRIP + 2
        return top

    def _modes(self) -> None:
        top = self._strip("run, changeover, off")
        story = self._campaign.diary.stories[self._asset]
        looks: dict[int, Role] = {RUN: "bar", CHANGEOVER: "label", OFF: "learning"}
        ends = [*(phase.begin for phase in story[1:]), self._campaign.diary.end]
        for phase, end in zip(story, ends, strict=True):
            seen = phase.begin < self._end and end > self._begin and phase.mode in looks
            if seen:
                bar = self._bar(phase.begin, end, top + 2, STRIP - 4, looks[phase.mode])
                self._sheet.add(bar)

    def _happened(self, kind: str, name: str) -> None:
        top = self._strip(name)
        for said, begin, end, words in self._entries:
            if said == kind:
                bar = self._bar(begin, end, top + 2, STRIP - 4, "label")
                self._sheet.add(bar, Text(bar.x + bar.width + 3, top + STRIP - 5, words, size=10))

    def _told(self, *, quiet: bool) -> None:
        top = self._strip("kept quiet" if quiet else "alarms")
        false = {(one.alarm, one.at) for one in self._verdict.false}
        spans: dict[int, tuple[int, int]] = {}
        for alarm in self._campaign.course.last.values():
            begin, end = second_of(alarm.raised), _ended(alarm, self._campaign.diary.end)
            mine = alarm.asset == self._asset and begin < self._end and end > self._begin
            if mine and quiet == (alarm.annunciated is None):
                spans[alarm.id] = begin, end
        numbers = {number for number, _ in false}
        for number, (begin, end) in spans.items():
            role: Role = "bar" if quiet else "alarm" if number in numbers else "label"
            bar = self._bar(begin, end, top + 2, STRIP - 4, role)
            self._sheet.add(bar, Text(bar.x + bar.width + 2, top + STRIP - 5, str(number), size=9))

    def _false(self) -> list[FalseAlarm]:
        return [one for one in self._verdict.false if one.asset == self._asset]

    def _panel(self, height: float, name: str) -> float:
        self._y += 6
        top = self._y
        self._sheet.add(Rect(LEFT, top, WIDTH - LEFT - RIGHT, height, "panel"))
        self._sheet.add(Text(8, top + 13, name, "strong", size=11))
        for kind, begin, end, _ in self._entries:
            if kind in ("wear", "sensor"):
                self._sheet.add(self._bar(begin, end, top, height, "label-band"))
        for one in self._false():
            if self._begin <= one.at < self._end:
                self._sheet.add(self._bar(one.at, one.at + 600, top, height, "alarm-band"))
        self._y += height
        return top

    def _score(self) -> None:
        top = self._panel(SCORE, "score in limits, log")
        score, bar = self._minutes.score[self._slice], self._minutes.bar[self._slice]
        low, high = np.log10(LOWEST), np.log10(HIGHEST)
        for tick in (0.1, 0.3, 1.0, 3.0, 10.0):
            y = top + SCORE * (1 - (np.log10(tick) - low) / (high - low))
            self._tick(y, f"{tick:g}")
        self._line(np.log10(np.clip(score, LOWEST, HIGHEST)), low, high, top, SCORE, "score")
        self._line(np.log10(np.clip(bar, LOWEST, HIGHEST)), low, high, top, SCORE, "limit")

    def _signal(self, column: int) -> None:
        asset = next(a for a in self._campaign.assets if a.path == self._asset)
        top = self._panel(PANEL, asset.signals[column].rpartition("/")[2].replace("_", " "))
        pair = np.stack((self._minutes.low[self._slice, column],
                         self._minutes.high[self._slice, column]), axis=1)  # fmt: skip
        known = pair[np.isfinite(pair)]
        low, high = np.quantile(known, (0.001, 0.999)) if len(known) else (0.0, 1.0)
        room = 0.08 * (high - low) or 1.0
        low, high = float(low - room), float(high + room)
        for tick in steps(low, high, 3):
            self._tick(top + PANEL * (1 - (tick - low) / (high - low)), f"{tick:g}")
        self._line(np.clip(pair, low, high).ravel(), low, high, top, PANEL, "signal")

    def _tick(self, y: float, words: str) -> None:
        line = np.array([[LEFT, y], [WIDTH - RIGHT, y]])
        self._sheet.add(Line(line, "grid"), Text(LEFT - 8, y + 4, words, "soft", "end", 10))

    def _line(
        self, values: Columns, low: float, high: float, top: float, height: float, role: Role
    ) -> None:
        length = self._slice.stop - self._slice.start
        at = self._begin + MINUTE * np.arange(len(values)) * length / len(values)
        x: NDArray[np.float64] = LEFT + (at - self._begin) / WEEK * (WIDTH - LEFT - RIGHT)
        y = top + height * (1 - (values - low) / (high - low))
        self._sheet.add(Line(envelope(x, y, POINTS), role))

    def _leading(self) -> list[int]:
        """Choose the signals that the week is about: of its alarms, and of what befell it."""
        asset = next(a for a in self._campaign.assets if a.path == self._asset)
        places = {name: column for column, name in enumerate(asset.signals)}
        count: Counter[str] = Counter()
        diary = self._campaign.diary
        for wear in diary.wear:
            if wear.asset == self._asset and wear.onset < self._end and wear.mended > self._begin:
                count.update(dict.fromkeys(wear.culprits[:2], 8))
        for fault in diary.sensors:
            seen = fault.begin < self._end and fault.end > self._begin
            if fault.asset == self._asset and seen:
                count[f"{self._asset}/{fault.signal}"] += 8
        for at, alarm in self._campaign.course.told:
            if alarm.asset == self._asset and self._begin <= second_of(at) < self._end:
                count.update({part.signal: 1 for part in alarm.reason.contributions[:2]})
        chosen = [name for name, _ in count.most_common(SIGNALS)]
        chosen += [name for name in asset.signals if name not in chosen]
        return [places[name] for name in chosen[:SIGNALS]]

    def _clock(self) -> None:
        top = self._y + 2
        for day in range(-(-self._begin // DAY), self._end // DAY + 1):
            x, words = self._x(day * DAY), instant(START + day * DAY * 10**9, "%a %d %b")
            self._sheet.add(Rect(x, top, 1, 5, "axis"))
            self._sheet.add(Text(x + 3, top + 14, words, "soft", size=10))
        for half in range(-(-self._begin // (12 * HOUR)), self._end // (12 * HOUR) + 1):
            self._sheet.add(Rect(self._x(half * 12 * HOUR), top, 1, 3, "axis"))
        self._y = top + 20


def save(campaign: Campaign, verdict: Verdict, folder: Path) -> list[Path]:
    """Paint every week of every machine into a folder, one PNG each."""
    from wheeltapper.evaluation.png import png

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    diary = campaign.diary
    for number, begin in enumerate(range(diary.taught, diary.end, WEEK), 1):
        for asset in campaign.assets:
            drawing = Week(campaign, verdict, asset.path, begin).drawn()
            path = folder / f"week-{number}-{asset.name}.png"
            path.write_bytes(png(drawing))
            written.append(path)
    return written


def _ended(alarm: Alarm, end: int) -> int:
    if alarm.ended:
        return second_of(alarm.ended)
    return end if alarm.stands or alarm.state in QUIET else second_of(alarm.changed)
