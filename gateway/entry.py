"""The console's door as a running gateway opens it: accounts, certificate, address."""

import json
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gateway.accounts.access import Access
from gateway.accounts.audit import KINDS, Audit
from gateway.accounts.register import read_accounts
from gateway.config.access import accounts_of, token_of
from gateway.config.plan import Plan
from gateway.console.server import ConsoleServer
from gateway.console.tls import facts, names_of_machine, pair_of, prepare
from gateway.console.view import View
from gateway.guard.line import GuardLine
from gateway.guard.words import folder_of
from gateway.journal import EventRecord, Journal, Record

KNOWN = "accounts"
"""Kind of the event that holds what was last known of the accounts."""


def open_access(plan: Plan, journal: Journal, append: Callable[[Record], None]) -> Access | None:
    """Give who is let in; None where there are no accounts and none are asked for.

    Raises
    ------
    Misconfigured
        The accounts cannot be read.
    """
    file = accounts_of(plan.console, plan.data)
    if plan.console.accounts is None and not read_accounts(file).by_name:
        return None
    token = plan.console.metrics_token_file
    known: list[Mapping[str, Any]] = [one.body for one in journal.newest((KNOWN,), 0, 1)]

    def tell(body: dict[str, Any]) -> None:
        append(EventRecord(KNOWN, time.time_ns(), body))

    return Access(
        file,
        Audit(append),
        idle_s=plan.console.idle_min * 60,
        metrics_token="" if token is None else token_of(token),
        known=known[0]["accounts"] if known else None,
        tell=tell,
    )


def open_console(
    plan: Plan,
    view: View,
    access: Access | None,
    journal: Journal,
    tell: Callable[[str, dict[str, Any]], None],
) -> ConsoleServer:
    """Build the console; its certificate is made where there is none yet. Blocks.

    Raises
    ------
    Misconfigured
        The certificate cannot be made or used, or the host is refused.
    """
    console, pair, names = plan.console, pair_of(plan), list(plan.console.names)
    if pair is not None:
        names = names_of_machine(console.host, names)
        needed = [name for name in (*console.names, console.host) if name in names]
        if prepare(pair, names, needed):
            said = facts(pair)
            told = {"file": str(pair.certificate), "thumbprint": said.thumbprint}
            tell("own-certificate", {**told, "names": list(said.names)})
        names += facts(pair).names
    line = None if plan.setpoints.limits is None else GuardLine(folder_of(plan))
    return ConsoleServer(
        view,
        host=console.host,
        port=console.port,
        access=access,
        records=partial(journal.newest, KINDS, 0),
        tls=pair,
        names=names,
        guard=line,
    )


def address_of(console: ConsoleServer, access: Access | None) -> bytes:
    """Write down for the commands on this machine how the gateway is reached, and their token."""
    told: dict[str, Any] = {"url": console.url, "pid": os.getpid()}
    if access is not None:
        told["token"] = access.token
    if console.thumbprint:
        told["thumbprint"] = console.thumbprint
    return json.dumps(told).encode()
