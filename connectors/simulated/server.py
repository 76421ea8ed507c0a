"""Serves a feed over loopback OPC UA and Modbus, row by row as its time comes."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import numpy as np

from connectors.simulated.encoding import Encoding
from connectors.simulated.feed import Feed
from connectors.simulated.modbus_server import ModbusServer
from connectors.simulated.opcua_server import OpcuaServer
from connectors.simulated.ports import Ports
from connectors.simulated.signals import MODBUS, OPCUA

OPCUA_PORT, MODBUS_PORT = 4840, 5020
_LATE_ROWS = 10
"""After a pause at most this many missed rows are published before the present one."""


async def serve(
    feed: Feed,
    *,
    opcua_port: int = OPCUA_PORT,
    modbus_port: int = MODBUS_PORT,
    ready: Callable[[Ports], None],
) -> None:
    """Serve `feed` on 127.0.0.1 until cancelled.

    Row i appears when the wall clock reaches its time and carries it as source time. When a
    finite feed has ended, the servers stay and show its last row.

    Parameters
    ----------
    feed
        What to serve; `Tag.source` decides which server offers a tag.
    opcua_port, modbus_port
        Wanted ports; a taken one is replaced by the next free one, 0 is any.
    ready
        Called once, when both servers listen and show the present row.

    Raises
    ------
    Misconfigured
        If an address cannot be offered or no port is free.
    """
    columns = {
        name: np.array([i for i, tag in enumerate(feed.tags) if tag.source == name], np.intp)
        for name in (OPCUA, MODBUS)
    }
    encoding = Encoding(feed.tags)
    async with AsyncExitStack() as stack:
        opcua = modbus = None
        if len(columns[OPCUA]):
            offered = [feed.tags[i] for i in columns[OPCUA]]
            opcua = await stack.enter_async_context(OpcuaServer(offered, opcua_port))
        if len(columns[MODBUS]):
            offered = [feed.tags[i] for i in columns[MODBUS]]
            modbus = await stack.enter_async_context(ModbusServer(offered, modbus_port))

        async def publish(row: int) -> None:
            for raw in encoding.raw(feed.values(row, 1)):
                if modbus is not None:
                    modbus.put(raw[columns[MODBUS]])
                if opcua is not None:
                    await opcua.put(raw[columns[OPCUA]], feed.start + row * feed.period)

        row = max(0, _present(feed))
        await _until(feed, row)
        await publish(row)
        ready(Ports(opcua.port if opcua else None, modbus.port if modbus else None))
        while True:
            await _until(feed, row + 1)
            present = _present(feed)
            for due in range(max(row + 1, present - _LATE_ROWS), present + 1):
                await publish(due)
            row = max(row, present)


def _present(feed: Feed) -> int:
    return (time.time_ns() - feed.start) // feed.period


async def _until(feed: Feed, row: int) -> None:
    """Sleep to the time of a row; the clock is asked again, as it may be set meanwhile."""
    while True:
        left = feed.start + row * feed.period - time.time_ns()
        if left <= 0:
            return
        await asyncio.sleep(min(left / 1e9, 1.0))


def run(
    feed: Feed,
    *,
    opcua_port: int = OPCUA_PORT,
    modbus_port: int = MODBUS_PORT,
    ready: Callable[[Ports], None],
    lifeline: int = 0,
) -> None:
    """Serve `feed` as a process of its own; returns on SIGTERM or when the parent is gone.

    Parameters
    ----------
    feed, opcua_port, modbus_port, ready
        As for `serve`.
    lifeline
        File descriptor (standard input) of a pipe that the parent holds open: its end is the
        parent's end, however that came.
    """
    asyncio.run(_run(feed, opcua_port, modbus_port, ready, lifeline))


async def _run(
    feed: Feed, opcua_port: int, modbus_port: int, ready: Callable[[Ports], None], lifeline: int
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def listen() -> None:
        if not os.read(lifeline, 4096):
            loop.remove_reader(lifeline)
            stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Ctrl-C reaches the whole terminal group; the parent is to stop first, then the lifeline ends.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_reader(lifeline, listen)
    serving = asyncio.create_task(
        serve(feed, opcua_port=opcua_port, modbus_port=modbus_port, ready=ready)
    )
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(lifeline)
        stopping.cancel()
        serving.cancel()
        results = await asyncio.gather(serving, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
