"""How lines, assets and their files are called within a registry."""

import re

from plant.errors import Rejected

MOST_BYTES = 16 * 1024 * 1024
"""Of a model file; as `analytics.modelfiles` has it."""
MOST_INDEX_BYTES = 1024 * 1024
INDEX = "index.json"
SUFFIX = ".wtm"
EVERYWHERE = "all"
"""The ring that every gateway is in."""
HIGHEST = 2**53 - 1
"""Of a version: what JSON carries exactly everywhere."""
_PART = re.compile(r"[A-Za-z0-9_.:-]+")
_RING = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST = 128
"""Characters, as of a tag's name."""


def checked_line(line: str) -> str:
    """Give the path of a line back, or refuse it.

    Examples
    --------
    >>> checked_line("site/area/line")
    'site/area/line'

    Raises
    ------
    Rejected
        It cannot be part of an address or of a file's name.
    """
    if len(line) > _LONGEST or not all(_plain(part) for part in line.split("/")):
        raise Rejected(
            f"{line!r} is no path of a line: write the path of its assets without the last part, "
            "as site/area/line, of A-Z a-z 0-9 _ . : -"
        )
    return line


def _plain(part: str) -> bool:
    return _PART.fullmatch(part) is not None and part not in (".", "..")


def split(asset: str) -> tuple[str, str]:
    """Take the path of an asset apart into its line and its own name.

    Examples
    --------
    >>> split("site/area/line/pump")
    ('site/area/line', 'pump')

    Raises
    ------
    Rejected
        It is no such path, or it has one part alone.
    """
    line, slash, own = asset.rpartition("/")
    if not slash:
        raise Rejected(
            f"{asset!r} has no line: a registry knows assets by line/asset, as line1/{asset}"
        )
    if not _plain(own):
        raise Rejected(f"{asset!r} is no path of an asset, as site/area/line/asset")
    return checked_line(line), own


def checked_ring(ring: str) -> str:
    """Give the name of a ring back, or refuse it."""
    if not _RING.fullmatch(ring):
        raise Rejected(f"{ring!r} is no name of a ring: 1 to 64 of A-Z a-z 0-9 _ -, as canary")
    return ring


def role_of(line: str) -> str:
    """Name the TUF role of a line; no slash, which servers would take for a folder.

    Examples
    --------
    >>> role_of("site/area/line")
    'line~site~area~line'
    """
    return "line~" + line.replace("/", "~")


def line_of(role: str) -> str:
    """Give the line that a role is for.

    Examples
    --------
    >>> line_of(role_of("site/area/line"))
    'site/area/line'
    """
    return role.removeprefix("line~").replace("~", "/")


def patterns_of(line: str) -> list[str]:
    """Give what a line's key may sign for.

    The endings keep a line out of another that lies below it: a/b/index.json is no file of line a.
    """
    return [f"{line}/*/*{SUFFIX}", f"{line}/{INDEX}"]


def index_of(line: str) -> str:
    """Name the target that says which version is for whom."""
    return f"{line}/{INDEX}"


def model_of(line: str, own: str, version: int) -> str:
    """Name the target of a model."""
    return f"{line}/{own}/{version}{SUFFIX}"


def prefixed(target: str, sha256: str) -> str:
    """Give the path below ``targets/`` under which this content of a target lies."""
    folder, slash, name = target.rpartition("/")
    return f"{folder}{slash}{sha256}.{name}"
