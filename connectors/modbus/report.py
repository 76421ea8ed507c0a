"""What a line tells of itself, in plain words."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from connectors.contract import Facts
from connectors.modbus.address import Address
from connectors.modbus.config import ModbusConfig
from connectors.modbus.connection import Connection
from connectors.modbus.unit import Unit

_DAY_S = 86_400.0
_NAMED = 5
"""Most refused addresses that a note names."""


def facts_of(
    config: ModbusConfig,
    connection: Connection,
    units: Sequence[Unit],
    addresses: Sequence[Address],
) -> Facts:
    """Describe a line from memory."""
    trip = connection.round_trip_s
    link = connection.link
    version = link.tls.version() if link and link.tls else None
    until = link.valid_until if link else None
    return Facts(
        endpoint=_endpoint(config),
        security=_security(config, version),
        secured=config.transport in ("rtu", "tls"),
        certificate_days=None if until is None else (until - time.time()) / _DAY_S,
        round_trip_ms=None if trip is None else 1000 * trip,
        notes=tuple(_notes(units, addresses)),
    )


def _endpoint(config: ModbusConfig) -> str:
    words = f"modbus {config.transport.replace('-', ' ')} {config.place}"
    if config.transport != "rtu":
        return words
    return f"{words} {config.baud} 8{config.parity[0].upper()}{config.stop_bits}"


def _security(config: ModbusConfig, version: str | None) -> str:
    if config.transport == "rtu":
        return "serial line"
    return (version or "TLS").replace("TLSv", "TLS ") if config.transport == "tls" else "none"


def _notes(units: Sequence[Unit], addresses: Sequence[Address]) -> Iterator[str]:
    requests = sum(unit.requests for unit in units if not unit.dead)
    yield f"{requests} request{'' if requests == 1 else 's'} a scan"
    for unit in units:
        if unit.dead and unit.silent_since is not None:
            since = datetime.fromtimestamp(unit.silent_since, UTC)
            yield f"unit {unit.number} does not answer since {since:%Y-%m-%d %H:%M:%S} UTC"
        yield from _shortfalls(unit, addresses)


def _shortfalls(unit: Unit, addresses: Sequence[Address]) -> Iterator[str]:
    holes = sorted(unit.learnt.holes.found)
    if holes:
        named = ", ".join(
            f"{addresses[column].table} {addresses[column].offset}" for column in holes[:_NAMED]
        )
        rest = f" and {len(holes) - _NAMED} more" if len(holes) > _NAMED else ""
        yield f"unit {unit.number} refuses {len(holes)} of its addresses: {named}{rest}"
    for table, lesson in unit.learnt.lessons.items():
        if lesson.limited:
            what = "bits" if table.of_bits else "registers"
            yield f"unit {unit.number} allows {lesson.longest} {what} a request ({table})"
