"""Faults: what each does to which signals, strongest first, and when."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from connectors.simulated.signals import LINE

RAMP_S = (20.0, 45.0)
ONSET_S = (40, 71)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a fault at full strength does to one signal.

    The value is multiplied by ``1 + relative`` and `shift` is added, engineering unit; a shift
    that is `turning` needs a turning machine and goes with the square of its speed.
    """

    signal: str
    relative: float = 0.0
    shift: float = 0.0
    turning: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: the machines it can befall and its effects, strongest first."""

    machines: tuple[str, ...]
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault: the truth that a detector is held to.

    Parameters
    ----------
    kind
        Key of `KINDS`.
    asset
        Path of the machine.
    onset
        Source time at which it begins, ns.
    culprits
        Names of the tags that it truly changes, strongest first.
    ramp_s
        Time until full strength, s; it stays from then on.
    """

    kind: str
    asset: str
    onset: int
    culprits: tuple[str, ...]
    ramp_s: float = field(default=30.0)


_PUMPS = ("pump-1", "pump-2")
_PRESS = ("press-1",)

KINDS = {
    "bearing_wear": Kind(
        _PUMPS,
        (
            Effect("vibration", relative=2.1),
            Effect("bearing_temperature", shift=9.0, turning=False),
        ),
    ),
    "coupling_misalignment": Kind(
        _PUMPS, (Effect("vibration_nde", relative=1.9), Effect("vibration", relative=1.0))
    ),
    "cavitation": Kind(
        _PUMPS,
        (
            Effect("vibration_nde", relative=1.7),
            Effect("suction_pressure", shift=-0.42),
            Effect("flow", relative=-0.13),
        ),
    ),
    "discharge_blockage": Kind(
        _PUMPS,
        (
            Effect("flow", relative=-0.30),
            Effect("discharge_pressure", shift=0.75),
            Effect("power", relative=-0.13),
        ),
    ),
    "impeller_wear": Kind(
        _PUMPS,
        (
            Effect("discharge_pressure", shift=-0.90),
            Effect("flow", relative=-0.16),
        ),
    ),
    "seal_leak": Kind(_PUMPS, (Effect("seal_pressure", shift=-0.80, turning=False),)),
    "winding_overheating": Kind(
        _PUMPS,
        (
            Effect("winding_temperature", shift=20.0, turning=False),
            Effect("current", relative=0.12),
        ),
    ),
    "sensor_drift": Kind(_PUMPS, (Effect("bearing_temperature_nde", shift=14.0, turning=False),)),
    "hydraulic_leak": Kind(
        _PRESS,
        (
            Effect("oil_level", shift=-6.0, turning=False),
            Effect("system_pressure", shift=-18.0),
            Effect("oil_flow", relative=0.12),
        ),
    ),
    "die_misalignment": Kind(
        _PRESS,
        (Effect("force_left", relative=0.20), Effect("force_right", relative=-0.17)),
    ),
    "cooler_fouling": Kind(
        _PRESS,
        (
            Effect("cooler_outlet_temperature", shift=14.0, turning=False),
            Effect("oil_temperature", shift=10.0, turning=False),
        ),
    ),
    "hydraulic_pump_wear": Kind(
        _PRESS,
        (
            Effect("vibration", relative=2.0),
            Effect("oil_flow", relative=-0.16),
        ),
    ),
}
"""Every kind of fault by name."""


def draw_onset(seed: int, live_from: float) -> float:
    """Draw when something happens: 40 to 70 s after `live_from`, s after row 0."""
    return live_from + int(np.random.default_rng([seed, 11]).integers(*ONSET_S))


def draw_fault(seed: int, wish: str, onset: int) -> Fault | None:
    """Choose machine, kind and ramp from the seed.

    Parameters
    ----------
    seed
        Decides whatever `wish` leaves open.
    wish
        ``"none"``, ``"random"`` (machine first, then one of its kinds) or a key of `KINDS`.
    onset
        Source time of the onset, ns.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if wish == "none":
        return None
    if wish not in KINDS and wish != "random":
        raise ValueError(f"fault {wish!r} is unknown; choose random, none, {', '.join(KINDS)}")
    random = np.random.default_rng([seed, 12])
    machines = (_PUMPS + _PRESS) if wish == "random" else KINDS[wish].machines
    machine = str(random.choice(machines))
    kinds = [name for name, kind in KINDS.items() if machine in kind.machines]
    drawn = str(random.choice(kinds))
    name = drawn if wish == "random" else wish
    asset = f"{LINE}/{machine}"
    culprits = tuple(f"{asset}/{effect.signal}" for effect in KINDS[name].effects)
    return Fault(name, asset, onset, culprits, float(random.uniform(*RAMP_S)))


def apply(
    fault: Fault,
    names: tuple[str, ...],
    values: NDArray[np.float64],
    after_s: NDArray[np.float64],
    speed: NDArray[np.float64],
) -> None:
    """Change `values` (n, p) of the struck machine in place.

    Parameters
    ----------
    fault
        What happens.
    names
        The columns (p,), names within the machine.
    values
        Engineering values.
    after_s
        Time since the onset, s, (n,).
    speed
        Part of the rated speed, (n,).
    """
    change(KINDS[fault.kind].effects, names, values, np.clip(after_s / fault.ramp_s, 0, 1), speed)


def change(
    effects: tuple[Effect, ...],
    names: tuple[str, ...],
    values: NDArray[np.float64],
    strength: NDArray[np.float64],
    speed: NDArray[np.float64],
) -> None:
    """Do effects, each at its `strength` (n,), to `values` (n, p) in place; see `apply`."""
    for effect in effects:
        column = values[:, names.index(effect.signal)]
        column *= 1.0 + strength * effect.relative
        column += strength * effect.shift * (speed**2 if effect.turning else 1.0)
