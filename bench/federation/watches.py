"""What a gateway raises by each model: its own watch, one with the relations of all, one of all.

The rows are those of `figures`, one a second instead of a mean of ten, and what is counted are
alarms of a `Watch`: with their delays, the levels of each entry, and drift that is followed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.relations import Relations
from analytics.settings import WatchSettings
from analytics.watch import Watch
from bench.federation.figures import (
    FAULTS,
    LEARNT,
    MOVED,
    OWN,
    SCORED,
    machines_of,
    models_of,
    plan_of,
    struck,
)
from bench.federation.figures import rows_of as windows_of
from bench.federation.sites import (
    HOUR_S,
    SECOND,
    START,
    LoadedLine,
    Machine,
    pump_columns,
    pump_tags,
)
from plant.alarms import AlarmAction
from plant.tags import Role

Columns = NDArray[np.float64]
OWN_H = 1.0
"""Hours in which a watch with the relations of all learns how its own machine lies beside them."""
AFTER_S = 60
"""An alarm so soon after a fault is the fault's."""


def rows_of(machine: Machine) -> tuple[Columns, NDArray[np.int64]]:
    """Give all rows (n, p) of a machine, one a second, and its mode (n,)."""
    line = LoadedLine(machine)
    tags, columns = pump_tags(line), pump_columns(line)
    values = np.concatenate(
        [
            line.values(first, HOUR_S)[:, columns]
            for first in range(0, round(MOVED[1] * HOUR_S), HOUR_S)
        ]
    )
    is_mode = np.array([tag.role is Role.MODE for tag in tags])
    return values[:, ~is_mode], values[:, is_mode][:, 0].astype(np.int64)


def settings(hours: float) -> WatchSettings:
    """Give the settings of a gateway that learns so many hours."""
    return WatchSettings(learn_rows=round(hours * HOUR_S), find_modes=False)


class Site:
    """One machine and what is told of it by a watch."""

    def __init__(self, machine: Machine) -> None:
        line = LoadedLine(machine)
        own = [tag for tag in pump_tags(line) if tag.role is Role.SIGNAL]
        self.signals, self.units = [tag.name for tag in own], [tag.unit for tag in own]
        self.machine = machine
        self.rows, self.mode = rows_of(machine)

    def watch(self, hours: float, shared: Mapping[int, Relations] | None = None) -> Watch:
        """Give a watch that has learnt nothing."""
        return Watch(self.signals, self.units, settings(hours), shared)

    def show(self, watch: Watch, hours: tuple[float, float], shift_h: float = 0.0) -> list[int]:
        """Have it judge rows from hour to hour; give the times of its alarms, s."""
        first, last = (round(hour * HOUR_S) for hour in hours)
        second = np.arange(first, last)
        at = START + (second + round(shift_h * HOUR_S)) * SECOND
        told = watch.judge(at, self.rows[first:last], self.mode[first:last])
        return [
            (each.at - START) // SECOND
            for each in told.transitions
            if each.action is AlarmAction.RAISE
        ]

    def counted(self, raised: Sequence[int]) -> dict[str, Any]:
        """Count alarms: false ones at the own loads and at those of all, and faults found."""
        spans = [(f.start_h * HOUR_S, f.stop_h * HOUR_S + AFTER_S) for f in self.machine.faults]
        false = [at for at in raised if not any(begin <= at < end for begin, end in spans)]

        def within(hours: tuple[float, float]) -> int:
            return sum(hours[0] * HOUR_S <= at < hours[1] * HOUR_S for at in false)

        return {
            "own_alarms": within(OWN), "between_faults": within(FAULTS),
            "moved_alarms": within(MOVED), "faults": len(spans),
            "found": sum(any(b <= at < e for at in raised) for b, e in spans),
        }  # fmt: skip


def seed_figures(seed: int, strength: float) -> list[dict[str, Any]]:
    """Give a row for each site and kind of watch of one seed."""
    machines = machines_of(seed, struck(strength))
    plan = plan_of(LoadedLine(machines["low"]))
    summed = {name: windows_of(machine, plan) for name, machine in machines.items()}
    shared = models_of(summed, plan)["low"]["federated"].relations()
    sites = {name: Site(machine) for name, machine in machines.items()}
    learnt_h = LEARNT[1] - LEARNT[0]
    found = []
    for name, site in sites.items():
        watches = {
            "local-only, an hour": site.watch(OWN_H),
            "local-only": site.watch(learnt_h),
            "federated": site.watch(OWN_H, shared),
            "centralised": site.watch(len(sites) * learnt_h),
        }
        site.show(watches["local-only"], LEARNT)
        # the rows of the others first, then its own, day by day
        others = [each for each in sites.values() if each is not site]
        for n, each in enumerate([*others, site]):
            each.show(watches["centralised"], LEARNT, 24.0 * (n - len(others)))
        for kind, watch in watches.items():
            raised = site.show(watch, (SCORED[0], MOVED[1]))
            found.append({"seed": seed, "site": name, "model": kind} | site.counted(raised))
    return found


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum up over sites and seeds."""
    found: dict[str, Any] = {}
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        found[model] = {
            name: sum(row[name] for row in own)
            for name in ("own_alarms", "between_faults", "moved_alarms", "found", "faults")
        }
        for name, hours in (("own", OWN), ("moved", MOVED)):
            days = len(own) * (hours[1] - hours[0]) / 24
            found[model][f"{name}_alarms_a_day"] = round(found[model][f"{name}_alarms"] / days, 2)
    return found
