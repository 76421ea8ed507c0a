"""What the arrays of a model must be: their types, shapes and numbers, before anything is built."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.modelfiles.refusals import Cause, ModelRefused

ANY = -1
"""A dimension of any size."""
SIGNALS = -2
"""A dimension with one place a signal."""
_NUMBERED = re.compile(r"(?<=\.)\d{1,18}(?=\.)")


@dataclass(frozen=True, slots=True)
class Form:
    """What one array must be.

    Parameters
    ----------
    kind
        Kind of its type after numpy: ``f``, ``i``, ``b``.
    shape
        Sizes, `ANY` or `SIGNALS`.
    least
        Smallest number; None: no bound.
    above
        Whether a number must be more than `least`.
    open
        Whether NaN and infinities are allowed.
    """

    kind: str
    shape: tuple[int, ...]
    least: float | None = None
    above: bool = False
    open: bool = False

    def hold(self, name: str, array: NDArray[Any], signals: int) -> None:
        """Hold an array to it.

        Raises
        ------
        ModelRefused
            It is something else.
        """
        shape = tuple(signals if size == SIGNALS else size for size in self.shape)
        fits = len(shape) == array.ndim and all(
            wanted in (ANY, size) for wanted, size in zip(shape, array.shape, strict=True)
        )
        if array.dtype.kind != self.kind or not fits:
            wanted = "×".join("n" if size == ANY else str(size) for size in shape)
            raise ModelRefused(
                Cause.MALFORMED,
                f"{name}: {array.dtype} of shape {array.shape}, wanted {self.kind} of {wanted}",
            )
        if self.kind == "f" and not self.open and not np.isfinite(array).all():
            raise ModelRefused(Cause.NOT_FINITE, f"{name}: holds NaN or an infinite number")
        if self.least is None:
            return
        small = array <= self.least if self.above else array < self.least
        if small.any():
            word = "more than" if self.above else "at least"
            raise ModelRefused(Cause.IMPOSSIBLE, f"{name}: must be {word} {self.least:g}")


def hold_all(arrays: Mapping[str, NDArray[Any]], forms: Mapping[str, Form], signals: int) -> None:
    """Hold every array to its form; a number within a name stands for any other.

    Raises
    ------
    ModelRefused
        One is unknown or of another form.
    """
    for name, array in arrays.items():
        form = forms.get(_NUMBERED.sub("N", name))
        if form is None:
            raise ModelRefused(Cause.MALFORMED, f"{name}: is no array of such a model")
        form.hold(name, array, signals)
