"""What one scan collects, in columns, and the requests that fill them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from connectors.modbus.address import Address
from connectors.modbus.blocks import Block, block_of
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
        self.columns = np.array(block.columns, np.intp)
        self._addresses = addresses
        own = [addresses[column] for column in block.columns]
        self._decoder = Decoder(own, block.start)
        self._texts = [
            (column, address)
            for column, address in zip(block.columns, own, strict=True)
            if address.type is ValueType.TEXT
        ]

    def part(self, first: int, last: int) -> "Piece":
        """Give the piece that covers the values ``first:last`` of this one."""
        return Piece(block_of(self._addresses, self.block.columns[first:last]), self._addresses)

    def fill(self, scan: "Scan", answer: Answer, at: int) -> None:
        """Write an answer, or its failure, into the columns of a scan."""
        if answer.status is not Status.GOOD:
            scan.fail(self.columns, answer.status, at)
            return
        scan.said[self.columns] = True
        scan.at[self.columns] = at
        scan.value[self.columns], scan.status[self.columns] = self._decoder.decode(answer.payload)
        for column, address in self._texts:
            scan.texts[column] = text_at(answer.payload, address, self.block.start)


class Scan:
    """Columns over all n values of a source, in reading order; `said` tells which were filled.

    Parameters
    ----------
    numeric
        Which values are numbers and not texts (n,).
    """

    def __init__(self, numeric: NDArray[np.bool_]) -> None:
        n = len(numeric)
        self._numeric = numeric
        self.at = np.zeros(n, np.int64)
        self.value = np.full(n, np.nan)
        self.status = np.zeros(n, np.uint32)
        self.said = np.zeros(n, np.bool_)
        self.texts: dict[int, tuple[str, int]] = {}

    def fail(self, columns: NDArray[np.intp], status: int, at: int) -> None:
        """Say that these values could not be had, and why."""
        self.said[columns] = True
        self.at[columns] = at
        self.value[columns] = np.nan
        self.status[columns] = status
        for column in columns[~self._numeric[columns]].tolist():
            self.texts[column] = ("", int(status))
