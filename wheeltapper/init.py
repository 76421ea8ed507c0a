"""``wheeltapper init NAME``: a first configuration, with a comment on every line that matters."""

import re
from pathlib import Path
from typing import Annotated

import typer

from wheeltapper.options import AsJson
from wheeltapper.server import SOURCE, Security

SUFFIX = ".toml"
SHEET = "tags.csv"
PKI = "pki"
DATA = "data"
LAST_PORT = 65535
_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_EXAMPLE = "opc.tcp://192.168.10.5:4840"

_TEMPLATE = """\
# A gateway's configuration. Is it right?   wheeltapper check {file}
#                            Does it work?  wheeltapper doctor {file}
version = 1

# Every tag: its name, its source, its address there, its unit. Excel may edit the sheet.
tags = "{sheet}"

[gateway]
name = "{name}"
# Journal and alarms; below the folder of this file:
data = "{data}"

# What the journal may take of the disk; then the oldest raw samples go.
[journal]
max_gb = 20.0

# The page for people; on this machine only.
[console]
port = 8080
{sources}
# Summaries of every tag are kept in the data folder. A central store gets them and the alarms:
# [[sink]]
# type = "influx"
# name = "central"
# url = "https://influx.works:8086"
# org = "works"
# token_file = "token"      # wheeltapper central init makes it

# The machines to judge. Without any such table every path of the tags up to the last "/" is one.
# [[asset]]
# path = "site/hall-1/line-1/pump-2"
# modes = {{ 0 = "idle", 1 = "run" }}
"""
_OPCUA = """
[[source]]
type = "opcua"
name = "{source}"
url = {url}
{security}
# user = "operator"
# password_file = "password.txt"      # its first line is the password
# The server sends what has changed so often, ms:
# publishing_ms = 200.0
"""
_SECURED = """\
# Signed and encrypted; "none" sends everything in clear:
security = "{policy}"
# Folder of the certificates that are believed; made, with one of our own, at the first connection:
trust = "{pki}"\
"""
_OPEN = """\
# In clear: anybody on the way can read and change what passes. Choose a policy where you can:
security = "none"
# security = "Basic256Sha256"
# trust = "{pki}"\
"""
_MODBUS = """
[[source]]
type = "modbus"
name = "{source}"
host = {host}
port = {port}
# Period of the scan of all units, ms:
# scan_ms = 1000.0
# An address in the sheet looks like:  unit 3, holding 100, float32 abcd
"""


def init(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="line1, or path/line1.toml.")],
    opcua: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="An OPC UA server; may be repeated.")
    ] = None,
    modbus: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST[:PORT]", help="A Modbus TCP device; may be repeated."),
    ] = None,
    security: Security = "",
    force: Annotated[
        bool, typer.Option("--force", help="Write over a configuration that is there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a commented configuration and an empty sheet of tags; nothing is connected."""
    from plant.errors import Misconfigured
    from wheeltapper import sheet, terminal

    path = Path(name) if name.endswith(SUFFIX) else Path(f"{name}{SUFFIX}")
    if path.exists() and not force:
        raise Misconfigured(f"{path} is there already; --force writes over it")
    # Another line's sheet and data in the same folder are left to it.
    alone = path.exists() or not (path.parent / SHEET).exists()
    tags = path.parent / (SHEET if alone else f"{path.stem}-{SHEET}")
    data = DATA if alone else f"{path.stem}-{DATA}"
    sources = _sources(opcua or [], modbus or [], security)
    text = _TEMPLATE.format(
        file=path.name, name=_name(path), sheet=tags.name, data=data, sources=sources
    )
    sheet_is_there = tags.exists()
    sheet.write(path, text.encode())
    if not sheet_is_there:
        sheet.write(tags, sheet.header().encode())
    if as_json:
        terminal.record({"config": str(path), "tags": str(tags), "tags_kept": sheet_is_there})
        return
    kept = ", which was there and is as it was" if sheet_is_there else ""
    terminal.say(f"wrote {path}\ntags  {tags}{kept}")
    terminal.say(f"next  wheeltapper doctor {path}")
    if opcua:
        one = " --source plc-1" if len(opcua) + len(modbus or []) > 1 else ""
        terminal.say(f"then  wheeltapper browse {path}{one} --match '**' --write {tags}")


def _name(path: Path) -> str:
    from plant.errors import Misconfigured

    stem = _NAME.sub("-", path.stem).strip("-")[:64]
    if not stem or stem != path.stem:
        raise Misconfigured(
            f'"{path.stem}" is no name for a gateway; use letters, digits, - and _, no spaces'
        )
    return stem


def _sources(opcua: list[str], modbus: list[str], security: str) -> str:
    """Write the tables of the sources, each tried first."""
    urls = opcua or ([] if modbus else [_EXAMPLE])
    several = len(urls) + len(modbus) > 1
    blocks = [
        _opcua(url, f"{SOURCE}-{number}" if several else SOURCE, security)
        for number, url in enumerate(urls, 1)
    ]
    blocks += [
        _modbus(place, f"meter-{number}" if several else "meter")
        for number, place in enumerate(modbus, 1)
    ]
    return "".join(blocks)


def _opcua(url: str, name: str, security: str) -> str:
    import json

    from connectors.opcua.commissioning.discovery import place_of
    from wheeltapper.server import Access

    place_of(url)
    policy = security or "Basic256Sha256"
    Access(trust=Path(PKI)).config(url, policy, name)
    protected = (_OPEN if policy == "none" else _SECURED).format(policy=policy, pki=PKI)
    return _OPCUA.format(source=name, url=json.dumps(url, ensure_ascii=False), security=protected)


def _modbus(place: str, name: str) -> str:
    import json

    from plant.errors import Misconfigured

    host, _, digits = place.partition(":")
    port = int(digits) if digits.isascii() and digits.isdigit() else 0 if digits else 502
    if not host or not host.isprintable() or "/" in place or not 0 < port <= LAST_PORT:
        raise Misconfigured(f'"{place}" is no device; write a host and a port, like 10.0.0.6:502')
    return _MODBUS.format(source=name, host=json.dumps(host, ensure_ascii=False), port=port)
