"""What the demo shows: the simulated line, or a recording; and the gateway's plan beside it."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from connectors.contract import Source
from connectors.replay.recording import read_recording
from connectors.simulated.feed import Feed
from connectors.simulated.signals import MODES
from gateway.config.plan import ConsolePlan, CyclePlan, DetectionPlan, LabelSpan, Plan
from gateway.config.problems import nearest
from plant.assets import asset_of
from plant.errors import Misconfigured
from plant.tags import TagHandle

if TYPE_CHECKING:
    from connectors.catalogue import SourceConfig
    from connectors.simulated.line import SimulatedLine

SECOND = 1_000_000_000
LEARNT = 0.75
"""Part of the history that is learnt from; the rest is watched already."""
LEARNT_OF_RECORDING, LEARNT_AT_MOST = 1 / 3, 3600
"""Part of a recording that is learnt from, and the most rows."""
LEAD_S = 4
"""Time for the servers to open before the first row of a recording is due, s."""

Prelude = Callable[[Sequence[TagHandle]], Source]


class Scene(Protocol):
    """One thing to show.

    Attributes
    ----------
    feed
        What the gateway's process may know of it: never the fault.
    title, notice, labels, modes
        For people.
    learn_s
        Time to learn from, s.
    past_s
        History before the present, s.
    judges_parts
        Whether the parts that are made are judged.
    """

    feed: Feed
    title: str
    notice: str
    labels: tuple[LabelSpan, ...]
    modes: tuple[tuple[int, str], ...]
    learn_s: float
    past_s: float
    judges_parts: bool

    def arguments(self) -> tuple[str, ...]:
        """Give the arguments of ``wheeltapper simulate`` that serve it."""
        ...

    def prelude(self) -> tuple[Prelude, ...]:
        """Give the history that comes before the live sources."""
        ...

    def as_meant(self, alarm: dict[str, Any] | None, truth: dict[str, Any] | None) -> bool:
        """Tell whether the first alarm, if any, is what the simulator has injected."""
        ...


def simulated_line(
    seed: int, fault: str, start: int, live_from: float, defect_every: int = 0
) -> "SimulatedLine":
    """Build the line; the gateway's process only ever runs the twin without a fault.

    Raises
    ------
    Misconfigured
        There is no such fault.
    """
    from connectors.simulated.faults import KINDS
    from connectors.simulated.line import SimulatedLine

    kinds = ("random", "none", *KINDS)
    if fault not in kinds:
        known = ", ".join(kinds)
        raise Misconfigured(f'--fault: "{fault}" is not one of {known}{nearest(fault, kinds)}')
    return SimulatedLine(
        seed, fault=fault, start=start, live_from=live_from, defect_every=defect_every
    )


class SimulatedScene:
    """The simulated line, with hours of health before one machine falls ill.

    Parameters
    ----------
    seed
        Chooses machine, fault and onset.
    fault
        A kind, ``random`` or ``none``.
    hours
        History, h.
    defect_every
        One part of the press in so many is made with a defect, from now on; 0: none.
    """

    title = "simulated line"
    notice = "The line is made up by this program; no machine stands behind it."
    labels: tuple[LabelSpan, ...] = ()
    modes: tuple[tuple[int, str], ...] = MODES

    def __init__(self, seed: int, fault: str, hours: float, defect_every: int = 0) -> None:
        self._seed, self._fault, self._defect_every = seed, fault, defect_every
        # read once a second a stroke shows three to five samples, too few to cry wolf unasked
        self.judges_parts = defect_every > 0
        self.past_s: float = round(hours * 3600)
        self._start = (time.time_ns() // SECOND - round(self.past_s)) * SECOND
        # Refuses a kind that does not exist before anything starts.
        simulated_line(seed, fault, self._start, self.past_s)
        self._line = simulated_line(seed, "none", self._start, self.past_s)
        self.feed: Feed = self._line
        self.learn_s = LEARNT * self.past_s

    def arguments(self) -> tuple[str, ...]:
        """Give the arguments of ``wheeltapper simulate`` that serve it."""
        return (
            f"--seed={self._seed}",
            f"--fault={self._fault}",
            f"--start={self._start}",
            f"--live-from={self.past_s}",
            f"--defect-every={self._defect_every}",
        )

    def prelude(self) -> tuple[Prelude, ...]:
        """Give the hours until now, source by source.

        Each ends at the moment it is asked for, so that hardly a row is missing before the live
        ones.
        """
        from connectors.simulated.signals import MODBUS, OPCUA

        return self._until_now(OPCUA), self._until_now(MODBUS)

    def _until_now(self, name: str) -> Prelude:
        from connectors.simulated.source import SimulatedSource

        def source(handles: Sequence[TagHandle]) -> Source:
            now = (time.time_ns() - self._start) // self._line.period
            return SimulatedSource(self._line, handles, name=name, rows=range(now))

        return source

    def as_meant(self, alarm: dict[str, Any] | None, truth: dict[str, Any] | None) -> bool:
        """Tell whether the sick machine, and no other, raised the first alarm; or nothing did."""
        if alarm is None or truth is None:
            return alarm is None and truth is None
        # An alarm before the fault is a false one, whichever machine it names.
        return bool(alarm["asset"] == truth["asset"] and alarm["raised"] >= truth["onset"])


class RecordedScene:
    """A recording, served row by row.

    Parameters
    ----------
    file
        The CSV file.
    labels
        Columns of it that are not signals.
    """

    notice = "The values come from a recording; no machine stands behind them."
    past_s = 0.0
    judges_parts = True
    modes: tuple[tuple[int, str], ...] = ()

    def __init__(self, file: Path, labels: tuple[str, ...]) -> None:
        self._file, self._labels = file, labels
        start = (time.time_ns() // SECOND + LEAD_S) * SECOND
        recording = read_recording(file, labels)
        self._recorded = recording.as_feed(start)
        self.feed: Feed = self._recorded
        self.title = f"recording {file.name}"
        self.labels = tuple(
            LabelSpan(recording.asset, name, start + first * SECOND, start + last * SECOND)
            for name, first, last in recording.spans()
        )
        self.learn_s = learning_time(float(len(recording)), 1.0)

    def arguments(self) -> tuple[str, ...]:
        """Give the arguments of ``wheeltapper simulate`` that serve it."""
        return (
            f"--recording={self._file}",
            f"--labels={','.join(self._labels)}",
            f"--start={self._recorded.start}",
        )

    def prelude(self) -> tuple[Prelude, ...]:
        """Give nothing: a recording has no history but itself."""
        return ()

    def as_meant(self, alarm: dict[str, Any] | None, truth: dict[str, Any] | None) -> bool:
        """Tell whether there was an alarm: nobody knows whether it is right."""
        return alarm is not None and truth is None


def learning_time(span_s: float, grid_s: float) -> float:
    """Give the time to learn from in a recording of `span_s` with a row every `grid_s`, s."""
    return min(LEARNT_AT_MOST * grid_s, span_s * LEARNT_OF_RECORDING)


def live_sources(ports: dict[str, int | None]) -> "tuple[SourceConfig, ...]":
    """Give the sources that read the simulator's servers at `ports`."""
    from connectors.modbus.config import ModbusConfig
    from connectors.opcua.config import OpcUaConfig
    from connectors.simulated.signals import MODBUS, OPCUA

    sources: list[Any] = []
    if ports["opcua"] is not None:
        url = f"opc.tcp://127.0.0.1:{ports['opcua']}"
        sources.append(OpcUaConfig(name=OPCUA, url=url, security="none"))
    if ports["modbus"] is not None:
        sources.append(ModbusConfig(name=MODBUS, host="127.0.0.1", port=ports["modbus"]))
    return tuple(sources)


def plan_of(scene: Scene, ports: dict[str, int | None], *, data: Path, port: int) -> Plan:
    """Plan the gateway that reads every tag of a scene and watches every machine."""
    from connectors.catalogue import embedded

    tags = scene.feed.tags
    paths = dict.fromkeys(tag.asset for tag in tags)
    return Plan(
        name="demo",
        data=data,
        console=ConsolePlan(port=port),
        sources=live_sources(ports),
        tags=tags,
        assets=tuple(asset_of(path, tags, scene.modes) for path in paths),
        detection=DetectionPlan(learn_s=scene.learn_s),
        sinks=embedded(()),
        cycles={} if scene.judges_parts else dict.fromkeys(paths, CyclePlan(by="none")),
        simulated=True,
        notice=scene.notice,
        labels=scene.labels,
    )
