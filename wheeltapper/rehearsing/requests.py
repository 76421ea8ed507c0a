"""What was asked for: rows of a CSV file, or the requests that a guard's own audit holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.guard.desk import Actor
from gateway.guard.policy import Policy
from plant.errors import Misconfigured, Rejected
from plant.setpoints import LONGEST_S, Basis, Request

NS = 10**9
NEEDED = ("time", "tag", "value")
TEXTS = ("unit", "reason", "effect", "proposer", "model", "version", "based_on")
"""Columns that may be there besides; `based_on` names tags with spaces between."""
STRANGER = "stranger ("
"""So the guard calls in its audit whoever has shown no token."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, when it came (ns since 1970 UTC), and from whom."""

    at: int
    request: Request
    actor: Actor


def from_csv(file: Path, policy: Policy) -> list[Asked]:
    """Read requests: ``time,tag,value`` and what else there is of `TEXTS`, oldest first.

    A tag may be called by its last parts. Whoever is no proposer of the limits asks as a person.

    Raises
    ------
    Misconfigured
        A column is missing, or a cell is no time or no number; file and row are named.
    """
    from connectors.replay.cells import clock, number
    from connectors.replay.table import opened

    found: list[Asked] = []
    with opened(file) as table:
        missing = [name for name in NEEDED if name not in table.header]
        odd = [name for name in table.header if name not in (*NEEDED, *TEXTS)]
        if missing or odd:
            what = (
                f"no column {missing[0]!r}" if missing else f"{odd[0]!r} is no column of requests"
            )
            raise Misconfigured(f"{file}, row 1: {what}; known are {', '.join((*NEEDED, *TEXTS))}")
        read = None
        for part in table.slices():
            for place, line in enumerate(part.rows):
                cells = {
                    name: column[place].strip()
                    for name, column in zip(table.header, part.columns, strict=True)
                }
                try:
                    read = read or clock(cells["time"])
                    at = read(cells["time"])
                    value = number(cells["value"], decimal_comma=table.decimal_comma)
                except ValueError as error:
                    raise Misconfigured(f"{file}, row {line}: {error}") from error
                found.append(_asked(at, value, cells, f"row-{line}", policy))
    return sorted(found, key=lambda one: one.at)


def _asked(at: int, value: float, cells: Mapping[str, str], key: str, policy: Policy) -> Asked:
    tag = cells["tag"]
    whole = [name for name in policy.limits if name == tag or name.endswith("/" + tag)]
    tag = whole[0] if len(whole) == 1 else tag
    limits = policy.limits.get(tag)
    name = cells.get("proposer") or "the recording"
    request = Request(
        id=key, key=key, tag=tag, value=value,
        unit=cells.get("unit") or (limits.unit if limits else ""),
        proposer=name, reason=cells.get("reason") or "recorded", effect=cells.get("effect", ""),
        model=cells.get("model", ""), version=cells.get("version", ""),
        based_on=tuple(Basis(one, at, 0) for one in cells.get("based_on", "").split()),
        not_after=at + int(LONGEST_S * NS),
    )  # fmt: skip
    return Asked(at, request, actor_of(name, policy))


def from_audit(file: Path, policy: Policy, start: int, stop: int) -> list[Asked]:
    """Read the requests that a guard has received, oldest first."""
    from gateway.guard.audit import records_of
    from gateway.guard.words import request_of

    found: list[Asked] = []
    for record in records_of(file):
        said, at = record.get("request"), record.get("wall", 0)
        if record.get("event") != "received" or not isinstance(said, dict):
            continue
        if not start <= at < stop:
            continue
        name = str(record["actor"])
        try:
            kept = {key: value for key, value in said.items() if key != "proposer"}
            request = request_of(kept, str(said.get("proposer", name)))
        except Rejected as error:
            raise Misconfigured(f"{file}: a request of {name}: {error}") from error
        found.append(Asked(at, request, actor_of(name, policy)))
    return sorted(found, key=lambda one: one.at)


def actor_of(name: str, policy: Policy) -> Actor:
    """Give who asks: a program of the limits, somebody without a token, or a person."""
    program = policy.proposers.get(name)
    if program is not None:
        return Actor(name, models=program.models, tags=program.tags, per_hour=program.per_hour)
    known = not name.startswith(STRANGER)
    return Actor(name, person=known, known=known, tags=None if known else ())
