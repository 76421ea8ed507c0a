"""A reader that stores everything, stops at a loss and goes on with a ticket, as a gateway does."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from connectors.contract import Ticket
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.source import OpcUaSource
from plant.errors import Unreachable
from plant.samples import Batch, Recovery
from plant.tags import TagHandle

PATIENCE_S = 60.0


@dataclass
class Trail:
    """What one or several sources delivered, one after the other."""

    config: OpcUaConfig
    tags: Sequence[TagHandle]
    batches: list[Batch] = field(default_factory=list)
    ticket: Ticket | None = None
    upto: int = 0

    def __post_init__(self) -> None:
        self.source = OpcUaSource(self.config, self.tags)

    async def enter(self) -> Batch:
        """Connect with the ticket, if there is one, and give the first batch."""
        self.source = OpcUaSource(self.config, self.tags)
        if self.ticket is not None:
            self.source.resume(self.ticket)
        try:
            await self.source.__aenter__()
        finally:
            self.ticket = self.source.ticket()
        return await self.read()

    async def read(self, count: int = 1) -> Batch:
        for _ in range(count):
            batch = await asyncio.wait_for(self.source.read(), PATIENCE_S)
            await self.keep(batch)
        return batch

    async def keep(self, batch: Batch) -> None:
        """Store a batch."""
        self.batches.append(batch)
        await self.source.acknowledge(batch)

    async def lose(self) -> str:
        """Read until the link is lost and leave; give the reason."""
        try:
            while True:
                await self.read()
        except Unreachable as error:
            self.upto = max(batch.upto for batch in self.batches)
            self.ticket = self.source.ticket()
            await self.source.__aexit__(type(error), error, None)
            return str(error)

    async def go_on(self, count: int = 5) -> bool:
        """Connect again, recover beside reading, and tell whether that was complete."""
        first = await self.enter()
        recovery = asyncio.create_task(self.source.recover(self.upto, first.upto, self.keep))
        await self.read(count)
        return await asyncio.wait_for(recovery, PATIENCE_S)

    async def until(self, met: Callable[[], object]) -> None:
        """Read on until something is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not met():
                await self.read()

    async def leave(self) -> None:
        await self.source.__aexit__(None, None, None)

    def values(self, handle: int) -> list[float]:
        """Every value of a tag in the order of its time, each once."""
        at = np.concatenate([batch.at[batch.tag == handle] for batch in self.batches])
        value = np.concatenate([batch.value[batch.tag == handle] for batch in self.batches])
        _, first = np.unique(at, return_index=True)
        return [float(one) for one in value[first]]

    def recovered(self, how: Recovery) -> int:
        """Count the samples that came in this way."""
        return sum(len(batch) for batch in self.batches if batch.recovered is how)
