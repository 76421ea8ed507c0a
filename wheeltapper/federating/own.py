"""What a gateway has of its own: its assets of a class, and the joint rows in its history."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analytics.federation.refusals import Refused, Why
from analytics.federation.rows import Rows, Span, joint_rows
from analytics.federation.terms import Terms
from plant.errors import Misconfigured
from plant.summaries import LENGTHS

if TYPE_CHECKING:
    from gateway.config.plan import Plan
    from plant.assets import Asset

MS = 10**6
MARGIN_NS = 60 * 10**9
"""Left out before and after a fault or an alarm."""
HARMLESS = frozenset({"false", "expected"})
"""Labels of alarms that were none: their rows are healthy."""


@dataclass(frozen=True, slots=True)
class Member:
    """An asset of the class: its path, the tags of the plan's signals in their order, its mode."""

    path: str
    tags: tuple[str, ...]
    mode: str | None

    def rows(self, data: Path, terms: Terms, start: int, stop: int, faults: Sequence[Span]) -> Rows:
        """Read its rows of ``start <= at < stop``, ns, without its `faults`."""
        from wheeltapper.exporting.places import here

        if terms.row_ns not in LENGTHS:
            kept = ", ".join(f"{length // 10**9}" for length in LENGTHS)
            raise Misconfigured(f"rows of {terms.row_s:g} s: a history keeps windows of {kept} s")
        asked = [*self.tags, *([self.mode] if self.mode else [])]
        with ExitStack() as opened:
            history = here(opened, data).history
            pieces = history.read(asked, start, stop, terms.row_ns)
            return joint_rows(pieces, len(self.tags), terms, faults, has_mode=self.mode is not None)


def members(plan: "Plan", terms: Terms, wanted: Sequence[str] = ()) -> list[Member]:
    """Give the assets that have all signals of the plan; those that were `wanted` must.

    Raises
    ------
    Refused
        An asset lacks a signal, or its units or limits are not those of the plan.
    Misconfigured
        There is no asset of that path.
    """
    known = {asset.path: asset for asset in plan.assets}
    for path in wanted:
        if path not in known:
            raise Misconfigured(f"no asset is called {path}; there are {', '.join(known)}")
    found = []
    for path in wanted or sorted(known):
        own = {name.rpartition("/")[2]: name for name in known[path].signals}
        missing = [name for name in terms.signals if name not in own]
        if not missing:
            found.append(_member(plan, terms, known[path], own))
        elif wanted:
            raise Refused(Why.OTHER_SIGNALS, f"{path} has no {', '.join(missing)}")
    if not found:
        raise Refused(Why.OTHER_SIGNALS, f"no asset here has all of {', '.join(terms.signals)}")
    return found


def _member(plan: "Plan", terms: Terms, asset: "Asset", own: dict[str, str]) -> Member:
    tags = {tag.name: tag for tag in plan.tags}
    for name, unit, low, high in zip(
        terms.signals, terms.units, terms.low, terms.high, strict=True
    ):
        tag = tags[own[name]]
        if tag.unit != unit:
            raise Refused(
                Why.OTHER_UNITS,
                f"{tag.name} is in {tag.unit or 'no unit'}, the plan has {unit or 'none'}; scale "
                "the tag, or agree on another plan",
            )
        for word, here, agreed in (("low", tag.low, low), ("high", tag.high, high)):
            if here is not None and here != agreed:
                raise Refused(
                    Why.OTHER_LIMITS,
                    f"{tag.name}: {word} = {here:g}, the plan has {agreed:g}; set the tag's as "
                    "agreed, or leave it out",
                )
    return Member(asset.path, tuple(own[name] for name in terms.signals), asset.mode)


def unhealthy(data: Path) -> dict[str, list[Span]] | None:
    """Give the times of each asset that belong to an alarm which nobody called none, ns.

    None where there is no journal that could tell.
    """
    from wheeltapper.alarms import every_alarm

    journal = data / "journal.db"
    if not journal.is_file():
        return None
    found: dict[str, list[Span]] = {}
    for row in every_alarm(journal):
        feedback = row["feedback"]
        if feedback is not None and feedback["label"] in HARMLESS:
            continue
        begin = round(min(row["onset"], row["raised"]) * MS) - MARGIN_NS
        end = 2**62 if row["ended"] is None else round(row["ended"] * MS) + MARGIN_NS
        found.setdefault(row["asset"], []).append((begin, end))
    return found
