"""``wheeltapper setpoints replay``: a recorded month through the guard, before anybody signs."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from gateway.config.plan import Plan
    from gateway.guard.policy import Policy
    from wheeltapper.rehearsing.recorded import Recorded
    from wheeltapper.rehearsing.rehearsal import Walk
    from wheeltapper.rehearsing.requests import Asked

WALKED = ("approve", "advisory")


def replay(
    config: ConfigFile,
    limits: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Other limits than those in force; may be unsigned."),
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV of the tags over time; else the journal."),
    ] = None,
    requests: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV of time,tag,value,…; else the guard's audit."),
    ] = None,
    since: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="A span back, as 30d, or a time.")
    ] = "31d",
    until: Annotated[str, typer.Option("--to", metavar="WHEN", help="As --from.")] = "0m",
    assume: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG=VALUE", help="Value of a tag that was not recorded."),
    ] = None,
    mode: Annotated[
        str, typer.Option(help="approve: as if people had approved everything; or advisory.")
    ] = "approve",
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it, as .png or .svg.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run recorded requests through the guard's own checks, and say what it would have done."""
    import asyncio
    from datetime import UTC, datetime

    from gateway.config.loader import load
    from plant.setpoints import Mode
    from wheeltapper.evaluation.painting import demand
    from wheeltapper.gaps import earliest
    from wheeltapper.progress import Bar
    from wheeltapper.rehearsing.rehearsal import Rehearsal

    if mode not in WALKED:
        raise typer.BadParameter(f"--mode {mode!r}: write {' or '.join(WALKED)}")
    demand(picture)
    plan, drawn = load(config), not as_json
    now = datetime.now(UTC)
    start, stop = (round(earliest(one, now, name)) * 10**6
                   for one, name in ((since, "--from"), (until, "--to")))  # fmt: skip
    known = _assumed(assume or [])
    recorded, policy, signed = _read(plan, limits, recording, (start, stop), known, drawn)
    asked = _asked(plan, requests, policy, recorded)
    inside = [one for one in asked if recorded.begin <= one.at <= recorded.end]
    rehearsal = Rehearsal(policy, recorded, Mode(mode))
    with Bar("requests", len(inside), drawn=drawn) as bar:
        walks = asyncio.run(rehearsal.run(inside, bar.add))
    strangers = sum(one.tag not in policy.limits for one in rehearsal.outcomes)
    told = {
        "from": recorded.begin, "to": recorded.end, "serial": policy.serial, "signed": signed,
        "mode": mode, "asked": len(inside), "outside": len(asked) - len(inside),
        "not_on_the_list": strangers, "assumed": known,
    }  # fmt: skip
    _tell(told, walks, picture, as_json)


def _asked(
    plan: "Plan", requests: Path | None, policy: "Policy", recorded: "Recorded"
) -> "list[Asked]":
    """Give the requests of a file, else those of the guard's own audit."""
    from gateway.guard.words import AUDIT, folder_of
    from plant.errors import Misconfigured
    from wheeltapper.rehearsing.requests import from_audit, from_csv

    if requests is not None:
        return from_csv(requests, policy)
    audit = folder_of(plan) / AUDIT
    if not audit.exists():
        raise Misconfigured(f"{audit}: no guard has been asked yet; give --requests FILE.csv")
    return from_audit(audit, policy, recorded.begin, recorded.end)


def _read(
    plan: "Plan",
    limits: Path | None,
    recording: Path | None,
    span: tuple[int, int],
    assumed: dict[str, float],
    drawn: bool,
) -> "tuple[Recorded, Policy, str]":
    """Give the recording, the limits, and who has signed them; empty: nobody who is believed."""
    from dataclasses import replace

    from plant.errors import Misconfigured
    from wheeltapper.progress import Bar
    from wheeltapper.rehearsing.recorded import Recorded, from_csv, from_journal

    policy, signed = _policy(plan, limits, span[0])
    wanted = {tag for one in policy.limits.values() for tag in one.reads()}
    wanted |= {policy.stop_tag, policy.key_switch} - {""}
    # What programs name as the ground of their requests is read too.
    every = wanted | {tag.name for tag in plan.tags}
    if recording is not None:
        if drawn and sys.stderr.isatty():
            typer.echo(f"reading {recording} …", err=True)
        courses = from_csv(recording, every)
    else:
        with Bar("journal", drawn=drawn) as bar:
            courses = from_journal(plan.data / "journal.db", every, *span, bar.moved)
    if not courses:
        where = recording or plan.data / "journal.db"
        raise Misconfigured(f"{where}: none of the configuration's tags is in it in that time")
    recorded = Recorded(courses, assumed)
    # A switch that nobody recorded is taken as not pulled.
    unseen = {policy.stop_tag, policy.key_switch} - set(courses) - set(assumed)
    policy = replace(
        policy,
        stop_tag="" if policy.stop_tag in unseen else policy.stop_tag,
        key_switch="" if policy.key_switch in unseen else policy.key_switch,
    )
    wanted -= unseen
    missing = sorted(tag for tag in wanted if not recorded.known(tag))
    if missing:
        raise Misconfigured(
            f"not in the recording: {', '.join(missing)}. Without it every request is rejected: "
            f"--assume {missing[0]}=VALUE says what it was"
        )
    return recorded, policy, signed


def _policy(plan: "Plan", limits: Path | None, now: int) -> "tuple[Policy, str]":
    """Read limits, signed or not: what is not in force binds nobody."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from gateway.guard.limits import read_policy
    from gateway.guard.starting import known_tags, sealed
    from plant.errors import Misconfigured
    from plant.keys import read_public

    file = limits or plan.setpoints.limits
    if file is None:
        raise Misconfigured("[setpoints] names no limits: --limits FILE")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from error
    known = known_tags(plan)
    try:
        keys = [read_public(one) for one in plan.setpoints.keys]
        believed = read_policy(content, str(file), keys, known, now)
    except Misconfigured:
        draft = Ed25519PrivateKey.generate()
        signed = sealed(content, str(file), draft, plan, now)
        return read_policy(signed, str(file), [draft.public_key()], known, now), ""
    return believed, believed.signer


def _assumed(said: Sequence[str]) -> dict[str, float]:
    import math

    found = {}
    for one in said:
        tag, _, text = one.partition("=")
        try:
            found[tag] = float(text)
        except ValueError:
            found[tag] = math.nan
        if not tag or not math.isfinite(found[tag]):
            raise typer.BadParameter(f"--assume {one!r}: write TAG=VALUE, as line/running=1")
    return found


def _tell(
    told: dict[str, Any], walks: "Sequence[Walk]", picture: Path | None, as_json: bool
) -> None:
    """Say what came of it, for programs or for people, and draw it if that was asked for."""
    from plant import files
    from wheeltapper import terminal
    from wheeltapper.evaluation.painting import painted
    from wheeltapper.rehearsing.picture import picture as drawing

    head = _heading(told)
    if as_json:
        terminal.record(told)
        for walk in walks:
            terminal.record(_row(walk))
    else:
        for line in head:
            terminal.say(line)
        _show(walks, told["not_on_the_list"])
    if picture is not None:
        files.put(picture, painted(drawing(walks, head), picture.suffix), 0o644)
        if not as_json:
            terminal.say(f"picture  {picture}")


def _heading(told: dict[str, Any]) -> list[str]:
    from wheeltapper.evaluation.words import instant

    by = f"signed by {told['signed']}" if told["signed"] else "UNSIGNED, a draft"
    consent = "as if people had approved everything" if told["mode"] == "approve" else "advice only"
    outside = f"; {told['outside']:,} outside of it left out" if told["outside"] else ""
    return [
        f"Limits {told['serial']}, {by}: {consent}",
        f"{instant(told['from'])} to {instant(told['to'])} UTC, {told['asked']:,} requests"
        + outside,
        "In the rehearsal a value of the guard holds until the recorded operator moves.",
    ]


def _row(walk: "Walk") -> dict[str, Any]:
    from plant.setpoints import State

    counts = {str(state): 0 for state in (State.HELD, State.ADVISED, State.REVERTED)}
    rejected: dict[str, int] = {}
    checks: dict[str, int] = {}
    for one in walk.outcomes:
        if one.state in (State.REJECTED, State.EXPIRED, State.UNKNOWN):
            code = str(one.code or one.state)
            rejected[code] = rejected.get(code, 0) + 1
            checks[str(one.check)] = checks.get(str(one.check), 0) + 1
        else:
            counts[str(one.state)] = counts.get(str(one.state), 0) + 1
    return {
        "tag": walk.limits.tag, "unit": walk.limits.unit, "asked": len(walk.outcomes),
        "held": counts["held"] + counts["reverted"], "advised": counts["advised"],
        "rejected": sum(rejected.values()),
        "codes": dict(sorted(rejected.items(), key=lambda pair: -pair[1])),
        "checks": dict(sorted(checks.items(), key=lambda pair: int(pair[0]))),
        "writes": len(walk.moves), "back": sum(one.back for one in walk.moves),
        "farthest": round(walk.farthest, 9), "ours_h": round(walk.ours_h, 3),
        "near_h": round(walk.near_h, 3),
    }  # fmt: skip


def _show(walks: Sequence["Walk"], strangers: int) -> None:
    from wheeltapper import terminal
    from wheeltapper.story import counted

    rows: list[Mapping[str, Any]] = [_row(walk) for walk in walks]
    terminal.table(
        counted(len(rows), "setpoint"),
        ("setpoint", "asked", "held", "advice", "rejected", "writes on the way back",
         "farthest from the operator", "not the operator's", "near a limit"),
        [
            (row["tag"], str(row["asked"]), str(row["held"]), str(row["advised"]),
             str(row["rejected"]), str(row["back"]), f"{row['farthest']:g} {row['unit']}",
             f"{row['ours_h']:.1f} h", f"{row['near_h']:.1f} h")
            for row in rows
        ],
    )  # fmt: skip
    why = [(row["tag"], code, str(count)) for row in rows for code, count in row["codes"].items()]
    if why:
        terminal.table("rejected as", ("setpoint", "reason", "requests"), why)
    if strangers:
        terminal.say(f"{strangers} requests for what is on no list: not allowed")
