"""``wheeltapper setpoints``: sign limits, ask, approve, take back, stop, and look at what was."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.account import Place
from wheeltapper.options import AsJson, ConfigFile, PasswordFile

if TYPE_CHECKING:
    from gateway.config.plan import Plan

app = typer.Typer(
    no_args_is_help=True,
    help="Setpoints: sign their limits, ask for one, approve, take back, stop, look at what was.",
)

Name = Annotated[str, typer.Option("--as", metavar="NAME", help="Your account.")]
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="Its id, or how it begins.")]
STOP_S = 1.0
"""So long a stop waits for the guard's answer."""
TagName = Annotated[str, typer.Argument(metavar="TAG")]


@app.command("key")
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key is put.")],
    as_json: AsJson = False,
) -> None:
    """Make the key that signs limits; it stays with the engineer, its .pub goes to the gateway."""
    from gateway.guard.keys import make_key
    from plant.keys import key_id
    from wheeltapper import terminal

    named = key_id(make_key(file).public_key())
    if as_json:
        terminal.record(
            {"private": str(file), "public": str(file.with_suffix(".pub")), "id": named}
        )
    else:
        terminal.say(f"{file}: the private key {named}; keep it from the gateway")
        terminal.say(f"{file.with_suffix('.pub')}: the public key, for keys in [setpoints]")


@app.command("sign")
def sign_(
    limits: Annotated[Path, typer.Argument(metavar="LIMITS", help="The TOML file of limits.")],
    with_key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The private key.")],
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="CONFIG", help="Look whether they fit it, and sign where it says each tag is."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign a file of limits in its last line; one that is wrong is left as it was.

    With --config it is written into them first where each of their tags leads, and said which of
    them led elsewhere before. Without, they have to say so already.
    """
    from gateway.guard.limits import sign, unsigned
    from gateway.guard.outlets import dated, moved
    from gateway.guard.starting import sealed
    from plant import files
    from plant.keys import key_id, read_private
    from wheeltapper import terminal

    signer, now = read_private(with_key), time.time_ns()
    content = before = _read(limits)
    if config is not None:
        content = sealed(content, str(limits), signer, _plan(config), now)
    else:
        text = unsigned(content).decode(errors="surrogateescape")
        content = sign(dated(text, now).encode(errors="surrogateescape"), signer)
    files.put(limits, content)
    named = key_id(signer.public_key())
    elsewhere = moved(*(unsigned(text).decode(errors="replace") for text in (before, content)))
    if as_json:
        head = {"limits": str(limits), "signer": named, "checked": config is not None}
        terminal.record({**head, "moved": elsewhere})
    else:
        for line in elsewhere:
            terminal.say(f"LEADS ELSEWHERE than when it was signed last: {line}")
        looked = "and fits the configuration" if config else "not held against a configuration"
        terminal.say(f"{limits}: signed by {named}, {looked}")


@app.command("check")
def check(config: ConfigFile, as_json: AsJson = False) -> None:
    """Check the signed limits of a configuration, and show what the guard may do."""
    from dataclasses import asdict

    from gateway.guard.separation import findings
    from gateway.guard.starting import limits_of, makers_of
    from plant.errors import Misconfigured
    from plant.findings import Verdict
    from wheeltapper import terminal
    from wheeltapper.doctor import line_of, row_of

    try:
        plan = _plan(config)
        policy = limits_of(plan, time.time_ns())
        makers_of(plan, policy)
        users = [*findings(plan, config)]
        fine = all(one.verdict is not Verdict.WRONG for one in users)
    except Misconfigured as error:
        if not as_json:
            raise
        terminal.record({"ok": False, "problems": str(error).splitlines()})
        raise typer.Exit(2) from error
    if as_json:
        told = {tag: asdict(limits) for tag, limits in policy.limits.items()}
        head = {"ok": fine, "serial": policy.serial, "signer": policy.signer}
        rows = [row_of(one) for one in users]
        mode = str(plan.setpoints.mode)
        terminal.record({**head, "users": rows, "mode": mode, "setpoints": told})
        raise typer.Exit(0 if fine else 2)
    terminal.table(
        f"limits {policy.serial}, signed by {policy.signer}; configuration says "
        f"{plan.setpoints.mode}, limits say {policy.mode}",
        ("setpoint", "mode", "limits", "step", "a minute", "every", "people", "if nobody renews"),
        [
            (
                one.tag,
                str(one.mode),
                f"{one.low:g} … {one.high:g} {one.unit}",
                f"{one.max_step:g}",
                f"{one.slope_per_min:g}",
                f"{one.interval_s:g} s",
                str(one.persons),
                f"{one.fallback} after {one.hold_s:g} s" if one.hold_s else "nothing",
            )
            for one in policy.limits.values()
        ],
    )
    for one in users:
        terminal.say(line_of(one))
    if not fine:
        raise typer.Exit(2)


@app.command("request")
def request(
    tag: TagName,
    value: Annotated[float, typer.Argument(metavar="VALUE")],
    reason: Annotated[str, typer.Option(help="Why; whoever approves reads it.")],
    name: Name,
    unit: Annotated[str, typer.Option(help="Unit of the value, as the limits have it.")] = "",
    effect: Annotated[str, typer.Option(help="What is expected of it.")] = "",
    within: Annotated[float, typer.Option(min=1, max=30, help="Seconds for the approval.")] = 30.0,
    password_file: PasswordFile = None,
    data: Place = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a setpoint as a person; the guard checks it, and others approve."""
    from gateway.guard.words import new_id

    now = time.time_ns()
    key = new_id(now)
    said = {
        "id": key, "key": key, "tag": tag, "value": value, "unit": unit, "reason": reason,
        "effect": effect, "not_after": now + int(within * 1e9),
    }  # fmt: skip
    answer = _tell(data, {"op": "request", "request": said, **_who(name, password_file)})
    _one(answer["request"], as_json)


@app.command("status")
def status(data: Place = None, as_json: AsJson = False) -> None:
    """Say how the guard stands: mode, alarms, and each setpoint."""
    from wheeltapper import terminal
    from wheeltapper.guard import words

    answer = _tell(data, {"op": "status"})
    if as_json:
        terminal.record(answer)
    else:
        for line in words(answer):
            terminal.say(line)


@app.command("pending")
def pending(data: Place = None, as_json: AsJson = False) -> None:
    """List the requests that wait for people, newest first."""
    from wheeltapper import terminal

    rows = _tell(data, {"op": "pending"})["requests"]
    terminal.listing(rows, _show, "nothing waits", as_json=as_json)


@app.command("approve")
def approve(
    key: RequestId,
    name: Name,
    password_file: PasswordFile = None,
    data: Place = None,
    as_json: AsJson = False,
) -> None:
    """Approve a request; with the last approval it is checked once more and written."""
    who = _who(name, password_file)
    _one(_tell(data, {"op": "approve", "id": _whole(data, key), **who})["request"], as_json)


@app.command("reject")
def reject(
    key: RequestId,
    name: Name,
    why: Annotated[str, typer.Option(help="Whoever asked reads it.")] = "",
    password_file: PasswordFile = None,
    data: Place = None,
    as_json: AsJson = False,
) -> None:
    """Say no to a request that waits."""
    who = _who(name, password_file)
    said = {"op": "reject", "id": _whole(data, key), "why": why, **who}
    _one(_tell(data, said)["request"], as_json, bad=False)


@app.command("revert")
def revert(
    tag: TagName,
    name: Name,
    password_file: PasswordFile = None,
    data: Place = None,
    as_json: AsJson = False,
) -> None:
    """Lead a setpoint back to its value before the last write, at the signed slope."""
    from wheeltapper import terminal

    answer = _tell(data, {"op": "revert", "tag": tag, **_who(name, password_file)})
    if as_json:
        terminal.record({"tag": tag, "to": answer["to"]})
    else:
        terminal.say(f"{tag} is led back to {answer['to']:g}")


@app.command("unlock")
def unlock(
    tag: TagName,
    name: Name,
    password_file: PasswordFile = None,
    data: Place = None,
    as_json: AsJson = False,
) -> None:
    """Say that you have looked at a locked setpoint: its value now counts as the operator's."""
    from wheeltapper import terminal

    answer = _tell(data, {"op": "unlock", "tag": tag, **_who(name, password_file)})
    if as_json:
        terminal.record({"tag": tag, "value": answer["value"]})
    else:
        terminal.say(f"{tag} is unlocked at {answer['value']:g}")


@app.command("stop")
def stop(data: Place = None, as_json: AsJson = False) -> None:
    """Stop: from now on everything is advice, also after a restart. Asks for nothing."""
    from gateway.guard.stopping import pull
    from gateway.guard.words import tell
    from plant.errors import Misconfigured, PlantError
    from wheeltapper import terminal
    from wheeltapper.account import user

    place = guards_folder(data)
    if not place.is_dir() and not (data is not None and data.suffix == ".toml"):
        # A stop that no guard would ever see is none.
        raise Misconfigured(
            f"{place}: no guard has run here, and nothing was stopped; where [setpoints] folder "
            "says another, name the configuration: --data CONFIG.toml"
        )
    try:
        # One that hangs is not waited for: the file binds it as soon as it goes on.
        tell(place, {"op": "stop", "name": user()}, STOP_S)
        words = "stopped: everything is advice"
    except PlantError:
        try:
            pull(place, user())
        except OSError as error:
            raise Misconfigured(
                f"{place}: this user cannot stop there: {error.strerror}; be in the group that "
                "[setpoints] group names, or use the stop at the plant"
            ) from error
        words = f"no guard has taken it; stopped all the same, for when one does: {place}"
    if as_json:
        terminal.record({"stopped": True, "what": words})
    else:
        terminal.say(words)


@app.command("start")
def start(
    name: Name, password_file: PasswordFile = None, data: Place = None, as_json: AsJson = False
) -> None:
    """End a stop, and hear proposers again that were switched off; takes an approver."""
    from wheeltapper import terminal

    answer = _tell(data, {"op": "start", **_who(name, password_file)})
    if as_json:
        terminal.record({"stopped": answer["stopped"]})
    else:
        terminal.say(
            "still stopped: see wheeltapper setpoints status" if answer["stopped"] else "on"
        )
    if answer["stopped"]:
        raise typer.Exit(1)


@app.command("history")
def history_(
    data: Place = None,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="So many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what became of requests, newest first; needs no running guard."""
    from gateway.guard.history import history
    from gateway.guard.words import AUDIT
    from wheeltapper import terminal

    file = guards_folder(data) / AUDIT
    rows = history(file, most) if file.exists() else []
    terminal.listing(rows, _show, "nothing was asked for", as_json=as_json)


def guards_folder(data: Path | None) -> Path:
    """Find the guard's folder: by a configuration, or by the data folder that it lies in."""
    from gateway.guard.words import FOLDER, folder_of
    from wheeltapper.alarms import HERE

    if data is not None and data.suffix == ".toml":
        return folder_of(_plan(data))
    if data is None and not HERE.is_dir():
        raise typer.BadParameter("say which gateway: --data FOLDER or --data CONFIG.toml")
    return (data or HERE) / FOLDER


def _plan(config: Path) -> "Plan":
    from gateway.config.loader import load

    return load(config, console=False)


def _tell(data: Path | None, said: dict[str, Any]) -> dict[str, Any]:
    from gateway.guard.words import tell

    return tell(guards_folder(data), said)


def _who(name: str, password_file: Path | None) -> dict[str, str]:
    from plant.files import first_line

    if password_file is not None:
        return {"name": name, "password": first_line(password_file)}
    import getpass
    import sys

    if not sys.stdin.isatty():
        raise typer.BadParameter("no terminal to ask at: give --password-file FILE")
    return {"name": name, "password": getpass.getpass(f"Password of {name}: ")}


def _whole(data: Path | None, key: str) -> str:
    """Complete an id of which the beginning, or the end, was given."""
    from plant.errors import Rejected

    waiting = [str(one["id"]) for one in _tell(data, {"op": "pending"})["requests"]]
    found = [one for one in waiting if one.startswith(key) or one.endswith(key)]
    if len(found) > 1:
        raise Rejected(f"{key}: {len(found)} requests that wait are called so; give more of it")
    return found[0] if found else key


def _read(file: Path) -> bytes:
    from plant.errors import Misconfigured

    try:
        return file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from error


def _one(row: dict[str, Any], as_json: bool, *, bad: bool = True) -> None:
    """Show one request; what was rejected is a negative finding."""
    from wheeltapper import terminal

    if as_json:
        terminal.record(row)
    else:
        why = f": {row['code']}, {row['why']}" if row["code"] else ""
        terminal.say(
            f"{row['id']} {row['tag']} = {row['value']:g} {row['unit']}: {row['state']}{why}"
        )
    if bad and row["state"] in ("rejected", "expired", "unknown"):
        raise typer.Exit(1)


def _show(rows: Sequence[Any]) -> None:
    from wheeltapper import terminal
    from wheeltapper.story import counted

    terminal.table(
        counted(len(rows), "request"),
        ("id", "at", "by", "what", "state", "why", "approved by"),
        [
            (
                row["id"],
                terminal.local_time(row["received"] / 1e6),
                row["proposer"],
                f"{row['tag']} = {row['value']:g} {row['unit']}",
                row["state"],
                f"{row['code']}: {row['why']}" if row["code"] else row["reason"],
                ", ".join(row["approvals"]),
            )
            for row in rows
        ],
    )
