"""A guard that is a user of its own: what it opens to the gateway's, and what nobody else has.

They share a group, for the socket, the audit (to read) and the folder of stops. All else in the
guard's folder is its own user's.
"""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from gateway.config.access import accounts_of
from gateway.config.plan import Plan
from gateway.guard.stopping import STOPS
from gateway.guard.words import FOLDER, folder_of
from plant.errors import Misconfigured
from plant.findings import Finding, Verdict

ALONE, PASSED, DROPPED = 0o700, 0o710, 0o1770
"""Of the guard's folder, without and with a group, and of the stops. The group may pass through the
first and not list it: whoever can open a folder can hold the lock on it (flock(2))."""
READ, SPOKEN_TO = 0o640, 0o660
"""Of the audit and of the socket, where there is a group."""
ROOT = 0
MORE = "docs/setpoints.md, A user of its own"
Flaw: TypeAlias = tuple[str, str]
"""What is wrong, and its mend."""


def group_of(plan: Plan) -> int | None:
    """Give the number of the group that may speak to the guard; None: its own user alone.

    Raises
    ------
    Misconfigured
        There is no such group on this machine.
    """
    try:
        return _number(plan.setpoints.group)
    except KeyError:
        raise Misconfigured(": ".join(_no_group(plan))) from None


def open_to(path: Path, mode: int, group: int | None) -> None:
    """Give a path to a group, with a mode; without a group it is left as it is.

    Raises
    ------
    Misconfigured
        This user cannot do that.
    """
    if group is None:
        return
    try:
        if path.stat().st_gid != group:
            os.chown(path, -1, group)
        if stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)
    except OSError as error:
        name, me = _group(group), _user(os.geteuid())
        raise Misconfigured(
            f'{path}: cannot be given to [setpoints] group = "{name}": {error.strerror}; the '
            f"guard's user has to be in it: usermod --append --groups {name} {me}"
        ) from error


def make_folder(plan: Plan) -> Path:
    """Make the guard's folder as it has to be, with that of the stops where others may stop.

    Raises
    ------
    Misconfigured
        It cannot be made, is another user's, or others can write there what the guard goes by.
    """
    folder, group = folder_of(plan), group_of(plan)
    try:
        folder.mkdir(mode=ALONE, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        name, me = plan.setpoints.group or "GROUP", _user(os.geteuid())
        raise Misconfigured(
            f"{folder}: cannot be made: {error.strerror}; as root: "
            f"install --directory --owner {me} --group {name} --mode {PASSED:o} {folder}"
        ) from error
    if found.st_mode & 0o022:
        raise Misconfigured(f"{folder}: others can write there what the guard goes by: chmod 700")
    if not _is_separate(plan):
        return folder
    if found.st_uid != os.geteuid():
        raise Misconfigured(
            f"{folder}: is {_user(found.st_uid)}'s, and this guard runs as {_user(os.geteuid())}: "
            "run it as the former, or give the folder and all in it to the latter (chown -R)"
        )
    open_to(folder, PASSED, group)
    if group is not None:
        stops = folder / STOPS
        stops.mkdir(mode=ALONE, exist_ok=True)
        open_to(stops, DROPPED, group)
    return folder


def flaws(plan: Plan, config: Path, own: int) -> Iterator[Flaw]:
    """Say who else could change what a guard goes by that is separate from the gateway; with mends.

    Parameters
    ----------
    config
        The file of the configuration: it says which keys and accounts are believed.
    own
        Number of the guard's user.
    """
    if not _is_separate(plan):
        return
    setpoints = plan.setpoints
    believed = [config, *setpoints.keys, accounts_of(plan.console, plan.data), folder_of(plan)]
    for path in (*believed, *([setpoints.access] if setpoints.access else [])):
        for place, who in _others(path, own):
            yield (
                f"{place}: {who} can change what the guard goes by ({path})",
                "give it to root, or choose a place that is root's",
            )


def findings(plan: Plan, config: Path) -> Iterator[Finding]:
    """Say whether gateway and guard are one user, and what is wrong with it if they are two."""
    folder = folder_of(plan)

    def found(verdict: Verdict, result: str, mend: str = "") -> Finding:
        return Finding(subject="guard", check="user", verdict=verdict, result=result, mend=mend)

    try:
        _number(plan.setpoints.group)
        own, other = folder.stat().st_uid, plan.data.stat().st_uid
    except KeyError:
        yield found(Verdict.WRONG, *_no_group(plan))
        return
    except FileNotFoundError as error:
        yield found(Verdict.SKIPPED, f"{error.filename}: is not there before it has run once")
        return
    except OSError as error:
        words = f"{error.filename}: cannot be looked at: {error.strerror}"
        yield found(Verdict.SKIPPED, words, "ask as root")
        return
    left = plan.data / FOLDER
    if left != folder and os.path.isdir(left):  # noqa: PTH112 - no error where it cannot be seen
        yield found(
            Verdict.WRONG,
            f"{left}: is left of a guard that ran there; commands that are given the data folder "
            f"would ask and stop there, and not at {folder}",
            f"move what is in it to {folder}, and take it away",
        )
    if own == other:
        yield found(
            Verdict.NOTE,
            f"gateway and guard are one user, {_user(own)}: whoever takes over the gateway has the "
            "credentials that may write, and the audit",
            f"give the guard a user of its own: {MORE}",
        )
        return
    wrong = [*flaws(plan, config, own)]
    if plan.setpoints.group is None:
        wrong.append(
            (
                f"the guard is {_user(own)} and the gateway {_user(other)}, who cannot reach its "
                "socket",
                "set group in [setpoints]",
            )
        )
    for flaw in wrong:
        yield found(Verdict.WRONG, *flaw)
    if not wrong:
        yield found(
            Verdict.GOOD,
            f"the guard is {_user(own)}, the gateway {_user(other)}; who is in the group "
            f"{plan.setpoints.group} may ask, and stop",
        )


def _number(group: str | None) -> int | None:
    """Give the number of a group; KeyError where there is no such group."""
    return None if group is None else grp.getgrnam(group).gr_gid


def _no_group(plan: Plan) -> Flaw:
    name = plan.setpoints.group
    return f'[setpoints] group = "{name}": there is no such group here', f"groupadd --system {name}"


def _is_separate(plan: Plan) -> bool:
    return plan.setpoints.group is not None or plan.setpoints.folder is not None


def _others(path: Path, own: int) -> Iterator[tuple[Path, str]]:
    """Name who, but root and `own`, could change a file or put another in its place."""
    whole = path.absolute()
    for place in (whole, *whole.parents):
        try:
            found = place.stat()
        except OSError:
            continue  # what is not there, or cannot be reached, says so when it is read
        trusted = {ROOT, own}
        if found.st_uid not in trusted:
            yield place, _user(found.st_uid)
        # In a sticky folder nobody takes away what is another's.
        elif stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
            continue
        elif found.st_mode & 0o002:
            yield place, "everybody"
        elif found.st_mode & 0o020 and found.st_gid != ROOT:
            yield place, f"the group {_group(found.st_gid)}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return f"gid {number}"
