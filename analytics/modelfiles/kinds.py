"""The kinds of detectors that travel as model files."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.detectors.two_statistic import TwoStatistic
from analytics.federation.consolidated import Consolidated
from analytics.modelfiles import watches
from analytics.modelfiles.file import Model
from analytics.modelfiles.refusals import Cause, ModelRefused
from analytics.prognostics.defects import DefectModel
from analytics.prognostics.remaining_life import RemainingLife
from plant.errors import Rejected

Restore = Callable[[Mapping[str, NDArray[Any]]], Any]


def _forest(arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Build a forest; its library takes seconds to load, and who reads headers needs none of it."""
    from analytics.detectors.forest import HalfSpaceForest

    return HalfSpaceForest.restore(arrays)


KINDS: dict[str, Restore | None] = {
    watches.KIND: None,  # has forms of its own: `watch_of`
    "two-statistic": TwoStatistic.restore,
    "consolidated": Consolidated.restore,
    "forest": _forest,
    "remaining-life": RemainingLife.restore,
    "defects": DefectModel.restore,
}


def restored(model: Model) -> Any:
    """Build what a model of any kind holds.

    Raises
    ------
    ModelRefused
        Its kind is unknown, or its arrays are none of it.
    """
    if model.header.kind == watches.KIND:
        return watches.watch_of(model)
    restore = KINDS.get(model.header.kind)
    if restore is None:
        known = ", ".join(KINDS)
        raise ModelRefused(
            Cause.UNKNOWN_KIND, f'"{model.header.kind:.40}" is no kind of model; there are {known}'
        )
    for name, array in model.arrays.items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ModelRefused(Cause.NOT_FINITE, f"{name}: holds NaN")
    try:
        return restore({name: array.copy() for name, array in model.arrays.items()})
    except (Rejected, KeyError, ValueError, IndexError, TypeError) as error:
        raise ModelRefused(Cause.MALFORMED, f"cannot be put together: {error!r}") from error
