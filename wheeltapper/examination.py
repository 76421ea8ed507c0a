"""What ``doctor`` examines: the gateway's own place, then each source from the wire to a value."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from plant.errors import Misconfigured, PlantError, Unreachable
from plant.findings import Finding, Verdict
from plant.quality import Status
from plant.tags import Tag, TagHandle, ValueType
from wheeltapper.listening import LISTENED_S, Heard, heard_from

if TYPE_CHECKING:
    from connectors.catalogue import SinkConfig, SourceConfig
    from connectors.modbus.config import ModbusConfig
    from connectors.opcua.config import OpcUaConfig
    from gateway.config.plan import Plan

GATEWAY = "gateway"
LITTLE_BYTES = 1_000_000_000
"""Free space that a person should know about."""
NONE_BYTES = 50_000_000
"""Free space with which the journal cannot go on for long."""
SHOWN = 5
STORE_S = 20.0
"""Patience with a store, s."""
_SILENT = {0x800A0000, 0x80050000, 0x80310000, 0x808A0000}
"""BadTimeout, BadCommunicationError, BadNoCommunication, BadNotConnected: nobody answered."""
_GARBLED = {Status.BAD_DECODING_ERROR, Status.BAD_UNKNOWN_RESPONSE}
_HUGE, _TINY = 1e9, 1e-9
_FLOATS = {ValueType.FLOAT32, ValueType.FLOAT64}


async def examine(plan: "Plan") -> AsyncIterator[Finding]:
    """Give one finding a check, in the order in which one thing rests on the other."""
    from connectors.modbus.config import ModbusConfig
    from connectors.opcua.config import OpcUaConfig

    for finding in await asyncio.to_thread(_place, plan):
        yield finding
    for source in plan.sources:
        tags = [tag for tag in plan.tags if tag.source == source.name]
        match source:
            case OpcUaConfig():
                findings = _opcua(source, tags)
            case ModbusConfig():
                findings = _modbus(source, tags)
            case _:
                findings = _other(source, tags)
        async for finding in findings:
            yield finding
    for sink in plan.sinks:
        yield await _sink(sink, plan)


async def _sink(config: "SinkConfig", plan: "Plan") -> Finding:
    """Look whether a store lets us in; nothing is written to it."""
    from connectors.catalogue import build_sink, place_of
    from connectors.sqlite.config import SqliteConfig
    from connectors.sqlite.history import SqliteHistory

    handles = [TagHandle(number, tag) for number, tag in enumerate(plan.tags)]

    def found(verdict: Verdict, result: str, mend: str = "") -> Finding:
        return Finding(
            subject=config.name, check="store", verdict=verdict, result=result, mend=mend
        )

    if isinstance(config, SqliteConfig):
        # Entering as a sink would make the file, and two do not write at a time.
        path = plan.data / config.file
        if not path.exists():
            return found(Verdict.GOOD, f"{path}: none yet; the first run makes it")
        door: Callable[[], AbstractContextManager[object]] = partial(SqliteHistory, path)
    else:
        door = partial(build_sink, config, handles, plan.name, plan.data)

    def entered() -> None:
        with door():
            pass

    try:
        await asyncio.wait_for(asyncio.to_thread(entered), STORE_S)
    except TimeoutError:
        result = f"{place_of(config)} does not answer within {STORE_S:.0f} s"
        return found(Verdict.UNREACHABLE, result, "is it overloaded, or something between?")
    except (Unreachable, Misconfigured) as error:
        result, _, mend = str(error).removeprefix(f"{config.name}: ").partition("; ")
        if isinstance(error, Misconfigured):
            return found(Verdict.WRONG, result, mend)
        return found(Verdict.UNREACHABLE, result, f"{mend} (the journal keeps what waits)")
    return found(Verdict.GOOD, f"{place_of(config)} lets this gateway in")


def _place(plan: "Plan") -> list[Finding]:
    """Look at the data folder, the disk, the journal and the console's port."""
    running = _running(plan.data)
    if running:
        found = [_of_gateway("running", Verdict.GOOD, f"on {plan.data}, its page is {running}")]
    else:
        found = [*_data(plan), _port(plan.console.host, plan.console.port)]
    return [*found, *door(plan), *_disks(plan)]


def door(plan: "Plan") -> Iterator[Finding]:
    """Look at who is let in, and how long the certificate still serves."""
    from gateway.accounts.register import read_accounts
    from gateway.config.access import accounts_of
    from gateway.console.tls import SOON_DAYS, facts, pair_of

    people = read_accounts(accounts_of(plan.console, plan.data)).by_name.values()
    able = sum(one.enabled for one in people)
    if people:
        words = f"{len(people)}, of which {able} can log in"
        yield _of_gateway("accounts", Verdict.GOOD if able else Verdict.NOTE, words)
    pair = pair_of(plan)
    if pair is None:
        return
    if not pair.certificate.exists():
        yield _of_gateway("certificate", Verdict.GOOD, "none yet; the first run makes it")
        return
    try:
        said = facts(pair)
    except Misconfigured as error:
        yield _of_gateway("certificate", Verdict.WRONG, str(error))
        return
    words = f"{pair.certificate} for {', '.join(said.names)}, {said.days:.0f} days left"
    soon = said.days < SOON_DAYS
    mend = ""
    if soon:
        mend = "start anew, and a new one is made" if pair.own else "ask for a new one now"
    yield _of_gateway("certificate", Verdict.NOTE if soon else Verdict.GOOD, words, mend)


def _disks(plan: "Plan") -> Iterator[Finding]:
    """Look whether what is kept will fit the disk once it is full."""
    from gateway.footprint import footprint

    for disk in footprint(plan):
        verdict = Verdict.NOTE if disk.short else Verdict.GOOD
        yield _of_gateway("disk", verdict, disk.words, disk.mend)


def _running(data: Path) -> str:
    from wheeltapper.running import ask, console_of

    url = console_of(data)
    if url is None:
        return ""
    try:
        ask(url, "/health")
    except Unreachable:
        # A killed gateway leaves its address behind.
        return ""
    return str(url)


def _data(plan: "Plan") -> Iterator[Finding]:
    import shutil

    from gateway.journal import Journal
    from wheeltapper.folder import usable

    try:
        usable(plan.data)
    except Misconfigured as error:
        yield _of_gateway("data folder", Verdict.WRONG, str(error))
        return
    free = shutil.disk_usage(plan.data).free
    words = f"{plan.data} can be written, {free / 1e9:.1f} GB free"
    if free < LITTLE_BYTES:
        verdict = Verdict.WRONG if free < NONE_BYTES else Verdict.NOTE
        yield _of_gateway("data folder", verdict, words, "make room on the disk")
    else:
        yield _of_gateway("data folder", Verdict.GOOD, words)
    path = plan.data / "journal.db"
    if not path.exists():
        yield _of_gateway("journal", Verdict.GOOD, "none yet; the first run makes it")
        return
    try:
        journal = Journal.open(path)
    except Misconfigured as error:
        yield _of_gateway("journal", Verdict.WRONG, str(error))
        return
    size = f"{journal.size_bytes / 1e6:.1f} MB of {plan.journal.max_gb:g} GB"
    with_samples = f"{journal.samples:,} samples, {size}"
    journal.close()
    yield _of_gateway("journal", Verdict.GOOD, with_samples)


def _port(host: str, port: int) -> Finding:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            words = f"port {port} is not for this user"
            return _of_gateway("page", Verdict.WRONG, words, "choose one from 1024 on")
        except OSError:
            if not ip_address(host).is_loopback:
                words = f"port {port} at {host} is in use, or that is no address of ours"
                return _of_gateway("page", Verdict.WRONG, words, "set another [console] port")
            words = f"port {port} is in use; the next free one will be taken"
            return _of_gateway("page", Verdict.NOTE, words)
    return _of_gateway("page", Verdict.GOOD, f"port {port} is free")


def _of_gateway(check: str, verdict: Verdict, result: str, mend: str = "") -> Finding:
    return Finding(subject=GATEWAY, check=check, verdict=verdict, result=result, mend=mend)


async def _opcua(config: "OpcUaConfig", tags: Sequence[Tag]) -> AsyncIterator[Finding]:
    from connectors.opcua.commissioning.diagnosis import examine

    failed = False
    async for finding in examine(
        config, [TagHandle(number, tag) for number, tag in enumerate(tags)]
    ):
        # Tags that are not there need not keep the others from being listened to.
        failed = failed or (finding.failed and finding.check not in {"addresses", "samples"})
        yield finding
    if failed:
        yield _skipped(config.name)
    elif tags:
        _, findings = await heard_from(config, tags)
        for finding in findings:
            yield finding


def _skipped(subject: str) -> Finding:
    return Finding(
        subject=subject,
        check="the rest",
        verdict=Verdict.SKIPPED,
        result="was not looked at: mend the above first",
    )


async def _modbus(config: "ModbusConfig", tags: Sequence[Tag]) -> AsyncIterator[Finding]:
    line = await _line(config)
    for finding in line:
        yield finding
    if line[-1].failed:
        yield _skipped(config.name)
        return
    if not tags:
        yield Finding(
            subject=config.name,
            check="tags",
            verdict=Verdict.NOTE,
            result="none yet",
            mend='write some into the sheet, with addresses like "unit 3, holding 100, float32"',
        )
        return
    scans_s = 2.5 * config.scan_ms / 1000
    heard, findings = await heard_from(config, tags, max(LISTENED_S, scans_s))
    for finding in (*_units(config, tags, heard), *findings, *_plausible(config, tags, heard)):
        yield finding


async def _line(config: "ModbusConfig") -> list[Finding]:
    """Look at the way to the device: name and port, or the serial line."""
    from connectors.modbus.config import PORTS
    from connectors.opcua.commissioning.discovery import found_as, knock, resolve

    def good(check: str, result: str) -> Finding:
        return Finding(subject=config.name, check=check, verdict=Verdict.GOOD, result=result)

    if config.host is None:
        return [_serial(config.name, Path(config.device or ""))]
    port = config.port or PORTS[config.transport]
    found: list[Finding] = []
    check = "name"
    try:
        found.append(good(check, found_as(config.host, await resolve(config.host, port))))
        check = "port"
        await knock(config.host, port, max(1.0, config.timeout_ms / 1000))
        found.append(good(check, f"{port} is open"))
    except PlantError as error:
        result, _, mend = str(error).partition(": ")
        found.append(
            Finding(
                subject=config.name,
                check=check,
                verdict=Verdict.UNREACHABLE,
                result=result,
                mend=mend,
            )
        )
    return found


def _serial(name: str, device: Path) -> Finding:
    import os

    check = "serial line"
    if not device.exists():
        return Finding(
            subject=name,
            check=check,
            verdict=Verdict.UNREACHABLE,
            result=f"{device} is not there",
            mend="is the adapter plugged in, and is this its name? See: ls /dev/serial/by-id",
        )
    if not os.access(device, os.R_OK | os.W_OK):
        return Finding(
            subject=name,
            check=check,
            verdict=Verdict.WRONG,
            result=f"this user may not use {device}",
            mend="add the user to the group that owns it, often dialout",
        )
    return Finding(subject=name, check=check, verdict=Verdict.GOOD, result=f"{device} is there")


def _units(config: "ModbusConfig", tags: Sequence[Tag], heard: Heard) -> Iterator[Finding]:
    """Look whether each unit answers, and which of its addresses it refuses."""
    from connectors.modbus.address import address_of

    if heard.first_s is None:
        return
    units: dict[int, list[int]] = {}
    for number, tag in enumerate(tags):
        units.setdefault(address_of(tag).unit, []).append(number)
    for unit in sorted(units):
        own = units[unit]
        statuses = [heard.status.get(number, 0x800A0000) for number in own]
        yield _unit(config.name, unit, [tags[number] for number in own], statuses)


def _unit(name: str, unit: int, tags: Sequence[Tag], statuses: Sequence[int]) -> Finding:
    check = f"unit {unit}"
    if all(status in _SILENT for status in statuses):
        return Finding(
            subject=name,
            check=check,
            verdict=Verdict.UNREACHABLE,
            result="does not answer",
            mend="is it on, is this its number, and on a serial line, are speed and parity right?",
        )
    if all(status in _GARBLED for status in statuses):
        return Finding(
            subject=name,
            check=check,
            verdict=Verdict.WRONG,
            result="something answers, and it is no answer in this transport",
            mend="is transport right? Modbus TCP and RTU over TCP look alike from outside; on a "
            "serial line, is somebody else asking too?",
        )
    refused = [
        f"{tag.name} ({tag.address})"
        for tag, status in zip(tags, statuses, strict=True)
        if status >> 30 and status not in _SILENT
    ]
    if refused:
        more = f" and {len(refused) - SHOWN:,} more" if len(refused) > SHOWN else ""
        return Finding(
            subject=name,
            check=check,
            verdict=Verdict.WRONG,
            result=f"answers, and gives no value for {len(refused)} of {len(tags)} tags: "
            f"{', '.join(refused[:SHOWN])}{more}",
            mend="compare these addresses with the device's list; many lists count from 1",
        )
    whole = "its tag" if len(tags) == 1 else f"all {len(tags)} tags"
    return Finding(subject=name, check=check, verdict=Verdict.GOOD, result=f"answers for {whole}")


def _plausible(config: "ModbusConfig", tags: Sequence[Tag], heard: Heard) -> Iterator[Finding]:
    """Look for numbers that no machine has: most often the words are in another order."""
    from connectors.modbus.address import address_of

    odd = []
    floats = [n for n, tag in enumerate(tags) if address_of(tag).type in _FLOATS]
    for number in floats:
        value = heard.value.get(number, 0.0)
        wild = abs(value) > _HUGE or 0 < abs(value) < _TINY
        # NaN and infinities arrive as BadOutOfRange.
        if wild or heard.status.get(number) == 0x803C0000:
            odd.append(f"{tags[number].name} = {value:.3g}")
    if odd:
        yield Finding(
            subject=config.name,
            check="byte order",
            verdict=Verdict.NOTE,
            result=f"{len(odd)} of {len(floats)} decimals look wrong: {', '.join(odd[:SHOWN])}",
            mend="try another order, as in float32 cdab",
        )


async def _other(config: "SourceConfig", tags: Sequence[Tag]) -> AsyncIterator[Finding]:
    _, findings = await heard_from(config, tags, 1.0)
    for finding in findings:
        yield finding
