"""Reading on until something has come: how a server deals values out among its messages is its own.

A message may come empty before the first value, and a busy machine parts what an idle one tells at
once.
"""

import asyncio
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.source import OpcUaSource
from plant.samples import Batch

PATIENCE_S = 60.0
Looked = Callable[[Batch], object]


def anything(batch: Batch) -> bool:
    """Tell whether a batch holds a value or a text."""
    return bool(len(batch) or batch.context)


async def until(source: OpcUaSource, found: Looked, read: list[Batch] | None = None) -> Batch:
    """Read and acknowledge until a batch has what is looked for; keep all of them in `read`."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            batch = await source.read()
            await source.acknowledge(batch)
            if read is not None:
                read.append(batch)
            if found(batch):
                return batch


async def all_of(source: OpcUaSource, *handles: int) -> list[Batch]:
    """Read until each of these tags was told; give what came."""
    read: list[Batch] = []

    def complete(_: Batch) -> bool:
        return set(handles) <= {tag for batch in read for tag in _tags(batch)}

    await until(source, complete, read)
    return read


async def values_of(source: OpcUaSource, handle: int, least: int) -> list[Batch]:
    """Read until so many values of a tag came; give what came."""
    read: list[Batch] = []
    await until(source, lambda _: len(column(read, handle)) >= least, read)
    return read


def column(read: list[Batch], handle: int, name: str = "value") -> NDArray[np.generic]:
    """Give a column of one tag, in the order in which it came."""
    return np.concatenate([getattr(batch, name)[batch.tag == handle] for batch in read])


def last_of(read: list[Batch], name: str = "value") -> dict[int, float]:
    """Give the last of a column for each tag."""
    return {
        tag: value
        for batch in read
        for tag, value in zip(batch.tag.tolist(), getattr(batch, name).tolist(), strict=True)
    }


def texts(read: list[Batch]) -> list[tuple[int, str]]:
    """Give the texts, with their tags."""
    return [(event.tag, event.text) for batch in read for event in batch.context]


def _tags(batch: Batch) -> set[int]:
    return {*batch.tag.tolist(), *(event.tag for event in batch.context)}
