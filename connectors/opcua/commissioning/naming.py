"""How a node becomes a tag: its address, and a name made of what the plant calls it."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from connectors.opcua.address import Address, NodeAddress, PathAddress, parse_address
from connectors.opcua.commissioning.browse import Place
from plant.errors import Misconfigured
from plant.tags import TAG_NAME

LONGEST_ADDRESS = 500
_LONGEST = 128
_LONGEST_PART = 48
_MARK = 6
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "ł": "l", "Ł": "L"})
_OTHER = re.compile(r"[^A-Za-z0-9_.:-]+")


def tag_names(
    paths: Sequence[tuple[str, ...]],
    keys: Sequence[str],
    prefix: str,
    taken: Collection[str] = (),
) -> list[str]:
    r"""Name a tag for each path: no name twice, and the same name the next time.

    Parameters
    ----------
    paths
        Browse names, from Objects down.
    keys
        What tells each from all others for good, its address; marks names that would be twice.
    prefix
        Stands before every path, as ``site/hall-1``; a name needs at least two parts.
    taken
        Names that others have.

    Examples
    --------
    >>> tag_names([("Line1", "Bearing temp."), ("..", "=1+1\n")], ["a", "b"], "plc")
    ['plc/Line1/Bearing_temp.', 'plc/_/1_1']
    """
    plain = [_joined(path, key, prefix) for path, key in zip(paths, keys, strict=True)]
    count = Counter(plain)
    used = set(taken)
    # What is its own name keeps it; the others, which were bent to it, carry a mark.
    exact = {
        name
        for name, path in zip(plain, paths, strict=True)
        if name == "/".join((*filter(None, (prefix,)), *path)) and name not in used
    }
    names = []
    for name, path, key in zip(plain, paths, keys, strict=True):
        straight = name in exact and name == "/".join((*filter(None, (prefix,)), *path))
        if (count[name] > 1 or name in used) and not (straight and name not in used):
            name = _marked(name, key, used)
        used.add(name)
        names.append(name)
    return names


def _joined(path: tuple[str, ...], key: str, prefix: str) -> str:
    parts = [_part(name) for name in path]
    name = "/".join((*filter(None, (prefix,)), *parts))
    if len(name) > _LONGEST or any(len(part) > _LONGEST_PART for part in parts):
        name = _cut("/".join((*filter(None, (prefix,)), *(p[:_LONGEST_PART] for p in parts))), key)
    if not TAG_NAME.match(name):
        raise ValueError(f"{name!r} is no tag name")
    return name


def _part(name: str) -> str:
    """Write one name in letters, digits and ``_ . : -``, beginning with a letter or digit."""
    apart = unicodedata.normalize("NFKD", name[:1_000].translate(_LETTERS))
    text = _OTHER.sub("_", "".join(c for c in apart if not unicodedata.combining(c))).strip("_")
    text = text.lstrip(".:-")
    return text or "_"


def _cut(name: str, key: str) -> str:
    """Shorten to what fits; the head says where it is, the mark which one."""
    return f"{name[: _LONGEST - _MARK - 1].rstrip('/')}_{_digest(key)}"


def _marked(name: str, key: str, used: Collection[str]) -> str:
    marked = f"{name[: _LONGEST - _MARK - 1]}_{_digest(key)}"
    further = 0
    while marked in used:
        further += 1
        marked = f"{name[: _LONGEST - _MARK - 1]}_{_digest(f'{key} {further}')}"
    return marked


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK]


def path_text(names: Sequence[str]) -> str:
    """Write browse names as a path.

    Examples
    --------
    >>> path_text(["Line1", "In/Out"])
    'Line1/In&/Out'
    """
    return "/".join(
        name.replace("&", "&&").replace("/", "&/").replace(";[", "&;[") for name in names
    )


def address_of(place: Place, namespaces: Sequence[str], element: str | None = None) -> str:
    """Write the address of a node: its browse path where that is unambiguous, else its identifier.

    Empty where neither can be written on one line of a sheet.
    """
    for address, expected in _candidates(place, namespaces, element):
        if _holds(address, expected):
            return address
    return ""


def aliases_of(
    place: Place, namespaces: Sequence[str], element: str | None = None
) -> tuple[Address, ...]:
    """Give every address that leads to a node."""
    return tuple(address for _, address in _candidates(place, namespaces, element))


def _candidates(
    place: Place, namespaces: Sequence[str], element: str | None
) -> Iterator[tuple[str, Address]]:
    behind = "" if element is None else f";[{element}]"
    indices = {index for index, _ in place.path}
    (index, names) = place.path[-1][0], tuple(name for _, name in place.path)
    if place.unique and len(indices) == 1 and index < len(namespaces):
        uri = namespaces[index]
        text = path_text(names)
        # A name such as "s=1" would be taken for an identifier.
        slash = "/" if text[1:2] == "=" else ""
        yield f"nsu={uri};{slash}{text}{behind}", PathAddress(uri, names, element)
    own = int(place.node.NamespaceIndex)
    identifier = place.node.Identifier
    if own < len(namespaces) and isinstance(identifier, str | int):
        uri = namespaces[own]
        letter = "i" if isinstance(identifier, int) else "s"
        yield f"nsu={uri};{letter}={identifier}{behind}", NodeAddress(uri, identifier, element)


def _holds(address: str, expected: Address) -> bool:
    """Tell whether a sheet gives the address back as it was written."""
    if len(address) > LONGEST_ADDRESS or not address.isprintable() or address != address.strip():
        return False
    try:
        return parse_address(address, "") == expected
    except Misconfigured:
        return False
