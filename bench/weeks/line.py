"""The simulated line with a diary: what its machines and sensors show, second by second."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.weeks.diary import (
    DRIFTS_TO,
    MACHINES,
    SPIKE,
    SPIKES,
    UPKEEP,
    WEAR,
    Diary,
    SensorFault,
)
from bench.weeks.timetable import DAY, PRODUCTS, Shifts
from connectors.simulated.faults import change
from connectors.simulated.line import SimulatedLine
from connectors.simulated.machine import Rows, Surroundings
from connectors.simulated.schedule import RUN
from connectors.simulated.signals import MODES
from plant.tags import Role, Tag

RECIPE = 10
"""Where the mode tag tells the recipe, a run of product k has this number of its own: 1 + 10 k."""
MODES_OF_WEEKS = (*MODES, (3, "off"), (RUN + RECIPE, "run, B"), (RUN + 2 * RECIPE, "run, C"))
SUPPRESSED = frozenset({2, 3})
"""Changeover and off, as `docs/alarms.md` advises."""
MEAN_AIR, DAY_SWING, WARMEST_S = 20.0, 4.0, 15 * 3600
"""Air of the hall, Cel: its mean, how far a day swings about it, and when a day is warmest."""
WEATHER_DAYS, WEATHER = (2.3, 3.7, 5.9, 9.1), 1.3
"""Periods of the weather, days, and amplitude of each, Cel."""


class DiarisedLine(SimulatedLine):
    """The line as it is told by a diary; sensors tell the truth here.

    Parameters
    ----------
    diary
        What happens.
    start
        Source time of row 0, ns since 1970 UTC.
    recipes
        Whether the mode tags tell which product is made.
    """

    def __init__(self, diary: Diary, *, start: int, recipes: bool = False) -> None:
        super().__init__(diary.seed, fault="none", start=start)
        self._recipes = recipes
        self._diary = diary
        self._shifts = Shifts([diary.stories[path] for path in self.asset_paths])
        self._timetable = self._shifts
        self._turns = np.random.default_rng([diary.seed, 31]).uniform(0, 2 * np.pi, 4)
        self._hours = {path: diary.hours(path) for path in self.asset_paths}
        told = "Operating mode: 0 idle, 1 run, 2 changeover, 3 off; run is reported once at speed"
        self.tags: tuple[Tag, ...] = tuple(
            replace(tag, high=RUN + 2 * RECIPE, description=told) if tag.role is Role.MODE else tag
            for tag in self.tags
        )
        self._modes = [at for at, tag in enumerate(self.tags) if tag.role is Role.MODE]

    def values(self, first: int, count: int) -> NDArray[np.float64]:
        """Give rows `first` to ``first + count``, engineering units, (count, p)."""
        rows = super().values(first, count)
        if self._recipes:
            second = np.arange(first, first + count, dtype=np.float64)
            for machine, column in enumerate(self._modes):
                mode, product = rows[:, column], self._shifts.product(machine, second)
                rows[:, column] = np.where(mode == RUN, mode + RECIPE * product, mode)
        return rows

    def _around(self, second: Rows, around: Surroundings) -> Surroundings:
        day = np.cos(2 * np.pi * (second - WARMEST_S) / DAY)
        periods = np.array(WEATHER_DAYS) * DAY
        weather = np.sin(2 * np.pi * second[:, None] / periods + self._turns).sum(axis=1)
        air = MEAN_AIR + DAY_SWING * day + WEATHER * weather
        asked = np.array([demand for _, demand in PRODUCTS])
        # the line makes one product: the first machine's set-up tells it
        demand = around.demand + asked[self._shifts.product(0, second)]
        return replace(around, ambient=air, demand=demand)

    def _strike(self, number: int, signals: Rows, second: Rows, speed: Rows) -> None:
        path = self.asset_paths[number]
        names = tuple(channel.name for channel in MACHINES[path.rpartition("/")[2]][0])
        for work in self._diary.upkeep:
            if work.asset == path and second[-1] >= work.end:
                since = (second >= work.end).astype(np.float64)
                change(UPKEEP[work.kind][1], names, signals, since, speed)
        for wear in self._diary.wear:
            if wear.asset != path or second[-1] < wear.onset or second[0] >= wear.failure:
                continue
            hours, kind = self._hours[path], WEAR[wear.kind]
            begun, failed = hours.ran(float(wear.onset)), hours.ran(float(wear.failure))
            life = np.clip((hours.ran(second) - begun) / (failed - begun), 0.0, 1.0)
            strength = np.where(second < wear.failure, kind.strength(life), 0.0)
            change(kind.effects, names, signals, strength, speed)


class Sensors:
    """What the sensors make of the line's rows; asked in their order.

    Parameters
    ----------
    diary
        What befalls them.
    tags
        The columns.
    """

    def __init__(self, diary: Diary, tags: tuple[Tag, ...]) -> None:
        self._faults = diary.sensors
        self._columns = {tag.name: column for column, tag in enumerate(tags)}
        self._ranges = [((tag.low or 0.0), (tag.high or 0.0)) for tag in tags]
        self._stuck: dict[SensorFault, float] = {}
        self._random = np.random.default_rng([diary.seed, 32])

    def tell(self, first: int, rows: NDArray[np.float64]) -> None:
        """Change rows (n, p) from row `first` on in place; NaN is a value without quality."""
        second = first + np.arange(len(rows))
        for fault in self._faults:
            hit = np.flatnonzero((second >= fault.begin) & (second < fault.end))
            if not len(hit):
                continue
            column = self._columns[f"{fault.asset}/{fault.signal}"]
            low, high = self._ranges[column]
            values = rows[hit, column]
            match fault.kind:
                case "stuck":
                    values[:] = self._stuck.setdefault(fault, float(values[0]))
                case "spikes":
                    values += self._spikes(len(hit)) * (high - low)
                case "no quality":
                    values[:] = np.nan
                case "reads its lower end":
                    values[:] = low
                case "drifts":
                    life = (second[hit] - fault.begin) / (fault.end - fault.begin)
                    values += DRIFTS_TO * (high - low) * life
            rows[hit, column] = values

    def _spikes(self, count: int) -> NDArray[np.float64]:
        come = self._random.random(count) < SPIKES
        heights = self._random.uniform(*SPIKE, count)
        signs = self._random.choice((-1.0, 1.0), count)
        return np.asarray(come * heights * signs, np.float64)
