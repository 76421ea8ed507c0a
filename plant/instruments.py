"""Faults of measuring instruments, told apart from those of the machine (NAMUR NE 107)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import isfinite
from typing import Any

from plant.assets import Health
from plant.units import written


class InstrumentFault(StrEnum):
    """What is wrong with a signal, rather than with what it measures."""

    SPIKING = "spiking"
    """Single readings jump away and back."""
    DRIFTING = "drifting"
    """It creeps away from what the others expect, alone."""
    STUCK = "stuck"
    """It stands still to the last digit."""
    DROPPED_OUT = "dropped out"
    """It fell to zero or below its range at once, or has no Good value."""
    SATURATED = "saturated"
    """It stands above all it ever showed."""
    SWAPPED = "swapped"
    """It shows what is expected of another signal, and that one what is expected of it."""

    @property
    def health(self) -> Health:
        """State of the signal after NE 107."""
        return _HEALTH[self]

    @property
    def misleads(self) -> bool:
        """Whether the machine is judged without the signal."""
        return self not in (InstrumentFault.SPIKING, InstrumentFault.DRIFTING)


_HEALTH = {
    InstrumentFault.SPIKING: Health.MAINTENANCE_REQUIRED,
    InstrumentFault.DRIFTING: Health.MAINTENANCE_REQUIRED,
    InstrumentFault.STUCK: Health.FAILURE,
    InstrumentFault.DROPPED_OUT: Health.FAILURE,
    InstrumentFault.SATURATED: Health.OFF_SPEC,
    InstrumentFault.SWAPPED: Health.FAILURE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why a signal is not believed.

    Parameters
    ----------
    signal, unit
        Name of the tag and its UCUM code.
    kind
        What is wrong.
    since
        Source time from which on it is, ns.
    value, expected
        What it shows and what the others expect of it, engineering unit; None: nothing.
    measure
        Evidence. Stuck: seconds between two moves while healthy. Spiking: spikes in the last
        minutes. Drifting: how far, in its usual widths. 0 for the others.
    partner
        Name of the tag that it is swapped with; empty for all others.
    """

    signal: str
    unit: str
    kind: InstrumentFault
    since: int
    value: float | None
    expected: float | None
    measure: float = 0.0
    partner: str = ""


def doubt_body(doubt: Doubt) -> dict[str, Any]:
    """Write a doubt as plain data."""
    return asdict(doubt)


def doubt_from(body: Mapping[str, Any]) -> Doubt:
    """Read a doubt back from plain data, whatever stands beside it."""
    known = {name: body[name] for name in Doubt.__dataclass_fields__}
    return Doubt(**{**known, "kind": InstrumentFault(body["kind"])})


def diagnosis(doubt: Doubt, at: int) -> str:
    """Say what is wrong with a signal, to whoever goes and looks.

    Parameters
    ----------
    doubt
        What is wrong.
    at
        Present source time, ns.

    Examples
    --------
    >>> stuck = Doubt(signal="s/a/l/press-2/TT-101", unit="Cel", kind=InstrumentFault.STUCK,
    ...               since=0, value=71.3, expected=72.0, measure=2.0)
    >>> diagnosis(stuck, 240 * 10**9)
    'TT-101 of press-2 is stuck: 71.3 °C to the last digit for 4 min, usually it moves every 2 s. \
Check the sensor, not the machine.'
    """
    path, _, name = doubt.signal.rpartition("/")
    asset = path.rpartition("/")[2]
    of = f" of {asset}" if asset else ""
    return f"{name}{of} {_findings(doubt, at)}. {_orders(doubt)}"


def _findings(doubt: Doubt, at: int) -> str:
    shows, expected = _quantity(doubt.value, doubt.unit), _quantity(doubt.expected, doubt.unit)
    lasts = lasting((at - doubt.since) / 1e9)
    match doubt.kind:
        case InstrumentFault.STUCK:
            usual = lasting(doubt.measure)
            return (
                f"is stuck: {shows} to the last digit for {lasts}, usually it moves every {usual}"
            )
        case InstrumentFault.SATURATED:
            return f"is saturated: {shows} for {lasts}, expected {expected}; nothing else changed"
        case InstrumentFault.DROPPED_OUT if doubt.value is None:
            return f"has dropped out: no Good value for {lasts}, while other signals have theirs"
        case InstrumentFault.DROPPED_OUT:
            return (
                f"has dropped out: {shows} for {lasts}, expected {expected}; nothing else changed"
            )
        case InstrumentFault.SPIKING:
            return (
                "is spiking: single readings jump away and back, "
                f"{doubt.measure:.0f} lately; they are left out"
            )
        case InstrumentFault.DRIFTING:
            return (
                f"drifts alone: {shows}, expected {expected}, {doubt.measure:.0f} usual widths "
                "apart, and no other signal has moved"
            )
        case InstrumentFault.SWAPPED:
            other = doubt.partner.rpartition("/")[2]
            return f"and {other} are swapped: each shows what is expected of the other"


def _orders(doubt: Doubt) -> str:
    match doubt.kind:
        case InstrumentFault.SWAPPED:
            return "Check the wiring, not the machine."
        case InstrumentFault.DRIFTING:
            return "Check the sensor first; if it is right, look at the machine."
        case _:
            return "Check the sensor, not the machine."


def _quantity(value: float | None, unit: str) -> str:
    if value is None or not isfinite(value):
        return "nothing"
    return f"{value:.4g} {written(unit)}".rstrip()


def lasting(seconds: float) -> str:
    """Write a length of time for people.

    Examples
    --------
    >>> lasting(2), lasting(240), lasting(7300), lasting(200_000)
    ('2 s', '4 min', '2 h', '2 d')
    """
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"
