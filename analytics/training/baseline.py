"""A plain detector of scikit-learn beside ours: what anybody would try first.

An isolation forest (Liu, Ting, Zhou 2008) on standardised signals. An alarm is raised when a few
rows one after the other are stranger than all but a thousandth of what was learnt, and ends when as
many are not. It knows no modes, no neighbours in time and no reasons; it is here so that a data
scientist sees at a glance what the watch is worth on these hours.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from analytics.training.rows import Rows

Columns = NDArray[np.float64]

TREES, ROWS = 100, 20_000
"""Trees, and rows at most from which they are grown, evenly over the time."""
HIGH = 0.999
"""Quantile of its own scores of what was learnt beyond which a row is strange."""
LASTS = 5
"""Rows one after the other that make an alarm, and end it."""


class Plain:
    """StandardScaler and IsolationForest over the signals of one asset.

    Parameters
    ----------
    rows
        Healthy rows; what a row lacks counts as the mean.
    """

    name = "scikit-learn: isolation forest"

    def __init__(self, rows: Rows) -> None:
        known = np.isfinite(rows.value).any(axis=1)
        values = rows.value[known]
        self._present = np.isfinite(values).any(axis=0)
        step = max(1, len(values) // ROWS)
        taken = values[::step, self._present]
        self._middle = np.nanmean(taken, axis=0)
        self._scaler = StandardScaler().fit(self._filled(taken))
        self._forest = IsolationForest(n_estimators=TREES, random_state=0)
        self._forest.fit(self._scaler.transform(self._filled(taken)))
        self._limit = float(np.quantile(self._score(taken), HIGH))

    def alarms(self, rows: Rows) -> list[int]:
        """Give the source time, ns, of every alarm in rows."""
        known = np.isfinite(rows.value).any(axis=1)
        if not known.any():
            return []
        at = rows.at[known]
        strange = self._score(rows.value[known][:, self._present]) > self._limit
        told, run, stands = [], 0, False
        for time, odd in zip(at.tolist(), strange.tolist(), strict=True):
            run = run + 1 if odd != stands else 0
            if run >= LASTS:
                stands, run = not stands, 0
                if stands:
                    told.append(time)
        return told

    def _filled(self, values: Columns) -> Columns:
        return np.where(np.isfinite(values), values, self._middle)

    def _score(self, values: Columns) -> Columns:
        return -np.asarray(
            self._forest.score_samples(self._scaler.transform(self._filled(values))), np.float64
        )
