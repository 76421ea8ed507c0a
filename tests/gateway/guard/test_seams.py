"""What crosses in time: a stop and a start, a way back and a write, a look and a lost tag."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gateway.guard.audit import NoAudit
from gateway.guard.desk import BURST
from gateway.guard.process import Guard
from gateway.guard.stopping import pull
from gateway.guard.store import Store
from plant.errors import Rejected
from plant.quality import Status
from plant.setpoints import Code, Readback, Reading, State
from tests.gateway.guard.rig import HALT, SPEED, SWITCH, WORD, InMemory, Rig, ran

STOPS: dict[str, Callable[[Guard, Path], None]] = {
    "by the guard": lambda guard, _: guard.stop("otto"),
    "by its file": lambda _, folder: pull(folder, "otto"),
}


@pytest.mark.parametrize("how", STOPS)
@pytest.mark.parametrize("before", [True, False])
def test_a_start_ends_no_stop_that_came_after_it_was_asked_for(
    tmp_path: Path, how: str, before: bool
) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        for _ in range(before):
            rig.guard.stop("ben")
        start = asyncio.create_task(rig.guard.start("ana", WORD))
        # Her password is being looked at.
        await asyncio.sleep(0)
        STOPS[how](rig.guard, tmp_path)
        with pytest.raises(Rejected, match="stopped again"):
            await start
        assert rig.guard.stopped()
        rig.again()
        assert rig.guard.stopped()
        await rig.guard.start("ana", WORD)
        assert not rig.guard.stopped()

    ran(story())


async def held(rig: Rig, *values: float) -> None:
    for value in values:
        ticket = await rig.guard.ask(rig.request(value), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.state is State.HELD
        rig.clock.move(61)


def test_a_way_back_outlives_a_stop_tag_that_could_not_be_read_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    read = InMemory.read

    async def without_halt(one: InMemory, tags: Sequence[str]) -> Sequence[Reading]:
        """Lose the stop tag between the look at it and the decision."""
        rig.plc.status[HALT] = int(Status.BAD) if SPEED in tags else 0
        return await read(one, tags)

    async def story() -> None:
        await held(rig, 51.0, 52.0)
        monkeypatch.setattr(InMemory, "read", without_halt)
        await rig.guard.revert(SPEED, "otto", WORD)
        assert rig.plc.values[SPEED] == 52.0
        for _ in range(3):
            rig.clock.move(1)
            await rig.guard.tick()
        monkeypatch.undo()
        rig.plc.status.clear()
        for _ in range(3):
            rig.clock.move(1)
            await rig.guard.tick()
        assert rig.plc.values[SPEED] == 51.0

    ran(story())


def test_what_is_led_back_no_further_is_not_led_back_after_a_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await held(rig, 51.0, 52.0)
        rig.guard.stop("otto")
        assert rig.store.of(SPEED).returning is None
        rig.again()
        assert rig.store.of(SPEED).returning is None

    ran(story())


def test_nothing_is_led_back_after_a_start_that_was_asked_for_while_all_was_stopped(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await held(rig, 51.0)
        rig.guard.stop("ben")
        with pytest.raises(Rejected, match="stopped"):
            await rig.guard.revert(SPEED, "otto", WORD)
        await rig.guard.start("ana", WORD)
        for _ in range(3):
            rig.clock.move(30)
            await rig.guard.tick()
        assert rig.plc.values[SPEED] == 51.0

    ran(story())


def test_a_revert_waits_for_the_write_that_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    there, read_back = asyncio.Event(), InMemory.read_back

    async def slow(one: InMemory, tag: str) -> Readback:
        await there.wait()
        return await read_back(one, tag)

    async def story() -> None:
        await held(rig, 51.0)
        ticket = await rig.guard.ask(rig.request(52.0), rig.program)
        monkeypatch.setattr(InMemory, "read_back", slow)
        approving = asyncio.create_task(rig.guard.approve(ticket.request.id, "ana", WORD))
        while rig.plc.attempts < 2:
            await asyncio.sleep(0.001)
        reverting = asyncio.create_task(rig.guard.revert(SPEED, "otto", WORD))
        await asyncio.sleep(0.1)
        there.set()
        await approving
        assert await reverting == 51.0
        for _ in range(3):
            await rig.guard.tick()
            rig.clock.move(1)
        assert rig.plc.values[SPEED] == 51.0
        assert rig.events("way back ended") == []

    ran(story())


class Full(Store):
    """A store whose disk can be full."""

    full = False

    def keep(self) -> None:
        if self.full:
            raise NoAudit("no space left")
        super().keep()


def test_a_store_that_cannot_be_written_does_not_end_the_guard(tmp_path: Path) -> None:
    rig = Rig(tmp_path, store=Full)

    async def story() -> None:
        await rig.guard.tick()
        Full.full = True
        # Somebody else has written: that is learnt from a request that is rejected for it.
        rig.plc.values[SPEED] = 51.0
        ticket = await rig.guard.ask(rig.request(52.0), rig.program)
        assert (ticket.state, ticket.code) == (State.REJECTED, Code.SECOND_WRITER)
        Full.full = False

    ran(story())


def test_a_stranger_is_one_however_often_he_asks(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        stranger = rig.guard.program("speeds", "a guess")
        found = [(await rig.guard.ask(rig.request(), stranger)).code for _ in range(int(BURST) + 9)]
        assert set(found) == {Code.STRANGER}

    ran(story())


def test_for_a_stranger_no_device_is_kept_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, read = Rig(tmp_path), InMemory.read
    asked: list[str] = []

    async def noted(one: InMemory, tags: Sequence[str]) -> Sequence[Reading]:
        asked.extend(tags)
        return await read(one, tags)

    async def story() -> None:
        monkeypatch.setattr(InMemory, "read", noted)
        stranger = rig.guard.program("speeds", "a guess")
        async with rig.devices.lock(SPEED):
            ticket = await asyncio.wait_for(rig.guard.ask(rig.request(), stranger), 10)
        assert ticket.code is Code.STRANGER

    ran(story())
    assert asked == [SWITCH]


def test_what_the_checks_saw_is_on_disk_before_the_first_of_two_has_his_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.gateway.guard.test_on_disk import Disk
    from tests.gateway.guard.test_review import TWO

    rig, disk = Rig(tmp_path, TWO), Disk(monkeypatch)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.state is State.PENDING

    ran(story())
    assert len(rig.events("checked")) == 2
    assert disk.has(tmp_path / "audit.jsonl")


def test_time_that_was_served_is_kept_when_the_guard_ends(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await rig.guard.tick()
        await rig.guard.ask(rig.request(), rig.program)
        for _ in range(5):
            rig.clock.move(5)
            await rig.guard.tick()
        await rig.guard.close()
        rig.again()
        assert rig.store.of(SPEED).served_s == 25.0

    ran(story())
