"""Engineering values to what the sensor's encoding can hold, and to the raw numbers on the wire."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plant.tags import Tag, ValueType

_FLOATS = (None, ValueType.FLOAT32, ValueType.FLOAT64)
_RANGES = {
    ValueType.BOOL: (0.0, 1.0),
    ValueType.INT16: (-(2.0**15), 2.0**15 - 1),
    ValueType.UINT16: (0.0, 2.0**16 - 1),
    ValueType.INT32: (-(2.0**31), 2.0**31 - 1),
    ValueType.UINT32: (0.0, 2.0**32 - 1),
}
_UNBOUNDED = (-np.inf, np.inf)


class Encoding:
    """The wire's view of a set of columns.

    Parameters
    ----------
    tags
        The columns (p,).
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        self._scale = np.array([tag.scale for tag in tags])
        self._offset = np.array([tag.offset for tag in tags])
        self._whole = np.array([tag.type not in _FLOATS for tag in tags], bool)
        self._single = np.array([tag.type is ValueType.FLOAT32 for tag in tags], bool)
        ranges = [_RANGES.get(tag.type, _UNBOUNDED) if tag.type else _UNBOUNDED for tag in tags]
        limits = np.array(ranges).reshape(-1, 2)
        self._low, self._high = limits.T

    def raw(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the raw numbers (n, p) of engineering values (n, p); NaN stays NaN.

        Whole numbers are rounded and kept within their type, as a converter saturates.
        """
        raw = (values - self._offset) / self._scale
        raw[:, self._whole] = np.rint(raw[:, self._whole])
        raw[:, self._single] = raw[:, self._single].astype(np.float32)
        clipped: NDArray[np.float64] = np.clip(raw, self._low, self._high)
        return clipped

    def engineering(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give engineering values (n, p) as they come out of raw · scale + offset."""
        scaled: NDArray[np.float64] = self.raw(values) * self._scale + self._offset
        return scaled
