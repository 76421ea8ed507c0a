"""A message taken apart: every byte of it, whose it is, and what it says."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from analytics.modelfiles.file import MAGIC

LENGTH, SIGNATURE, EVEN = 4, 64, 8
SHOWN = 6
"""Numbers of an array that are shown; all of them are in the file."""


@dataclass(frozen=True, slots=True)
class Field:
    """Bytes from `at` on, `size` of them."""

    at: int
    size: int
    name: str
    value: str

    def row(self) -> dict[str, Any]:
        """Give it for JSON."""
        return asdict(self)


def fields(data: bytes) -> list[Field]:
    """Take a file of the form of model files apart; the sizes sum to that of the file.

    Only for files that were read before: nothing is checked here.
    """
    found: list[Field] = []

    def add(size: int, name: str, value: str) -> None:
        begin = found[-1].at + found[-1].size if found else 0
        if size:
            found.append(Field(begin, size, name, value))

    begin = len(MAGIC) + 1
    length = int.from_bytes(data[begin : begin + LENGTH], "little")
    text = data[begin + LENGTH : begin + LENGTH + length]
    header: dict[str, Any] = json.loads(text)
    add(begin, "what it is", f"{MAGIC.decode()}, format {data[len(MAGIC)]}")
    add(LENGTH, "length of the header", str(length))
    spent = 0
    for name in sorted(header):
        piece = json.dumps({name: header[name]}, sort_keys=True, separators=(",", ":"))
        size = len(piece) - 1  # one brace or comma each, and one brace at the end
        spent += size
        add(size, name, piece[len(name) + 4 : -1])
    add(length - spent, "end of the header", "}")
    add(SIGNATURE, "signature", data[begin + LENGTH + length :][:SIGNATURE].hex())
    at = begin + LENGTH + length + SIGNATURE
    for name, size, value in _arrays(header["arrays"], data[at:]):
        add(size, name, value)
    return found


def _arrays(listed: list[dict[str, Any]], body: bytes) -> Iterator[tuple[str, int, str]]:
    at = 0
    for each in listed:
        kind = np.dtype(each["dtype"])
        size = kind.itemsize * int(np.prod(each["shape"]))
        values = np.frombuffer(body[at : at + size], kind)
        told = ", ".join(f"{value:.6g}" for value in values[:SHOWN].tolist())
        more = f", … {len(values)} numbers" if len(values) > SHOWN else ""
        yield str(each["name"]), size, told + more
        yield f"{each['name']}: filled up", -size % EVEN, ""
        at += size + -size % EVEN
