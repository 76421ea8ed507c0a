"""``wheeltapper browse``: from the variables of a server to a sheet of tags."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.options import AsJson
from wheeltapper.server import SOURCE, Access, PasswordFile, Security, Trust, User

if TYPE_CHECKING:
    from connectors.opcua.commissioning.pattern import Pattern
    from connectors.opcua.commissioning.survey import Survey
    from connectors.opcua.commissioning.variables import Variable
    from connectors.opcua.config import OpcUaConfig
    from plant.tags import Role, Tag
    from wheeltapper.sheet import Sheet

MOST_ROWS = 100
"""Variables that a table shows."""
_MOST_HINTS = 12


def browse(
    target: Annotated[
        str, typer.Argument(metavar="CONFIG|URL", help="A configuration, or opc.tcp://host:port.")
    ],
    match: Annotated[
        str,
        typer.Option(metavar="GLOB", help="Browse paths, like 'Line1/*/PV'; ** is any depth."),
    ] = "**",
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Sheet of tags to write or to add to.")
    ] = None,
    source: Annotated[
        str, typer.Option(help="Source in the configuration; with a URL, its name in the sheet.")
    ] = "",
    prefix: Annotated[
        str, typer.Option(metavar="PATH", help="Stands before every tag, like site/hall-1.")
    ] = "",
    security: Security = "",
    trust: Trust = None,
    user: User = "",
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the variables of an OPC UA server, or write them into the sheet of tags.

    A sheet that is there keeps every line as it is; what is new is added below.
    """
    import asyncio

    from connectors.opcua.commissioning.pattern import Pattern
    from connectors.opcua.commissioning.survey import survey
    from wheeltapper import sheet
    from wheeltapper.progress import Bar

    pattern = Pattern(match)
    existing = sheet.read(write) if write else None
    access = Access(security, trust, user, password_file)

    async def asked() -> "tuple[Survey, str]":
        config = await _config(target, source, access)
        with Bar("browsing") as bar:
            return await survey(config, pattern, progress=bar.moved), config.name

    found, name = asyncio.run(asked())
    if not found.variables:
        _say_nothing_fits(found, pattern, as_json)
        raise typer.Exit(1)
    merged = merge(found, pattern, name, prefix, existing)
    if write is None:
        _show(found, merged, as_json)
    else:
        if merged.new or existing is None:
            sheet.save(write, merged.new, existing)
        _tell(write, target, found, merged, existing, as_json)


async def _config(target: str, source: str, access: Access) -> "OpcUaConfig":
    from gateway.config.loader import load
    from plant.errors import Misconfigured
    from wheeltapper.server import is_url, reached, source_of

    if not is_url(target):
        if access != Access():
            raise Misconfigured(
                f"{target} says how to connect; --security, --trust, --user and --password-file "
                "go with an address only"
            )
        return source_of(load(Path(target)), source)
    config = await reached(target, access)
    return config.model_copy(update={"name": source or SOURCE})


@dataclass(frozen=True, slots=True)
class Merged:
    """What becomes of a sheet.

    Parameters
    ----------
    new
        Tags to add.
    names
        Tag of each variable that has or gets one, by its address.
    kept
        Tags that the sheet has already, as somebody wrote them.
    gone
        Tags of the sheet that the pattern covers and the server does not have any more.
    """

    new: "tuple[Tag, ...]"
    names: dict[str, str]
    kept: int
    gone: tuple[str, ...]


def merge(
    found: "Survey", pattern: "Pattern", source: str, prefix: str, existing: "Sheet | None"
) -> Merged:
    """Compare what a server has with what a sheet has; nothing of the sheet is lost.

    Raises
    ------
    Misconfigured
        `prefix` cannot begin the name of a tag.
    """
    from connectors.opcua.address import Address, parse_address
    from connectors.opcua.commissioning.naming import tag_names

    own = [tag for tag in (existing.tags if existing else ()) if tag.source == source]
    written: dict[Address, str] = {parse_address(tag.address, tag.name): tag.name for tag in own}
    usable = [one for one in found.variables if not one.obstacle]
    names: dict[str, str] = {}
    fresh: list[Variable] = []
    met: set[str] = set()
    for one in usable:
        name = next((written[alias] for alias in one.aliases if alias in written), None)
        if name is None:
            fresh.append(one)
        else:
            names[one.address] = name
            met.add(name)
    _check_prefix(prefix)
    taken = {tag.name for tag in existing.tags} if existing else set()
    paths = [one.names if prefix or one.names[1:] else (source, *one.names) for one in fresh]
    addresses = [one.address for one in fresh]
    given = tag_names(paths, addresses, prefix.strip("/"), taken)
    names.update(zip(addresses, given, strict=True))
    present = {alias for one in found.variables for alias in one.aliases}
    gone = tuple(
        name
        for address, name in written.items()
        if name not in met and address not in present and _covered(address, pattern)
    )
    new = tuple(_tag(one, name, source) for one, name in zip(fresh, given, strict=True))
    return Merged(new, names, len(met), gone)


def _check_prefix(prefix: str) -> None:
    from plant.errors import Misconfigured
    from plant.tags import TAG_NAME

    if prefix and (not TAG_NAME.match(prefix) or not all(prefix.strip("/").split("/"))):
        raise Misconfigured(
            f'--prefix "{prefix}" cannot begin the name of a tag; it looks like site/hall-1, with '
            "A-Z a-z 0-9 _ . : -"
        )


def _covered(address: Any, pattern: "Pattern") -> bool:
    """Tell whether the pattern would have found a tag's node, were it there."""
    from connectors.opcua.address import PathAddress

    if isinstance(address, PathAddress):
        return pattern.matches(address.names)
    return pattern.everything


def _tag(one: "Variable", name: str, source: str) -> "Tag":
    from plant.tags import Tag

    return Tag(
        name=name,
        source=source,
        address=one.address,
        type=one.type,
        unit=one.unit,
        role=role_of(one),
        low=one.low,
        high=one.high,
        description=one.description,
    )


def role_of(one: "Variable") -> "Role":
    """Judge what a variable is for.

    Measurements have decimals, a unit or a range; a bare whole number is as likely a counter or a
    state, which no detector should learn.
    """
    from plant.tags import Role

    measured = one.numeric and (one.floating or bool(one.unit) or one.low is not None)
    return Role.SIGNAL if measured else Role.CONTEXT


def _say_nothing_fits(found: "Survey", pattern: "Pattern", as_json: bool) -> None:
    from difflib import get_close_matches

    from wheeltapper import terminal

    top = [path for path in found.seen if "/" not in path]
    near = get_close_matches(pattern.text, found.seen, n=1, cutoff=0.6)
    if as_json:
        terminal.record({"matching": 0, "below_objects": top, "nearest": near})
        return
    meant = f"; did you mean '{near[0]}'?" if near else ""
    terminal.say(f"nothing matches '{pattern.text}'{meant}")
    if top:
        more = f" and {len(top) - _MOST_HINTS} more" if len(top) > _MOST_HINTS else ""
        terminal.say(f"below Objects there are: {', '.join(top[:_MOST_HINTS])}{more}")
    for note in found.notes:
        terminal.say(f"note  {note}")


def _row(one: "Variable", merged: Merged) -> dict[str, Any]:
    from plant.quality import status_name

    return {
        "path": one.path,
        "tag": merged.names.get(one.address, ""),
        "address": one.address,
        "type": one.kind,
        "unit": one.unit,
        "unit_text": one.unit_text,
        "low": one.low,
        "high": one.high,
        "value": one.value,
        "status": status_name(one.status),
        "role": str(role_of(one)),
        "description": one.description,
        "skipped": one.obstacle,
    }


def _show(found: "Survey", merged: Merged, as_json: bool) -> None:
    from connectors.opcua.plain import plain
    from wheeltapper import terminal
    from wheeltapper.story import counted

    rows = [_row(one, merged) for one in found.variables]
    if as_json:
        for row in rows:
            terminal.record(row)
        return
    terminal.table(
        counted(len(rows), "variable"),
        ("path", "type", "value", "unit", "range", "status", "tag, or why it can be none"),
        [
            (
                plain(row["path"], 60),
                row["type"],
                _value(row["value"]),
                row["unit"] or row["unit_text"],
                _range(row["low"], row["high"]),
                row["status"],
                row["tag"] or row["skipped"],
            )
            for row in rows[:MOST_ROWS]
        ],
    )
    if len(rows) > MOST_ROWS:
        terminal.say(
            f"{len(rows) - MOST_ROWS:,} more are not shown; narrow --match, or take --json or "
            "--write tags.csv"
        )
    for note in found.notes:
        terminal.say(f"note  {note}")


def _value(value: float | str | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else value or ""


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:g} … {high:g}"


def _tell(
    path: Path,
    target: str,
    found: "Survey",
    merged: Merged,
    existing: "Sheet | None",
    as_json: bool,
) -> None:
    from wheeltapper import terminal
    from wheeltapper.server import is_url

    skipped = Counter(one.obstacle for one in found.variables if one.obstacle)
    units = Counter(one.unit_text for one in found.variables if one.unit_text and not one.obstacle)
    missing = _columns_missing(existing, merged.new)
    roles = Counter(str(tag.role) for tag in merged.new)
    if as_json:
        terminal.record(
            {
                "file": str(path),
                "new": len(merged.new),
                "kept": merged.kept,
                "gone": list(merged.gone),
                "roles": dict(roles),
                "skipped": dict(skipped),
                "units_unknown": dict(units),
                "columns_missing": missing,
                "notes": list(found.notes),
            }
        )
        return
    terminal.say(
        f"{path}: {len(merged.new):,} new, {merged.kept:,} kept as they were, "
        f"{len(merged.gone):,} gone from the server (their lines stay)"
    )
    if merged.new:
        words = ", ".join(f"{count:,} {role}" for role, count in roles.most_common())
        terminal.say(f"roles    {words}; signals are judged, change the role where that is wrong")
    for name in merged.gone[:_MOST_HINTS]:
        terminal.say(f"gone     {name}")
    for reason, count in skipped.most_common(_MOST_HINTS):
        terminal.say(f"skipped  {count:,} × {reason}")
    for unit, count in units.most_common(_MOST_HINTS):
        terminal.say(f"unit     {count:,} × “{unit}” is not known; write a UCUM code there, if any")
    if missing:
        terminal.say(f"columns  not in this sheet, so left out: {', '.join(missing)}")
    for note in found.notes:
        terminal.say(f"note     {note}")
    if not is_url(target):
        terminal.say(f"next     wheeltapper run {target}")


def _columns_missing(existing: "Sheet | None", new: "Sequence[Tag]") -> list[str]:
    """Name the columns that the new tags would need and the sheet does not have."""
    if existing is None or not existing.tags:
        return []
    needed: Iterable[tuple[str, bool]] = (
        ("type", any(tag.type is not None for tag in new)),
        ("unit", any(tag.unit for tag in new)),
        ("role", any(tag.role != "signal" for tag in new)),
        ("low", any(tag.low is not None for tag in new)),
        ("high", any(tag.high is not None for tag in new)),
        ("description", any(tag.description for tag in new)),
    )
    return [name for name, wanted in needed if wanted and name not in existing.form.columns]
