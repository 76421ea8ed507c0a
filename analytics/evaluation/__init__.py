"""Judging detectors, remaining lives and defect models: one protocol, metrics by their definitions.

Arrays in, figures out; no clock, no input or output. `detector`, `remaining_life` and `defect` make
what the product uses by default, so that any judge which knows the interfaces of
`analytics.evaluation.protocol` and `analytics.evaluation.prognoses` can try them.
"""

from analytics.evaluation.yardsticks import default as detector
from analytics.prognostics.factories import defect, remaining_life

__all__ = ["defect", "detector", "remaining_life"]
