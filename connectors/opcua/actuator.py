"""Setpoints over OPC UA: one attempt on a session of its own, and a reset at the first doubt."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from asyncua import ua

from connectors.contract import Cells, Outlet
from connectors.opcua.address import parse_address
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.strict import StrictSession
from connectors.opcua.values import numbers_of, plain_value, reading_of, words_value
from connectors.setpoint_words import (
    ANSWER_WORDS,
    BEAT_AT,
    REQUEST_WORDS,
    BlockAnswer,
    beat_words,
    counts_of,
    left_s,
    said_of,
    timely_words,
)
from plant.errors import Misconfigured, Rejected
from plant.setpoints import Readback, Reading, Setpoint
from plant.tags import Tag

PATIENCE_S = 3.0
"""Longest wait for one answer."""
REQUEST, ANSWER = "Request", "Answer"
"""Nodes of a block, below its address: arrays of UInt16."""


class OpcUaActuator:
    """Writes to one server.

    Parameters
    ----------
    config
        The server, as its source names it, with the user who may write.
    tags
        What may be read.
    outlets
        What may be written.
    patience_s
        Longest wait for one answer, s.

    Raises
    ------
    Misconfigured
        An address cannot be used.
    """

    def __init__(
        self,
        config: OpcUaConfig,
        tags: Sequence[Tag],
        outlets: Sequence[Outlet],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.name = config.name
        self._config = config
        self._patience_s = min(patience_s, config.timeout_s)
        self._outlets = {outlet.tag.name: outlet for outlet in outlets}
        self._tags = {tag.name: tag for tag in _nodes_of(tags, outlets)}
        for tag in self._tags.values():
            element = parse_address(tag.address, tag.name).element
            if element is not None and tag.name in self._outlets:
                raise Misconfigured(f"tag {tag.name}: an element of an array cannot be set alone")
        self._session = self._new_session()

    @property
    def places(self) -> Mapping[str, Cells]:
        """See `Actuator`."""
        read = {tag: _answer_of(tag) if self._has_block(tag) else tag for tag in self._outlets}
        found = self._session.places
        return {tag: found[name] for tag, name in read.items() if name in found}

    async def __aenter__(self) -> Self:
        """Connect, sign in, and look for the nodes."""
        await self._session.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take leave; nothing is under way."""
        await self._session.close()

    async def read(self, tags: Sequence[str]) -> Sequence[Reading]:
        """Read these tags now."""
        names = [_answer_of(tag) if self._has_block(tag) else tag for tag in tags]
        for tag, name in zip(tags, names, strict=True):
            if name not in self._tags:
                raise Rejected(f"{self.name}: {tag} is none of this actuator's tags")
        values = await self._session.read(names)
        return [
            said_of(self._outlets[tag].tag, _answer(value, tag)).setpoint
            if self._has_block(tag)
            else reading_of(self._tags[tag], value)
            for tag, value in zip(tags, values, strict=True)
        ]

    async def write(self, setpoint: Setpoint, last_look: Callable[[], None] = lambda: None) -> None:
        """Try once."""
        outlet = self._outlet(setpoint.tag)
        if outlet.block is None:
            (held,) = await self._session.read([setpoint.tag])
            value = plain_value(setpoint, outlet.tag, held)
            left_s(setpoint, time.time_ns(), self._patience_s)
            await self._session.write(setpoint.tag, value, last_look)
            return
        count, begun = counts_of(outlet.tag, setpoint), time.monotonic()
        _, answer = await self._block(setpoint.tag)
        patience = self._patience_s - (time.monotonic() - begun)
        words = timely_words(setpoint, count, answer.clock, time.time_ns(), patience)
        await self._session.write(_request_of(setpoint.tag), words_value(words), last_look)

    async def read_back(self, tag: str) -> Readback:
        """Ask over a fresh connection what the server keeps."""
        outlet = self._outlet(tag)
        async with self._fresh() as session:
            if outlet.block is not None:
                (value,) = await session.read([_answer_of(tag)])
                return said_of(outlet.tag, _answer(value, tag))
            if outlet.active is None:
                (value,) = await session.read([tag])
                return Readback(reading_of(outlet.tag, value))
            value, active = await session.read([tag, outlet.active.name])
            return Readback(reading_of(outlet.tag, value), reading_of(outlet.active, active))

    async def beat(self, tag: str, *, enable: bool = True) -> Readback:
        """Show the block of this tag that the guard lives, and read it."""
        outlet = self._outlet(tag)
        if outlet.block is None:
            raise Rejected(f"{tag} is set without a block; there is nothing to beat for")
        request, answer = await self._block(tag)
        # The request goes along unchanged, for the array is written whole: nothing is judged twice.
        words = (*request[:BEAT_AT], *beat_words(answer.clock, enable=enable))
        await self._session.write(_request_of(tag), words_value(words))
        return said_of(outlet.tag, answer)

    def _new_session(self) -> StrictSession:
        return StrictSession(self._config, self._tags, self._patience_s)

    def _has_block(self, tag: str) -> bool:
        return tag in self._outlets and self._outlets[tag].block is not None

    def _outlet(self, tag: str) -> Outlet:
        if tag not in self._outlets:
            raise Rejected(f"{self.name}: {tag} is none of the setpoints that are written here")
        return self._outlets[tag]

    async def _block(self, tag: str) -> tuple[tuple[int, ...], BlockAnswer]:
        """Read a block's request and answer, in one call."""
        request, answer = await self._session.read([_request_of(tag), _answer_of(tag)])
        return numbers_of(request, REQUEST_WORDS, tag), _answer(answer, tag)

    @asynccontextmanager
    async def _fresh(self) -> AsyncIterator[StrictSession]:
        """Give another session in place of the first; after a doubt for this reading alone."""
        kept = self._session.alive
        await self._session.close()
        session = self._new_session()
        await session.open()
        try:
            yield session
        except BaseException:
            session.cut()
            raise
        if kept:
            self._session = session
        else:
            await session.close()


def _answer(value: ua.DataValue, tag: str) -> BlockAnswer:
    return BlockAnswer.of(numbers_of(value, ANSWER_WORDS, tag))


def _nodes_of(tags: Sequence[Tag], outlets: Sequence[Outlet]) -> Iterator[Tag]:
    """Give every node as a tag: what is read, what is written, and both of each block."""
    yield from tags
    for outlet in outlets:
        if outlet.active is not None:
            yield outlet.active
        if outlet.block is None:
            yield outlet.tag
            continue
        between = "." if ";s=" in outlet.block else "/"
        for name, part in (
            (_request_of(outlet.tag.name), REQUEST),
            (_answer_of(outlet.tag.name), ANSWER),
        ):
            yield replace(outlet.tag, name=name, address=f"{outlet.block}{between}{part}")


def _request_of(tag: str) -> str:
    return f"{tag} {REQUEST}"


def _answer_of(tag: str) -> str:
    return f"{tag} {ANSWER}"
