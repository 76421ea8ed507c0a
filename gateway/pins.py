"""Pins: the stretches of raw samples around incidents that are kept, and sent, as they came.

A pin is an event of kind ``pin`` with the body ``{"alarm", "asset", "start", "stop"}``; times are
source time in ns, samples with ``start <= at <= stop`` of the tags of the asset are meant. It is
told when an alarm is raised and again as its stop moves out; of one alarm the last said holds.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from gateway.journal.pins import PIN
from plant.alarms import HOUR_NS, Alarm
from plant.records import EventRecord

MINUTE_NS = 60 * 10**9
BEFORE_NS = 10 * MINUTE_NS
"""Kept before the signals left their normal."""
AFTER_NS = 10 * MINUTE_NS
"""Kept after the alarm was raised, and after the fault was gone."""
LONGEST_NS = HOUR_NS
"""Longest pin: an incident that stands for days keeps its beginning."""
PINS = 1000
"""Alarms whose pin is remembered, so that nothing is told twice; the journal keeps them all."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Raw samples of an asset that stay, ``start <= at <= stop``, ns, for the alarm of a number."""

    alarm: int
    asset: str
    start: int
    stop: int


def pin_of(alarm: Alarm) -> Pin:
    """Give what is to be kept of an incident, as far as it is known.

    Times that run backwards, as those of a clock that was set, give the shortest pin.
    """
    start = alarm.onset - BEFORE_NS
    known = alarm.raised if alarm.stands else alarm.ended or alarm.raised
    stop = max(alarm.onset, known) + AFTER_NS
    return Pin(alarm.id, alarm.asset, start, min(stop, start + LONGEST_NS))


class Pins:
    """Tells pins as alarms change."""

    def __init__(self) -> None:
        self._told: dict[int, Pin] = {}

    def follow(self, alarm: Alarm) -> list[EventRecord]:
        """Give the event that pins what an alarm, as it now is, shows worth keeping, if new."""
        pin, told = pin_of(alarm), self._told.get(alarm.id)
        if told is not None and pin.stop <= told.stop:
            return []
        self._told[alarm.id] = pin
        while len(self._told) > PINS:
            del self._told[next(iter(self._told))]
        return [EventRecord(PIN, alarm.changed, asdict(pin))]


def pin_from(event: EventRecord) -> Pin | None:
    """Read the body of a pin; None for what is none."""
    body: Mapping[str, object] = event.body
    match body:
        case {"alarm": int(alarm), "asset": str(asset), "start": int(start), "stop": int(stop)}:
            return Pin(alarm, asset, start, stop)
    return None
