import asyncio
from typing import Any

import pytest

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.limits import limits_of
from connectors.opcua.nodes import Refused
from connectors.opcua.shortfalls import shortfalls
from connectors.opcua.source import OpcUaSource
from connectors.opcua.subscription import Subscription

CONFIG = OpcUaConfig(name="plc", url="opc.tcp://h", security="none", publishing_ms=100, queue=50)


def test_who_gets_what_was_asked_for_has_nothing_to_say() -> None:
    assert list(shortfalls(CONFIG, limits_of(9), Subscription(7, 149.0, 2.0))) == []


def test_each_shortfall_has_a_sentence() -> None:
    made = Subscription(7, 1000.0, 2.0, slower={1, 2}, shorter={3})
    assert list(shortfalls(CONFIG, limits_of(9), made)) == [
        "the server sends every 1,000 ms, 100 ms were asked for",
        "items looked at more rarely than asked for: 2",
        "items that keep fewer than 50 values: 1",
    ]


def test_the_first_refused_tags_are_named(tags_of: Any) -> None:
    made = Subscription(7, 100.0, 2.0)
    made.refuse(Refused(tag, 0x80340000) for tag in tags_of([f"s=T{i}" for i in range(1005)]))
    (note,) = shortfalls(CONFIG, limits_of(9), made)
    assert note == (
        "tags refused by the server, tried again and again: 1,005 (site/line/T0: BadNodeIdUnknown; "
        "site/line/T1: BadNodeIdUnknown; site/line/T2: BadNodeIdUnknown; and 1,002 more)"
    )


@pytest.mark.journey
def test_what_a_server_revises_is_said(start_plc: Any, tags_of: Any) -> None:
    """This one sends every 50 ms at the fastest."""
    plc = start_plc()
    config = OpcUaConfig(
        name="plc", url=plc.url, security="none", publishing_ms=10, sampling_ms=20, queue=100_000
    )

    async def story() -> None:
        async with OpcUaSource(config, tags_of(["s=Line1.Flow"])) as source:
            await source.read()
            said = source.facts().notes
        assert "the server sends every 50 ms, 10 ms were asked for" in said
        assert "items that keep fewer than 100,000 values: 1" in said

    asyncio.run(story())
