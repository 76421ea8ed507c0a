"""A hydraulic press: strokes of about 10 s, one numbered part each.

Column forces are peak-hold values; ram, cylinder and motor swing with the stroke.
"""

import numpy as np

from connectors.simulated.machine import Machine, Rows, Surroundings
from connectors.simulated.schedule import RUN, Course
from connectors.simulated.signals import PRESS

HEAT_S = (800.0, 500.0)
"""Oil, die."""
CLOSED_FROM, CLOSED_TO = 0.3, 0.7
"""Part of the stroke in which the die is closed."""
THIN_BLANK = (("cylinder_pressure", -0.12), ("force_left", -0.08), ("force_right", -0.08))
"""What a blank that is too thin does to the signals while the die is closed on it."""


def losses(course: Course, around: Surroundings) -> Rows:
    """Give the rise over ambient that oil and die strive for, Cel (n, 2)."""
    work = course.speed * (1.0 + 0.01 * around.demand)
    return np.stack([12.0 + 14.0 * work, 40.0 * work], axis=1)


def closed(course: Course) -> Rows:
    """Tell where the die is closed on a part: 1 or 0 (n,)."""
    inside = (course.phase >= CLOSED_FROM) & (course.phase < CLOSED_TO)
    return np.asarray(inside & (course.mode == RUN), np.float64)


def blemished(course: Course, seed: int, every: int) -> Rows:
    """Tell where the die is closed on a part with a defect: 1 or 0 (n,).

    One part in `every` has one, drawn from its number and the seed; none for 0.
    """
    if not every:
        return np.zeros(len(course.part))
    # Weyl's sequence, mixed: whether a part is defective depends on nothing but its number.
    mixed = (course.part.astype(np.uint64) + np.uint64(1 + seed)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    drawn = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
    return closed(course) * (drawn < 1.0 / every)


def thin_blank(names: tuple[str, ...], signals: Rows, where: Rows) -> None:
    """Change `signals` (n, p) in place as a blank that is too thin does: less resistance.

    Parameters
    ----------
    names
        The columns (p,).
    signals
        Engineering values.
    where
        Rows in which the die is closed on such a blank, 1 or 0 (n,).
    """
    for name, relative in THIN_BLANK:
        signals[:, names.index(name)] *= 1.0 + relative * where


def measure(course: Course, around: Surroundings, heat: Rows) -> Rows:
    """Give the fourteen signals in the order of `signals.PRESS`, without noise (n, 14)."""
    speed = course.speed
    stroke = 0.5 - 0.5 * np.cos(2 * np.pi * course.phase)
    squeeze = stroke**4
    steel = 1.0 + 0.010 * around.load + 0.004 * around.demand
    effort = 1.0 + 0.012 * around.demand + 0.008 * around.load
    volts = 1.0 + 0.006 * around.supply
    power = 7.0 + 19.0 * speed * effort + 3.0 * squeeze
    oil, die = heat.T
    return np.stack(
        [
            412.0 - 380.0 * stroke,
            182.0 + 28.0 * speed + 1.2 * around.fluid - 3.0 * squeeze,
            14.0 + 26.0 * speed + 130.0 * squeeze * steel,
            12.0 + 20.0 * speed + 0.25 * around.fluid,
            5.0 + 415.0 * speed * steel,
            5.0 + 402.0 * speed * steel,
            24.0 + 60.0 * speed * effort + 4.0 * stroke,
            power,
            np.hypot(16.0 * volts, 1.75 * power / volts),
            0.4 + 1.5 * speed * (1.0 + 0.03 * around.fluid) + 0.15 * squeeze,
            around.ambient + oil,
            0.6 * around.ambient + 8.0 + 0.75 * oil,
            around.ambient + die,
            77.0 - 0.6 * stroke + 0.15 * around.fluid,
        ],
        axis=1,
    )


def press(name: str, lag_s: tuple[int, int]) -> Machine:
    """Give a press called `name` that follows the line `lag_s` seconds behind."""
    return Machine(name, PRESS, 0.3, 3, lag_s, HEAT_S, losses, measure)
