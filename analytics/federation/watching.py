"""A consolidated model in a gateway: its relations, in a `Watch` that learns the rest by itself.

What the signals do together was learnt by the class and merged; how restless this machine is
beside that, where its levels lie and how it enters a mode, moments do not tell. A watch that begins
from such a model learns these in its first hours, beside the one in force, and judges nothing until
then.
"""

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np

from analytics.federation.consolidated import Consolidated
from analytics.federation.refusals import Refused
from analytics.modelfiles.file import Model
from analytics.modelfiles.header import Header
from analytics.modelfiles.refusals import Cause, ModelRefused
from analytics.relations import Relations
from analytics.settings import WatchSettings
from analytics.watch import Watch
from plant.assets import Asset

KIND = "consolidated"
NO_MODE = 0
"""Mode of the rows of an asset that has no mode tag."""


def of_asset(header: Header, asset: str, version: int, created: int) -> Header:
    """Give the header of a consolidated model for one asset of its class."""
    card = {**header.card, "class": header.name}
    return replace(
        header, name=asset, version=version, created=created, card=card, parent=None,
        reissue_of=None,
    )  # fmt: skip


def watch_from(model: Model, asset: Asset, units: Sequence[str], settings: WatchSettings) -> Watch:
    """Begin a watch of an asset from what its class has learnt together.

    Parameters
    ----------
    model
        A consolidated model that bears the asset's path.
    asset, units
        Whom it is to watch, and the unit of each of its signals.
    settings
        How the gateway watches it.

    Raises
    ------
    ModelRefused
        It is of another asset, of other signals, units or modes, or none that has its limits.
    """
    header = model.header
    if header.kind != KIND:
        raise ModelRefused(Cause.UNKNOWN_KIND, f'a "{header.kind:.40}" is of no class of machines')
    if header.name != asset.path:
        raise ModelRefused(Cause.OTHER_ASSET, f"is of {header.name}, not of {asset.path}")
    if not isinstance(header.card.get("class"), str):
        raise ModelRefused(Cause.MALFORMED, "does not say of which class it is")
    places = _places(header, asset, units)
    named = _hold_modes(header, asset)
    known = consolidated(model)
    if more := sorted(known.detectors.keys() - named):
        raise ModelRefused(
            Cause.OTHER_SETTINGS, f"has relations of mode {more[0]}, which its header does not name"
        )
    if not known.complete:
        raise ModelRefused(
            Cause.NOT_LEARNT, "has no limits: it is what the first round of a federation gave"
        )
    shared = known.relations()
    if not asset.mode:
        (only,) = shared.values()
        shared = {NO_MODE: only}
    ordered = {mode: _ordered(each, places) for mode, each in shared.items()}
    return Watch(asset.signals, units, settings, ordered)


def consolidated(model: Model) -> Consolidated:
    """Build what a file of this kind holds.

    Raises
    ------
    ModelRefused
        Its arrays are none of it.
    """
    arrays: dict[str, Any] = {name: array.copy() for name, array in model.arrays.items()}
    for name, array in arrays.items():
        finite = name == "limits" or array.dtype.kind != "f" or np.isfinite(array).all()
        if not finite or (array.dtype.kind == "f" and np.isnan(array).any()):
            raise ModelRefused(Cause.NOT_FINITE, f"{name}: holds what is no finite number")
    try:
        known = Consolidated.restore(arrays)
    except Refused as error:
        raise ModelRefused(Cause.MALFORMED, str(error)) from error
    if any(each.signals != model.header.signals for each in known.detectors.values()):
        raise ModelRefused(
            Cause.OTHER_SIGNALS, "its detectors are of other signals than its header says"
        )
    return known


def _places(header: Header, asset: Asset, units: Sequence[str]) -> list[int]:
    """Tell which column of the model each signal of the asset is."""
    own = [name.rpartition("/")[2] for name in asset.signals]
    missing = [name for name in header.signals if name not in own]
    more = [name for name in own if name not in header.signals]
    if missing or more or len(set(own)) != len(own):
        parts = [f"the class has {', '.join(missing)} besides"] if missing else []
        parts += [f"the class has no {', '.join(more)}"] if more else []
        said = "; ".join(parts) or "two signals have the same name"
        raise ModelRefused(Cause.OTHER_SIGNALS, f"was learnt from other signals: {said}")
    places = [header.signals.index(name) for name in own]
    for name, place, unit in zip(own, places, units, strict=True):
        if header.units[place] != unit:
            raise ModelRefused(
                Cause.OTHER_UNITS,
                f'{name}: was learnt in "{header.units[place]}", is read in "{unit}"',
            )
    return places


def _hold_modes(header: Header, asset: Asset) -> Set[int]:
    """Hold the numbers of modes to meaning the same here; give them."""
    told = header.settings.get("modes")
    modes = {
        pair[0]: pair[1]
        for pair in (told if isinstance(told, list) else [])
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], int)
    }
    if not asset.mode and len(modes) != 1:
        raise ModelRefused(
            Cause.OTHER_SETTINGS, "is of several modes, and this machine has no tag that tells one"
        )
    named = dict(asset.modes)
    for mode, name in modes.items():
        if asset.mode and mode in named and named[mode] != name:
            raise ModelRefused(
                Cause.OTHER_SETTINGS,
                f'mode {mode} is "{name}" in the class and "{named[mode]}" here',
            )
    return modes.keys()


def _ordered(known: Relations, places: Sequence[int]) -> Relations:
    """Put the signals in the asset's order."""
    at = list(places)
    return Relations(known.centre[at], known.unit[at], known.correlation[np.ix_(at, at)])
