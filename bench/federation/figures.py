"""Local-only, federated and centralised on machines that are not alike: false alarms and faults.

Three pumps of one class at loads of their own. Ten hours are learnt from, ten set the limits; then
come four healthy hours at the machine's own loads, eight hours with a weak fault of each kind, and
six healthy hours in which the machine takes on the loads of all three.
"""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import numpy as np

from analytics.federation.centre import limited, merged
from analytics.federation.consolidated import Consolidated
from analytics.federation.contribution import Contribution, scores_of, statistics_of
from analytics.federation.rows import Rows, joint_rows
from analytics.federation.sites import distance_of
from analytics.federation.statistics import Statistics
from analytics.federation.terms import Participant, Terms
from bench.federation.sites import (
    ASSET,
    HOUR_NS,
    START,
    LoadedLine,
    Machine,
    Struck,
    pump_tags,
    windows,
)
from connectors.simulated.faults import KINDS
from connectors.simulated.signals import MODES
from plant.summaries import Windows
from plant.tags import Role
from wheeltapper.federating.comparing import lasting

LOADS = {"low": (-12.0, -3.0), "middle": (-5.0, 5.0), "high": (3.0, 12.0)}
ALL_LOADS = (-12.0, 12.0)
LEARNT, SCORED, OWN, FAULTS, MOVED = (0, 10.5), (10.5, 21), (21, 25), (25, 33), (33, 39)
"""From hour to hour."""
CHANGED = (33, 33.5)
"""The first half hour at the loads of all: they change at once, and heat follows slowly."""
RUN = 1
MODELS = ("local-only", "federated", "centralised")


def struck(strength: float) -> tuple[Struck, ...]:
    """Give half an hour of every fault of a pump, an hour apart."""
    kinds = [name for name, kind in KINDS.items() if "pump-1" in kind.machines]
    begin = FAULTS[0]
    return tuple(
        Struck(kind, begin + hour, begin + hour + 0.5, strength) for hour, kind in enumerate(kinds)
    )


def plan_of(line: LoadedLine) -> Terms:
    """Give the plan of the three."""
    own = [tag for tag in pump_tags(line) if tag.role is Role.SIGNAL]
    return Terms(
        name="class/pump",
        signals=tuple(tag.signal for tag in own),
        units=tuple(tag.unit for tag in own),
        low=tuple(float(tag.low or 0.0) for tag in own),
        high=tuple(float(tag.high or 0.0) for tag in own),
        modes=MODES,
        participants=tuple(Participant(name, f"{n:064x}") for n, name in enumerate(LOADS)),
    )


def rows_of(machine: Machine, plan: Terms) -> Rows:
    """Give the joint rows of a machine."""
    found = [
        Windows(
            each.tag, each.start, each.count.astype(np.int64), each.good.astype(np.int64),
            each.low, each.high, each.mean, each.std, each.first, each.last,
        )
        for each in windows(LoadedLine(machine), MOVED[1])
    ]  # fmt: skip
    return joint_rows(found, len(plan.signals), plan)


def between(rows: Rows, hours: tuple[float, float]) -> Rows:
    """Give the rows from hour to hour."""
    start, stop = (START + round(hour * HOUR_NS) for hour in hours)
    return rows.between(start, stop)


def models_of(rows: Mapping[str, Rows], plan: Terms) -> dict[str, dict[str, Consolidated]]:
    """Give the three models of every site, by the ways of the product."""
    learnt = {site: between(each, LEARNT) for site, each in rows.items()}
    scored = {site: between(each, SCORED) for site, each in rows.items()}
    whole = _federated(learnt, scored, plan)
    low, high = plan.limits
    pooled = np.concatenate([np.clip(each.of(RUN), low, high) for each in learnt.values()])
    central = _limited(Consolidated.of({RUN: Statistics.of(pooled)}, plan), scored.values(), plan)
    return {
        site: {
            "local-only": _limited(
                Consolidated.of(statistics_of(learnt[site], plan), plan), [scored[site]], plan
            ),
            "federated": whole,
            "centralised": central,
        }
        for site in rows
    }


def _federated(learnt: Mapping[str, Rows], scored: Mapping[str, Rows], plan: Terms) -> Consolidated:
    def told(site: str, rows: Rows, **said: Any) -> Contribution:
        return Contribution(
            plan=plan.identity, gateway=site, asset=ASSET, number=1, created=int(rows.at[-1]),
            start=int(rows.at[0]), stop=int(rows.at[-1]) + plan.row_ns, **said,
        )  # fmt: skip

    first = [told(s, rows, statistics=statistics_of(rows, plan)) for s, rows in learnt.items()]
    known = merged(first, plan)
    second = [
        told(s, rows, scores=scores_of(rows, plan, known.model), model="a")
        for s, rows in scored.items()
    ]
    return limited(known.model, second, plan, {m: set(s) for m, s in known.sites.items()})[0]


def _limited(model: Consolidated, scored: Any, plan: Terms) -> Consolidated:
    counted = [
        model.sketches(rows.of(RUN), np.full(len(rows.of(RUN)), RUN))[RUN] for rows in scored
    ]
    total = counted[0]
    for each in counted[1:]:
        total = total + each
    return model.limited({RUN: total}, plan.false_share)


def judged(
    model: Consolidated, rows: Rows, faults: Sequence[Struck], plan: Terms
) -> dict[str, Any]:
    """Judge the later hours of a site."""
    found: dict[str, Any] = {}
    for name, hours in (("own", OWN), ("moved", MOVED)):
        each = between(rows, hours)
        running = each.mode == RUN
        beyond = (model.judge(each.values, each.mode) > 1) & running
        alarms = lasting(beyond, each.at, plan.row_ns)
        found[f"{name}_beyond"] = float(beyond[running].mean())
        found[f"{name}_alarms_a_day"] = float(alarms.sum()) / (hours[1] - hours[0]) * 24
    found["changed_rows"] = _beyond(model, between(rows, CHANGED))
    found["moved_rows"] = _beyond(model, between(rows, MOVED))
    found["warm_rows"] = _warm(model, between(rows, MOVED), plan)
    found["settled_beyond"] = _share(model, between(rows, (CHANGED[1], MOVED[1])))
    found["found"] = 0
    for fault in faults:
        each = between(rows, (fault.start_h, fault.stop_h))
        beyond = (model.judge(each.values, each.mode) > 1) & (each.mode == RUN)
        found["found"] += bool(lasting(beyond, each.at, plan.row_ns).any())
    return found


def _beyond(model: Consolidated, rows: Rows) -> int:
    """Count rows beyond the limit while the machine runs."""
    running = rows.mode == RUN
    return int(np.count_nonzero((model.judge(rows.values, rows.mode) > 1) & running))


def _warm(model: Consolidated, rows: Rows, plan: Terms) -> int:
    """Count those in which the signal that fits the others least is a temperature."""
    known = model.detectors[RUN]
    beyond = (model.judge(rows.values, rows.mode) > 1) & (rows.mode == RUN)
    inverse = np.linalg.inv(known.correlation)
    away = (rows.values[beyond] - known.centre) / known.scale
    alone = np.abs(away @ inverse) / np.sqrt(np.diag(inverse))
    warm = np.array(["temperature" in name for name in plan.signals])
    return int(np.count_nonzero(warm[alone.argmax(axis=1)])) if beyond.any() else 0


def _share(model: Consolidated, rows: Rows) -> float:
    return _beyond(model, rows) / max(int(np.count_nonzero(rows.mode == RUN)), 1)


def machines_of(seed: int, faults: Sequence[Struck]) -> dict[str, Machine]:
    """Give the machines of a seed by the name of their site, which do all that sites do."""
    return {
        name: Machine(name, 10 * seed + n, load, (MOVED[0], ALL_LOADS), tuple(faults))
        for n, (name, load) in enumerate(LOADS.items())
    }


def seed_figures(seed: int, strength: float) -> list[dict[str, Any]]:
    """Give a row for each site and model of one seed."""
    faults = struck(strength)
    machines = machines_of(seed, faults)
    plan = plan_of(LoadedLine(machines["low"]))
    rows = {name: rows_of(machine, plan) for name, machine in machines.items()}
    models = models_of(rows, plan)
    known = {name: statistics_of(between(each, LEARNT), plan)[RUN] for name, each in rows.items()}
    return [
        {"seed": seed, "site": site, "model": name, "faults": len(faults)}
        | judged(models[site][name], rows[site], faults, plan)
        | {
            "apart": _apart(models[site], rows[site]),
            "outlying": distance_of(site, known, plan)[1],
        }
        for site in rows
        for name in MODELS
    ]


def _apart(models: Mapping[str, Consolidated], rows: Rows) -> float:
    """Give the largest relative difference of the scores of federated and centralised."""
    own = rows.of(RUN)
    mode = np.full(len(own), RUN)
    one, other = (models[name].scores(own, mode) for name in MODELS[1:])
    return float(np.abs(one / other - 1).max())


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give means over sites and seeds, and the worst site."""
    found: dict[str, Any] = {
        f"{name}_at_most": max(row[name] for row in rows) for name in ("apart", "outlying")
    }
    for model in MODELS:
        own = [row for row in rows if row["model"] == model]
        found[model] = {
            name: round(mean(row[name] for row in own), 5)
            for name in (
                "own_beyond",
                "moved_beyond",
                "settled_beyond",
                "own_alarms_a_day",
                "moved_alarms_a_day",
            )
        } | {
            "moved_rows": sum(row["moved_rows"] for row in own),
            "warm_rows": sum(row["warm_rows"] for row in own),
            "changed_rows": sum(row["changed_rows"] for row in own),
            "own_beyond_worst": round(max(row["own_beyond"] for row in own), 5),
            "moved_beyond_worst": round(max(row["moved_beyond"] for row in own), 5),
            "found": sum(row["found"] for row in own),
            "faults": sum(row["faults"] for row in own),
        }
    return found
