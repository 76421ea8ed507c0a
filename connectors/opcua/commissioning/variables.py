"""What the variables of a server are: type, unit, range, description, and a sample of each value.

Attributes of thousands of variables are read many to a request (OPC 10000-4 §5.11.2).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds

from connectors.opcua.address import Address
from connectors.opcua.commissioning.browse import Place, Progress
from connectors.opcua.commissioning.naming import address_of, aliases_of, path_text
from connectors.opcua.commissioning.units import ucum
from connectors.opcua.limits import Allowance, in_calls
from connectors.opcua.plain import plain
from plant.quality import Status
from plant.tags import ValueType

LONGEST_DESCRIPTION = 200
SMALL_ARRAY = 64
"""Elements up to which each element of an array is shown as a variable of its own."""
_CHUNK = 1_000
"""Variables whose answers are held at a time."""
_READABLE = 1
"""Bit CurrentRead of AccessLevel (OPC 10000-3 §8.57)."""
_ATTRIBUTES = (
    AttributeIds.DataType,
    AttributeIds.ValueRank,
    AttributeIds.ArrayDimensions,
    AttributeIds.UserAccessLevel,
    AttributeIds.Description,
)
_PROPERTIES = ("EURange", "EngineeringUnits")
_V = ua.VariantType
_TYPES = {
    _V.Boolean: ValueType.BOOL,
    _V.Int16: ValueType.INT16,
    _V.UInt16: ValueType.UINT16,
    _V.Int32: ValueType.INT32,
    _V.UInt32: ValueType.UINT32,
    _V.Int64: ValueType.INT64,
    _V.UInt64: ValueType.UINT64,
    _V.Float: ValueType.FLOAT32,
    _V.Double: ValueType.FLOAT64,
    _V.String: ValueType.TEXT,
    _V.LocalizedText: ValueType.TEXT,
}
_PLAIN = frozenset(kind.name for kind in (*_TYPES, _V.SByte, _V.Byte))
_FLOATS = frozenset({"Float", "Double"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable, as its server describes it.

    Parameters
    ----------
    place
        Its node and browse path.
    path
        The path as text; ``&`` stands before a ``/`` or ``&`` within a name.
    kind
        Built-in type of its value, as OPC UA calls it.
    type
        The same for a sheet of tags; None where that has no word for it.
    dimensions
        Length of each dimension; empty for a scalar, 0 for a length that is not known.
    readable
        Whether this user may read it.
    description, unit, low, high
        What the server says of it; `unit` is a UCUM code.
    unit_text
        The unit in the server's own words, where they could not be turned into `unit`.
    value, status, at
        A sample: number or text, StatusCode, source time in ns; None where there is none.
    element
        Which element of an array this is; None where it is the whole value.
    address
        How a tag addresses it; empty where it cannot.
    aliases
        Every way to address it.
    obstacle
        Why it cannot be a tag, in plain words; empty where it can.
    """

    place: Place
    path: str
    kind: str
    type: ValueType | None
    dimensions: tuple[int, ...] = ()
    readable: bool = True
    description: str = ""
    unit: str = ""
    unit_text: str = ""
    low: float | None = None
    high: float | None = None
    value: float | str | None = None
    status: int = 0
    at: int | None = None
    element: str | None = None
    address: str = ""
    aliases: tuple[Address, ...] = ()
    obstacle: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Browse names from Objects down, the element of an array last."""
        *above, last = (name for _, name in self.place.path)
        return (*above, last if self.element is None else f"{last}_{self.element}")

    @property
    def numeric(self) -> bool:
        """Whether it is a number; a Boolean is none."""
        return self.kind in _FLOATS or "Int" in self.kind or self.kind in {"SByte", "Byte"}

    @property
    def floating(self) -> bool:
        """Whether it is a number with decimals."""
        return self.kind in _FLOATS


def _unheard(_done: int, _known: int) -> None:
    """Tell nobody."""


async def describe(
    client: Client,
    places: Sequence[Place],
    namespaces: Sequence[str],
    size: Allowance,
    progress: Progress = _unheard,
) -> list[Variable]:
    """Read what the server says of each of `places`, and one sample of every plain value.

    Parameters
    ----------
    namespaces
        The session's namespace array.
    size
        Attributes in one request; shrinks when the server finds that too many.
    progress
        Told variables done and variables in all.
    """
    found: list[Variable] = []
    for first in range(0, len(places), _CHUNK):
        part = places[first : first + _CHUNK]
        answers = iter(
            await _read(client, [ask for each in part for ask in _questions(each)], size)
        )
        drafts = [_draft(place, namespaces, answers) for place in part]
        single = [one for draft in drafts for one in _elements(draft, namespaces)]
        found += await sampled(client, single, size)
        progress(first + len(part), len(places))
    return found


async def sampled(client: Client, variables: Sequence[Variable], size: Allowance) -> list[Variable]:
    """Read the present value of every variable that is a plain value."""
    asked = [i for i, one in enumerate(variables) if one.readable and not one.dimensions]
    values = await _read(client, [_sample(variables[i]) for i in asked], size)
    found = list(variables)
    for i, value in zip(asked, values, strict=True):
        found[i] = _with_sample(found[i], value)
    return found


def _sample(variable: Variable) -> ua.ReadValueId:
    question = _question(variable.place.node, AttributeIds.Value)
    if variable.element is not None:
        question.IndexRange = ua.String(variable.element)
    return question


def _elements(variable: Variable, namespaces: Sequence[str]) -> list[Variable]:
    """Take a small array of one dimension apart; everything else stays whole."""
    count = variable.dimensions[0] if len(variable.dimensions) == 1 else 0
    if not variable.readable or not 0 < count <= SMALL_ARRAY:
        return [variable]
    place = variable.place
    found = []
    for element in map(str, range(count)):
        address = address_of(place, namespaces, element)
        found.append(
            replace(
                variable,
                path=f"{variable.path};[{element}]",
                dimensions=(),
                element=element,
                address=address,
                aliases=aliases_of(place, namespaces, element),
                obstacle=_obstacle(variable.kind, (), True, address),
            )
        )
    return found


def _questions(place: Place) -> list[ua.ReadValueId]:
    told = [name for name in _PROPERTIES if name in place.properties]
    return [
        *(_question(place.node, attribute) for attribute in _ATTRIBUTES),
        *(_question(place.properties[name], AttributeIds.Value) for name in told),
    ]


def _question(node: ua.NodeId, attribute: AttributeIds) -> ua.ReadValueId:
    return ua.ReadValueId(NodeId=node, AttributeId=ua.IntegerId(attribute))


async def _read(
    client: Client, asked: Sequence[ua.ReadValueId], size: Allowance
) -> list[ua.DataValue]:
    async def read(part: list[ua.ReadValueId]) -> list[ua.DataValue]:
        return await client.uaclient.read(
            ua.ReadParameters(TimestampsToReturn=ua.TimestampsToReturn.Source, NodesToRead=part)
        )

    return await in_calls(read, asked, size)


def _draft(place: Place, namespaces: Sequence[str], answers: Iterator[ua.DataValue]) -> Variable:
    data_type, rank, lengths, access, text = (_content(next(answers)) for _ in _ATTRIBUTES)
    properties = {name: _content(next(answers)) for name in _PROPERTIES if name in place.properties}
    low, high = _range(properties.get("EURange"))
    unit, unit_text = _unit(properties.get("EngineeringUnits"))
    readable = not isinstance(access, int) or bool(access & _READABLE)
    kind, value_type = _kind(data_type)
    dimensions = _dimensions(rank, lengths)
    address = address_of(place, namespaces)
    return Variable(
        place=place,
        path=path_text([name for _, name in place.path]),
        kind=kind,
        type=value_type,
        dimensions=dimensions,
        readable=readable,
        description=_line(text),
        unit=unit,
        unit_text=unit_text,
        low=low,
        high=high,
        status=int(Status.BAD_WAITING_FOR_INITIAL_DATA),
        address=address,
        aliases=aliases_of(place, namespaces),
        obstacle=_obstacle(kind, dimensions, readable, address),
    )


def _obstacle(kind: str, dimensions: tuple[int, ...], readable: bool, address: str) -> str:
    if not readable:
        return "this user may not read it"
    if dimensions:
        sizes = " × ".join(str(n or "?") for n in dimensions)
        return f"an array of {sizes}; give the element that you want an address of its own, ;[0]"
    if not address:
        return "neither its path nor its identifier can be written on one line"
    if kind not in _PLAIN:
        return f"its type, {kind or 'one of its own'}, is neither a number nor a text"
    return ""


def _content(answer: ua.DataValue) -> object:
    good = answer.StatusCode is None or answer.StatusCode.is_good()
    return answer.Value.Value if good and answer.Value is not None else None


def _kind(data_type: object) -> tuple[str, ValueType | None]:
    """Name the type; what is not a built-in type shows itself in the first sample."""
    if isinstance(data_type, ua.NodeId) and data_type.NamespaceIndex == 0:
        number = data_type.Identifier
        if isinstance(number, int) and 1 <= number <= int(_V.DiagnosticInfo):
            return _named(_V(number))
    return "", None


def _named(kind: ua.VariantType) -> tuple[str, ValueType | None]:
    return str(kind.name), _TYPES.get(kind)


def _dimensions(rank: object, lengths: object) -> tuple[int, ...]:
    if not isinstance(rank, int) or rank < 0:
        return ()
    known = tuple(int(n) for n in lengths) if isinstance(lengths, list) else ()
    return known or (0,) * max(1, rank)


def _range(content: object) -> tuple[float | None, float | None]:
    if not isinstance(content, ua.Range):
        return None, None
    low, high = float(content.Low), float(content.High)
    usable = math.isfinite(low) and math.isfinite(high) and low < high
    return (low, high) if usable else (None, None)


def _unit(content: object) -> tuple[str, str]:
    if not isinstance(content, ua.EUInformation):
        return "", ""
    code = ucum(content)
    return code, "" if code else plain(str(content.DisplayName.Text or content.UnitId), 40)


def _line(text: object) -> str:
    """Put a description on one line without anything that does not print."""
    words = str(text.Text or "") if isinstance(text, ua.LocalizedText) else ""
    shown = "".join(c if c.isprintable() else " " for c in words[: 4 * LONGEST_DESCRIPTION])
    return " ".join(shown.split())[:LONGEST_DESCRIPTION]


def _with_sample(variable: Variable, answer: ua.DataValue) -> Variable:
    status = int(answer.StatusCode.value) if answer.StatusCode is not None else 0
    stamp = answer.SourceTimestamp
    at = None if stamp is None else int(stamp.replace(tzinfo=UTC).timestamp() * 1e9)
    if answer.Value is None or answer.Value.Value is None:
        return replace(variable, status=status, at=at)
    content = answer.Value.Value
    kind, value_type = _named(answer.Value.VariantType)
    dimensions: tuple[int, ...] = ()
    if isinstance(content, list) and variable.element is not None:
        # With a status that is not Good some servers send the whole array.
        content = content[0] if len(content) == 1 else None
    elif isinstance(content, list):
        dimensions, content = (len(content),), None
    return replace(
        variable,
        kind=kind,
        type=value_type,
        dimensions=dimensions,
        value=_shown(content),
        status=status,
        at=at,
        obstacle=_obstacle(kind, dimensions, variable.readable, variable.address),
    )


def _shown(content: object) -> float | str | None:
    if isinstance(content, bool | int | float):
        return float(content)
    if isinstance(content, ua.LocalizedText):
        content = content.Text
    return plain(content, 60) if isinstance(content, str) else None
