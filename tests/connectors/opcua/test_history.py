"""Reading history from a server that keeps little in one answer."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.opcua import history
from connectors.opcua.decode import Published
from connectors.opcua.history import HistoryReader
from connectors.opcua.limits import Allowance
from connectors.opcua.nodes import Found
from plant.tags import Tag, TagHandle

SECOND = 1_000_000_000
BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
START = 1_767_312_000 * SECOND
NO_DATA, UNSUPPORTED, NO_POINTS = 0x809B0000, 0x80710000, 0x804B0000
TOO_MANY, SERVICE_UNSUPPORTED = 0x80100000, 0x800B0000


def item(handle: int) -> Found:
    tag = Tag(name=f"a/t{handle}", source="plc", address=f"nsu=urn:x;i={handle}")
    return Found(TagHandle(handle, tag), ua.NumericNodeId(ua.Int32(handle), ua.Int16(2)), "")


@dataclass
class Historian:
    """Keeps a value a second of some nodes; `page` of them fit into one answer."""

    kept: dict[int, int]
    page: int = 1000
    most_nodes: int = 100
    status: dict[int, int] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)
    requests: list[list[tuple[int, bytes | None]]] = field(default_factory=list)
    released: list[bytes | None] = field(default_factory=list)
    logger = logging.getLogger("test")

    async def _send_request(self, request: ua.HistoryReadRequest) -> Buffer:
        await asyncio.sleep(0)
        asked = [
            (int(one.NodeId.Identifier), one.ContinuationPoint)
            for one in request.Parameters.NodesToRead
        ]
        if request.Parameters.ReleaseContinuationPoints:
            self.released += [point for _, point in asked]
            return Buffer(struct_to_binary(ua.HistoryReadResponse()))
        self.requests.append(asked)
        if len(asked) > self.most_nodes:
            raise UaStatusCodeError(TOO_MANY)
        whole = ua.HistoryReadResponse()
        whole.Results = [self._result(node, int(point or 0)) for node, point in asked]
        return Buffer(struct_to_binary(whole))

    async def read_attributes(
        self, nodes: list[ua.NodeId], attribute: ua.AttributeIds
    ) -> list[ua.DataValue]:
        assert attribute is ua.AttributeIds.AccessLevel
        levels = [self.levels.get(int(node.Identifier), 1) for node in nodes]
        return [ua.DataValue(ua.Variant(level, ua.VariantType.Byte)) for level in levels]

    def _result(self, node: int, first: int) -> ua.HistoryReadResult:
        number = self.kept.get(node, 0)
        last = min(first + self.page, number)
        data = ua.HistoryData()
        data.DataValues = [
            ua.DataValue(
                ua.Variant(float(i)),
                SourceTimestamp=BEGIN + timedelta(seconds=i),
                ServerTimestamp=BEGIN + timedelta(seconds=i, milliseconds=7),
            )
            for i in range(first, last)
        ]
        point = str(last).encode() if last < number else None
        return ua.HistoryReadResult(ua.StatusCode(self.status.get(node, 0)), point, data)


@dataclass
class Read:
    complete: bool
    values: dict[int, list[float]]
    without: set[int]


def read(
    historian: Any,
    nodes: Iterable[int],
    stop: int = START + 10_000 * SECOND,
    without: Iterable[int] = (),
    deliver: Callable[[Published], None] = lambda _: None,
) -> Read:
    values: dict[int, list[float]] = {}

    async def take(said: Published) -> None:
        deliver(said)
        for handle, value in zip(said.handle.tolist(), said.value.tolist(), strict=True):
            values.setdefault(handle, []).append(value)

    client: Any = SimpleNamespace(uaclient=historian)
    reader = HistoryReader(client, Allowance(100), set(without))
    complete = asyncio.run(reader.read([item(n) for n in nodes], START, stop, take))
    return Read(complete, values, reader.without)


def test_the_start_is_out_and_the_stop_is_in() -> None:
    told = read(Historian({1: 60}), [1], stop=START + 3 * SECOND)
    assert told.values == {1: [1.0, 2.0, 3.0]}
    assert told.complete


def test_the_servers_time_stays_beside_its_value() -> None:
    pages: list[Published] = []
    read(Historian({1: 60}), [1], stop=START + 3 * SECOND, deliver=pages.append)
    assert [(page.served - page.at).tolist() for page in pages] == [[7_000_000] * 3]


def test_pages_are_read_to_their_end_in_order() -> None:
    historian = Historian({1: 25, 2: 3, 3: 11}, page=10)
    told = read(historian, [1, 2, 3])
    assert told.values == {n: [float(i) for i in range(1, m)] for n, m in historian.kept.items()}
    assert told.complete
    assert historian.released == []


def test_few_nodes_are_under_way_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "NODES", 2)
    historian = Historian(dict.fromkeys(range(6), 25), page=10)
    assert read(historian, range(6)).complete
    assert max(len(asked) for asked in historian.requests) == 2
    open_points = [{node for node, point in asked if point} for asked in historian.requests]
    assert max(len(points) for points in open_points) == 2


def test_too_many_nodes_in_a_call_are_made_fewer() -> None:
    historian = Historian(dict.fromkeys(range(9), 5), most_nodes=3)
    told = read(historian, range(9))
    assert told.complete
    assert len(told.values) == 9


def test_a_tag_without_history_is_not_asked_again() -> None:
    historian = Historian({1: 5, 2: 5}, status={2: UNSUPPORTED})
    told = read(historian, [1, 2])
    assert not told.complete
    assert told.without == {2}
    historian.requests.clear()
    assert not read(historian, [1, 2], without=told.without).complete
    assert historian.requests == [[(1, None)]]


@pytest.mark.parametrize("status", [0, NO_DATA])
def test_nothing_kept_of_an_interval_is_complete(status: int) -> None:
    assert read(Historian({1: 0}, status={1: status}, levels={1: 5}), [1]).complete


def test_nothing_to_tell_of_a_node_without_history_is_no_history() -> None:
    told = read(Historian({1: 0, 2: 0, 3: 9}, levels={1: 5, 2: 3}), [1, 2, 3])
    assert (told.complete, told.without) == (False, {2})


def test_a_tag_that_fails_otherwise_is_incomplete_and_asked_again() -> None:
    told = read(Historian({1: 5}, status={1: NO_POINTS}), [1])
    assert not told.complete
    assert told.without == set()


def test_a_server_without_the_service_keeps_no_history_of_any_tag() -> None:
    class Plain(Historian):
        async def _send_request(self, request: ua.HistoryReadRequest) -> Buffer:
            raise UaStatusCodeError(SERVICE_UNSUPPORTED)

    told = read(Plain({}), [1, 2])
    assert (told.complete, told.without) == (False, {1, 2})


def test_a_server_that_goes_round_in_circles_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGES", 20)
    told = read(Historian({1: 10**9}, page=1), [1])
    assert not told.complete
    assert len(told.values[1]) < 20


def test_what_is_broken_off_is_given_back() -> None:
    def full(_: Published) -> None:
        raise OSError("disk full")

    historian = Historian({1: 25, 2: 25}, page=10)
    with pytest.raises(OSError, match="disk full"):
        read(historian, [1, 2], deliver=full)
    assert historian.released == [b"10", b"10"]
