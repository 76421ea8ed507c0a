"""Addresses of OPC UA tags: a namespace URI with a node identifier or a browse path.

Namespace indices and many numeric identifiers change when a server restarts, so an index is
refused and everything else is resolved afresh at each connect.
"""

import re
from dataclasses import dataclass

from plant.errors import Misconfigured

_INDEXED = re.compile(r"^(ns=\d+;)?[sigb]=", re.ASCII)
_ELEMENT = re.compile(r"(.*);\[([0-9,: -]*)\]", re.DOTALL)
_ELEMENT_OF_PATH = re.compile(r"((?:&.|[^&])*);\[([0-9,: -]*)\]", re.DOTALL)
_INDICES = re.compile(r"[0-9]{1,10}(,[0-9]{1,10}){0,7}")
_FORMS = "nsu=<uri>;s=<id>, nsu=<uri>;i=<number> or nsu=<uri>;Folder/Name"
_MAX_NUMBER = 2**32 - 1


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node by its identifier, text or number, in the namespace `uri`.

    `element` is the NumericRange of the one element that is meant where the node is an array.
    """

    uri: str
    identifier: str | int
    element: str | None = None


@dataclass(frozen=True, slots=True)
class PathAddress:
    """A node by the browse names that lead to it from Objects, all in the namespace `uri`.

    `element` is the NumericRange of the one element that is meant where the node is an array.
    """

    uri: str
    names: tuple[str, ...]
    element: str | None = None


Address = NodeAddress | PathAddress


def parse_address(text: str, tag: str) -> Address:
    """Read the address of the tag named `tag`.

    In a browse path ``&`` stands before a ``/``, ``&`` or ``;`` that belongs to a name (OPC 10000-4
    A.2). Behind both forms ``;[3]`` or ``;[1,2]`` picks an element of an array, counted from 0. A
    bracket alone would not do: ``Temps[3]`` is an ordinary name and identifier on many controllers.

    Raises
    ------
    Misconfigured
        The text is no address; the message says what to write.

    Examples
    --------
    >>> parse_address("nsu=urn:plc;s=Line1.Flow", "line/pump/flow")
    NodeAddress(uri='urn:plc', identifier='Line1.Flow', element=None)
    >>> parse_address("nsu=urn:plc;/Line1/Flow", "line/pump/flow")
    PathAddress(uri='urn:plc', names=('Line1', 'Flow'), element=None)
    >>> parse_address("nsu=urn:plc;s=Line1.Temps;[3]", "line/oven/zone_3").element
    '3'
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
    node, element = _split_element(rest, text, tag)
    if node.startswith("s="):
        return NodeAddress(uri, _identifier(node[2:], text, tag), element)
    if node.startswith("i="):
        return NodeAddress(uri, _number(node[2:], text, tag), element)
    if rest.startswith(("g=", "b=")):
        raise Misconfigured(
            f"tag {tag}: address {text!r} has a GUID or opaque identifier; address it by its "
            "browse path, nsu=<uri>;Folder/Name"
        )
    return PathAddress(uri, _names(node.removeprefix("/"), text, tag), element)


def _split_element(rest: str, text: str, tag: str) -> tuple[str, str | None]:
    form = _ELEMENT if rest.startswith(("s=", "i=")) else _ELEMENT_OF_PATH
    found = form.fullmatch(rest)
    if found is None:
        return rest, None
    node, indices = found.groups()
    if not _INDICES.fullmatch(indices) or max(map(int, indices.split(","))) > _MAX_NUMBER:
        raise Misconfigured(
            f"tag {tag}: address {text!r} names no single element of an array; write ;[3] or, in "
            "an array of two dimensions, ;[1,2], counted from 0"
        )
    return node, ",".join(str(int(index)) for index in indices.split(","))


def _identifier(identifier: str, text: str, tag: str) -> str:
    if not identifier:
        raise Misconfigured(f"tag {tag}: address {text!r} has nothing after s=; write {_FORMS}")
    return identifier


def _number(digits: str, text: str, tag: str) -> int:
    if not (digits.isascii() and digits.isdigit()) or int(digits) > _MAX_NUMBER:
        raise Misconfigured(
            f"tag {tag}: address {text!r} needs a whole number of 0 to {_MAX_NUMBER} after i="
        )
    return int(digits)


def _names(path: str, text: str, tag: str) -> tuple[str, ...]:
    names = [""]
    for piece in re.findall(r"&.|.", path, re.DOTALL):
        if piece == "/":
            names.append("")
        else:
            names[-1] += piece[-1]
    if not all(names):
        raise Misconfigured(f"tag {tag}: address {text!r} has an empty name in its browse path")
    return tuple(names)
