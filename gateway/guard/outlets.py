"""Where each tag of the limits leads: signed with them, so that nobody can redirect a write.

The configuration says at which device and address a tag lies, and is not signed. So whoever signs
limits signs with them what the configuration said of every tag that they name; where it says
something else later, the whole file is refused.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from connectors.catalogue import SourceConfig
from connectors.contract import Cells
from connectors.modbus.address import parse_address as registers_at
from connectors.modbus.config import ModbusConfig
from connectors.opcua.address import parse_address as node_at
from connectors.opcua.config import OpcUaConfig
from connectors.setpoint_words import BLOCK_WORDS
from plant.errors import Misconfigured
from plant.tags import Tag, ValueType

Way = Mapping[str, str | float]
"""Where a tag leads, and how its numbers are meant: what is compared, by its name."""
TABLE = "signed"
AGAIN = (
    "put it back, or have them signed again: "
    "wheeltapper setpoints sign LIMITS --key KEY --config CONFIG"
)
_HEAD = "# Where each tag leads, by the configuration this was signed with.\n"
_OWN = re.compile(rf"\[{TABLE}[\].]")
_MOMENT = re.compile(rf"^(\[{TABLE}\]\nat = )\S+$", re.MULTILINE)
OPCUA_PORT = 4840


def way_of(source: SourceConfig, tag: Tag) -> Way:
    """Say where a tag leads."""
    match source:
        case ModbusConfig():
            line = {
                "protocol": f"modbus {source.transport}",
                "endpoint": source.place,
                "ca_sha256": source.ca_sha256 or "",
            }
        case OpcUaConfig():
            secured = "" if source.security == "none" else f" {source.mode}"
            line = {
                "protocol": "opcua",
                "endpoint": source.url,
                "security": f"{source.security}{secured}",
                "server_thumbprint": source.server_thumbprint or "",
            }
        case _:
            line = {"protocol": source.type, "endpoint": str(source.file)}
    way = {"device": tag.source, **line, "address": tag.address, "type": tag.type or ""}
    said = {key: str(text) for key, text in way.items() if text}
    return {**said, "unit": tag.unit, "scale": tag.scale, "offset": tag.offset}


def written(text: str, tags: Sequence[str], ways: Mapping[str, Way], now: int) -> str:
    """Give a text of limits with where its tags lead at its end, in place of what stood there.

    Parameters
    ----------
    tags
        All that the limits name.
    now
        Wall time, ns.
    """
    rows = "".join(
        f'"{tag}" = {{ {", ".join(f"{key} = {_literal(ways[tag][key])}" for key in ways[tag])} }}\n'
        for tag in tags
    )
    kept = without(text).rstrip("\n")
    return f"{kept}\n\n{_HEAD}[{TABLE}]\nat = {_moment(now)}\n\n[{TABLE}.outlets]\n{rows}"


def without(text: str) -> str:
    """Give a text of limits without what `written` has put there."""
    kept, own = [], False
    for line in text.splitlines(keepends=True):
        begun = line.lstrip()
        own = bool(_OWN.match(begun)) if begun.startswith("[") else own
        if not own and line != _HEAD:
            kept.append(line)
    return "".join(kept)


def moved(before: str, after: str) -> list[str]:
    """Say of the tags in two texts of limits which of them lead elsewhere in the second."""
    was, now = (_outlets(text) for text in (before, after))
    return [
        f"{tag}: {'; '.join(_changes(was[tag], now[tag], 'before', 'now'))}"
        for tag in now
        if tag in was and was[tag] != now[tag]
    ]


def dated(text: str, now: int) -> str:
    """Give a text of limits that says where its tags lead, as signed at `now`, wall time, ns.

    Raises
    ------
    Misconfigured
        It does not say where its tags lead.
    """
    made, found = _MOMENT.subn(rf"\g<1>{_moment(now)}", text)
    if not found:
        raise Misconfigured(
            "the limits do not say where their tags lead, and whoever changes the configuration "
            "could redirect a write: sign them with --config CONFIG, which writes it into them"
        )
    return made


def objections(
    signed: object, tags: Sequence[str], ways: Mapping[str, Way]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give the keys of what is amiss between the signed table and the configuration, and why.

    Parameters
    ----------
    signed
        The table as it was read; None where there is none.
    tags
        All that the limits name.
    ways
        Where the configuration has them lead.
    """
    table: dict[str, Any] = signed if isinstance(signed, dict) else {}
    outlets = table.get("outlets", {})
    if signed is not None and (
        table.keys() != {"at", "outlets"}
        or not isinstance(outlets, dict)
        or not isinstance(table["at"], datetime)
    ):
        yield (), f"holds at = a moment, and [{TABLE}.outlets]: leave it to setpoints sign --config"
        return
    for tag in tags:
        was, now = outlets.get(tag, {}), ways.get(tag, {})
        if not was and now:
            yield ("outlets", tag), f"where it leads was not signed: {AGAIN.partition(', or ')[2]}"
        elif was != now:
            changed = "; ".join(_changes(was if isinstance(was, dict) else {}, now))
            yield ("outlets", tag), f"leads elsewhere than was signed: {changed}; {AGAIN}"
        elif (pin := _pin(now)) and pin not in now:
            what = f'others that are trusted could stand there: write {pin} = "…" into source'
            yield ("outlets", tag), f'{what} "{now["device"]}", and have them signed'
    for tag in outlets.keys() - set(tags):
        yield ("outlets", tag), "is not named by these limits"


def _pin(way: Way) -> str:
    """Name what has to say of a secured way whose certificate is at its end."""
    if way.get("protocol") == "modbus tls":
        return "ca_sha256"
    return "server_thumbprint" if way.get("security", "none") != "none" else ""


def signed_at(signed: object) -> int:
    """Give when the limits were signed, wall time, ns; 0: they do not say."""
    at = signed.get("at") if isinstance(signed, dict) else None
    if not isinstance(at, datetime):
        return 0
    return wall_of(at)


def wall_of(at: datetime) -> int:
    """Give a moment of TOML as wall time, ns, whole seconds; without a zone UTC is meant."""
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * 10**9


def cells(way: Way, block: str = "") -> Cells:
    """Give what a setpoint takes up where it leads: registers, or a node.

    What only the device can tell, as that two names are one node, shows once it is connected.

    Parameters
    ----------
    way
        See `Way`.
    block
        Address of its block, which is written in place of its own address.
    """
    protocol = str(way.get("protocol", "")).partition(" ")[0]
    endpoint, address = str(way.get("endpoint", "")), block or str(way.get("address", ""))
    try:
        if protocol == "modbus":
            said = ValueType(str(way["type"])) if "type" in way else None
            at = registers_at(address, ValueType.UINT16 if block else said)
            at = replace(at, length=BLOCK_WORDS) if block else at
            return frozenset((endpoint.casefold(), *cell) for cell in at.cells)
        if protocol == "opcua":
            url = urlsplit(endpoint)
            return frozenset({(url.hostname, url.port or OPCUA_PORT, node_at(address, "setpoint"))})
    except (Misconfigured, ValueError):
        return frozenset()  # whoever makes the actuator says what is wrong with it
    return frozenset()


def shared(places: Mapping[str, Cells]) -> Iterator[tuple[str, str]]:
    """Give the setpoints that take up the same, each with the one before it."""
    names = list(places)
    for number, name in enumerate(names):
        for before in names[:number]:
            if places[name] & places[before]:
                yield name, before


def _outlets(text: str) -> dict[str, Way]:
    try:
        found = tomllib.loads(text).get(TABLE, {}).get("outlets", {})
    except (ValueError, RecursionError, AttributeError):
        return {}
    rows = found.items() if isinstance(found, dict) else ()
    return {tag: way for tag, way in rows if isinstance(way, dict)}


def _changes(
    was: Way, now: Way, then: str = "was signed", here: str = "is configured"
) -> Iterator[str]:
    for key in dict.fromkeys((*was, *now)):
        if was.get(key) != now.get(key):
            yield f"{key} {_said(was, key)} {then}, {_said(now, key)} {here}"


def _said(way: Way, key: str) -> str:
    return _literal(way[key]) if key in way else "none"


def _literal(value: str | float) -> str:
    """Write a value as TOML, which shares JSON's texts."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(float(value))


def _moment(now: int) -> str:
    return datetime.fromtimestamp(now // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
