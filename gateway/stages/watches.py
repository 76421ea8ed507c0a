"""What the plan says in plant words, as the settings of a watch."""

from collections.abc import Sequence

from analytics.watch import Watch, WatchSettings
from gateway.config.plan import DetectionPlan
from plant.tags import Tag

MODE_SHARE = 0.1
"""Share of the learning time that a mode needs on its own before it is judged."""
LEAST_ROWS = 50


def build_watch(signals: Sequence[Tag], plan: DetectionPlan) -> Watch:
    """Build the watch of one asset over its signals, in their order."""
    learn_rows = max(LEAST_ROWS, round(plan.learn_s / plan.grid_s))
    settings = WatchSettings(
        learn_rows=learn_rows,
        mode_rows=max(LEAST_ROWS, min(300, round(learn_rows * MODE_SHARE))),
    )
    return Watch([tag.name for tag in signals], [tag.unit for tag in signals], settings)
