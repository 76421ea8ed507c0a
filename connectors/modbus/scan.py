"""What one scan collects, in columns, and the requests that fill them."""

from collections.abc import Sequence

import numpy as np

from connectors.modbus.address import Address
from connectors.modbus.blocks import Block, halves
from connectors.modbus.registers import Decoder, text_at
from connectors.modbus.wire import Answer
from plant.quality import Status
from plant.tags import ValueType


class Piece:
    """One request with the decoder of its answer.

    Parameters
    ----------
    block
        What to ask.
    addresses
        All values of the source, in reading order; the block covers some of them.
    """

    def __init__(self, block: Block, addresses: Sequence[Address]) -> None:
        self.block = block
        self._addresses = addresses
        own = addresses[block.first : block.last]
        self._decoder = Decoder(own, block.start)
        self._texts = [
            (block.first + i, address)
            for i, address in enumerate(own)
            if address.type is ValueType.TEXT
        ]

    @property
    def splittable(self) -> bool:
        """Whether it covers more than one value."""
        return self.block.last - self.block.first > 1

    def halves(self) -> list["Piece"]:
        """Give two pieces that cover the same values."""
        return [Piece(half, self._addresses) for half in halves(self.block, self._addresses)]

    def fill(self, scan: "Scan", answer: Answer, at: int) -> None:
        """Write an answer, or its failure, into the columns of a scan."""
        own = slice(self.block.first, self.block.last)
        scan.said[own] = True
        scan.at[own] = at
        if answer.status is not Status.GOOD:
            scan.status[own] = answer.status
            scan.texts.update((column, ("", int(answer.status))) for column, _ in self._texts)
            return
        scan.value[own], scan.status[own] = self._decoder.decode(answer.payload)
        for column, address in self._texts:
            scan.texts[column] = text_at(answer.payload, address, self.block.start)


class Scan:
    """Columns over all n values of a source, in reading order; `said` tells which were filled."""

    def __init__(self, n: int) -> None:
        self.at = np.zeros(n, np.int64)
        self.value = np.full(n, np.nan)
        self.status = np.zeros(n, np.uint32)
        self.said = np.zeros(n, np.bool_)
        self.texts: dict[int, tuple[str, int]] = {}
