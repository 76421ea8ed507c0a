"""What a machine is to the line: its table of channels and two pure functions of its course."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connectors.simulated.schedule import Course
from connectors.simulated.signals import Channel

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What acts on a machine, row by row (n,).

    Parameters
    ----------
    ambient
        Air of the hall, Cel.
    demand, supply
        What the line asks for and what the grid gives: standard normal, shared by all machines.
    load, fluid
        The machine's own: standard normal.
    """

    ambient: Rows
    demand: Rows
    supply: Rows
    load: Rows
    fluid: Rows


@dataclass(frozen=True, slots=True)
class Machine:
    """One kind of machine.

    Parameters
    ----------
    name
        Last part of the asset's path.
    channels
        Its columns.
    jog, ramp_s
        Speed in changeover, part of the rated one, and time of a ramp, s.
    lag_s
        How far it may follow behind the line, s, smallest and largest.
    heat_s
        Time constants of its warm parts, s, (k,).
    losses
        Rise over ambient that each part strives for, Cel, (n, k).
    measure
        Columns without noise, in the order of the channels of role signal, (n, p).
    """

    name: str
    channels: tuple[Channel, ...]
    jog: float
    ramp_s: int
    lag_s: tuple[int, int]
    heat_s: tuple[float, ...]
    losses: Callable[[Course, Surroundings], Rows]
    measure: Callable[[Course, Surroundings, Rows], Rows]
