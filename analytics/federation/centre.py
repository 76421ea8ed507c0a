"""What the centre makes of contributions: which it takes, which sites it drops, and the model."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.federation.consolidated import Consolidated
from analytics.federation.contribution import Contribution
from analytics.federation.messages import read_contribution
from analytics.federation.refusals import Refused, Why
from analytics.federation.sites import Outlying, without_outlying
from analytics.federation.sketch import Sketch
from analytics.federation.statistics import Statistics, merge
from analytics.federation.terms import Terms
from plant.records import JSON


@dataclass(frozen=True, slots=True)
class Turned:
    """A file that was not taken, and why."""

    file: str
    why: Why
    message: str


@dataclass(slots=True)
class Collected:
    """Contributions that were taken, by the SHA-256 of their file, and files that were not."""

    taken: dict[str, Contribution] = field(default_factory=dict)
    turned: list[Turned] = field(default_factory=list)

    @property
    def statistics(self) -> list[Contribution]:
        """Those of the first round."""
        return [told for told in self.taken.values() if told.statistics]

    def scored(self, model: str) -> list[Contribution]:
        """Give those of the second round, by the model of that SHA-256."""
        return [told for told in self.taken.values() if told.scores and told.model == model]


def collect(files: Iterable[tuple[str, bytes]], terms: Terms) -> Collected:
    """Read files (name, content); of two that overlap the one whose time ended first is taken.

    The same file twice counts once. The order of the files is irrelevant.
    """
    found = Collected()
    read: dict[str, tuple[str, Contribution]] = {}
    for name, data in files:
        try:
            told = read_contribution(data, terms)
        except Refused as error:
            found.turned.append(Turned(name, error.why, str(error)))
            continue
        sha256 = hashlib.sha256(data).hexdigest()
        read.setdefault(sha256, (name, told))
    for sha256, (name, told) in sorted(read.items(), key=lambda each: (each[1][1].stop, each[0])):
        before = next((one for one in found.taken.values() if one.overlaps(told)), None)
        if before is None:
            found.taken[sha256] = told
        else:
            what = f"tells of rows that message {before.number} of {before.site} has told of"
            found.turned.append(Turned(name, Why.OVERLAP, what))
    found.turned.sort(key=lambda each: each.file)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The outcome of the first round.

    Parameters
    ----------
    model
        Without limits.
    statistics
        Of all sites together, by mode.
    sites
        Rows of each site that was taken in, by mode.
    dropped
        Sites that lie far outside, by mode.
    left_out
        Modes that too few participants have told of, and how many have.
    """

    model: Consolidated
    statistics: Mapping[int, Statistics]
    sites: Mapping[int, Mapping[str, int]]
    dropped: Mapping[int, list[Outlying]]
    left_out: Mapping[int, int]

    def card(self, terms: Terms) -> dict[str, JSON]:
        """Tell it as a model's data card."""
        named = dict(terms.modes)
        return {
            "modes": [
                {
                    "mode": mode,
                    "name": named[mode],
                    "rows": known.n,
                    "sites": dict(self.sites[mode]),
                }
                for mode, known in self.statistics.items()
            ],
            "dropped": [
                {
                    "mode": mode,
                    "site": each.site,
                    "signal": terms.signals[each.signal],
                    "distance": round(each.distance, 1),
                }
                for mode, sites in self.dropped.items()
                for each in sites
            ],
            "left_out": [
                {"mode": mode, "name": named[mode], "participants": count}
                for mode, count in self.left_out.items()
            ],
        }


def merged(contributions: Iterable[Contribution], terms: Terms) -> Merged:
    """Merge statistics mode by mode, and build the model.

    Raises
    ------
    Refused
        Of no mode have enough participants told; outlying sites do not count.
    """
    told = sorted(contributions, key=lambda each: (each.site, each.start))
    known: dict[int, Statistics] = {}
    sites: dict[int, dict[str, int]] = {}
    dropped: dict[int, list[Outlying]] = {}
    left_out: dict[int, int] = {}
    for mode, _ in terms.modes:
        parts: dict[str, list[Statistics]] = {}
        for each in told:
            if mode in each.statistics:
                parts.setdefault(each.site, []).append(each.statistics[mode])
        whole = {site: merge(several) for site, several in parts.items()}
        kept, outlying = without_outlying(whole, terms)
        participants = {site.partition(":")[0] for site in kept}
        if outlying:
            dropped[mode] = outlying
        if len(participants) < terms.least_sites:
            left_out[mode] = len(participants)
            continue
        # Not site by site: one merge of all messages has the same bits in any order.
        known[mode] = merge([each for site in kept for each in parts[site]])
        sites[mode] = {site: whole[site].n for site in kept}
    if not known:
        raise Refused(Why.FEW_SITES, _too_few(terms, left_out, dropped))
    return Merged(Consolidated.of(known, terms), known, sites, dropped, left_out)


def limited(
    model: Consolidated,
    contributions: Iterable[Contribution],
    terms: Terms,
    sites: Mapping[int, Collection[str]],
) -> tuple[Consolidated, dict[int, int]]:
    """Set the limits from the counts of all sites' scores; give the scores of each mode as well.

    Parameters
    ----------
    sites
        Whose statistics are in the model, by mode: of others no scores count.

    Raises
    ------
    Refused
        Of no mode have enough participants told.
    """
    told = list(contributions)
    summed: dict[int, Sketch] = {}
    left_out: dict[int, int] = {}
    for mode in model.detectors:
        own = [each for each in told if mode in each.scores and each.site in sites.get(mode, ())]
        participants = {each.gateway for each in own}
        if len(participants) < terms.least_sites:
            left_out[mode] = len(participants)
            continue
        total = own[0].scores[mode]
        for each in own[1:]:
            total = total + each.scores[mode]
        summed[mode] = total
    if not summed:
        raise Refused(Why.FEW_SITES, _too_few(terms, left_out, {}))
    whole = model.limited(summed, terms.false_share)
    return whole, {mode: sketch.n for mode, sketch in summed.items()}


def origin(taken: Mapping[str, Contribution]) -> dict[str, Any]:
    """Give start, stop and history of a model's header: what it was merged from."""
    summed = hashlib.sha256("".join(sorted(taken)).encode()).hexdigest()
    return {
        "start": min(told.start for told in taken.values()),
        "stop": max(told.stop for told in taken.values()),
        "history": summed,
    }


def _too_few(
    terms: Terms, left_out: Mapping[int, int], dropped: Mapping[int, list[Outlying]]
) -> str:
    named = dict(terms.modes)
    counts = ", ".join(f"{count} of {named[mode]}" for mode, count in left_out.items())
    outlying = [each for sites in dropped.values() for each in sites]
    far = {f"{each.site} ({terms.signals[each.signal]})" for each in outlying}
    outside = f"; dropped as far outside: {', '.join(sorted(far))}" if far else ""
    return f"{terms.least_sites} participants are the least, there are {counts or 'none'}{outside}"
