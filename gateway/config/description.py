"""A plan as plain data, for ``check --json`` and for golden cases."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from connectors.catalogue import SinkConfig, SourceConfig
from gateway.config.plan import (
    AlarmPlan,
    ConsolePlan,
    ModelsPlan,
    Plan,
    ProposerPlan,
    SetpointsPlan,
)


def described(plan: Plan) -> dict[str, Any]:
    """Give the plan as what JSON can hold; a source shows what differs from its defaults."""
    return {
        "name": plan.name,
        "data": str(plan.data),
        "console": console_described(plan.console),
        "journal": asdict(plan.journal),
        "detection": asdict(plan.detection),
        "alarms": alarms_described(plan.alarms),
        "cycles": {path: asdict(cycle) for path, cycle in plan.cycles.items()},
        "sources": [entry_described(source) for source in plan.sources],
        "history": asdict(plan.history),
        **({"models": models_described(plan.models)} if plan.models.keys else {}),
        **({"setpoints": setpoints_described(plan.setpoints)} if plan.setpoints.limits else {}),
        **({"proposers": [*map(proposer_described, plan.proposers)]} if plan.proposers else {}),
        "sinks": [entry_described(sink) for sink in plan.sinks],
        "tags": [asdict(tag) for tag in plan.tags],
        "assets": [asdict(asset) for asset in plan.assets],
        "simulated": plan.simulated,
        "notice": plan.notice,
    }


def console_described(console: ConsolePlan) -> dict[str, Any]:
    """Give where the console listens, and what else was set of it."""
    usual, told = asdict(ConsolePlan()), asdict(console)
    return {
        key: str(value) if isinstance(value, Path) else value
        for key, value in told.items()
        if key in ("host", "port") or value != usual[key]
    }


def models_described(models: ModelsPlan) -> dict[str, Any]:
    """Give where models come from."""
    told = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in asdict(models).items()
    }
    return {**told, "keys": [str(key) for key in models.keys]}


def setpoints_described(setpoints: SetpointsPlan) -> dict[str, Any]:
    """Give how far the guard may go."""
    return {
        "mode": str(setpoints.mode),
        "limits": str(setpoints.limits),
        "keys": [str(key) for key in setpoints.keys],
        **({"folder": str(setpoints.folder)} if setpoints.folder else {}),
        **({"group": setpoints.group} if setpoints.group else {}),
    }


def proposer_described(proposer: ProposerPlan) -> dict[str, Any]:
    """Give what may ask for a setpoint, and by what."""
    told = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in asdict(proposer).items()
    }
    return {"kind": proposer.kind, **told}


def alarms_described(alarms: AlarmPlan) -> dict[str, Any]:
    """Give how alarms are told."""
    suppressed = {path: sorted(modes) for path, modes in alarms.suppressed.items()}
    return {**asdict(alarms), "priorities": dict(alarms.priorities), "suppressed": suppressed}


def entry_described(entry: SourceConfig | SinkConfig) -> dict[str, Any]:
    """Give one source or sink: its type, and what was set."""
    return {"type": entry.type, **entry.model_dump(mode="json", exclude_defaults=True)}
