"""``wheeltapper account``: who may log in to the console, and as what."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.accounts.roles import Role
from wheeltapper.options import AsJson, PasswordFile, Sure

if TYPE_CHECKING:
    from gateway.accounts.register import Account, Accounts

app = typer.Typer(
    no_args_is_help=True,
    help="Say who may log in to the console. Roles: viewer, operator, engineer, approver, admin.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Small letters, as ana or b.smith.")]
RoleOf = Annotated[Role, typer.Option("--role", help="What the account may do.")]
Place = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Data folder of the gateway, or its configuration; without it the folder data here.",
    ),
]


@app.command("add")
def add(
    name: Name,
    role: RoleOf,
    password_file: PasswordFile = None,
    data: Place = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Leave an account of that name as it is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add an account; its password is asked twice at the terminal, or read from a file."""
    from gateway.accounts.register import Account, checked_name, read_accounts
    from gateway.config.access import ADDRESS
    from plant.errors import Rejected
    from wheeltapper import terminal

    path = place(data)
    if checked_name(name) in read_accounts(path).by_name:
        if not if_missing:
            raise Rejected(
                f"there is an account {name} already; change it with wheeltapper account role or "
                "password"
            )
        _tell(path, read_accounts(path).by_name[name], "is there already", as_json)
        return
    kept = _hashed(name, password_file)

    def added(accounts: "Accounts") -> "Accounts":
        if name in accounts.by_name:
            raise Rejected(f"there is an account {name} already")
        return accounts.put(Account(name=name, role=role, password=kept))

    first = not read_accounts(path).usable()
    _tell(path, _change(path, name, added), f"can log in as {role}", as_json)
    if first and not as_json and (path.parent / ADDRESS).exists():
        terminal.say("the gateway that runs asks for logins from its next start on")


@app.command("list")
def list_(data: Place = None, as_json: AsJson = False) -> None:
    """List the accounts."""
    from gateway.accounts.register import read_accounts
    from wheeltapper import terminal

    path = place(data)
    rows = [row(account) for account in read_accounts(path).by_name.values()]
    nothing = f"{path}: no accounts; add one: wheeltapper account add NAME --role admin"
    terminal.listing(rows, _show, nothing, as_json=as_json)


@app.command("role")
def role_(name: Name, role: RoleOf, data: Place = None, as_json: AsJson = False) -> None:
    """Give an account another role, from its next request on."""
    _changed(data, name, f"is {role}", as_json, lambda one: replace(one, role=role))


@app.command("password")
def password(
    name: Name, password_file: PasswordFile = None, data: Place = None, as_json: AsJson = False
) -> None:
    """Give an account another password; its sessions end."""
    from gateway.accounts.register import read_accounts

    read_accounts(place(data)).get(name)
    kept = _hashed(name, password_file)
    _changed(data, name, "has a new password", as_json, lambda one: replace(one, password=kept))


@app.command("disable")
def disable(name: Name, data: Place = None, as_json: AsJson = False) -> None:
    """Keep an account from logging in; its sessions end."""
    _changed(data, name, "cannot log in", as_json, lambda one: replace(one, enabled=False))


@app.command("enable")
def enable(name: Name, data: Place = None, as_json: AsJson = False) -> None:
    """Let an account log in again."""
    _changed(data, name, "can log in again", as_json, lambda one: replace(one, enabled=True))


@app.command("unlock")
def unlock(name: Name, data: Place = None, as_json: AsJson = False) -> None:
    """End the wait that wrong passwords have brought on an account."""
    _changed(data, name, "need not wait", as_json, lambda one: replace(one, unlocked=_now()))


@app.command("remove")
def remove(
    name: Name,
    data: Place = None,
    yes: Sure = False,
    as_json: AsJson = False,
) -> None:
    """Remove an account; its sessions end. Its name stays in the audit."""
    from gateway.accounts.register import read_accounts
    from wheeltapper import terminal

    path = place(data)
    gone = read_accounts(path).get(name)
    if not yes and as_json:
        raise typer.BadParameter("--json asks nothing: add --yes")
    if not yes and not typer.confirm(f"Remove {name} ({gone.role})?"):
        terminal.say("Nothing was changed.")
        raise typer.Exit(1)
    _change(path, name, lambda accounts: accounts.without(name))
    _tell(path, gone, "is removed", as_json)


def place(data: Path | None) -> Path:
    """Find the file of accounts: below the folder, or where the configuration says.

    The rest of a configuration is not looked at: one that serves the console on a network is
    refused until there is an account.

    Raises
    ------
    typer.BadParameter
        Neither was named, and there is no folder data here.
    """
    from gateway.accounts.register import FILE
    from gateway.config.loader import accounts_file
    from wheeltapper.alarms import HERE

    if data is None:
        if not HERE.is_dir():
            raise typer.BadParameter("say which gateway: --data FOLDER or --data CONFIG.toml")
        return HERE / FILE
    return accounts_file(data) if data.suffix == ".toml" else data / FILE


def row(account: "Account") -> dict[str, Any]:
    """Give an account as what may be shown."""
    return {
        "name": account.name,
        "role": str(account.role),
        "enabled": account.enabled,
        "changed": account.changed,
        "by": account.by,
    }


def _changed(
    data: Path | None,
    name: str,
    words: str,
    as_json: bool,
    change: "Callable[[Account], Account]",
) -> None:
    path = place(data)
    made = _change(path, name, lambda accounts: accounts.put(change(accounts.get(name))))
    _tell(path, made, words, as_json)


def _change(path: Path, name: str, change: "Callable[[Accounts], Accounts]") -> "Account":
    """Change the file and give the account as it then is, or was before it went."""
    from gateway.accounts.register import alone, read_accounts, write_accounts

    with alone(path):
        before = read_accounts(path)
        after = change(before)
        by, now = user(), _now()
        own = after.by_name.get(name)
        if own is not None:
            stamped = {**after.by_name, name: replace(own, changed=now, by=by)}
            after = replace(after, by_name=stamped)
        write_accounts(path, replace(after, by=by, changed=now))
    return after.by_name.get(name) or before.by_name[name]


def _hashed(name: str, file: Path | None) -> str:
    from gateway.accounts.passwords import hashed, objection
    from plant.errors import Rejected
    from plant.files import first_line

    said = _asked(name) if file is None else first_line(file)
    why = objection(said, name)
    if why:
        raise Rejected(f"{name}: {why}" if file is None else f"{file}: {why}")
    return hashed(said)


def _asked(name: str) -> str:
    import getpass
    import sys

    from plant.errors import Rejected

    if not sys.stdin.isatty():
        raise typer.BadParameter("no terminal to ask at: give --password-file FILE")
    said = getpass.getpass(f"Password of {name}: ")
    if getpass.getpass("Once more: ") != said:
        raise Rejected("the two were not the same; nothing was changed")
    return said


def user() -> str:
    """Name the user of this machine who does it, also behind sudo."""
    import getpass
    import os

    try:
        own = getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a number that no name belongs to.
        own = f"uid {os.getuid()}"
    behind = os.environ.get("SUDO_USER", "")
    return f"{behind} as {own}" if behind and behind != own else own


def _now() -> str:
    from datetime import UTC, datetime

    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _tell(path: Path, account: "Account", words: str, as_json: bool) -> None:
    from wheeltapper import terminal

    if as_json:
        terminal.record({**row(account), "file": str(path), "what": words})
    else:
        terminal.say(f"{account.name} {words} ({path})")


def _show(rows: Sequence[Any]) -> None:
    from wheeltapper import terminal
    from wheeltapper.story import counted

    terminal.table(
        counted(len(rows), "account"),
        ("name", "role", "can log in", "changed", "by"),
        [
            (
                one["name"],
                one["role"],
                "yes" if one["enabled"] else "no",
                one["changed"],
                one["by"],
            )
            for one in rows
        ],
    )
