"""The connection: the only module that knows pymodbus.

pymodbus does not compare an answer with its request, retries behind the caller's back and lets a
late answer through when its transaction id is 0. Here: one attempt, every answer checked for
transaction, unit, function and length, and the socket reset (RST) as soon as anything is in doubt,
so that nothing old can arrive later.
"""

import asyncio
import logging
import socket
import struct
import time
from dataclasses import dataclass
from typing import cast

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from connectors.modbus.address import Table
from plant.errors import Unreachable
from plant.quality import Status

logging.getLogger("pymodbus").addHandler(logging.NullHandler())

FUNCTIONS = {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}
"""Function code that reads each table (Modbus Application Protocol V1.1b3 §6)."""
EXCEPTIONS = {
    1: Status.BAD_CONFIGURATION_ERROR,
    2: Status.BAD_NODE_ID_UNKNOWN,
    3: Status.BAD_OUT_OF_RANGE,
    4: Status.BAD_DEVICE_FAILURE,
    5: Status.BAD_OUT_OF_SERVICE,
    6: Status.BAD_OUT_OF_SERVICE,
    8: Status.BAD_DEVICE_FAILURE,
    10: Status.BAD_NO_COMMUNICATION,
    11: Status.BAD_NO_COMMUNICATION,
}
"""Nearest StatusCode of each exception code (Modbus Application Protocol V1.1b3 §7)."""
_FUNCTION_CODES = 129
_TRANSACTIONS = 65_000
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request: bytes when the status is Good, else why there are none."""

    status: Status
    payload: bytes = b""

    @property
    def silent(self) -> bool:
        """Whether nothing came back at all."""
        return self.status in (Status.BAD_TIMEOUT, Status.BAD_COMMUNICATION_ERROR)

    @property
    def dead(self) -> bool:
        """Whether the unit itself said nothing, though a gateway before it may have."""
        return self.silent or self.status is Status.BAD_NO_COMMUNICATION


class _Request(ModbusPDU):
    """Read `count` registers or bits from `address` on; any of functions 1 to 4."""

    def __init__(self, function: int, unit: int, address: int, count: int) -> None:
        super().__init__(dev_id=unit, address=address, count=count)
        self.function_code = function

    def encode(self) -> bytes:
        return struct.pack(">HH", self.address, self.count)


class _RawAnswer(ModbusPDU):
    """An answer left as bytes: numpy decodes it, and its length is checked by us."""

    body = b""

    def decode(self, data: bytes) -> None:
        self.body = data


# Every function code gets one, since pymodbus drops the connection over a code that it cannot
# decode, and we want to name it.
_RAW_ANSWERS = [
    cast("type[ModbusPDU]", type(f"RawAnswer{code}", (_RawAnswer,), {"function_code": code}))
    for code in range(_FUNCTION_CODES)
]


def check(answer: ModbusPDU, request: ModbusPDU, size: int) -> Answer:
    """Compare an answer with its request, which wants `size` bytes of data."""
    if (answer.transaction_id, answer.dev_id) != (request.transaction_id, request.dev_id):
        return Answer(Status.BAD_UNKNOWN_RESPONSE)
    if isinstance(answer, ExceptionResponse):
        if answer.function_code != request.function_code | 0x80:
            return Answer(Status.BAD_UNKNOWN_RESPONSE)
        return Answer(EXCEPTIONS.get(answer.exception_code, Status.BAD_UNKNOWN_RESPONSE))
    if not isinstance(answer, _RawAnswer) or answer.function_code != request.function_code:
        return Answer(Status.BAD_UNKNOWN_RESPONSE)
    if len(answer.body) != size + 1 or answer.body[0] != size:
        return Answer(Status.BAD_UNKNOWN_RESPONSE)
    return Answer(Status.GOOD, answer.body[1:])


class Connection:
    """One TCP connection, one request at a time.

    Parameters
    ----------
    host, port
        Where the device listens.
    timeout
        Longest wait for the connection and for one answer, seconds.
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._place = f"{host}:{port}"
        self._host, self._port, self._timeout = host, port, timeout
        self._client: AsyncModbusTcpClient | None = None
        self._asking = False
        # Goes on over connections and processes: a gateway may send what it owes to an old
        # connection into the new one, and that must not carry a number in use.
        self._transaction = time.monotonic_ns() % _TRANSACTIONS

    async def open(self) -> None:
        """Connect once, or raise `Unreachable`."""
        self.reset()
        client = AsyncModbusTcpClient(
            self._host,
            port=self._port,
            timeout=self._timeout,
            retries=0,
            reconnect_delay=0,
            trace_connect=self._changed,
        )
        for raw_answer in _RAW_ANSWERS:
            client.register(raw_answer)
        self._client = client
        connected = False
        try:
            connected = await client.connect()
        finally:
            if not connected:
                self.reset()
        if not connected:
            raise Unreachable(
                f"{self._place} does not accept a connection; "
                "is the device on, and are host and port right?"
            )
        client.ctx.next_tid = self._transaction
        self._socket_options(client)

    def reset(self) -> None:
        """Close at once with RST: what is still under way is neither sent nor received."""
        client, self._client = self._client, None
        if client is None:
            return
        self._transaction = client.ctx.next_tid or self._transaction
        if client.ctx.transport:
            link = client.ctx.transport.get_extra_info("socket")
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            cast("asyncio.Transport", client.ctx.transport).abort()
        client.close()

    async def ask(self, unit: int, table: Table, start: int, count: int) -> Answer:
        """Send one request and wait for its answer.

        A connection that the other side has closed is opened again once, and the request repeated
        once. Raises `Unreachable` when it cannot be opened.
        """
        answer = await self._attempt(unit, table, start, count)
        if answer.status is Status.BAD_COMMUNICATION_ERROR:
            answer = await self._attempt(unit, table, start, count)
        return answer

    async def _attempt(self, unit: int, table: Table, start: int, count: int) -> Answer:
        if self._client is None or not self._client.connected:
            await self.open()
        answer = Answer(Status.BAD_TIMEOUT)
        try:
            answer = await self._exchange(
                _Request(FUNCTIONS[table], unit, start, count),
                (count + 7) // 8 if table.of_bits else 2 * count,
            )
        finally:
            if answer.silent or answer.status is Status.BAD_UNKNOWN_RESPONSE:
                self.reset()
        return answer

    async def _exchange(self, request: _Request, size: int) -> Answer:
        client = cast("AsyncModbusTcpClient", self._client)
        self._asking = True
        try:
            return check(await client.execute(False, request), request, size)
        except ModbusIOException:
            return Answer(Status.BAD_TIMEOUT)
        except ConnectionException:
            return Answer(Status.BAD_COMMUNICATION_ERROR)
        finally:
            self._asking = False

    def _changed(self, connected: bool) -> None:
        """Wake the request under way when the link is lost; pymodbus would wait for its timeout."""
        if connected or not self._asking or self._client is None:
            return
        waiting: asyncio.Future[ModbusPDU] = self._client.ctx.response_future
        if not waiting.done():
            waiting.set_exception(ConnectionException("closed by the other side"))

    def _socket_options(self, client: AsyncModbusTcpClient) -> None:
        link = client.ctx.transport.get_extra_info("socket")
        patience = int(2000 * self._timeout)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
