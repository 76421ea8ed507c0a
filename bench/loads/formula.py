"""What the load sources send: every value, fault and bad status follows from tag and tick.

Both sides know the formula, so the bench can tell of each journalled sample what was sent and what
should have been found, and no list of samples has to travel beside the load.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

WAVE_TICKS = 200
"""Ticks of one period of the sine that every tag follows."""
NOISE_TICKS = 251
"""Ticks after which the noise repeats; prime, so it never locks to the sine."""
FAULT_EVERY = 600
FAULT_TICKS = 5
FAULT_SIZE = 12.0
"""Height of a fault, in amplitudes of the tag."""
BAD_EVERY = 5_000
COUNTS = 100.0
"""Integers carry hundredths of the unit."""

MODBUS_UNITS = 50
MODBUS_REGISTERS = 100
MODBUS_HEADER = 3
"""Registers 0 and 1 carry the tick, low word first; register 2 counts the answers of the unit."""


@dataclass(frozen=True)
class OpcUaSignals:
    """Values of the OPC UA load.

    Parameters
    ----------
    tags
        Number of tags, T00000 onwards.
    period_ns
        Time between two samples of a tag; source times are whole multiples of it.
    mixed
        Four data types rather than Double alone.
    """

    tags: int
    period_ns: int
    mixed: bool = True

    @cached_property
    def _shape(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        random = np.random.default_rng(7)
        base = random.uniform(20.0, 80.0, self.tags)
        amplitude = random.uniform(1.0, 5.0, self.tags)
        return base, amplitude, random.normal(0.0, 0.05, (NOISE_TICKS, self.tags))

    def tick(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Recover the tick (n,) from the source time (n,), ns."""
        return at // self.period_ns

    def encoding(self, tag: NDArray[np.int64]) -> NDArray[np.intp]:
        """Give each tag (n,) its place in `ENCODINGS`: seven tenths Double, a tenth each other.

        The types stand side by side: a load that had to change the row width every few rows would
        be busier than what it loads.
        """
        return np.maximum(10 * tag // self.tags - 6, 0) * self.mixed

    def faulty(self, tag: NDArray[np.int64], tick: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which samples (n,) carry an injected fault."""
        return (tick + 37 * tag) % FAULT_EVERY < FAULT_TICKS

    def bad(self, tag: NDArray[np.int64], tick: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which samples (n,) go out as Bad and without a value."""
        bad: NDArray[np.bool_] = (tick + 53 * tag) % BAD_EVERY == 0
        return bad

    def values(self, tag: NDArray[np.int64], tick: NDArray[np.int64]) -> NDArray[np.float64]:
        """Compute the values (n,) exactly as their encoding carries them."""
        base, amplitude, noise = self._shape
        wave = np.sin(2 * np.pi * (tick % WAVE_TICKS) / WAVE_TICKS + tag)
        wave = wave + noise[tick % NOISE_TICKS, tag] + FAULT_SIZE * self.faulty(tag, tick)
        smooth = base[tag] + amplitude[tag] * wave
        encoding = self.encoding(tag)
        single = smooth.astype(np.float32).astype(np.float64)
        return np.select([encoding == 0, encoding == 1], [smooth, single], np.rint(COUNTS * smooth))


@dataclass(frozen=True, slots=True)
class Encoding:
    """A data type of the OPC UA load: its name, built-in type number and numpy type."""

    name: str
    builtin: int
    dtype: str


ENCODINGS = (
    Encoding("float64", 11, "<f8"),
    Encoding("float32", 10, "<f4"),
    Encoding("int32", 6, "<i4"),
    Encoding("uint16", 5, "<u2"),
)


def modbus_values(
    unit: NDArray[np.int64], register: NDArray[np.int64], tick: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute the registers (n,) above `MODBUS_HEADER`; modbus_load.c has the same in C."""
    phase = (tick + 7 * unit + 13 * register) % 40
    fault = 3000 * modbus_faulty(unit, register, tick)
    level = 1000 + (17 * unit + 29 * register) % 500
    values: NDArray[np.float64] = (level + np.minimum(phase, 40 - phase) + fault).astype(np.float64)
    return values


def modbus_faulty(
    unit: NDArray[np.int64], register: NDArray[np.int64], tick: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which registers (n,) carry an injected fault."""
    return (tick + 37 * (MODBUS_REGISTERS * unit + register)) % FAULT_EVERY < FAULT_TICKS
