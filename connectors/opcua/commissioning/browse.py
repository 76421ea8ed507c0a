"""What stands below Objects: a walk over a server's nodes, level by level, many to a request.

OPC 10000-4 §5.9.2 (Browse) and §5.9.3 (BrowseNext). Nothing that a server says makes the walk
endless: nodes, depth and the names kept are bounded, and a node is visited once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.status_codes import StatusCodes

from connectors.opcua.limits import Allowance, in_calls

PER_CALL = 100
"""Nodes in one Browse: small enough for a slow controller's answer to come in time."""
_REFERENCES = 1_000
_MOST_REFERENCES = 200_000
_HIERARCHICAL = ua.NodeId(ua.Int32(33), ua.Int16(0))
_HAS_PROPERTY = 46
_OBJECTS = ua.NodeId(ua.Int32(85), ua.Int16(0))
_CLASSES = int(ua.NodeClass.Object) | int(ua.NodeClass.Variable) | int(ua.NodeClass.Method)
_WANTED = 1 | 4 | 8
"""BrowseResultMask: type of reference, node class, browse name."""

Key = tuple[int, object]
Name = tuple[int, str]
"""A browse name: namespace index and text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far a walk goes at most.

    Parameters
    ----------
    nodes
        Nodes looked at, properties not counted.
    depth
        Steps below Objects.
    name
        Characters of a browse name; what is below a longer one is not looked at.
    """

    nodes: int = 200_000
    depth: int = 40
    name: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node and how it was come by.

    Parameters
    ----------
    node
        Its identifier in this session.
    path
        Browse names from Objects down to it.
    variable
        Whether it is a Variable; else an Object.
    unique
        Whether its path leads to no other node.
    properties
        Its properties by their name, those of namespace 0.
    """

    node: ua.NodeId
    path: tuple[Name, ...]
    variable: bool
    unique: bool = True
    properties: dict[str, ua.NodeId] = field(default_factory=dict)


@dataclass(slots=True)
class Walk:
    """What a walk has found.

    Attributes
    ----------
    places
        Objects and variables in the order met, none twice.
    refused
        Nodes that could not be browsed, with the StatusCode.
    cut
        Nodes that lie beyond the bounds.
    """

    places: list[Place] = field(default_factory=list)
    refused: list[tuple[Place, int]] = field(default_factory=list)
    cut: int = 0

    def variables(self) -> list[Place]:
        """Give the variables alone."""
        return [place for place in self.places if place.variable]


Progress = Callable[[int, int], None]
"""Told nodes done and nodes known."""


def _unheard(_done: int, _known: int) -> None:
    """Tell nobody."""


async def walk(
    client: Client,
    *,
    allowance: Allowance | None = None,
    bounds: Bounds | None = None,
    enter: Callable[[tuple[Name, ...]], bool] = bool,
    progress: Progress = _unheard,
) -> Walk:
    """Walk over everything below Objects that does not belong to the standard itself.

    Parameters
    ----------
    client
        With a session.
    allowance
        Nodes in one request; halved when the server finds that too many.
    bounds
        How far at most.
    enter
        Whether to look below a path.
    progress
        Told how far the walk has come.

    Raises
    ------
    asyncua.ua.UaError, OSError, TimeoutError
        The server ends it.
    """
    found = Walk()
    limits = bounds or Bounds()
    size = allowance or Allowance(PER_CALL)
    seen: set[Key] = {key_of(_OBJECTS)}
    level = [Place(node=_OBJECTS, path=(), variable=False)]
    done = 0
    while level:
        below: list[Place] = []
        for first in range(0, len(level), PER_CALL):
            part = level[first : first + PER_CALL]
            answers = await _browsed(client, [place.node for place in part], size)
            for place, answer in zip(part, answers, strict=True):
                below += _children(place, answer, seen, found, limits)
            done += len(part)
            progress(done, done + len(level) - first - len(part) + len(below))
        found.places += below
        level = [place for place in below if enter(place.path)]
    return found


def key_of(node: ua.NodeId) -> Key:
    """Give what tells a node from all others of the session."""
    return int(node.NamespaceIndex), node.Identifier


def _children(
    parent: Place,
    answer: tuple[int, list[ua.ReferenceDescription]],
    seen: set[Key],
    found: Walk,
    bounds: Bounds,
) -> list[Place]:
    status, references = answer
    if status:
        found.refused.append((parent, status))
    twins: dict[Name, set[Key]] = {}
    for one in references:
        twins.setdefault(_name(one), set()).add(key_of(one.NodeId))
    children: list[Place] = []
    for one in references:
        node = ua.NodeId(one.NodeId.Identifier, one.NodeId.NamespaceIndex, one.NodeId.NodeIdType)
        name = _name(one)
        if _is_property(one):
            if name[0] == 0 and len(name[1]) <= bounds.name:
                parent.properties[name[1]] = node
            continue
        if not _belongs(one) or key_of(node) in seen:
            continue
        beyond = len(seen) > bounds.nodes
        if beyond or len(parent.path) >= bounds.depth or len(name[1]) > bounds.name:
            found.cut += 1
            continue
        seen.add(key_of(node))
        children.append(
            Place(
                node=node,
                path=(*parent.path, name),
                variable=one.NodeClass == ua.NodeClass.Variable,
                unique=parent.unique and len(twins[name]) == 1,
            )
        )
    return children


def _name(reference: ua.ReferenceDescription) -> Name:
    return int(reference.BrowseName.NamespaceIndex), str(reference.BrowseName.Name or "")


def _is_property(reference: ua.ReferenceDescription) -> bool:
    kind = reference.ReferenceTypeId
    return bool(kind.NamespaceIndex == 0 and kind.Identifier == _HAS_PROPERTY)


def _belongs(reference: ua.ReferenceDescription) -> bool:
    """Tell whether a node is the plant's: on this server, and not the standard's own."""
    node = reference.NodeId
    here = not (isinstance(node, ua.ExpandedNodeId) and node.ServerIndex)
    known = reference.NodeClass in (ua.NodeClass.Object, ua.NodeClass.Variable)
    return bool(here and known and node.NamespaceIndex != 0)


async def _browsed(
    client: Client, nodes: Sequence[ua.NodeId], size: Allowance
) -> list[tuple[int, list[ua.ReferenceDescription]]]:
    """Browse nodes to the end; a StatusCode of 0 where all came."""

    async def ask(part: list[ua.NodeId]) -> list[tuple[int, list[ua.ReferenceDescription]]]:
        return await _followed(client, await _begun(client, part))

    answers = await in_calls(ask, nodes, size)
    # A server has few continuation points; on its own a node gets one.
    for i, (status, _) in enumerate(answers):
        if status == StatusCodes.BadNoContinuationPoints and len(nodes) > 1:
            (answers[i],) = await ask([nodes[i]])
    return answers


async def _begun(client: Client, nodes: Iterable[ua.NodeId]) -> list[ua.BrowseResult]:
    parameters = ua.BrowseParameters(
        RequestedMaxReferencesPerNode=ua.Counter(_REFERENCES),
        NodesToBrowse=[
            ua.BrowseDescription(
                NodeId=node,
                BrowseDirection=ua.BrowseDirection.Forward,
                ReferenceTypeId=_HIERARCHICAL,
                IncludeSubtypes=cast("ua.Boolean", True),
                NodeClassMask=ua.UInt32(_CLASSES),
                ResultMask=ua.UInt32(_WANTED),
            )
            for node in nodes
        ],
    )
    return await client.uaclient.browse(parameters)


async def _followed(
    client: Client, begun: list[ua.BrowseResult]
) -> list[tuple[int, list[ua.ReferenceDescription]]]:
    """Fetch what did not fit into the first answer, for all nodes in the same requests."""
    found = [(_bad(one), list(one.References or ())) for one in begun]
    points = {i: one.ContinuationPoint for i, one in enumerate(begun) if one.ContinuationPoint}
    while points:
        asked = list(points)
        answers = await client.uaclient.browse_next(
            ua.BrowseNextParameters(
                ReleaseContinuationPoints=cast("ua.Boolean", False),
                ContinuationPoints=[points[i] for i in asked],
            )
        )
        points = {}
        for i, answer in zip(asked, answers, strict=True):
            found[i] = (_bad(answer), found[i][1])
            came = list(answer.References or ())
            found[i][1].extend(came)
            # One without progress would go on for ever.
            if answer.ContinuationPoint and came and len(found[i][1]) < _MOST_REFERENCES:
                points[i] = answer.ContinuationPoint
    return found


def _bad(result: ua.BrowseResult) -> int:
    return 0 if result.StatusCode.is_good() else int(result.StatusCode.value)
