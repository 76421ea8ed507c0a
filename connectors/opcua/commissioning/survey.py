"""A survey of a server: which variables it has, and which of them look like process values."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds

from connectors.opcua.commissioning.browse import PER_CALL, Name, Place, Progress, walk
from connectors.opcua.commissioning.naming import path_text
from connectors.opcua.commissioning.pattern import Pattern
from connectors.opcua.commissioning.variables import Variable, describe, sampled
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure, leave
from connectors.opcua.limits import Allowance, read_limits
from connectors.opcua.plain import plain
from connectors.opcua.refusals import FAILURES
from plant.errors import Unreachable
from plant.quality import status_name

_BUILD_INFO = ua.NodeId(ua.Int32(2260), ua.Int16(0))
_RUN = re.compile(r"([0-9]{0,9})([^0-9]*)")
_SORTED = 200
_MOST_NOTES = 5
_MOST_SEEN = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found below a pattern.

    Parameters
    ----------
    namespaces
        The server's namespace array, fit for people.
    built
        Product, maker and version, where the server says so.
    nodes
        Objects and variables looked at.
    counted
        Variables whose path fits.
    variables
        The same, small arrays taken apart.
    moved
        Addresses of those that changed while they were watched.
    notes
        What could not be looked at, in plain words.
    seen
        Paths met on the way, fit for people, the first ones only.
    """

    namespaces: tuple[str, ...]
    built: str
    nodes: int
    counted: int
    variables: tuple[Variable, ...]
    moved: frozenset[str]
    notes: tuple[str, ...]
    seen: tuple[str, ...]

    def likely(self) -> list[Variable]:
        """Give the variables that look like process values.

        Readable numbers with a unit or a range, or that changed while they were watched.
        """
        return [one for one in self.variables if self.looks_likely(one)]

    @property
    def likely_count(self) -> int:
        """How many variables these are; the elements of an array are one."""
        return len({one.place.path for one in self.likely()})

    def looks_likely(self, one: Variable) -> bool:
        """Tell whether a variable looks like a process value."""
        described = bool(one.unit or one.unit_text) or one.low is not None
        return one.numeric and not one.obstacle and (described or one.address in self.moved)


async def survey(
    config: OpcUaConfig,
    pattern: Pattern,
    *,
    watch_s: float = 0.0,
    progress: Progress | None = None,
) -> Survey:
    """Browse a server and read what it says of each variable that fits.

    Parameters
    ----------
    watch_s
        How long to wait for a second sample, s; 0 takes none.
    progress
        Told steps done and steps known.

    Raises
    ------
    Unreachable
        The server does not answer, or not in time.
    Misconfigured
        It does not let us in.
    """
    client = await connect_secure(config)
    try:
        return await _surveyed(client, config, pattern, watch_s, progress or _unheard)
    except FAILURES as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else plain(repr(error))
        raise Unreachable(
            f"{config.url}: browsing was cut off ({reason}); a slow server needs a larger "
            "timeout_s, or a narrower --match"
        ) from error
    finally:
        await leave(client)


def _unheard(_done: int, _known: int) -> None:
    """Tell nobody."""


async def _surveyed(
    client: Client, config: OpcUaConfig, pattern: Pattern, watch_s: float, progress: Progress
) -> Survey:
    namespaces = [str(uri) for uri in await client.get_namespace_array()]

    def enter(path: tuple[Name, ...]) -> bool:
        names = [name for _, name in path]
        # What fits is looked into as well: its properties tell unit and range.
        return pattern.may_lead(names) or pattern.matches(names)

    limits = await read_limits(client, config.items_per_call)
    per_browse = Allowance(min(limits.browse.size, PER_CALL))
    found = await walk(client, allowance=per_browse, enter=enter, progress=progress)
    fitting = sorted(
        (one for one in found.variables() if pattern.matches([name for _, name in one.path])),
        key=_by_folder,
    )
    variables = await describe(client, fitting, namespaces, limits.read, progress)
    moved: frozenset[str] = frozenset()
    if watch_s:
        await asyncio.sleep(watch_s)
        again = await sampled(client, variables, limits.read)
        moved = frozenset(
            one.address
            for one, other in zip(variables, again, strict=True)
            if one.value != other.value
        )
    notes = [
        f"{plain('/'.join(name for _, name in place.path)) or 'Objects'} could not be browsed: "
        f"{status_name(status)}"
        for place, status in found.refused[:_MOST_NOTES]
    ]
    if found.cut:
        notes.append(f"{found.cut} nodes were left out: the server has more than is looked at")
    return Survey(
        namespaces=tuple(plain(uri) for uri in namespaces),
        built=await _built(client),
        nodes=len(found.places),
        counted=len(fitting),
        variables=tuple(variables),
        moved=moved,
        notes=tuple(notes),
        seen=tuple(
            plain(path_text([name for _, name in place.path]))
            for place in found.places[:_MOST_SEEN]
        ),
    )


def _by_folder(place: Place) -> list[list[tuple[int, str]]]:
    """Order folders as people count; within a folder the server's order stays."""
    return [
        [(int(digits or 0), text) for digits, text in _RUN.findall(name[:_SORTED])]
        for _, name in place.path[:-1]
    ]


async def _built(client: Client) -> str:
    """Read the server's own description; few hide it, none has to show it."""
    answers: Sequence[ua.DataValue] = await client.uaclient.read_attributes(
        [_BUILD_INFO], AttributeIds.Value
    )
    content = answers[0].Value.Value if answers and answers[0].Value is not None else None
    if not isinstance(content, ua.BuildInfo):
        return ""
    parts = (content.ManufacturerName, content.ProductName, content.SoftwareVersion)
    return plain(" ".join(dict.fromkeys(str(part).strip() for part in parts if part)), 120)
