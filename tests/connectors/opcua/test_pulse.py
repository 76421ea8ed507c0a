import asyncio
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua

from connectors.opcua import pulse
from connectors.opcua.pulse import Pulse

STARTED = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


def client(*answers: Any) -> Any:
    left = iter(answers)

    async def read_attributes(nodes: Any, _attribute: Any) -> list[ua.DataValue]:
        assert [node.Identifier for node in nodes] == [2258, 2257]
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return [ua.DataValue(one) for one in answer()]

    told = SimpleNamespace(read_attributes=read_attributes, logger=logging.getLogger("test"))
    return SimpleNamespace(uaclient=told)


def clock(ahead: float) -> Any:
    now = datetime.now(UTC) + timedelta(seconds=ahead)
    return lambda: (ua.Variant(now), ua.Variant(STARTED))


def nothing() -> Any:
    return None, None


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 12.5])
def test_round_trip_and_clock(ahead: float) -> None:
    felt = Pulse()
    asyncio.run(felt.feel(client(clock(ahead))))
    assert felt.round_trip_ms is not None
    assert felt.round_trip_ms > 0
    assert felt.clock_offset_s == pytest.approx(ahead, abs=0.5)
    assert felt.started == 1_767_323_045_678_901


def test_a_server_without_a_clock() -> None:
    felt = Pulse()
    asyncio.run(felt.feel(client(nothing)))
    assert felt.round_trip_ms is not None
    assert (felt.clock_offset_s, felt.started) == (None, 0)


def test_a_server_that_does_not_answer_has_no_round_trip_until_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulse, "EVERY_S", 0.0)
    felt = Pulse(round_trip_ms=1.0)
    seen: list[float | None] = []

    def late() -> Any:
        seen.append(felt.round_trip_ms)
        return clock(0.0)()

    async def story() -> None:
        with pytest.raises(StopAsyncIteration):
            await felt.beat(client(TimeoutError(), late, StopAsyncIteration()))

    asyncio.run(story())
    assert seen == [None]
