"""Every sink of a gateway: each with its thread, and what is to be told of them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from connectors.catalogue import (
    SinkConfig,
    files_of,
    is_thrifty,
    kinds_of,
    lengths_of,
    place_of,
    wants_pinned,
)
from connectors.contract import Sink
from gateway.config.plan import Plan
from gateway.console.view import SinkRow
from gateway.journal import (
    JSON,
    PINNED,
    EventRecord,
    Journal,
    SampleRecord,
    ScoreRecord,
    SummaryRecord,
    Takes,
)
from gateway.uplink.courier import LET_GO_S, Courier, Errand
from gateway.uplink.delivery import Delivery, DeliveryState
from gateway.uplink.pins import Pins
from gateway.uplink.quarantine import Quarantine
from plant.tags import TagHandle

LEAST_PER_S = 20_000.0
"""Points a second with which a backlog is sent at least, unless the configuration says less."""
TIMES_INGEST = 20.0
"""So many times what comes in, where that is more."""
SMOOTH_S = 60.0
GAINS_S = 10.0
"""Over so long it is looked at whether a backlog becomes shorter, s."""
HANGS_S = 30.0
"""A call that takes longer is told, s."""
OWN = ("sink:", "pins:")
"""How the names of a sink's cursors begin: of what goes in order, and of pinned samples."""
MS = 1e6

WORDS: dict[type, str] = {
    SummaryRecord: "summaries",
    ScoreRecord: "scores",
    EventRecord: "events",
    SampleRecord: "samples",
}

Notice = tuple[str, dict[str, JSON]]


@dataclass(slots=True)
class _Told:
    """What was last told of a sink."""

    state: DeliveryState = DeliveryState.CONNECTING
    why: str = ""
    late: bool = False


@dataclass(slots=True)
class _Behind:
    """How far a sink was behind when it was last looked at, and whether it gains on the journal."""

    at: float = 0.0
    positions: int = 0
    gains: bool = True

    def look(self, now: float, positions: int, *, up: bool) -> None:
        """Take note of the positions between it and the end of the journal."""
        if not up:
            self.at, self.gains = 0.0, True  # what it does is looked at once it does something
        elif now - self.at >= GAINS_S:
            self.gains = not self.at or positions < self.positions
            self.at, self.positions = now, positions


class Uplinks:
    """Runs the couriers of a gateway.

    Parameters
    ----------
    plan
        Names the sinks.
    journal
        What they are sent.
    handles
        Every tag of the gateway.
    make
        Builds the sink of a configuration.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        handles: Sequence[TagHandle],
        make: Callable[[SinkConfig], Sink],
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._ingest = 0.0
        self._looked: tuple[float, int] = (time.monotonic(), journal.samples)
        self._couriers = {
            config.name: Courier(
                Errand(
                    name=config.name,
                    make=partial(make, config),
                    kinds=kinds_of(config),
                    pinned=wants_pinned(config),
                    most_per_s=self._most_per_s,
                    calm_s=self._calm_s(config),
                    files=files_of(config),
                ),
                journal,
                Quarantine(plan.data, config.name),
                Pins(journal, handles),
            )
            for config in plan.sinks
        }
        self._told = {name: _Told() for name in self._couriers}
        self._behind = {name: _Behind() for name in self._couriers}

    def start(self) -> list[Notice]:
        """Begin; the places of sinks that are no longer configured are forgotten, and told."""
        told = [self._forget(sink) for sink in self._gone()]
        known = self._journal.cursors()
        for config in self._plan.sinks:
            takes = Takes.of(kinds_of(config), lengths_of(config))
            self._journal.enrol(OWN[0] + config.name, takes)
            pins = OWN[1] + config.name
            if wants_pinned(config):
                self._journal.enrol(pins, PINNED)
            elif pins in known:
                self._journal.forget(pins)
            self._couriers[config.name].start()
        return told

    def _gone(self) -> list[str]:
        """Name the sinks that have a place in the journal and none in the configuration."""
        known = [n.partition(":")[2] for n in self._journal.cursors() if n.startswith(OWN)]
        return [name for name in dict.fromkeys(known) if name not in self._couriers]

    def _forget(self, sink: str) -> Notice:
        left = self._journal.behind(OWN[0] + sink)
        for own in OWN:
            self._journal.forget(own + sink)
        why = (
            f"it is no longer configured; {left} records were not sent to it; if it returns, it is "
            "sent all that is kept here"
        )
        body: dict[str, JSON] = {"sink": sink, "state": "forgotten", "why": why, "unsent_s": 0.0}
        return "uplink", body

    async def stop(self) -> None:
        """End, within `LET_GO_S`; a sink that hangs is left behind with what it has."""
        for courier in self._couriers.values():
            courier.leave()
        until = time.monotonic() + LET_GO_S
        for courier in self._couriers.values():
            await asyncio.to_thread(courier.gone, max(0.0, until - time.monotonic()))

    def look(self) -> list[Notice]:
        """Take note of the present; give what is new, as the kind of an event and its body."""
        now, samples = time.monotonic(), self._journal.samples
        before, had = self._looked
        if now > before:
            part = min(1.0, (now - before) / SMOOTH_S)
            self._ingest += part * ((samples - had) / (now - before) - self._ingest)
            self._looked = now, samples
        for name, courier in self._couriers.items():
            up = courier.delivery.state is DeliveryState.UP
            left = self._journal.committed - courier.delivery.cursor
            self._behind[name].look(now, left, up=up)
        return self._news_of_all()

    def _news_of_all(self) -> list[Notice]:
        return [
            notice
            for name, courier in self._couriers.items()
            if (notice := self._news(name, courier)) is not None
        ]

    def _most_per_s(self) -> float:
        usual = max(LEAST_PER_S, TIMES_INGEST * self._ingest)
        return self._plan.history.points_per_s or usual

    def _calm_s(self, config: SinkConfig) -> float:
        """Give for how long rows are gathered, s: never so long that somebody is told they wait."""
        history = self._plan.history
        return min(history.gather_s, 15 * history.unsent_min) if is_thrifty(config) else 0.0

    def _news(self, name: str, courier: Courier) -> Notice | None:
        told, delivery = self._told[name], courier.delivery
        unsent_s = courier.unsent_s()
        late = unsent_s > 60 * self._plan.history.unsent_min
        state, why = _state(delivery), delivery.why
        if (state, why, late) == (told.state, told.why, told.late):
            return None
        first = told.state is DeliveryState.CONNECTING and state is DeliveryState.UP
        self._told[name] = _Told(state, why, late)
        if first and not late:
            return None  # as it should be
        body: dict[str, JSON] = {
            "sink": name,
            "state": "late" if late else str(state),
            "why": self._sentence(courier, late),
            "unsent_s": round(unsent_s, 1),
        }
        return "uplink", body

    def _sentence(self, courier: Courier, late: bool) -> str:
        delivery = courier.delivery
        why = delivery.why
        if delivery.calling_s() > HANGS_S:
            why = f"no answer for {span(delivery.calling_s())}"
        if late:
            waits = f"the oldest unsent record has waited for {span(courier.unsent_s())}"
            return f"{waits}: {why or self._unhindered(delivery)}"
        return why

    def _unhindered(self, delivery: Delivery) -> str:
        """Say how a backlog goes that nothing hinders."""
        if delivery.state is DeliveryState.CONNECTING:
            return "no answer yet since the start"
        if self._behind[delivery.name].gains:
            return "it is being sent now, oldest first"
        return "it takes less than comes in"

    def unsent_s(self) -> float:
        """Give for how long the oldest record that some sink lacks has waited, s."""
        return max((courier.unsent_s() for courier in self._couriers.values()), default=0.0)

    def troubles(self) -> dict[str, str]:
        """Give the sinks that a person has to see to, each with a sentence."""
        found = {}
        for name, courier in self._couriers.items():
            late = courier.unsent_s() > 60 * self._plan.history.unsent_min
            if late or _state(courier.delivery) is DeliveryState.MISCONFIGURED:
                found[name] = self._sentence(courier, late)
        return found

    def rows(self) -> list[SinkRow]:
        """List every sink, in the order of the configuration."""
        return [self._row(config, self._couriers[config.name]) for config in self._plan.sinks]

    def _row(self, config: SinkConfig, courier: Courier) -> SinkRow:
        delivery = courier.delivery
        unsent_s = courier.unsent_s()
        late = unsent_s > 60 * self._plan.history.unsent_min
        return {
            "name": config.name,
            "type": config.type,
            "where": place_of(config),
            "state": str(_state(delivery)),
            "why": self._sentence(courier, late),
            "late": late,
            "since": delivery.since / MS,
            "unsent_s": unsent_s,
            "gathers_s": courier.gathers_s,
            "backlog": delivery.backlog,
            "catching_up": delivery.catching_up,
            "drained_per_s": delivery.drained,
            "sent": delivery.sent,
            "sent_bytes": delivery.sent_bytes,
            "keeps": [WORDS[kind] for kind in kinds_of(config)],
            "pinned": wants_pinned(config),
            "last": delivery.last / MS if delivery.last else None,
            "refused": courier.quarantine.count,
            "quarantine": str(courier.quarantine.path),
            "damaged": delivery.damaged,
        }


def _state(delivery: Delivery) -> DeliveryState:
    """Give the state; one that hangs in a call is down, whatever it was before."""
    hangs = delivery.calling_s() > HANGS_S
    return DeliveryState.DOWN if hangs else delivery.state


def span(seconds: float) -> str:
    """Write a duration in one unit.

    Examples
    --------
    >>> span(44.4), span(900), span(7300), span(260_000)
    ('44 s', '15 min', '2 h', '3 d')
    """
    for length, unit in ((172_800, "d"), (7_200, "h"), (120, "min")):
        if seconds >= length:
            whole = {"d": 86_400, "h": 3_600, "min": 60}[unit]
            return f"{seconds / whole:.0f} {unit}"
    return f"{seconds:.0f} s"
