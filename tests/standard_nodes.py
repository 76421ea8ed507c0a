"""The standard address space of asyncua's server, built once a process and copied for each server.

asyncua builds its 6,000 nodes anew for every server, which takes two seconds of a core or more; a
run of the tests starts dozens of servers.
"""

from pathlib import Path

from asyncua.server.address_space import AttributeValue, NodeData
from asyncua.server.internal_server import InternalServer
from asyncua.ua import NodeId

from connectors.simulated.opcua_server import undisturbed

Nodes = dict[NodeId, NodeData]
_build = InternalServer.load_standard_address_space
_built: Nodes = {}


async def load(server: InternalServer, shelf_file: Path | None = None) -> None:
    """Give a server its own standard nodes; in place of `load_standard_address_space`."""
    with undisturbed():
        if not _built:
            await _build(server, shelf_file)
            _built.update(copied(server.aspace._nodes))
        server.aspace._nodes = copied(_built)


def copied(nodes: Nodes) -> Nodes:
    """Copy nodes. Values are shared, for a server replaces one and never changes it.

    References are shared too: only who renames a standard node would change one, and nobody does.
    """
    return {key: _node(node) for key, node in nodes.items()}


def _node(node: NodeData) -> NodeData:
    own = NodeData(node.nodeid)
    own.attributes = {key: AttributeValue(each.value) for key, each in node.attributes.items()}
    own.references = node.references.copy()
    return own
