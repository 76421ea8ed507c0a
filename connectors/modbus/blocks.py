"""Which registers to ask together: few requests, each within the limits, no value split."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.modbus.address import Address, Table
from plant.errors import Misconfigured

BITS_PER_REGISTER = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may ask.

    Parameters
    ----------
    registers, bits
        Most registers or bits in one request.
    gap
        Unused registers that may be read along; 16 times as many bits.
    """

    registers: int = 125
    bits: int = 2000
    gap: int = 16

    def of(self, table: Table) -> tuple[int, int]:
        """Give the longest request and the widest gap in the offsets of `table`."""
        if table.of_bits:
            return self.bits, self.gap * BITS_PER_REGISTER
        return self.registers, self.gap


@dataclass(frozen=True, slots=True)
class Block:
    """One request.

    Parameters
    ----------
    unit, table
        Whom to ask for what.
    start, count
        First offset and number of registers or bits.
    first, last
        It covers the values ``addresses[first:last]`` of the sorted list.
    """

    unit: int
    table: Table
    start: int
    count: int
    first: int
    last: int


def reading_order(addresses: Sequence[Address]) -> list[int]:
    """Sort the indices of `addresses` by unit, table and offset."""
    return sorted(
        range(len(addresses)),
        key=lambda i: (
            addresses[i].unit,
            addresses[i].table.value,
            addresses[i].offset,
            addresses[i].length,
        ),
    )


def _block(addresses: Sequence[Address], first: int, last: int) -> Block:
    start = addresses[first].offset
    end = max(address.end for address in addresses[first:last])
    return Block(addresses[first].unit, addresses[first].table, start, end - start, first, last)


def coalesce(addresses: Sequence[Address], limits: Limits) -> list[Block]:
    """Cover `addresses`, in `reading_order`, with blocks.

    Raises
    ------
    Misconfigured
        When one value alone is longer than a request may be.
    """
    blocks: list[Block] = []
    first = end = 0
    for i, address in enumerate(addresses):
        longest, gap = limits.of(address.table)
        if address.length > longest:
            raise Misconfigured(
                f"{address.type} of {address.length} registers at unit {address.unit}, "
                f"{address.table} {address.offset} needs max_registers of at least {address.length}"
            )
        start = addresses[first]
        same_table = (address.unit, address.table) == (start.unit, start.table)
        near = address.offset - end <= gap and max(end, address.end) - start.offset <= longest
        if i > first and not (same_table and near):
            blocks.append(_block(addresses, first, i))
            first, end = i, 0
        end = max(end, address.end)
    if addresses:
        blocks.append(_block(addresses, first, len(addresses)))
    return blocks


def halves(block: Block, addresses: Sequence[Address]) -> list[Block]:
    """Split a block in two between its values; a block of one value stays whole."""
    if block.last - block.first < 2:
        return [block]
    middle = (block.first + block.last) // 2
    return [_block(addresses, block.first, middle), _block(addresses, middle, block.last)]
