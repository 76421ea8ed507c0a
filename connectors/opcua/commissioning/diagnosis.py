"""Why a server gives no values: looked at step by step, from its name to a sample of each tag."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.opcua.address import Address, PathAddress, parse_address
from connectors.opcua.commissioning.browse import Bounds, walk
from connectors.opcua.commissioning.discovery import (
    Greeting,
    found_as,
    greet,
    knock,
    place_of,
    resolve,
)
from connectors.opcua.commissioning.naming import path_text
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure, leave
from connectors.opcua.limits import in_calls, read_limits
from connectors.opcua.nodes import Found, Refused, find_nodes
from connectors.opcua.plain import plain
from connectors.opcua.refusals import FAILURES
from connectors.opcua.security.certificates import thumbprint
from connectors.opcua.security.users import user_of
from plant.errors import Misconfigured, PlantError
from plant.findings import Finding, Verdict
from plant.quality import status_name
from plant.tags import TagHandle

WARNED_DAYS = 30
CLOCK_S = 2.0
EQUAL_S = 0.1
"""Difference of clocks that is worth a word, s."""
SHOWN = 5
"""Tags that a finding names."""
_LOOKED_AT = Bounds(nodes=20_000)
_LOOKED_S = 20.0
_UNKNOWN = {StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid, StatusCodes.BadNoMatch}
_STEP = {
    **dict.fromkeys(
        (
            StatusCodes.BadUserAccessDenied,
            StatusCodes.BadIdentityTokenRejected,
            StatusCodes.BadIdentityTokenInvalid,
            StatusCodes.BadUserSignatureInvalid,
        ),
        "user",
    ),
    StatusCodes.BadTooManySessions: "session",
    StatusCodes.BadTcpNotEnoughResources: "session",
    StatusCodes.BadInvalidTimestamp: "clock",
}


@dataclass(frozen=True, slots=True)
class _Examined:
    """One source under examination."""

    config: OpcUaConfig
    tags: Sequence[TagHandle]

    def good(self, check: str, result: str) -> Finding:
        return self.finding(check, Verdict.GOOD, result)

    def finding(self, check: str, verdict: Verdict, result: str, mend: str = "") -> Finding:
        return Finding(
            subject=self.config.name, check=check, verdict=verdict, result=result, mend=mend
        )

    def failure(self, check: str, error: PlantError) -> Finding:
        """Turn an error into a finding; its sentence has the mend behind the first pause."""
        verdict = Verdict.WRONG if isinstance(error, Misconfigured) else Verdict.UNREACHABLE
        words = str(error).removeprefix(f"{self.config.name}: ")
        for pause in ("). ", "): ", "; ", ": is "):
            result, found, mend = words.partition(pause)
            if found:
                end, _, begin = found.partition(": ")
                return self.finding(check, verdict, result + end.strip("; ."), begin + mend)
        return self.finding(check, verdict, words)


async def examine(config: OpcUaConfig, tags: Sequence[TagHandle]) -> AsyncIterator[Finding]:
    """Look at one server; the first failure that hides the rest is the last finding.

    Reads only. One session at a time is opened, and closed again.
    """
    case = _Examined(config, tags)
    host, port = place_of(config.url)
    check = "name"
    try:
        yield case.good(check, found_as(plain(host), await resolve(host, port)))
        check = "port"
        await knock(host, port, config.timeout_s)
        yield case.good(check, f"{port} is open")
        check = "OPC UA"
        greeting = await greet(config.url, config.timeout_s)
    except PlantError as error:
        yield case.failure(check, error)
        return
    yield case.good(
        check,
        f"{greeting.name or greeting.application} answers within "
        f"{1000 * greeting.round_trip_s:.0f} ms",
    )
    async for finding in _let_in(case, greeting):
        yield finding


async def _let_in(case: _Examined, greeting: Greeting) -> AsyncIterator[Finding]:
    yield _clock(case, greeting)
    policy = _policy(case, greeting)
    yield policy
    if policy.failed:
        return
    try:
        client = await connect_secure(case.config)
    except PlantError as error:
        step = _step(error)
        for passed in _passed(case, greeting):
            if passed.check == step:
                break
            yield passed
        yield case.failure(step, error)
        return
    try:
        for passed in _passed(case, greeting):
            yield passed
        for finding in await _contents(case, client):
            yield finding
    except FAILURES as error:
        yield case.finding(
            "session", Verdict.UNREACHABLE, f"the connection was cut off: {plain(repr(error))}"
        )
    finally:
        await leave(client)


def _passed(case: _Examined, greeting: Greeting) -> Iterator[Finding]:
    """Give the steps of signing in, in their order, as they look when they succeed."""
    if case.config.security != "none":
        yield _certificate(case, greeting)
        yield case.good("our certificate", "the server accepts it")
    yield case.good("user", f"{plain(user_of(case.config))} may come in")
    yield case.good("session", "the server has one for us")


def _step(error: PlantError) -> str:
    """Name the check that a refused connection did not pass."""
    cause = error.__cause__
    if isinstance(cause, UaStatusCodeError) and cause.code in _STEP:
        return _STEP[cause.code]
    if isinstance(cause, Misconfigured):
        return "server's certificate"
    if "our certificate" in str(error):
        return "our certificate"
    return "our settings" if isinstance(error, Misconfigured) else "session"


def _clock(case: _Examined, greeting: Greeting) -> Finding:
    offset = greeting.offset_s
    if offset is None:
        return case.finding("clock", Verdict.NOTE, "the server does not tell its time")
    words = f"the server's is {abs(offset):.1f} s {'ahead' if offset > 0 else 'behind'}"
    if abs(offset) < EQUAL_S:
        return case.good("clock", f"as on this machine, give or take {EQUAL_S} s")
    if abs(offset) > CLOCK_S + greeting.round_trip_s:
        mend = "set both by NTP: its times stand on the values, and certificates depend on them"
        return case.finding("clock", Verdict.NOTE, words, mend)
    return case.good("clock", words)


def _policy(case: _Examined, greeting: Greeting) -> Finding:
    config, check = case.config, "security policy"
    ways = [f"{one.policy}/{one.mode}" for one in greeting.endpoints]
    wanted = "None/None" if config.security == "none" else f"{config.security}/{config.mode}"
    if wanted not in ways:
        return case.finding(
            check,
            Verdict.WRONG,
            f"the server does not offer {wanted}, only {', '.join(dict.fromkeys(ways))}",
            "enable it at the server, or set security and mode to what it offers",
        )
    if config.security == "none":
        best = greeting.best()
        return case.finding(
            check,
            Verdict.NOTE,
            "none: anybody on the way can read and change what passes",
            "" if best == "none" else f'set security = "{best}" and trust = "pki"',
        )
    return case.good(check, wanted.replace("/", ", "))


def _certificate(case: _Examined, greeting: Greeting) -> Finding:
    check, shown = "server's certificate", greeting.certificate
    if shown is None:
        return case.good(check, "trusted")
    days = (shown.not_valid_after_utc - datetime.now(UTC)).days
    result = f"trusted (SHA-256 {thumbprint(shown)[:16]}…), {days:,} days left"
    if days <= WARNED_DAYS:
        return case.finding(check, Verdict.NOTE, result, "renew it at the server in time")
    return case.good(check, result)


async def _contents(case: _Examined, client: Client) -> list[Finding]:
    """Look at what the tags lead to."""
    if not case.tags:
        return [
            case.finding(
                "tags",
                Verdict.NOTE,
                "none yet",
                "write some into the sheet: wheeltapper browse CONFIG --match '**' --write FILE",
            )
        ]
    known = [str(uri) for uri in await client.get_namespace_array()]
    missing = _missing_namespaces(case, known)
    if missing is not None:
        return [missing]
    limits = await read_limits(client, case.config.items_per_call)
    found, refused = await find_nodes(client, case.tags, limits)

    async def read(part: list[Found]) -> Sequence[ua.DataValue]:
        return await client.uaclient.read(
            ua.ReadParameters(NodesToRead=[_question(one) for one in part])
        )

    values = await in_calls(read, found, limits.read)
    statuses = [0 if one.StatusCode is None else int(one.StatusCode.value) for one in values]
    lost = [
        Refused(one.tag, status)
        for one, status in zip(found, statuses, strict=True)
        if status in _UNKNOWN
    ]
    there = [
        (one.tag, status)
        for one, status in zip(found, statuses, strict=True)
        if status not in _UNKNOWN
    ]
    findings = [await _addresses(case, client, (*refused, *lost))]
    if there:
        findings.append(_samples(case, there))
    return findings


def _question(found: Found) -> ua.ReadValueId:
    question = ua.ReadValueId(NodeId=found.node, AttributeId=ua.IntegerId(AttributeIds.Value))
    if found.element is not None:
        question.IndexRange = ua.String(found.element)
    return question


def _missing_namespaces(case: _Examined, known: Sequence[str]) -> Finding | None:
    """Look for namespaces that no tag will ever be found in."""
    count = Counter(parse_address(one.tag.address, one.tag.name).uri for one in case.tags)
    missing = [uri for uri in count if uri not in known]
    if not missing:
        return None
    lost = count[missing[0]]
    tags = "1 tag is" if lost == 1 else f"{lost:,} tags are"
    near = get_close_matches(missing[0], known[1:], n=1, cutoff=0.4)
    own = ", ".join(plain(uri, 60) for uri in known[1:]) or "none of its own"
    return case.finding(
        "namespaces",
        Verdict.WRONG,
        f"{tags} in {missing[0]!r}, which this server does not have (it has {own})",
        f"did you mean {plain(near[0])!r}?"
        if near
        else "is this the server the tags were made for?",
    )


async def _addresses(case: _Examined, client: Client, refused: Sequence[Refused]) -> Finding:
    total = len(case.tags)
    if not refused:
        return case.good("addresses", f"all {total:,} are there")
    hints = await _nearest(client, refused[:SHOWN])
    shown = "; ".join(
        f"{one.tag.tag.name} ({one.tag.tag.address}) {_status(one.status)}{hint}"
        for one, hint in zip(refused, hints, strict=False)
    )
    more = f" and {len(refused) - SHOWN:,} more" if len(refused) > SHOWN else ""
    return case.finding(
        "addresses",
        Verdict.WRONG,
        f"{len(refused):,} of {total:,} are not there: {shown}{more}",
        "correct them in the sheet, or browse anew",
    )


async def _nearest(client: Client, refused: Sequence[Refused]) -> list[str]:
    """Look for what the addresses may have meant; not for ever."""
    try:
        async with asyncio.timeout(_LOOKED_S):
            found = await walk(client, bounds=_LOOKED_AT)
    except TimeoutError:
        return [""] * len(refused)
    paths = {path_text([name for _, name in one.path]) for one in found.variables()}
    names = {
        str(one.node.Identifier)
        for one in found.variables()
        if isinstance(one.node.Identifier, str)
    }
    return [_hint(parse_address(one.tag.tag.address, ""), paths, names) for one in refused]


def _hint(address: Address, paths: set[str], names: set[str]) -> str:
    if isinstance(address, PathAddress):
        near = get_close_matches(path_text(address.names), paths, n=1, cutoff=0.6)
        return f", did you mean {plain(near[0])}?" if near else ""
    near = get_close_matches(str(address.identifier), names, n=1, cutoff=0.6)
    return f", did you mean s={plain(near[0])}?" if near else ""


def _samples(case: _Examined, there: Sequence[tuple[TagHandle, int]]) -> Finding:
    total = len(there)
    count = Counter(status for _, status in there)
    bad = [(tag, status) for tag, status in there if status >> 30]
    if not bad:
        return case.good("samples", f"{total:,} read, all Good")
    kinds = ", ".join(f"{n:,} {_status(status)}" for status, n in count.most_common(SHOWN))
    named = ", ".join(one.tag.name for one, _ in bad[:SHOWN])
    return case.finding(
        "samples",
        Verdict.NO_DATA if len(bad) == total else Verdict.NOTE,
        f"{total:,} read: {kinds} ({named}{', …' if len(bad) > SHOWN else ''})",
        "the server itself has no good value there: look at its own diagnostics of the device",
    )


def _status(code: int) -> str:
    name = str(ua.StatusCode(ua.UInt32(code)).name)
    return name if name.isidentifier() else status_name(code)
