"""From the addresses of tags to the nodes of this session, and what the nodes hold."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds

from connectors.contract import Cells
from connectors.opcua.address import Address, NodeAddress, PathAddress, parse_address
from connectors.opcua.limits import Limits, in_calls
from connectors.sockets import reached
from plant.quality import Status
from plant.tags import TagHandle

_HIERARCHICAL = ua.NodeId(ua.Int32(33), ua.Int16(0))
_OBJECTS = ua.NodeId(ua.Int32(85), ua.Int16(0))
_SERVERS = ua.NodeId(ua.Int32(2254), ua.Int16(0))
"""Server_ServerArray: its first is the server's own ApplicationUri (OPC 10000-5 §6.3.1)."""
_STARTED = ua.NodeId(ua.Int32(2257), ua.Int16(0))
"""Server_ServerStatus_StartTime."""
_WHOLE = 0xFFFF_FFFF
_FORWARD = cast("ua.Boolean", False)


@dataclass(frozen=True, slots=True)
class Found:
    """A tag's node, its DataType as sortable text, and the element where the node is an array."""

    tag: TagHandle
    node: ua.NodeId
    data_type: str
    element: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A tag that the server does not deliver, and its StatusCode."""

    tag: TagHandle
    status: int


async def find_nodes(
    client: Client, tags: Sequence[TagHandle], limits: Limits
) -> tuple[list[Found], list[Refused]]:
    """Resolve every tag's address, subtypes of hierarchical references included, and its DataType.

    Raises
    ------
    Misconfigured
        An address cannot be parsed.
    """
    addresses = [parse_address(tag.tag.address, tag.tag.name) for tag in tags]
    namespaces = await client.get_namespace_array()
    nodes = [_direct(address, namespaces) for address in addresses]
    paths = [
        (i, _path(address, namespaces.index(address.uri)))
        for i, address in enumerate(addresses)
        if isinstance(address, PathAddress) and address.uri in namespaces
    ]
    results = await in_calls(
        client.uaclient.translate_browsepaths_to_nodeids,
        [path for _, path in paths],
        limits.translate,
    )
    for (i, _), result in zip(paths, results, strict=True):
        nodes[i] = _target(result)
    elements = [address.element for address in addresses]
    there = [
        Found(tag, node, "", element)
        for tag, node, element in zip(tags, nodes, elements, strict=True)
        if not isinstance(node, int)
    ]
    refused = [
        Refused(tag, node) for tag, node in zip(tags, nodes, strict=True) if isinstance(node, int)
    ]
    return await _described(client, there, limits), refused


def _direct(address: Address, namespaces: list[str]) -> ua.NodeId | int:
    """Give the node of an identifier; a StatusCode where there is none (yet)."""
    if isinstance(address, NodeAddress) and address.uri in namespaces:
        index = ua.Int16(namespaces.index(address.uri))
        if isinstance(address.identifier, int):
            return ua.NumericNodeId(ua.Int32(address.identifier), index)
        return ua.StringNodeId(ua.String(address.identifier), index)
    return int(Status.BAD_NODE_ID_UNKNOWN)


def _path(address: PathAddress, namespace: int) -> ua.BrowsePath:
    elements = [
        ua.RelativePathElement(
            ReferenceTypeId=_HIERARCHICAL,
            IsInverse=_FORWARD,
            TargetName=ua.QualifiedName(name, ua.UInt16(namespace)),
        )
        for name in address.names
    ]
    return ua.BrowsePath(StartingNode=_OBJECTS, RelativePath=ua.RelativePath(elements))


def _target(result: ua.BrowsePathResult) -> ua.NodeId | int:
    if not result.StatusCode.is_good():
        return int(result.StatusCode.value)
    whole = [target for target in result.Targets or () if target.RemainingPathIndex == _WHOLE]
    if len(whole) != 1:
        return int(Status.BAD_NODE_ID_UNKNOWN if not whole else Status.BAD_CONFIGURATION_ERROR)
    found = whole[0].TargetId
    return ua.NodeId(found.Identifier, found.NamespaceIndex, found.NodeIdType)


async def _described(client: Client, found: Sequence[Found], limits: Limits) -> list[Found]:
    async def read(part: list[ua.NodeId]) -> Sequence[ua.DataValue]:
        return await client.uaclient.read_attributes(part, AttributeIds.DataType)

    types = await in_calls(read, [one.node for one in found], limits.read)
    return [
        replace(one, data_type=_type_name(kind)) for one, kind in zip(found, types, strict=True)
    ]


def _type_name(value: ua.DataValue) -> str:
    # An unreadable DataType is no reason to refuse: it only decides the order of the items.
    data_type = value.Value.Value if value.Value is not None else None
    return data_type.to_string() if isinstance(data_type, ua.NodeId) else ""


async def places_of(client: Client, found: Sequence[Found]) -> dict[str, Cells]:
    """Say which node of which server each tag has come to, by whatever name; by tag.

    A server is known by where it was reached, and by its ApplicationUri with the moment of its
    start: cloned servers bear one name, and one server may have many addresses.
    """
    spaces = dict(enumerate(await client.get_namespace_array()))
    said = await client.uaclient.read_attributes([_SERVERS, _STARTED], AttributeIds.Value)
    servers, started = (value.Value.Value if value.Value is not None else None for value in said)
    protocol = client.uaclient.protocol
    stream = protocol.transport if protocol is not None else None
    marks: set[tuple[Hashable, ...]] = {reached(stream)} if stream is not None else set()
    if isinstance(servers, list) and servers and isinstance(started, datetime):
        marks.add((str(servers[0]), started))
    return {
        one.tag.tag.name: frozenset(
            (mark, spaces.get(one.node.NamespaceIndex), one.node.Identifier) for mark in marks
        )
        for one in found
    }
