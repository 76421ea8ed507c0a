"""A centrifugal pump with its motor.

Affinity laws: flow goes with speed, head with its square, shaft power with its cube.
"""

import numpy as np

from connectors.simulated.machine import Machine, Rows, Surroundings
from connectors.simulated.schedule import Course
from connectors.simulated.signals import PUMP

RATED_SPEED = 1480.0
RATED_FLOW = 62.0
RATED_HEAD = 5.2
HEAT_S = (420.0, 480.0, 600.0, 900.0)
"""Drive-end bearing, other bearing, winding, oil."""
_RISE = (35.0, 28.0, 50.0, 24.0)


def _load(around: Surroundings) -> Rows:
    return 1.0 + 0.020 * around.demand + 0.012 * around.load


def losses(course: Course, around: Surroundings) -> Rows:
    """Give the rise over ambient that bearings, winding and oil strive for, Cel (n, 4)."""
    square = course.speed**2
    load = _load(around)
    heavy = square * load
    copper = square * load**2
    rises = zip(_RISE, (heavy, heavy, copper, heavy), strict=True)
    return np.stack([rise * part for rise, part in rises], axis=1)


def measure(course: Course, around: Surroundings, heat: Rows) -> Rows:
    """Give the fourteen signals in the order of `signals.PUMP`, without noise (n, 14)."""
    speed = course.speed
    load = _load(around)
    square = speed**2
    flow = RATED_FLOW * speed * load
    suction = 1.45 - 0.28 * square * load**2 + 0.03 * around.fluid
    head = RATED_HEAD * square * (1.4 - 0.4 * load)
    power = 0.4 * speed + 14.6 * speed**3 * (0.3 + 0.7 * load)
    volts = 1.0 + 0.006 * around.supply
    current = np.hypot(9.0 * speed * volts, 1.62 * power / volts)
    roughness = square * (1.0 + 1.2 * (load - 1.0) + 0.025 * around.fluid)
    bearing, bearing_nde, winding, oil = (around.ambient[:, None] + heat).T
    return np.stack(
        [
            RATED_SPEED * speed * (1.0 + 0.0015 * around.supply),
            flow,
            suction,
            suction + head,
            3.1 + 0.9 * square + 0.02 * around.fluid,
            power,
            current,
            62.0 * speed * (1.0 + 0.4 * (load - 1.0)),
            0.15 + 2.1 * roughness,
            0.12 + 1.5 * roughness,
            bearing,
            bearing_nde,
            winding,
            oil,
        ],
        axis=1,
    )


def pump(name: str, lag_s: tuple[int, int]) -> Machine:
    """Give a pump called `name` that follows the line `lag_s` seconds behind."""
    return Machine(name, PUMP, 0.45, 4, lag_s, HEAT_S, losses, measure)
