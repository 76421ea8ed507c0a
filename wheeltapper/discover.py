"""``wheeltapper discover URL``: what is there, how to get in, and what to type next."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.options import AsJson
from wheeltapper.server import Access, PasswordFile, Security, Trust, User

if TYPE_CHECKING:
    from connectors.opcua.commissioning.discovery import Greeting
    from connectors.opcua.commissioning.survey import Survey

WATCH_S = 1.0
"""How long values are watched for a change, s."""
JUDGED = (
    "readable numbers that have a unit or a range, or that changed within "
    f"{WATCH_S:g} s, below Objects and outside the Server's own nodes"
)
CLOCK_S = 2.0
"""Difference of clocks that is worth a word, s."""


def discover(
    url: Annotated[str, typer.Argument(metavar="URL", help="opc.tcp://host:port")],
    security: Security = "",
    trust: Trust = None,
    user: User = "",
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask one server for its ways in; with --trust or --security none also for its variables.

    Only the server at URL is asked, nothing is written to it, no network is scanned.
    """
    import asyncio

    from wheeltapper import terminal

    access = Access(security, trust, user, password_file)
    greeting, survey, policy = asyncio.run(_asked(url, access))
    following = _next(url, access, greeting, policy)
    if as_json:
        terminal.record({**_greeting_row(greeting), **_survey_row(survey), "next": following})
        return
    _show_greeting(url, greeting)
    if survey is not None:
        _show_survey(survey)
    for number, line in enumerate(following):
        terminal.say(f"{'then' if number else 'next'}  {line}")


async def _asked(url: str, access: Access) -> "tuple[Greeting, Survey | None, str]":
    from connectors.opcua.commissioning.discovery import greet
    from connectors.opcua.commissioning.pattern import Pattern
    from connectors.opcua.commissioning.survey import survey
    from wheeltapper.progress import Bar
    from wheeltapper.server import reached

    greeting = await greet(url)
    if not access.said:
        return greeting, None, greeting.best()
    config = await reached(url, access)
    with Bar("browsing") as bar:
        found = await survey(config, Pattern("**"), watch_s=WATCH_S, progress=bar.moved)
    return greeting, found, config.security


def _next(url: str, access: Access, greeting: "Greeting", policy: str) -> list[str]:
    """Give the next commands to type."""
    import shlex

    from connectors.opcua.commissioning.discovery import USABLE

    place = shlex.quote(url)
    words = "" if policy == "Basic256Sha256" else f" --security {policy}"
    make = f"wheeltapper init line1 --opcua {place}{words}"
    if access.said:
        return [make]
    offered = any(endpoint.policy in USABLE for endpoint in greeting.endpoints)
    look = "--trust pki" if offered else "--security none"
    return [f"wheeltapper discover {place} {look}", make]


def _greeting_row(greeting: "Greeting") -> dict[str, Any]:
    from dataclasses import asdict

    from connectors.opcua.security.certificates import thumbprint

    certificate = greeting.certificate
    shown = None
    if certificate is not None:
        shown = {
            "sha256": thumbprint(certificate),
            "from": certificate.not_valid_before_utc.isoformat(),
            "until": certificate.not_valid_after_utc.isoformat(),
        }
    return {
        "application": greeting.application,
        "product": greeting.product,
        "name": greeting.name,
        "endpoints": [asdict(endpoint) for endpoint in greeting.endpoints],
        "certificate": shown,
        "clock_offset_s": greeting.offset_s,
        "round_trip_s": greeting.round_trip_s,
    }


def _survey_row(survey: "Survey | None") -> dict[str, Any]:
    if survey is None:
        return {}
    return {
        "namespaces": list(survey.namespaces),
        "built": survey.built,
        "variables": survey.counted,
        "likely": survey.likely_count,
        "judged": JUDGED,
        "notes": list(survey.notes),
    }


def _show_greeting(url: str, greeting: "Greeting") -> None:
    from wheeltapper import terminal

    terminal.say(f"server       {greeting.name or 'without a name'}, {greeting.application}")
    _show_certificate(url, greeting)
    terminal.say(f"clock        {_clock(greeting)}\n")
    terminal.table(
        "ways in",
        ("policy", "mode", "users", "level", "we"),
        [
            (
                endpoint.policy,
                endpoint.mode,
                ", ".join(endpoint.users),
                str(endpoint.level),
                _ours(endpoint.policy, endpoint.mode),
            )
            for endpoint in greeting.endpoints
        ],
    )


def _ours(policy: str, mode: str) -> str:
    from connectors.opcua.commissioning.discovery import USABLE

    if policy == "None":
        return "only if you say so: in clear"
    if policy not in USABLE:
        return "never: outdated or unknown"
    return "use it" if mode == "SignAndEncrypt" else "only if you say so: readable on the way"


def _show_certificate(url: str, greeting: "Greeting") -> None:
    from datetime import UTC, datetime

    from connectors.opcua.commissioning.discovery import place_of
    from connectors.opcua.plain import plain
    from connectors.opcua.security.certificates import names_of, thumbprint
    from wheeltapper import terminal

    certificate = greeting.certificate
    if certificate is None:
        terminal.say("certificate  none")
        return
    until = certificate.not_valid_after_utc
    days = (until - datetime.now(UTC)).days
    left = f"{days} days left" if days >= 0 else f"OUT OF DATE for {-days} days"
    terminal.say(f"certificate  SHA-256 {thumbprint(certificate)}, not verified here")
    terminal.say(f"             valid until {until:%Y-%m-%d}, {left}")
    hosts = names_of(certificate)[0]
    asked = place_of(url)[0]
    if asked not in hosts:
        names = plain(", ".join(hosts)) or "no host"
        terminal.say(
            f"             made for {names}, not for {asked}: put that name into the address, or, "
            "if you know why they differ, set certificate_host"
        )


def _clock(greeting: "Greeting") -> str:
    if greeting.offset_s is None:
        return "the server does not tell its time"
    offset = greeting.offset_s
    side = "ahead of" if offset > 0 else "behind"
    if abs(offset) < max(0.1, greeting.round_trip_s):
        return f"as on this machine, give or take {max(0.1, greeting.round_trip_s):.1f} s"
    words = f"{abs(offset):.1f} s {side} this machine's"
    return f"{words}; set both by NTP" if abs(offset) > CLOCK_S else words


def _show_survey(survey: "Survey") -> None:
    from wheeltapper import terminal

    if survey.built:
        terminal.say(f"built        {survey.built}")
    for number, uri in enumerate(survey.namespaces):
        if number:
            terminal.say(f"{'namespaces' if number == 1 else '':13}{uri}")
    likely = survey.likely_count
    terminal.say(f"{survey.counted:,} variables, {likely:,} look like process values")
    terminal.say(f"             ({JUDGED})")
    for note in survey.notes:
        terminal.say(f"note         {note}")
    terminal.say("")
