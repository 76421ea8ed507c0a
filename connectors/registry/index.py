"""Which version of an asset's model is for which ring of gateways."""

import json
from collections.abc import Mapping
from typing import NoReturn

from connectors.registry.names import EVERYWHERE, HIGHEST, MOST_INDEX_BYTES
from plant.errors import Rejected

Index = dict[str, dict[str, int]]
"""Own name of an asset → ring → version."""


def read_index(data: bytes) -> Index:
    """Read one; nothing is believed of its shape.

    Raises
    ------
    Rejected
        It is something else.
    """
    if len(data) > MOST_INDEX_BYTES:
        raise Rejected(f"the list of a line has {len(data)} bytes, of {MOST_INDEX_BYTES} at most")
    try:
        read = json.loads(data, parse_constant=_no_constant, parse_float=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"the list of a line is no JSON as expected: {error}") from error
    if not isinstance(read, dict) or not all(map(_is_asset, read.values())):
        raise Rejected("the list of a line has another shape than asset → ring → version")
    return read


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no version")


def _is_asset(rings: object) -> bool:
    return isinstance(rings, dict) and all(
        isinstance(version, int) and not isinstance(version, bool) and 1 <= version <= HIGHEST
        for version in rings.values()
    )


def write_index(index: Index) -> bytes:
    """Write one; the same index gives the same bytes."""
    return json.dumps(index, sort_keys=True, separators=(",", ":")).encode()


def wanted(rings: Mapping[str, int], ring: str) -> int | None:
    """Tell which version is for a gateway of a ring; None: none yet.

    What is for all is for it as well; of two the newer one.

    Examples
    --------
    >>> wanted({"all": 3, "canary": 4}, "canary"), wanted({"all": 3, "canary": 4}, "all")
    (4, 3)
    """
    return max((rings[name] for name in (EVERYWHERE, ring) if name in rings), default=None)
