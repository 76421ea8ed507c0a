"""The models of an asset ↔ arrays of a snapshot."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.modelfiles.watches import settings_body, settings_of
from analytics.watch import Watch
from gateway.models.figures import Figures
from gateway.models.watched import (
    OWN,
    Beside,
    Models,
    Rested,
    Role,
    Tenure,
    WatchedAsset,
    change_body,
    change_from,
)

State = dict[str, NDArray[Any]]


def state_of(state: WatchedAsset) -> dict[str, State]:
    """Give the parts of a snapshot that tell of an asset's models; none where none ever came."""
    models, key = state.models, state.key
    if models.blank:
        return {}
    held = {
        "tenure": _who(models.tenure, state.watch),
        "highest": models.highest,
        "blocked": {str(version): why for version, why in models.blocked.items()},
        "shown": models.shown,
        "history": [
            [change.at, change_body(state.asset.path, change)] for change in models.history
        ],
    }
    parts: dict[str, State] = {}
    if models.beside is not None:
        beside = models.beside
        held["beside"] = {"role": str(beside.role), **_who(beside.tenure, beside.watch)}
        parts[f"beside-{key}"] = beside.watch.state()
        parts[f"figures-{key}"] = beside.figures.state()
    if models.rested is not None:
        held["rested"] = _who(models.rested.tenure, models.rested.watch)
        parts[f"rested-{key}"] = models.rested.watch.state()
    parts[f"models-{key}"] = {"held": np.frombuffer(json.dumps(held).encode(), np.uint8)}
    return parts


def restore(state: WatchedAsset, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
    """Take up what `state_of` gave; the watch in force is restored by its settings, not here."""
    known, key = parts.get(f"models-{state.key}"), state.key
    if known is None:
        return
    own = state.watch
    held = json.loads(known["held"].tobytes())
    state.watch = _watch(own, held["tenure"])
    state.models = models = Models(
        tenure=_tenure(held["tenure"]),
        highest=held["highest"],
        blocked={int(version): why for version, why in held["blocked"].items()},
        shown=held["shown"],
        history=[change_from(at, body) for at, body in held["history"]],
    )
    if "beside" in held:
        told = held["beside"]
        watch = _watch(own, told)
        watch.restore(parts[f"beside-{key}"])
        figures = Figures.restore(parts[f"figures-{key}"])
        models.beside = Beside(Role(told["role"]), _tenure(told), watch, figures)
    if "rested" in held:
        watch = _watch(own, held["rested"])
        watch.restore(parts[f"rested-{key}"])
        models.rested = Rested(_tenure(held["rested"]), watch)


def _who(tenure: Tenure, watch: Watch) -> dict[str, Any]:
    return {**asdict(tenure), "settings": settings_body(watch.settings)}


def _tenure(told: Mapping[str, Any]) -> Tenure:
    return Tenure(
        *(told[name] for name in ("version", "sha256", "since", "actor", "why", "person"))
    )


def _watch(own: Watch, told: Mapping[str, Any]) -> Watch:
    """Build a watch by the settings of its model; what this gateway learnt goes by its own."""
    if told["version"] == OWN:
        return Watch(own.signals, own.units, own.settings)
    return Watch(own.signals, own.units, settings_of(told["settings"]))
