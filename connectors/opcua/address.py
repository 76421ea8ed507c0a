"""Addresses of OPC UA tags: a namespace URI with a node identifier or a browse path.

Namespace indices and many numeric identifiers change when a server restarts, so an index is
refused and everything else is resolved afresh at each connect.
"""

import re
from dataclasses import dataclass

from plant.errors import Misconfigured

_INDEXED = re.compile(r"^(ns=\d+;)?[sigb]=", re.ASCII)
_FORMS = "nsu=<uri>;s=<id>, nsu=<uri>;i=<number> or nsu=<uri>;Folder/Name"
_MAX_NUMBER = 2**32 - 1


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node by its identifier, text or number, in the namespace `uri`."""

    uri: str
    identifier: str | int


@dataclass(frozen=True, slots=True)
class PathAddress:
    """A node by the browse names that lead to it from Objects, all in the namespace `uri`."""

    uri: str
    names: tuple[str, ...]


Address = NodeAddress | PathAddress


def parse_address(text: str, tag: str) -> Address:
    """Read the address of the tag named `tag`.

    In a browse path ``&`` stands before a ``/`` or ``&`` that belongs to a name (OPC 10000-4 A.2).

    Raises
    ------
    Misconfigured
        The text is no address; the message says what to write.

    Examples
    --------
    >>> parse_address("nsu=urn:plc;s=Line1.Flow", "line/pump/flow")
    NodeAddress(uri='urn:plc', identifier='Line1.Flow')
    >>> parse_address("nsu=urn:plc;/Line1/Flow", "line/pump/flow")
    PathAddress(uri='urn:plc', names=('Line1', 'Flow'))
    """
    if _INDEXED.match(text):
        identifier = text.rpartition(";")[2] if text.startswith("ns=") else text
        raise Misconfigured(
            f"tag {tag}: address {text!r} goes by a namespace index, which changes when the "
            f"server restarts; write nsu=<uri>;{identifier}"
        )
    uri, separator, rest = text.removeprefix("nsu=").partition(";")
    if not text.startswith("nsu=") or not uri or not separator or not rest:
        raise Misconfigured(f"tag {tag}: address {text!r} is not understood; write {_FORMS}")
    if rest.startswith("s="):
        return _by_text(uri, rest[2:], text, tag)
    if rest.startswith("i="):
        return _by_number(uri, rest[2:], text, tag)
    if rest.startswith(("g=", "b=")):
        raise Misconfigured(
            f"tag {tag}: address {text!r} has a GUID or opaque identifier; address it by its "
            "browse path, nsu=<uri>;Folder/Name"
        )
    return PathAddress(uri, _names(rest.removeprefix("/"), text, tag))


def _by_text(uri: str, identifier: str, text: str, tag: str) -> NodeAddress:
    if not identifier:
        raise Misconfigured(f"tag {tag}: address {text!r} has nothing after s=; write {_FORMS}")
    return NodeAddress(uri, identifier)


def _by_number(uri: str, digits: str, text: str, tag: str) -> NodeAddress:
    if not (digits.isascii() and digits.isdigit()) or int(digits) > _MAX_NUMBER:
        raise Misconfigured(
            f"tag {tag}: address {text!r} needs a whole number of 0 to {_MAX_NUMBER} after i="
        )
    return NodeAddress(uri, int(digits))


def _names(path: str, text: str, tag: str) -> tuple[str, ...]:
    names = [""]
    for piece in re.findall(r"&.|.", path):
        if piece == "/":
            names.append("")
        else:
            names[-1] += piece[-1]
    if not all(names):
        raise Misconfigured(f"tag {tag}: address {text!r} has an empty name in its browse path")
    return tuple(names)
