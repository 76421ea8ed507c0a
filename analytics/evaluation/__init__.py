"""Judging detectors, remaining lives and defect models: one protocol, metrics by their definitions.

Arrays in, figures out; no clock, no input or output. `detector` makes what the product uses by
default, so that any judge which knows the interface of `analytics.evaluation.protocol` can try it.
"""

from analytics.evaluation.yardsticks import default as detector

__all__ = ["detector"]
