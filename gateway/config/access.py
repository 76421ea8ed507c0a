"""Whether a console may be served as it is configured: accounts, certificate, token."""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from gateway.accounts.register import FILE, read_accounts
from gateway.config.plan import ConsolePlan
from plant.errors import Misconfigured

ADDRESS = "gateway.json"
"""Where a running gateway says how it is reached; below its data folder."""
LOOPBACK = "127.0.0.1"
SHORTEST_TOKEN = 32
"""Characters; `openssl rand -hex 32` gives twice as many."""


def objections(console: ConsolePlan, data: Path) -> Iterator[tuple[str, str]]:
    """Give what is wrong: the key of the section, and a sentence."""
    lacking = []
    try:
        if not read_accounts(accounts_of(console, data)).usable():
            lacking.append("no account can log in: add one with wheeltapper account add")
    except Misconfigured as error:
        yield "accounts", str(error)
    if not console.tls:
        lacking.append("TLS is off: set tls = true")
    if lacking and not ip_address(console.host).is_loopback:
        yield (
            "host",
            f'"{console.host}" is refused, since others reach it and {"; and ".join(lacking)}; or '
            f'use "{LOOPBACK}" and reach it through an SSH tunnel',
        )
    if console.certificate is not None and console.key is not None:
        # Reading certificates takes a library that a console without them does not wait for.
        from gateway.console.tls import Pair, problems

        yield from problems(Pair(console.certificate, console.key, own=False))
    if console.metrics_token_file is not None:
        try:
            token_of(console.metrics_token_file)
        except Misconfigured as error:
            yield "metrics_token_file", str(error)


def accounts_of(console: ConsolePlan, data: Path) -> Path:
    """Tell which file holds the accounts."""
    return console.accounts or data / FILE


def token_of(file: Path) -> str:
    """Read the token that a program shows: the first line of its file.

    Raises
    ------
    Misconfigured
        It cannot be read, or anybody could guess it.
    """
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{file}: a token is plain ASCII") from error
    token = lines[0].strip() if lines else ""
    if len(token) < SHORTEST_TOKEN or not token.isprintable() or " " in token:
        raise Misconfigured(
            f"{file}: a token has {SHORTEST_TOKEN} characters or more and no spaces; make one: "
            "openssl rand -hex 32"
        )
    return token
