"""The alarms of a campaign held against its diary: what was false, and what was found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.weeks.campaign import START, Campaign
from bench.weeks.diary import Diary, SensorFault, Wear
from bench.weeks.timetable import DAY, HOUR
from connectors.simulated.schedule import CHANGEOVER, OFF, RUN
from connectors.simulated.signals import LINE, MODBUS, OPCUA
from gateway.performance import poisson
from plant.alarms import ANNUNCIATED, Alarm

WEEK = 7 * DAY
TAIL_RAN_S = 3600
"""What comes within so much running after a repair is the fault's."""
NAMED = 3
"""A fault is found when one of its signals is among so many first of the reason."""
AFTER_SENSOR_S, AFTER_LINK_S, AFTER_START_S, AFTER_CHANGE_S = HOUR, 900, 7200, 1800
AFTER_UPKEEP_S = 2 * DAY
"""An alarm so long after something is put down to it, where nothing nearer happened."""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one scripted fault; times in s, None: not found.

    Parameters
    ----------
    wear
        The fault.
    at
        When an alarm first named one of its signals among the first three.
    first
        Whether that alarm named it first of all.
    beside
        Alarms in its time that named none of them.
    """

    wear: Wear
    at: int | None
    first: bool
    beside: int

    @property
    def lead(self) -> float | None:
        """Seconds from there to the failure."""
        return None if self.at is None else self.wear.failure - self.at


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """One false alarm: when it asked, of which asset, what it named, and what it is put down to."""

    at: int
    asset: str
    cause: str
    named: tuple[str, ...]
    severity: float
    alarm: int


@dataclass(frozen=True, slots=True)
class Blamed:
    """A sensor fault: what the instrument was called, and the alarms of the machine it brought.

    `called` is the first word said of the faulty signal in its time, empty if none was, and `after`
    how many seconds after the fault's begin.
    """

    fault: SensorFault
    machine: int
    called: str
    after: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a campaign comes to.

    Parameters
    ----------
    weeks
        Weeks in which each asset was judged.
    shares
        Share of the time after the learning in which each asset was judged, settling, learning a
        mode, and not read.
    told
        How often an alarm of a machine began to ask.
    doubts, doubted
        How often an instrument was no longer believed, and how often one that was well. They are
        no alarms; of that while a scripted fault of the machine stood, see `docs/weeks.md`.
    false
        Those alarms that were false.
    faults, sensors
        What became of the scripted faults.
    """

    weeks: dict[str, float]
    shares: dict[str, dict[str, float]]
    told: int
    doubts: int
    doubted: int
    false: tuple[FalseAlarm, ...]
    faults: tuple[Found, ...]
    sensors: tuple[Blamed, ...]

    @property
    def rate(self) -> float:
        """False alarms an asset-week."""
        return len(self.false) / max(sum(self.weeks.values()), 1e-9)

    def rates(self) -> dict[str, float]:
        """Give the same for each asset."""
        count = Counter(one.asset for one in self.false)
        return {asset: count[asset] / max(weeks, 1e-9) for asset, weeks in self.weeks.items()}

    def interval(self) -> tuple[float, float]:
        """Give the 95 % interval of the rate."""
        _, low, high = poisson(len(self.false))
        weeks = max(sum(self.weeks.values()), 1e-9)
        return low / weeks, high / weeks

    def causes(self) -> Counter[str]:
        """Count the false alarms by what they are put down to."""
        return Counter(one.cause for one in self.false)

    @property
    def missed(self) -> list[Wear]:
        """List the faults that were not found before the failure."""
        return [found.wear for found in self.faults if found.at is None]


def judge(campaign: Campaign) -> Verdict:
    """Hold the alarms of a campaign against its diary."""
    diary = campaign.diary
    told = [(second_of(at), alarm) for at, alarm in campaign.course.told]
    told = [(at, alarm) for at, alarm in told if at >= diary.taught]
    doubts = [(at, str(body["signal"])) for at, body in campaign.doubts if at >= diary.taught]
    false = []
    for at, alarm in told:
        cause = cause_of(diary, alarm, at)
        if cause is not None:
            named = tuple(_short(c.signal) for c in alarm.reason.contributions[:NAMED])
            severity = alarm.reason.severity
            false.append(FalseAlarm(at, alarm.asset, cause, named, severity, alarm.id))
    return Verdict(
        weeks={asset.path: _judged(campaign, asset.path) / WEEK for asset in campaign.assets},
        shares={asset.path: _shares(campaign, asset.path) for asset in campaign.assets},
        told=len(told),
        doubts=len(doubts),
        doubted=sum(not _sick(diary, signal, at) for at, signal in doubts),
        false=tuple(false),
        faults=tuple(_found(campaign, wear, told) for wear in diary.wear),
        sensors=tuple(_blamed(campaign, fault, told) for fault in diary.sensors),
    )


def second_of(ns: int) -> int:
    """Give the second after row 0 of a source time, ns."""
    return (ns - START) // 10**9


def _sick(diary: Diary, signal: str, at: int) -> bool:
    """Tell whether a sensor was at fault at second `at`, or had been a short while ago."""
    return any(_is_of(fault, signal, at) for fault in diary.sensors)


def _is_of(fault: SensorFault, signal: str, at: int) -> bool:
    """Tell whether a doubt of a signal at second `at` is one of this fault."""
    named = f"{fault.asset}/{fault.signal}" == signal
    return named and fault.begin <= at < fault.end + AFTER_LINK_S


def cause_of(diary: Diary, alarm: Alarm, at: int) -> str | None:
    """Say what a false alarm that began to ask at second `at` is put down to; None if it is right.

    Right is an alarm in the time of a scripted fault of its asset that names one of its signals,
    or in the tail of one.
    """
    wear = wear_at(diary, alarm.asset, at)
    if wear is not None:
        named = [c.signal for c in alarm.reason.contributions[:NAMED]]
        hit = at >= wear.failure or bool(set(named) & set(wear.culprits))
        return None if hit else "names none of the fault's signals"
    for text, begin, end in _nearby(diary, alarm.asset):
        if begin <= at < end:
            return text
    return "nothing"


def wear_at(diary: Diary, asset: str, at: int) -> Wear | None:
    """Give the scripted fault of an asset that stands, or has its tail, at second `at`."""
    hours = diary.hours(asset)
    for wear in diary.wear:
        if wear.asset == asset and wear.onset <= at:
            ran = float(hours.ran(float(at)) - hours.ran(float(wear.mended)))
            if at <= wear.mended or ran <= TAIL_RAN_S:
                return wear
    return None


def _nearby(diary: Diary, asset: str) -> list[tuple[str, int, int]]:
    """List what can disturb an asset, with the time in which it may, the likeliest first."""
    source = MODBUS if asset == f"{LINE}/press-1" else OPCUA
    rows = [
        (f"sensor {s.kind}", s.begin, s.end + AFTER_SENSOR_S)
        for s in diary.sensors
        if s.asset == asset
    ]
    rows += [("link", d.begin, d.end + AFTER_LINK_S) for d in diary.drops if d.source == source]
    rows += [
        ("new level after upkeep", u.end, u.end + AFTER_UPKEEP_S)
        for u in diary.upkeep
        if u.asset == asset
    ]
    story = diary.stories[asset]
    for before, phase in pairwise(story):
        if before.mode == OFF and phase.mode == RUN:
            rows.append(("start-up", phase.begin, phase.begin + AFTER_START_S))
        elif before.mode == CHANGEOVER:
            rows.append(("changeover", phase.begin, phase.begin + AFTER_CHANGE_S))
    ends = [*(phase.begin for phase in story[1:]), diary.end]
    rows += [("off", p.begin, end) for p, end in zip(story, ends, strict=True) if p.mode == OFF]
    return rows


def _found(campaign: Campaign, wear: Wear, told: Sequence[tuple[int, Alarm]]) -> Found:
    """Look for the first alarm that names a signal of the fault, from its onset to the failure."""
    guilty = set(wear.culprits)
    at, first = None, False
    before: dict[int, object] = {}
    for second, alarm in campaign.changes:
        if alarm.asset != wear.asset:
            continue
        known, reason = before.get(alarm.id), alarm.reason.contributions
        before[alarm.id] = reason
        when = second_of(alarm.raised) if known is None else second
        named = [part.signal for part in reason[:NAMED]]
        told_now = alarm.stands and alarm.state in ANNUNCIATED and known != reason
        if told_now and wear.onset <= when < wear.failure and guilty & set(named):
            at, first = when, named[0] in guilty
            break
    beside = sum(
        wear.onset <= when < wear.failure
        and alarm.asset == wear.asset
        and not guilty & {c.signal for c in alarm.reason.contributions[:NAMED]}
        for when, alarm in told
    )
    return Found(wear, at, first, beside)


def _blamed(campaign: Campaign, fault: SensorFault, told: Sequence[tuple[int, Alarm]]) -> Blamed:
    machine = sum(
        alarm.asset == fault.asset and fault.begin <= at < fault.end + AFTER_SENSOR_S
        for at, alarm in told
    )
    for at, body in campaign.doubts:
        if _is_of(fault, body["signal"], at):
            return Blamed(fault, machine, str(body["kind"]), at - fault.begin)
    return Blamed(fault, machine, "", None)


def _judged(campaign: Campaign, asset: str) -> float:
    minutes = campaign.minutes[asset]
    return float(minutes.judged[campaign.diary.taught // 60 :].sum())


def _shares(campaign: Campaign, asset: str) -> dict[str, float]:
    minutes, since = campaign.minutes[asset], campaign.diary.taught // 60
    judged, seen = minutes.judged[since:], minutes.seen[since:]
    learning = minutes.learning[since:]
    whole = max(campaign.diary.end - campaign.diary.taught, 1)
    idle = seen - judged
    return {
        "judged": float(judged.sum()) / whole,
        "settling": float(idle[~learning].sum()) / whole,
        "learning": float(idle[learning].sum()) / whole,
        "not read": 1 - float(seen.sum()) / whole,
    }


def standing_s(campaign: Campaign) -> list[int]:
    """Give for how long each incident stood, s; until the end if it still does."""
    end = campaign.diary.end
    last = campaign.course.last.values()
    return [(second_of(a.ended) if a.ended else end) - second_of(a.raised) for a in last]


def _short(signal: str) -> str:
    return signal.rpartition("/")[2]
