"""How one setpoint stands, for people: what binds it, what was done last, what can be undone."""

from collections.abc import Mapping
from typing import Any

from gateway.guard.checks import PROVEN_SHARE, Moment
from gateway.guard.policy import Limits, lowest
from gateway.guard.returns import OWN
from gateway.guard.store import Record
from plant.setpoints import Mode


def no_way_back(limits: Limits, record: Record, now: Moment) -> str:
    """Say why the last write cannot be taken back; empty when it can."""
    last = record.writes[-1] if record.writes else None
    if record.locked:
        return record.locked
    if last is None or last.model == OWN.name or record.baseline == record.known:
        return "nothing of the guard is in force"
    if now.since(last.at) > limits.revert_s:
        return f"the last write is more than {limits.revert_s:g} s old"
    return ""


def standing(
    limits: Limits, record: Record, said: Mapping[str, Mode], stopped: bool, now: Moment
) -> dict[str, Any]:
    """Give how a setpoint stands.

    Parameters
    ----------
    said
        How far whoever has a say lets it go: ``configuration`` and ``limits``.
    stopped
        Whether the kill switch is pulled.

    Returns
    -------
    What `Limits` says in figures, and: ``modes``, how far each lets it go; ``mode``, the least of
    them; ``last``, its last write, at ns; ``back``, the value a revert leads to and for how long
    yet, s.
    """
    modes = {**said, "setpoint": limits.mode}
    if stopped:
        modes["stop"] = Mode.ADVISORY
    past = record.past(now)
    days, share = past.proven
    if not limits.block:
        modes["no block"] = Mode.APPROVE
    elif days < limits.proven_days or share < PROVEN_SHARE:
        modes["not proven"] = Mode.APPROVE
    last = record.writes[-1] if record.writes else None
    open_ = last is not None and not no_way_back(limits, record, now)
    return {
        **{name: getattr(limits, name) for name in FIGURES},
        "fallback": str(limits.fallback),
        "mode": str(lowest(*modes.values())),
        "modes": {name: str(mode) for name, mode in modes.items()},
        "value": record.known,
        "baseline": record.baseline,
        "locked": past.locked,
        "returning": None if record.returning is None else record.returning[0],
        "last": None
        if last is None
        else {"at": last.at.wall, "before": last.before, "value": last.value, "model": last.model},
        "back": {"to": last.before, "left_s": limits.revert_s - now.since(last.at)}
        if last is not None and open_
        else None,
    }


FIGURES = (
    "tag", "unit", "low", "high", "band", "max_step", "slope_per_min", "interval_s", "persons",
    "hold_s", "revert_s", "operator_min",
)  # fmt: skip
