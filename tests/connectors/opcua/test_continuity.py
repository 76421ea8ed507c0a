"""Connections that are cut, with node-opcua: what goes on, what is recovered, what is left."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Ticket
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.source import OpcUaSource
from connectors.simulated.hostile.proxy import ChaosProxy, Way
from plant.errors import Misconfigured, PlantError
from plant.samples import Recovery
from plant.tags import TagHandle
from tests.connectors.opcua.trail import Trail
from tests.faults.plc import Witness, tags_of

pytestmark = [pytest.mark.journey, pytest.mark.usefixtures("node_opcua")]
MOVING, STILL = 10, 12
TAGS = [TagHandle(10 + i, tag) for i, tag in enumerate(tags_of("plc", 3))]


Cuttable = Callable[..., AbstractAsyncContextManager[tuple[Trail, ChaosProxy, Witness]]]
Tell = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def tell() -> Iterator[Tell]:
    """Run stories one after the other in one loop: the servers' pipes belong to it."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="module")
def cuttable(tell: Tell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cuttable]:
    """A trail of a PLC behind a proxy; T0 and T1 move every 100 ms, T2 never.

    To start a PLC takes three seconds of a core: one of the same settings serves every story, which
    begins without a session and with an empty log.
    """
    plcs: dict[str, Witness] = {}

    async def served(settings: dict[str, Any]) -> Witness:
        key = json.dumps(settings)
        if key not in plcs:
            chosen = {"tags": 3, "period": 100, "still": ["T2"], **settings}
            plcs[key] = Witness(tmp_path_factory.mktemp("plc"), chosen)
            await plcs[key].start()
        await plcs[key].forget()
        return plcs[key]

    @asynccontextmanager
    async def made(
        settings: dict[str, Any] | None = None, **config: object
    ) -> AsyncIterator[tuple[Trail, ChaosProxy, Witness]]:
        plc = await served(settings or {})
        async with ChaosProxy(plc.port) as proxy:
            given = {
                "name": "plc",
                "url": f"{proxy.url}/UA/plc",
                "security": "none",
                "publishing_ms": 100.0,
                "sampling_ms": 0.0,
                "queue": 300,
                **config,
            }
            trail = Trail(OpcUaConfig.model_validate(given), TAGS)
            yield trail, proxy, plc
            await trail.leave()

    async def end() -> None:
        for plc in plcs.values():
            await plc.kill()

    yield made
    tell(end())


def none_missing(trail: Trail, plc: Witness) -> bool:
    """Every tick that the server set is there; a busy machine may let it set fewer."""
    seen = [round(value) // 1000 for value in trail.values(MOVING)]
    upto = min(seen[-1], plc.ticks[-1])  # what it tells of a tick may come after its value
    told = [tick for tick in plc.ticks if seen[0] <= tick <= upto]
    return told == [tick for tick in seen if tick <= upto]


def encrypted(folder: Path) -> dict[str, object]:
    (folder / "password").write_text("s3cret")
    return {
        "security": "Basic256Sha256",
        "trust": folder / "pki",
        "certificate_host": socket.gethostname(),
        "user": "operator",
        "password_file": folder / "password",
    }


async def trusted(config: OpcUaConfig) -> None:
    """Do as the first refusal says."""
    with pytest.raises(Misconfigured, match="not trusted"):
        await OpcUaSource(config, TAGS).__aenter__()
    (stranger,) = (Path(str(config.trust)) / "rejected").glob("*.der")
    stranger.rename(Path(str(config.trust)) / "trusted/certs" / stranger.name)


async def cut_and_go_on(trail: Trail, proxy: ChaosProxy, plc: Witness) -> None:
    await trail.enter()
    await trail.read(5)
    proxy.reset()
    await trail.lose()
    await plc.moved(5)
    assert await trail.go_on()
    assert none_missing(trail, plc)
    await plc.until(lambda one: one.count("created"))
    assert plc.count("created") == 1


def test_a_cut_connection_goes_on_where_it_was(cuttable: Cuttable, tell: Tell) -> None:
    async def story() -> None:
        async with cuttable() as (trail, proxy, plc):
            await cut_and_go_on(trail, proxy, plc)
            assert trail.recovered(Recovery.REPUBLISH) > 0
            # What does not change comes again, or it would stay Bad for ever.
            assert sum(STILL in batch.tag for batch in trail.batches) >= 2
            await trail.leave()
            await plc.until(lambda one: one.count("closed"))
            assert plc.count("closed") == plc.live_at_most == 1

    tell(story())


def test_an_encrypted_connection_of_a_user_goes_on_too(
    cuttable: Cuttable, tell: Tell, tmp_path: Path
) -> None:
    async def story() -> None:
        async with cuttable(**encrypted(tmp_path)) as (trail, proxy, plc):
            await trusted(trail.config)
            await cut_and_go_on(trail, proxy, plc)

    tell(story())


@pytest.mark.parametrize(
    ("settings", "history"), [({"history": True}, True), ({}, False)], ids=["kept", "not kept"]
)
def test_what_no_queue_held_comes_from_the_history_or_is_told(
    settings: dict[str, Any], history: bool, cuttable: Cuttable, tell: Tell
) -> None:
    async def story() -> None:
        async with cuttable(settings, queue=3) as (trail, proxy, plc):
            await trail.enter()
            await trail.read(5)
            proxy.reset()
            await trail.lose()
            await plc.moved(15)
            assert await trail.go_on() is history
            assert none_missing(trail, plc) is history
            assert (trail.recovered(Recovery.HISTORY) > 0) is history
            notes = " ".join(trail.source.facts().notes)
            assert ("3 tags of which the server keeps no history" in notes) is not history

    tell(story())


def test_behind_our_own_end_the_subscription_is_transferred(cuttable: Cuttable, tell: Tell) -> None:
    async def story() -> None:
        async with cuttable() as (trail, proxy, plc):
            await trail.enter()
            await trail.read(5)
            assert trail.ticket
            # What was read last had not been stored when the process ended.
            unstored = await trail.source.read()
            written = json.dumps(dict(trail.ticket.kept))
            proxy.reset()
            await trail.lose()
            trail.ticket = Ticket(json.loads(written))
            assert await trail.go_on()
            assert none_missing(trail, plc)
            assert set(unstored.value.tolist()) <= set(trail.values(MOVING) + trail.values(11))
            assert trail.recovered(Recovery.HISTORY) == 0
            await plc.until(lambda one: one.count("created") == 2)

    tell(story())


def test_when_the_session_has_run_out_its_subscription_is_transferred(
    cuttable: Cuttable, tell: Tell
) -> None:
    async def story() -> None:
        async with cuttable() as (trail, proxy, plc):
            await plc.order(timeout="1000")
            await trail.enter()
            await trail.read(3)
            closed = asyncio.create_task(plc.heard("session"))
            await proxy.refuse()
            await trail.lose()
            assert (await closed)["session"] == "closed"
            await proxy.heal()
            assert await trail.go_on()
            assert none_missing(trail, plc)
            assert plc.live_at_most == 1
            await plc.order(timeout="3600000")

    tell(story())


def test_a_restarted_server_is_subscribed_afresh_and_the_loss_told(
    cuttable: Cuttable, tell: Tell
) -> None:
    async def story() -> None:
        async with cuttable() as (trail, _, plc):
            await trail.enter()
            await plc.kill()
            await trail.lose()
            await plc.start()
            assert not await trail.go_on()
            assert {10, 11, 12} <= {int(tag) for batch in trail.batches for tag in batch.tag}

    tell(story())


STALE: tuple[dict[str, Any], ...] = (
    {},
    {"items": "another"},
    {"subscription": "no number", "started": None, "items": None},
)


def test_a_stale_ticket_does_no_harm(cuttable: Cuttable, tell: Tell) -> None:
    async def story() -> None:
        async with cuttable() as (trail, _, plc):
            for kept in STALE:
                trail.ticket = Ticket({"subscription": 7, **kept}, held="of another kind")
                await trail.enter()
                await trail.leave()
            await plc.until(lambda one: one.count("created") >= len(STALE))
            assert plc.count("created") == len(STALE)

    tell(story())


def test_cuts_anywhere_leave_one_session_in_use(cuttable: Cuttable, tell: Tell) -> None:
    """Also between creating and activating, of which a server may keep the unused half."""

    async def story() -> None:
        async with cuttable({"sessions": 2}) as (trail, proxy, plc):
            for way, step in ((Way.UP, 191), (Way.DOWN, 211)):
                for count in range(1, 10):
                    proxy.set(way, cut_after=step * count)
                    with suppress(PlantError):
                        await trail.enter()
                        await trail.lose()
            await proxy.heal()
            await trail.enter()
            await trail.leave()
            await plc.until(lambda one: one.count("created") - one.count("closed") <= 1)
            assert plc.live_at_most <= 2

    tell(story())


def test_a_link_that_swallows_everything_is_noticed_and_given_up_in_time(
    cuttable: Cuttable, tell: Tell
) -> None:
    async def story() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        async with cuttable() as (trail, proxy, _):
            await trail.enter()
            proxy.swallow()
            began = loop.time()
            assert "nothing heard for" in await trail.lose()
            noticed = loop.time()
            with pytest.raises(PlantError, match="no answer in time"):
                await trail.enter()
            given_up = loop.time()
            await proxy.heal()
            assert await trail.go_on()
        return noticed - began, given_up - noticed

    noticed, given_up = tell(story())
    assert noticed < 20.0
    assert given_up < 10.0


def test_facts(cuttable: Cuttable, tell: Tell) -> None:
    async def story() -> None:
        async with cuttable() as (trail, proxy, _):
            before = trail.source.facts()
            await trail.enter()
            told = trail.source.facts()
            assert before.round_trip_ms is None
            assert told.endpoint == f"{proxy.url}/UA/plc"
            assert (told.security, told.secured, told.user) == ("none", False, "anonymous")
            assert told.round_trip_ms is not None
            assert 0 < told.round_trip_ms < 10_000
            assert told.clock_offset_s is not None
            assert abs(told.clock_offset_s) < 10.0

    tell(story())
