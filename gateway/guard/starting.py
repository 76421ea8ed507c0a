"""From a configuration to a guard that runs: keys, limits, credentials, and one guard a folder."""

import asyncio
import fcntl
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter, ValidationError

from connectors.catalogue import SourceConfig, WriteAccess, build_actuator
from connectors.contract import Actuator, Outlet
from gateway.accounts.register import read_accounts
from gateway.config.access import accounts_of
from gateway.config.plan import Plan
from gateway.guard.audit import Audit
from gateway.guard.desk import Desk
from gateway.guard.devices import Devices
from gateway.guard.keys import make_key
from gateway.guard.limits import load_policy, read_policy, sign, unsigned
from gateway.guard.outlets import way_of, without, written
from gateway.guard.policy import Known, Policy
from gateway.guard.process import Guard
from gateway.guard.separation import READ, group_of, make_folder, open_to
from gateway.guard.server import Server
from gateway.guard.store import Store
from gateway.guard.tickets import boot_clock
from gateway.guard.words import AUDIT
from plant.errors import Misconfigured
from plant.keys import read_private, read_public
from plant.setpoints import Mode

STORE, KEY = "store.json", "audit.key"


def known_tags(plan: Plan) -> dict[str, Known]:
    """Give the tags of a configuration as the limits may name them."""
    sources = {source.name: source for source in plan.sources}
    return {
        tag.name: Known(
            tag.unit, tag.source, _host(sources[tag.source]), way_of(sources[tag.source], tag)
        )
        for tag in plan.tags
    }


def sealed(content: bytes, place: str, key: Ed25519PrivateKey, plan: Plan, now: int) -> bytes:
    """Give a file of limits, signed, with where a configuration has its tags lead.

    Raises
    ------
    Misconfigured
        All that is wrong with the limits beside this configuration.
    """
    known, keys = known_tags(plan), [key.public_key()]
    try:
        text = without(unsigned(content).decode())
    except UnicodeDecodeError:
        raise Misconfigured(f"{place}: is no UTF-8 text") from None
    loose = {tag: replace(one, way={}) for tag, one in known.items()}
    named = read_policy(sign(text.encode(), key), place, keys, loose, now).reads()
    made = written(text, named, {tag: one.way for tag, one in known.items()}, now)
    content = sign(made.encode(), key)
    read_policy(content, place, keys, known, now)
    return content


def limits_of(plan: Plan, now: int, serial: int = 0) -> Policy:
    """Read the signed limits of a configuration; Misconfigured says all that is wrong."""
    if plan.setpoints.limits is None:
        raise Misconfigured('[setpoints] names no limits: limits = "limits.toml", keys = [...]')
    keys = [read_public(file) for file in plan.setpoints.keys]
    return load_policy(plan.setpoints.limits, keys, known_tags(plan), now, serial=serial)


def makers_of(plan: Plan, policy: Policy) -> dict[str, Callable[[], Actuator]]:
    """Give what makes the actuator of each device; each is made once, to see that it can be.

    Raises
    ------
    Misconfigured
        A file of credentials, an address or a block cannot be used.
    """
    access = _access(plan.setpoints.access)
    by_name = {tag.name: tag for tag in plan.tags}
    outlets = [
        Outlet(
            tag=by_name[limits.tag],
            block=limits.block or None,
            active=by_name[limits.active] if limits.active else None,
        )
        for limits in policy.limits.values()
        if limits.mode is not Mode.OFF
    ]
    writing = {outlet.tag.source for outlet in outlets}
    reading = {by_name[tag].source for tag in policy.reads()}
    made: dict[str, Callable[[], Actuator]] = {}
    for source in plan.sources:
        if source.name in writing | reading:
            maker = partial(build_actuator, source, plan.tags, outlets, access.get(source.name))
            maker()
            made[source.name] = maker
    return made


async def serve(plan: Plan, ended: asyncio.Event, told: Callable[[Guard], None]) -> None:
    """Run the guard of a configuration until `ended`.

    Parameters
    ----------
    told
        Is called once it listens.

    Raises
    ------
    Misconfigured
        Something in the configuration, the limits or the folder is not as it has to be, or a
        guard runs there already.
    """
    folder, group = make_folder(plan), group_of(plan)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Misconfigured(f"{folder}: a guard runs here already") from error
        guard = guard_of(plan, folder)
        open_to(folder / AUDIT, READ, group)
        await Server(guard, folder, group).run(ended, lambda: told(guard))
    finally:
        os.close(lock)


def guard_of(plan: Plan, folder: Path) -> Guard:
    """Make the guard of a configuration; raises as `serve` does."""
    now = boot_clock()
    store = Store(folder / STORE)
    policy = limits_of(plan, now().wall, store.serial)
    makers = {} if plan.setpoints.mode is Mode.OFF else makers_of(plan, policy)
    key_file = folder / KEY
    key = read_private(key_file) if key_file.exists() else make_key(key_file)
    devices = Devices(makers, {tag.name: tag.source for tag in plan.tags})
    audit = Audit(folder / AUDIT, key)
    desk = Desk(_accounts(plan))
    return Guard(policy, plan.setpoints.mode, folder, devices, audit, store, desk, now)


def _handed_over(file: Path) -> bool:
    """Tell whether systemd hands a file to this service alone: its ACL looks like a group's."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return bool(folder) and file.absolute().parent == Path(folder)


def _host(source: SourceConfig) -> str:
    url = getattr(source, "url", None)
    return str(urlsplit(url).hostname or "") if url else str(getattr(source, "host", None) or "")


def _accounts(plan: Plan) -> Path:
    """Find the accounts; where others than the guard's user read them, look whether it can too."""
    file = accounts_of(plan.console, plan.data)
    if plan.setpoints.group is not None:
        try:
            read_accounts(file)
        except Misconfigured as error:
            raise Misconfigured(
                f"{error}; the guard looks at passwords itself: [console] accounts has to be a "
                f"file of root's that the group {plan.setpoints.group} can read (mode 640)"
            ) from error
    return file


def _access(file: Path | None) -> Mapping[str, WriteAccess]:
    if file is None:
        return {}
    try:
        if file.stat().st_mode & 0o077 and not _handed_over(file):
            raise Misconfigured(f"{file}: holds what may write: chmod 600 {file}")
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, WriteAccess]).validate_python(raw)
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{file}: is no TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Misconfigured(f"{file}: {place}: {first['msg']}") from error
