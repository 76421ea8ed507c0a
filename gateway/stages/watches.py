"""What the plan says in plant words, as the settings of a watch."""

from collections.abc import Sequence

from analytics.watch import Watch, WatchSettings
from gateway.config.plan import DetectionPlan
from plant.tags import Tag

MODE_SHARE = 0.1
"""Share of the learning time that a mode needs on its own before it is judged."""
LEAST_ROWS = 50
SPREAD_ROWS = 60
"""Assets that began to learn together finish this far apart: what they have learnt is worked out
in the same loop that reads the sources, and must not hold it up."""


def build_watch(
    signals: Sequence[Tag],
    plan: DetectionPlan,
    budget: float = 1.0,
    place: int = 0,
    *,
    find_modes: bool = True,
    quiet: frozenset[int] = frozenset(),
) -> Watch:
    """Build the watch of one asset over its signals, in their order.

    Parameters
    ----------
    signals
        Tags of the columns.
    plan
        What the plant wants.
    budget
        False alarms an asset-week that the plant accepts.
    place
        Number of the asset among those of the gateway.
    find_modes
        Whether the asset has no mode tag, so that modes are looked for.
    quiet
        Modes in which its alarms are suppressed.
    """
    learn_rows = max(LEAST_ROWS, round(plan.learn_s / plan.grid_s)) + place % SPREAD_ROWS
    settings = WatchSettings(
        learn_rows=learn_rows,
        mode_rows=max(LEAST_ROWS, min(300, round(learn_rows * MODE_SHARE))),
        budget=budget,
        row_s=plan.grid_s,
        find_modes=find_modes,
        quiet=quiet,
    )
    return Watch([tag.name for tag in signals], [tag.unit for tag in signals], settings)
