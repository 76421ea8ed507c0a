"""``wheeltapper setpoints proposers``: what may ask, what it asked for last, and why not."""

from typing import TYPE_CHECKING, Any

import typer

from wheeltapper.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from gateway.config.plan import Plan, ProposerPlan
    from gateway.guard.policy import Policy

MOST = 10_000
"""Requests of the audit, the newest, among which the last one of a program is looked for."""
LAST = ("id", "value", "reason", "effect", "state", "code", "why")


def proposers(config: ConfigFile, as_json: AsJson = False) -> None:
    """Show each proposer, its last request, and why it asks for nothing.

    Programs that ask from outside are those that only the limits know. What is missing in the
    signed limits is named, with what to write there. Ends with 1 when one of them cannot ask.
    """
    from gateway.config.loader import load
    from gateway.proposing.service import FILE, read_file
    from wheeltapper import terminal

    plan = load(config, reads=False)
    policy, why = _policy(plan)
    kept = read_file(plan.data / FILE)
    rows = [_row(plan, one, policy, why, kept.get(one.name, {})) for one in plan.proposers]
    rows += _outside(plan, policy)
    if as_json:
        for row in rows:
            terminal.record(row)
    elif not rows:
        terminal.say(f"{config}: nobody proposes, neither here nor in the limits")
    else:
        for row in rows:
            _say(row)
    if any(row["problems"] for row in rows):
        raise typer.Exit(1)


def _policy(plan: "Plan") -> "tuple[Policy | None, str]":
    import time

    from gateway.guard.starting import limits_of
    from plant.errors import Misconfigured

    try:
        return limits_of(plan, time.time_ns()), ""
    except Misconfigured as error:
        return None, str(error).splitlines()[0]


def _row(
    plan: "Plan", one: "ProposerPlan", policy: "Policy | None", why: str, kept: Any
) -> dict[str, Any]:
    from gateway.config.access import token_of
    from gateway.proposing.starting import proposer_of
    from plant.errors import Misconfigured
    from plant.setpoints import Mode

    problems: list[str] = []
    model, token = "", ""
    tag = next(each for each in plan.tags if each.name == one.tag)
    try:
        made = proposer_of(one, tag)
        model = f"{made.model}@{made.version}"
        problems += _unread(plan, policy, [*made.reads(), *_culprits(plan, one)])
        token = token_of(one.token_file)
    except Misconfigured as error:
        problems.append(str(error))
    if plan.setpoints.mode is Mode.OFF:
        problems.append('[setpoints] says mode = "off": nothing is asked for')
    problems += [why] if policy is None else _unsigned(policy, one, model, token)
    same = kept.get("model") == model
    return {
        "name": one.name,
        "kind": one.kind,
        "tag": one.tag,
        "unit": tag.unit,
        "model": model,
        "problems": problems,
        "off": kept.get("off", "") if same else "",
        "throttled": kept.get("throttled", "") if same else "",
        "why": kept.get("why", "") if same else "this one has not run yet",
        "last": kept.get("last") if same else None,
    }


def _outside(plan: "Plan", policy: "Policy | None") -> list[dict[str, Any]]:
    """Tell of the programs that ask over the socket or over HTTP, by the guard's audit."""
    from gateway.guard.history import history
    from gateway.guard.words import AUDIT, folder_of

    own = {one.name for one in plan.proposers}
    names = [] if policy is None else [name for name in policy.proposers if name not in own]
    file = folder_of(plan) / AUDIT
    asked = history(file, MOST) if names and file.exists() else []
    rows: list[dict[str, Any]] = []
    for name in names:
        last = next((one for one in asked if one["proposer"] == name), None)
        known = policy.proposers[name] if policy else None
        rows.append({
            "name": name,
            "kind": "external",
            "tag": ", ".join(known.tags if known else ()),
            "unit": last["unit"] if last else "",
            "model": ", ".join(known.models if known else ()),
            "problems": [],
            "off": "",
            "throttled": "",
            "why": "",
            "last": last and {"at": last["received"] / 1e6} | {key: last[key] for key in LAST},
        })  # fmt: skip
    return rows


def _unsigned(policy: "Policy", one: "ProposerPlan", model: str, token: str) -> list[str]:
    """Say what the signed limits lack for a proposer to be heard."""
    import hashlib

    known = policy.proposers.get(one.name)
    if known is None:
        digest = hashlib.sha256(token.encode()).hexdigest()
        return [
            f'the limits know no proposer "{one.name}"; they need:\n'
            f'[[proposer]]\nname = "{one.name}"\ntoken_sha256 = "{digest}"\n'
            f'tags = ["{one.tag}"]\nmodels = ["{model}"]'
        ]
    found = []
    if token and hashlib.sha256(token.encode()).hexdigest() != known.token_sha256:
        found.append(f"{one.token_file}: is not the token that the limits know")
    if one.tag not in known.tags:
        found.append(f'the limits do not let it ask for "{one.tag}"')
    if model and model not in known.models:
        found.append(f'the limits know other models; this one is "{model}"')
    return found


def _culprits(plan: "Plan", one: "ProposerPlan") -> list[str]:
    """Give what a rule may rest on that takes whichever culprit its alarm has."""
    from gateway.config.plan import RulePlan

    if not isinstance(one, RulePlan) or one.culprit or not one.alarm:
        return []
    return [tag for asset in plan.assets if asset.path == one.alarm for tag in asset.signals]


def _unread(plan: "Plan", policy: "Policy | None", tags: Any) -> list[str]:
    """Name devices that the guard does not read: what rests on them is stale to it."""
    if policy is None:
        return []
    sources = {tag.name: tag.source for tag in plan.tags}
    named = {tag for limits in policy.limits.values() for tag in limits.reads()}
    named |= {tag for tag in (policy.stop_tag, policy.key_switch) if tag}
    read = {sources[tag] for tag in named}
    return [
        f"{tag} is of {sources[tag]}, which the guard does not read: name a tag of it in an "
        "interlock of the limits"
        for tag in dict.fromkeys(tags)
        if sources[tag] not in read
    ]


def _say(row: dict[str, Any]) -> None:
    from plant.units import written
    from wheeltapper import terminal

    terminal.say(f"{row['name']}: {row['kind']} for {row['tag']}, model {row['model'] or 'none'}")
    for problem in row["problems"]:
        first, *lines = problem.splitlines()
        terminal.say(f"  cannot ask: {first}")
        for line in lines:
            terminal.say(f"    {line}")
    for key, words in (("off", "switched off"), ("throttled", "throttled")):
        if row[key]:
            terminal.say(f"  {words}: {row[key]}")
    last = row["last"]
    if last is None:
        terminal.say("  has asked for nothing yet")
    else:
        code = f": {last['code']}" if last["code"] else ""
        why = f" ({last['why']})" if last["why"] else ""
        unit = written(row["unit"])
        terminal.say(
            f"  last, {terminal.local_time(last['at'])}: {last['value']:g} {unit}, "
            f"{last['state']}{code}{why}"
        )
        terminal.say(f"    {last['reason']}")
        terminal.say(f"    expected: {last['effect']}")
    if row["why"]:
        terminal.say(f"  why not now: {row['why']}")
