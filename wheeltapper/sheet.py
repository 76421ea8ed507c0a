"""The sheet of tags: written for the first time, or grown without touching what people wrote."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from plant.errors import Misconfigured
from plant.files import put

if TYPE_CHECKING:
    from plant.tags import Tag

_FORMULA = ("=", "+", "-", "@")
_UTF8 = "utf-8"
_UTF8_MARKED = "utf-8-sig"


@dataclass(frozen=True, slots=True)
class Form:
    """How a sheet is written: what Excel, in its country, made of it."""

    columns: tuple[str, ...]
    delimiter: str = ","
    encoding: str = _UTF8
    line_end: str = "\n"
    decimal: str = "."


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that is there: its text, its form and its tags."""

    text: str
    form: Form
    tags: "tuple[Tag, ...]"


def header() -> str:
    """Give the first line of a sheet."""
    from gateway.config.tagsheet import COLUMNS

    return ",".join(COLUMNS) + "\n"


def read(path: Path) -> Sheet | None:
    """Read a sheet as it stands; None where there is none.

    Raises
    ------
    Misconfigured
        It cannot be used, or somebody has it open; every mistake is named.
    """
    from gateway.config.problems import Problems
    from gateway.config.tagsheet import COLUMNS, decode, read_sheet

    _check_free(path)
    if not path.exists():
        return None
    problems = Problems()
    tags = tuple(placed.tag for placed in read_sheet(path, str(path), problems))
    if problems.found:
        more = "\n".join(str(problem) for problem in sorted(set(problems.found)))
        raise Misconfigured(f"mend the sheet first, nothing was changed:\n{more}")
    raw = path.read_bytes()
    text = decode(raw)
    lines = text.splitlines()
    said = lines[0][4] if lines and lines[0].lower().startswith("sep=") else ""
    head = lines[1 if said else 0]
    delimiter = said or max(",;\t", key=head.count)
    columns = tuple(cell.strip().lower() for cell in next(csv.reader([head], delimiter=delimiter)))
    form = Form(
        columns=tuple(name for name in columns if name in COLUMNS),
        delimiter=delimiter,
        encoding=_encoding(raw),
        line_end="\r\n" if "\r\n" in text else "\n",
        decimal="," if delimiter == ";" else ".",
    )
    return Sheet(text, form, tags)


def _encoding(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if raw.startswith(b"\xef\xbb\xbf"):
        return _UTF8_MARKED
    try:
        raw.decode(_UTF8)
    except UnicodeDecodeError:
        return "cp1252"
    return _UTF8


def _check_free(path: Path) -> None:
    """Refuse a sheet that an office program has open: what it saves later would undo our rows."""
    for lock in (f".~lock.{path.name}#", f"~${path.name}"):
        if (path.parent / lock).exists():
            raise Misconfigured(
                f"{path} is open in an office program ({lock} is there); close it there first"
            )


def rows(tags: Iterable["Tag"], form: Form) -> str:
    """Write tags as lines of a sheet; nothing in them is taken for a formula or a line end."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=form.delimiter, lineterminator=form.line_end)
    for tag in tags:
        cells = _cells(tag, form.decimal)
        writer.writerow([cells[name] for name in form.columns])
    return out.getvalue()


def _cells(tag: "Tag", decimal: str) -> dict[str, str]:
    def number(value: float | None, usual: float | None = None) -> str:
        shown = value is not None and value != usual
        return f"{value:.12g}".replace(".", decimal) if shown else ""

    return {
        "tag": tag.name,
        "source": tag.source,
        "address": _harmless(tag.address),
        "type": str(tag.type or ""),
        "unit": _harmless(tag.unit),
        "scale": number(tag.scale, 1.0),
        "offset": number(tag.offset, 0.0),
        "deadband": number(tag.deadband, 0.0),
        "role": str(tag.role),
        "low": number(tag.low),
        "high": number(tag.high),
        "description": _harmless(tag.description),
    }


def _harmless(text: str) -> str:
    """Keep a spreadsheet from taking a server's words for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def save(path: Path, tags: Sequence["Tag"], existing: Sheet | None) -> None:
    """Write a new sheet, or add rows to the one that is there; all at once or not at all.

    Raises
    ------
    Misconfigured
        The file cannot be written.
    """
    whole = tuple(header().strip().split(","))
    if existing is None or not existing.tags:
        # Nobody has written a line yet, so that every column may be there.
        form = replace(existing.form, columns=whole) if existing else Form(whole)
        text = form.delimiter.join(whole) + form.line_end
    else:
        form, text = existing.form, existing.text
    if text and not text.endswith(("\n", "\r")):
        text += form.line_end
    text += rows(tags, form)
    write(path, _encoded(text, form.encoding))


def _encoded(text: str, encoding: str) -> bytes:
    """Encode as it was; what does not fit becomes UTF-8 with the mark that Excel looks for."""
    if encoding == _UTF8 and not text.isascii():
        encoding = _UTF8_MARKED
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode(_UTF8_MARKED)


def write(path: Path, content: bytes) -> None:
    """Replace a file in one step.

    Raises
    ------
    Misconfigured
        Its folder is missing or may not be written.
    """
    try:
        there = path.exists()
        if there and not os.access(path, os.W_OK):
            raise PermissionError(13, "Permission denied", str(path))
        put(path, content, path.stat().st_mode & 0o777 if there else 0o644)
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be written: {error.strerror}") from error
