"""Local-only, federated and centralised models of the same times, judged on later rows."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.federation.consolidated import Consolidated
from analytics.federation.refusals import Refused, Why
from analytics.federation.rows import Rows, Span
from analytics.federation.sketch import Sketch
from analytics.federation.statistics import Statistics
from analytics.federation.terms import Terms
from analytics.modelfiles.header import Header
from plant.errors import Misconfigured
from wheeltapper.federating.own import members, unhealthy

LASTS = 3
"""Rows beyond the limit, one after the other, that make an alarm."""
MS = 10**6
Faults = dict[str, list[Span]]


@dataclass(frozen=True, slots=True)
class Site:
    """Rows of one site: learnt from, counted for the limit, and judged."""

    name: str
    learnt: Rows
    scored: Rows
    judged: Rows
    faults: Sequence[Span]


class Comparison:
    """Sites of a consolidated model whose rows are here.

    Parameters
    ----------
    terms
        The plan.
    model, header
        The consolidated model, and what is said of it.
    faults
        Known ones, by site.
    """

    def __init__(self, terms: Terms, model: Consolidated, header: Header, faults: Faults) -> None:
        if not model.complete:
            raise Refused(
                Why.OTHER_MODEL, "that model has no limits yet: merge the scores of the sites first"
            )
        self.terms, self.model = terms, model
        card: Any = header.card
        self._learnt: dict[str, list[Span]] = card["learnt"]
        self._scored: dict[str, list[Span]] = card["scored"]
        self._known = {site for each in card["modes"] for site in each["sites"]}
        if strange := sorted(set(faults) - self._known):
            raise Misconfigured(
                f"faults: {strange[0]!r} is no site of this model; write gateway and asset as in: "
                f"{', '.join(sorted(self._known))}"
            )
        self._faults = faults
        self.sites: list[Site] = []

    def read(self, config: Path, until: str) -> None:
        """Read the rows of the sites of one gateway."""
        from gateway.config.loader import load
        from wheeltapper.export import span

        plan = load(config)
        excluded = unhealthy(plan.data) or {}
        for member in members(plan, self.terms):
            name = f"{plan.name}:{member.path}"
            if name not in self._known:
                continue
            learnt, scored = self._learnt[name], self._scored.get(name, [])
            begun = max(stop for _, stop in (*learnt, *scored))
            ended = span("1970-01-02", until)[1]
            faults = excluded.get(member.path, [])
            before = member.rows(plan.data, self.terms, min(a for a, _ in learnt), begun, faults)
            judged = member.rows(plan.data, self.terms, begun, ended, [])
            known = [*faults, *self._faults.get(name, [])]
            self.sites.append(Site(name, _of(before, learnt), _of(before, scored), judged, known))

    @property
    def missing(self) -> list[str]:
        """Sites of the model whose rows are not here."""
        return sorted(self._known - {site.name for site in self.sites})

    def rows(self) -> list[dict[str, Any]]:
        """Give a row for each site and model."""
        found = []
        central = None if self.missing else self._fitted(self.sites)
        for site in self.sites:
            models = {"local-only": self._fitted([site]), "federated": self.model}
            models |= {"centralised": central} if central is not None else {}
            for name, model in models.items():
                found.append({"site": site.name, "model": name} | self._judged(model, site))
        return found

    def _fitted(self, sites: Sequence[Site]) -> Consolidated:
        """Fit a model on the pooled rows of sites, in the modes of the federated one."""
        low, high = self.terms.limits
        known: dict[int, Statistics] = {}
        scores: dict[int, Sketch] = {}
        for mode in self.model.detectors:
            pooled = np.concatenate([site.learnt.of(mode) for site in sites])
            if len(pooled):
                known[mode] = Statistics.of(np.clip(pooled, low, high))
        model = Consolidated.of(known, self.terms)
        for mode in known:
            rows = np.clip(np.concatenate([site.scored.of(mode) for site in sites]), low, high)
            counted = model.sketches(rows, np.full(len(rows), mode)).get(mode)
            scores |= {mode: counted} if counted is not None else {}
        return model.limited(scores, self.terms.false_share)

    def _judged(self, model: Consolidated, site: Site) -> dict[str, Any]:
        judged = site.judged
        mine = np.isin(judged.mode, list(self.model.detectors))
        beyond = model.judge(judged.values, judged.mode) > 1
        alarm = lasting(beyond & mine, judged.at, self.terms.row_ns)
        struck = np.zeros(len(judged.at), np.bool_)
        found = 0
        for start, stop in site.faults:
            own = (judged.at < stop) & (judged.at + self.terms.row_ns > start)
            struck |= own
            found += bool((alarm & own).any())
        healthy = mine & ~struck
        return {
            "healthy": int(healthy.sum()),
            "beyond": float(beyond[healthy].mean()) if healthy.any() else float("nan"),
            "false_alarms": int((alarm & healthy).sum()),
            "faults": len(site.faults),
            "found": found,
        }


def lasting(beyond: NDArray[np.bool_], at: NDArray[np.int64], every: int) -> NDArray[np.bool_]:
    """Tell in which rows an alarm begins: `LASTS` rows beyond, one right after the other.

    Examples
    --------
    >>> lasting(np.array([1, 1, 1, 1, 0, 1], bool), np.arange(6), 1).tolist()
    [False, False, True, False, False, False]
    """
    follows = np.append(False, np.diff(at) == every)
    run, told = 0, np.zeros(len(at), np.bool_)
    for place in range(len(at)):
        run = (run + 1 if follows[place] else 1) if beyond[place] else 0
        told[place] = run == LASTS
    return told


def faults_of(path: Path | None) -> Faults:
    """Read known faults from a CSV file with the columns gateway, asset, from, to.

    Raises
    ------
    Misconfigured
        It is not there, or a line cannot be read.
    """
    from datetime import datetime

    if path is None:
        return {}
    if not path.is_file():
        raise Misconfigured(f"{path}: there is no such file")
    found: Faults = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                ends = [datetime.fromisoformat(row[name]).timestamp() for name in ("from", "to")]
                start, stop = (round(end * 1000) * MS for end in ends)
                if stop <= start:
                    raise ValueError("'to' does not lie behind 'from'")
                found.setdefault(f"{row['gateway']}:{row['asset']}", []).append((start, stop))
            except (KeyError, TypeError, ValueError) as error:
                raise Misconfigured(
                    f"{path}:{number}: {error}; write gateway, asset, from and to, times as "
                    "2026-11-23T06:00Z"
                ) from error
    return found


def _of(rows: Rows, spans: Sequence[Span]) -> Rows:
    mine = np.zeros(len(rows.at), np.bool_)
    for start, stop in spans:
        mine |= (rows.at >= start) & (rows.at < stop)
    return Rows(rows.at[mine], rows.values[mine], rows.mode[mine], {})
