"""A value for an address as the request that writes it: the inverse of reading it."""

from connectors.modbus.address import Address, Table
from connectors.modbus.registers import encode, encode_text
from connectors.modbus.wire import Request, write_coils, write_registers
from plant.errors import Rejected
from plant.tags import ValueType

MOST_REGISTERS = 123
"""V1.1b3 §6.12."""


def request_of(address: Address, value: float | str) -> Request:
    """Make the request that writes a raw value: function 5 or 6, or 16 for several registers.

    Raises
    ------
    Rejected
        When the value does not fit the address, or the address cannot be written.
    """
    if address.table in (Table.INPUT, Table.DISCRETE):
        raise Rejected(f"{address.table} {address.offset} can only be read")
    if isinstance(value, str) is not (address.type is ValueType.TEXT):
        raise Rejected(f"{value!r} is no {address.type}")
    if isinstance(value, str):
        return _registers(address, encode_text(value, address.length, address.order).tolist())
    if address.type is not ValueType.BOOL:
        return _registers(address, encode([value], address.type, address.order).tolist())
    if address.table is not Table.COIL:
        # Function 22 would do, where a device has it; reading and writing back would undo what
        # the device set meanwhile.
        raise Rejected(f"{address.table} {address.offset}.{address.bit}: write the whole register")
    if value not in (0, 1):
        raise Rejected(f"{value!r} is no bool")
    return write_coils(address.unit, address.offset, [bool(value)])


def _registers(address: Address, registers: list[int]) -> Request:
    if len(registers) > MOST_REGISTERS:
        raise Rejected(f"one request writes at most {MOST_REGISTERS} registers")
    return write_registers(address.unit, address.offset, registers)
