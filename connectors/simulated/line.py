"""The line: two pumps and a press, a pure function of seed and row."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connectors.simulated.encoding import Encoding
from connectors.simulated.faults import Fault, apply, draw_fault, draw_onset
from connectors.simulated.machine import Machine, Rows, Surroundings
from connectors.simulated.press import blemished, closed, press, thin_blank
from connectors.simulated.pump import pump
from connectors.simulated.recursion import keep_for, relax
from connectors.simulated.schedule import CHANGEOVER, RUN, Course, Schedule, Timetable
from connectors.simulated.signals import LINE, PRESS
from plant.tags import Role

PERIOD = 1_000_000_000
BLOCK = 600
_KEPT = 3
_SHARED_S = (90.0, 25.0)
"""Memory of demand and supply, s."""
_OWN_S = (30.0, 12.0)
_NOISE_S = 6.0
_SLOW, _WHITE = 0.7, np.sqrt(1 - 0.7**2)
"""How a channel's noise is made of one with a memory and one without; variances sum to 1."""
_AMBIENT, _SWING, _SWING_S = 22.0, 0.8, 5.5 * 3600
_DUTY = 0.8


@dataclass(frozen=True, slots=True)
class _State:
    """What one block hands to the next: noise with a memory (k,) and heat of each machine."""

    noise: Rows
    heat: tuple[Rows, ...]


class SimulatedLine:
    """Three machines at one row a second; values do not depend on how they are asked for.

    Parameters
    ----------
    seed
        Decides everything, at least 0.
    fault
        ``"random"``, ``"none"`` or a kind of `faults.KINDS`. The same seed without a fault is the
        healthy twin: everything but the culprits is equal.
    start
        Source time of row 0, ns since 1970 UTC.
    onset_s
        When the fault begins, s after row 0; ``None`` draws it 40 to 70 s after `live_from`. All
        machines run from 15 s before to 75 s after.
    live_from
        When the interesting part begins, s after row 0.
    defect_every
        One part of the press in so many is made from a blank that is too thin; 0: none.
    stretch
        How many times as long as usual machines run and stand.

    Attributes
    ----------
    tags
        The columns.
    asset_paths
        The machines.
    fault
        What is injected, or ``None``.
    """

    def __init__(
        self,
        seed: int,
        *,
        fault: str = "random",
        start: int,
        onset_s: float | None = None,
        live_from: float = 0.0,
        defect_every: int = 0,
        stretch: int = 1,
    ) -> None:
        onset_s = draw_onset(seed, live_from) if onset_s is None else onset_s
        self.seed = seed
        self.start = start
        self.period = PERIOD
        self.fault: Fault | None = draw_fault(seed, fault, start + round(onset_s * PERIOD))
        self._onset_s = onset_s
        self._defect_every = defect_every
        self._machines = (
            pump("pump-1", (0, 2)),
            pump("pump-2", (3, 6)),
            press("press-1", (2, 8)),
        )
        self.asset_paths = tuple(f"{LINE}/{machine.name}" for machine in self._machines)
        self.tags = tuple(
            channel.tag(machine.name) for machine in self._machines for channel in machine.channels
        )
        lags = tuple(machine.lag_s for machine in self._machines)
        self._timetable: Timetable = Schedule(seed, int(onset_s), lags, stretch)
        self._encoding = Encoding(self.tags)
        channels = [channel for machine in self._machines for channel in machine.channels]
        self._per_unit = np.array([round(1 / channel.step) for channel in channels])
        self._keep = keep_for(np.array(self._memories()))
        self._states = [self._initial()]
        self._blocks: OrderedDict[int, Rows] = OrderedDict()

    def values(self, first: int, count: int) -> NDArray[np.float64]:
        """Give rows `first` to ``first + count``, engineering units, (count, p).

        They are what ``raw * scale + offset`` gives for the numbers on the wire.

        Raises
        ------
        ValueError
            If `first` is negative: the line begins at row 0.
        """
        if first < 0:
            raise ValueError(f"row {first} is before the line's first row, 0")
        out = np.empty((count, len(self.tags)))
        row = first
        while row < first + count:
            index, within = divmod(row, BLOCK)
            piece = self._block(index)[within : within + first + count - row]
            out[row - first : row - first + len(piece)] = piece
            row += len(piece)
        return out

    def defects(self, first: int, count: int) -> set[int]:
        """Give the parts that are made with a defect in rows `first` to ``first + count``."""
        found: set[int] = set()
        for number, machine in enumerate(self._machines):
            if machine.channels is PRESS:
                course = self._timetable.course(
                    number, first, count, jog=machine.jog, ramp_s=machine.ramp_s
                )
                struck = blemished(course, self.seed, self._defect_every) > 0
                found |= set(course.part[struck].tolist())
        return found

    def _memories(self) -> list[float]:
        own = [[*_OWN_S, *([_NOISE_S] * _signal_count(machine))] for machine in self._machines]
        return [*_SHARED_S, *(seconds for machine in own for seconds in machine)]

    def _initial(self) -> _State:
        noise = np.random.default_rng([self.seed, 13]).standard_normal(len(self._keep))
        rows = np.zeros(1)
        calm = Surroundings(rows, rows, rows, rows, rows)
        turning = Course(rows.astype(int), rows + 1, rows, rows.astype(int), rows)
        standing = Course(rows.astype(int), rows, rows, rows.astype(int), rows)
        return _State(
            noise,
            tuple(
                _DUTY * machine.losses(turning, calm)[0]
                + (1 - _DUTY) * machine.losses(standing, calm)[0]
                for machine in self._machines
            ),
        )

    def _block(self, index: int) -> Rows:
        if index not in self._blocks:
            for missing in range(min(index, len(self._states) - 1), index + 1):
                self._blocks[missing] = self._compute(missing)
                while len(self._blocks) > _KEPT:
                    self._blocks.popitem(last=False)
        return self._blocks[index]

    def _compute(self, index: int) -> Rows:
        state = self._states[index]
        random = np.random.default_rng([self.seed, 14, index])
        width = len(self._keep)
        drawn = random.standard_normal((BLOCK, 2 * width))
        noise = relax(drawn[:, :width] * np.sqrt(1.0 - self._keep**2), self._keep, state.noise)
        ripple = _SLOW * noise + _WHITE * drawn[:, width:]
        second = np.arange(index * BLOCK, (index + 1) * BLOCK, dtype=np.float64)
        turn = 2 * np.pi * (second / _SWING_S + (self.seed % 97) / 97)
        ambient = _AMBIENT + _SWING * np.sin(turn)

        columns: list[Rows] = []
        heats: list[Rows] = []
        at = len(_SHARED_S)
        for number, machine in enumerate(self._machines):
            around = Surroundings(ambient, noise[:, 0], noise[:, 1], noise[:, at], noise[:, at + 1])
            around = self._around(second, around)
            begin = at + len(_OWN_S)
            at = begin + _signal_count(machine)
            signals, extras, heat = self._machine(
                number, second, around, ripple[:, begin:at], state.heat[number]
            )
            columns += [signals, extras]
            heats.append(heat[-1])
        if index + 1 == len(self._states):
            self._states.append(_State(noise[-1].copy(), tuple(heats)))
        rows = np.concatenate(columns, axis=1)
        return self._encoding.engineering(np.rint(rows * self._per_unit) / self._per_unit)

    def _machine(
        self, number: int, second: Rows, around: Surroundings, ripple: Rows, warm: Rows
    ) -> tuple[Rows, Rows, Rows]:
        """Give signals, other columns and heat of one machine; `warm` is its heat before."""
        machine = self._machines[number]
        course = self._timetable.course(
            number, int(second[0]), len(second), jog=machine.jog, ramp_s=machine.ramp_s
        )
        keep = keep_for(np.array(machine.heat_s))
        heat = relax((1.0 - keep) * machine.losses(course, around), keep, warm)
        signals = machine.measure(course, around, heat)
        self._strike(number, signals, second, course.speed)
        if machine.channels is PRESS:
            names = tuple(channel.name for channel in machine.channels)
            thin_blank(names, signals, blemished(course, self.seed, self._defect_every))
        signals += ripple * _amplitude(machine, course.speed)
        return signals, _extras(machine, course), heat

    def _around(self, second: Rows, around: Surroundings) -> Surroundings:  # noqa: ARG002
        """Give what acts on a machine at each second (n,); a line with a story changes it."""
        return around

    def _strike(self, number: int, signals: Rows, second: Rows, speed: Rows) -> None:
        """Do to the signals of a machine (n, p) in place what its fault does."""
        if self.fault is None or self.fault.asset != self.asset_paths[number]:
            return
        names = tuple(channel.name for channel in self._machines[number].channels)
        apply(self.fault, names, signals, second - self._onset_s, speed)


def _signal_count(machine: Machine) -> int:
    return sum(channel.role is Role.SIGNAL for channel in machine.channels)


def _amplitude(machine: Machine, speed: Rows) -> Rows:
    own = [channel for channel in machine.channels if channel.role is Role.SIGNAL]
    noise = np.array([channel.noise for channel in own])
    rest = np.array([channel.rest for channel in own])
    return noise * (rest + (1.0 - rest) * speed[:, None])


def _extras(machine: Machine, course: Course) -> Rows:
    """Give the columns that are not signals, in the order of the channels."""
    known = {
        "mode": course.mode,
        "seal_flush": (course.mode == RUN) | (course.mode == CHANGEOVER),
        "part": course.part,
        "trigger": closed(course),
        "cycle_time": course.cycle_s,
    }
    names = [channel.name for channel in machine.channels if channel.role is not Role.SIGNAL]
    return np.stack([known[name] for name in names], axis=1).astype(np.float64)
