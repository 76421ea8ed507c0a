"""Which registers to ask together: few requests, each within the limits, no value split."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.modbus.address import Address, Table
from connectors.modbus.lessons import Lesson
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

    def lessons(self) -> dict[Table, Lesson]:
        """Give what is known of a unit that was never asked."""
        return {table: Lesson(*self.of(table)) for table in Table}


@dataclass(frozen=True, slots=True)
class Block:
    """One request.

    Parameters
    ----------
    unit, table
        Whom to ask for what.
    start, count
        First offset and number of registers or bits.
    columns
        Indices of the values that it covers.
    """

    unit: int
    table: Table
    start: int
    count: int
    columns: tuple[int, ...]

    @property
    def end(self) -> int:
        """First offset behind it."""
        return self.start + self.count


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


def block_of(addresses: Sequence[Address], columns: Sequence[int]) -> Block:
    """Make the request that covers these values, which stand in one table of one unit."""
    own = [addresses[column] for column in columns]
    start = own[0].offset
    end = max(address.end for address in own)
    return Block(own[0].unit, own[0].table, start, end - start, tuple(columns))


def coalesce(
    addresses: Sequence[Address], columns: Iterable[int], lessons: Mapping[Table, Lesson]
) -> list[Block]:
    """Cover the values at `columns`, in `reading_order`, with as few requests as the unit allows.

    Taking each block as far as it goes is the optimum, because whatever is allowed for a block is
    allowed for each part of it.
    """
    blocks: list[Block] = []
    taken: list[int] = []
    start = end = 0
    for column in columns:
        address = addresses[column]
        lesson = lessons[address.table]
        if taken and not (
            (address.unit, address.table) == (addresses[taken[0]].unit, addresses[taken[0]].table)
            and address.offset - end <= lesson.gap
            and lesson.allows(start, max(end, address.end))
        ):
            blocks.append(block_of(addresses, taken))
            taken = []
        if not taken:
            start = end = address.offset
        taken.append(column)
        end = max(end, address.end)
    return [*blocks, block_of(addresses, taken)] if taken else blocks


def check_lengths(addresses: Iterable[Address], limits: Limits) -> None:
    """Raise `Misconfigured` when one value alone is longer than a request may be."""
    for address in addresses:
        longest, _ = limits.of(address.table)
        if address.length > longest:
            raise Misconfigured(
                f"{address.type} of {address.length} registers at unit {address.unit}, "
                f"{address.table} {address.offset} needs max_registers of at least {address.length}"
            )
