"""A request from its first word to the last look at the device."""

import asyncio
import os
from collections.abc import Sequence
from itertools import chain, repeat
from pathlib import Path

import pytest

from gateway.accounts.register import Accounts, read_accounts, write_accounts
from gateway.guard.checks import NS, Moment
from gateway.guard.desk import OFF_AFTER, Actor
from gateway.guard.passage import MOST_PENDING
from gateway.guard.stopping import STOP
from plant.errors import Rejected
from plant.setpoints import Code, Mode, Reading, State
from tests.gateway.guard.rig import (
    ALARM,
    HALT,
    LIMITS,
    RUN,
    SPEED,
    SWITCH,
    TEMP,
    TOKEN,
    WORD,
    Clock,
    InMemory,
    Rig,
    ran,
)

TWO = LIMITS.replace("persons = 1", "persons = 2")


def test_with_hooks_off_the_device_is_not_even_connected(tmp_path: Path) -> None:
    rig = Rig(tmp_path, mode=Mode.OFF)

    async def story() -> None:
        await rig.guard.tick()
        ticket = await rig.guard.ask(rig.request(), rig.program)
        assert (ticket.state, ticket.code) == (State.REJECTED, Code.OFF)
        await rig.guard.tick()

    ran(story())
    assert (rig.plc.opened, rig.plc.attempts) == (0, 0)


def test_advice_is_never_written(tmp_path: Path) -> None:
    rig = Rig(tmp_path, mode=Mode.ADVISORY)
    ticket = ran(rig.guard.ask(rig.request(), rig.program))
    assert ticket.state is State.ADVISED
    assert rig.plc.attempts == 0


def test_one_person_approves_and_the_device_keeps_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(51.0), rig.program)
        assert (ticket.state, rig.plc.attempts) == (State.PENDING, 0)
        with pytest.raises(Rejected, match="only approver may"):
            await rig.guard.approve(ticket.request.id, "otto", WORD)
        with pytest.raises(Rejected, match="is wrong"):
            await rig.guard.approve(ticket.request.id, "ana", "another password")
        rig.clock.move(10)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.state is State.HELD
        with pytest.raises(Rejected, match="only what is pending"):
            await rig.guard.approve(ticket.request.id, "ben", WORD)

    ran(story())
    assert [(sent.value, sent.sequence) for sent, _ in rig.plc.log] == [(51.0, 1)]
    assert [one["value"] for one in rig.events("armed")] == [51.0]


def test_two_people_and_never_the_same_one_twice(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TWO)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert (ticket.state, rig.plc.attempts) == (State.PENDING, 0)
        with pytest.raises(Rejected, match="two people"):
            await rig.guard.approve(ticket.request.id, "ana", WORD)
        await rig.guard.approve(ticket.request.id, "ben", WORD)
        assert ticket.state is State.HELD

    ran(story())


def test_nobody_approves_what_he_asked_for(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), Actor("ana", person=True))
        with pytest.raises(Rejected, match="somebody else"):
            await rig.guard.approve(ticket.request.id, "ana", WORD)
        with pytest.raises(Rejected, match="only admin or engineer may ask"):
            await rig.guard.ask_as(rig.request(), "otto", WORD)
        assert (await rig.guard.ask_as(rig.request(based_on=()), "eve", WORD)).state is (
            State.PENDING
        )

    ran(story())


def test_an_approval_that_comes_too_late_writes_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        first = await rig.guard.ask(rig.request(), rig.program)
        rig.clock.move(20.5)
        with pytest.raises(Rejected, match="expired"):
            await rig.guard.approve(first.request.id, "ana", WORD)
        assert first.state is State.EXPIRED
        second = await rig.guard.ask(rig.request(), rig.program)
        rig.clock.move(21)
        await rig.guard.tick()
        assert second.state is State.EXPIRED

    ran(story())
    assert rig.plc.attempts == 0


@pytest.mark.parametrize(
    ("tag", "value", "code"),
    [(RUN, 0.0, Code.INTERLOCK), (ALARM, 1.0, Code.ALARM), (SWITCH, 0.0, Code.LOCAL)],
)
def test_what_changed_while_people_thought_is_looked_at_again(
    tmp_path: Path, tag: str, value: float, code: Code
) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        rig.plc.values[tag] = value
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert (ticket.state, ticket.code) == (State.REJECTED, code)

    ran(story())
    assert rig.plc.attempts == 0


def test_a_person_says_no(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.reject(ticket.request.id, "ana", WORD, "not in this shift")
        assert (ticket.code, ticket.why) == (Code.DENIED, "ana: not in this shift")

    ran(story())


def test_the_same_key_asks_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        request = rig.request(key="k")
        first = await rig.guard.ask(request, rig.program)
        again = await rig.guard.ask(rig.request(key="k", based_on=request.based_on), rig.program)
        other = await rig.guard.ask(rig.request(52.0, key="k"), rig.program)
        assert again is first
        assert other.code is Code.TWICE

    ran(story())


@pytest.mark.parametrize("applied", [True, False])
def test_what_nobody_knows_is_locked_until_it_is_read_back(tmp_path: Path, applied: bool) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        rig.plc.next_write = {True: "blind", False: "vanish"}[applied]
        ticket = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.state is State.UNKNOWN
        assert "timed out" in rig.guard.book.alarms[SPEED]
        rig.clock.move(100)
        await rig.guard.tick()
        locked = await rig.guard.ask(rig.request(52.0), rig.program)
        assert locked.code in (Code.LOCKED, Code.STEP)
        rig.clock.move(21)
        before = rig.plc.opened
        await rig.guard.tick()
        assert rig.plc.opened == before + 1
        assert ticket.state is {True: State.HELD, False: State.REJECTED}[applied]
        assert SPEED not in rig.guard.book.alarms

    ran(story())
    assert rig.plc.attempts == 1


def test_a_write_that_comes_after_all_is_seen_and_locks(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        rig.plc.next_write = "vanish"
        ticket = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        rig.clock.move(130)
        await rig.guard.tick()
        assert ticket.code is Code.NOT_APPLIED
        rig.plc.values[SPEED] = 51.0
        await rig.guard.tick()
        assert rig.guard.book.alarms[SPEED].startswith("late")
        assert await rig.guard.unlock(SPEED, "ben", WORD) == 51.0
        assert rig.guard.book.alarms == {}

    ran(story())
    assert len(rig.events("late write")) == 1


@pytest.mark.parametrize("applied", [True, False])
def test_killed_between_write_and_read_back_it_comes_back_knowing_so(
    tmp_path: Path, applied: bool
) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        class Killed(BaseException):
            """Not to be caught: the process is gone."""

        ticket = await rig.guard.ask(rig.request(), rig.program)
        write = rig.plc.apply

        def killed(setpoint: object) -> None:
            if applied:
                write(setpoint)  # type: ignore[arg-type]
            raise Killed

        rig.plc.apply = killed  # type: ignore[method-assign,assignment]
        with pytest.raises(Killed):
            await rig.guard.approve(ticket.request.id, "ana", WORD)
        rig.plc.apply = write  # type: ignore[method-assign]
        rig.again()
        assert "between a write and its read-back" in rig.guard.book.alarms[SPEED]
        rig.clock.move(125)
        await rig.guard.tick()
        (settled,) = rig.events("settled")
        assert settled["applied"] is applied
        assert rig.guard.book.alarms == {}

    ran(story())
    assert rig.plc.attempts == 1


def test_a_device_that_refuses_and_one_that_keeps_another_value(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        rig.plc.next_write = "refuse"
        first = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.approve(first.request.id, "ana", WORD)
        assert (first.state, first.code) == (State.REJECTED, Code.REFUSED)
        rig.plc.next_write = "lie"
        second = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.approve(second.request.id, "ana", WORD)
        assert second.code is Code.NOT_TAKEN
        assert "50 is read back" in rig.guard.book.alarms[SPEED]

    ran(story())


def test_an_active_setpoint_that_does_not_follow_locks(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.plc.active = 50.0

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.code is Code.NOT_TAKEN

    ran(story())


def test_a_second_writer_is_a_new_baseline_and_has_his_peace(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await rig.guard.tick()
        waiting = await rig.guard.ask(rig.request(), rig.program)
        rig.plc.values[SPEED] = 49.0
        await rig.guard.tick()
        assert waiting.code is Code.SECOND_WRITER
        after = await rig.guard.ask(rig.request(49.7), rig.program)
        assert after.code is Code.OPERATOR
        rig.clock.move(601)
        assert (await rig.guard.ask(rig.request(49.7), rig.program)).state is State.PENDING
        assert rig.guard.status()["setpoints"][SPEED]["baseline"] == 49.0

    ran(story())


def test_the_kill_switch_makes_all_advice_and_survives_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        waiting = await rig.guard.ask(rig.request(), rig.program)
        rig.guard.stop("otto")
        assert waiting.code is Code.STOPPED
        rig.again()
        assert (await rig.guard.ask(rig.request(), rig.program)).state is State.ADVISED
        await rig.guard.start("ana", WORD)
        assert (await rig.guard.ask(rig.request(), rig.program)).state is State.PENDING
        (tmp_path / STOP).write_text("a person with a shell")
        assert (await rig.guard.ask(rig.request(), rig.program)).state is State.ADVISED

    ran(story())


def test_the_stop_tag_stops_and_one_that_cannot_be_read_stops_as_well(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        rig.plc.status[HALT] = 0x80000000
        await rig.guard.look_at_the_stop_tag()
        assert (await rig.guard.ask(rig.request(), rig.program)).state is State.ADVISED
        rig.plc.status[HALT] = 0
        await rig.guard.look_at_the_stop_tag()
        assert (await rig.guard.ask(rig.request(), rig.program)).state is State.PENDING
        rig.plc.values[HALT] = 1.0
        await rig.guard.look_at_the_stop_tag()
        rig.plc.values[HALT] = 0.0
        await rig.guard.look_at_the_stop_tag()
        assert rig.guard.stopped() == "stopped"

    ran(story())


async def walk(rig: Rig, *values: float) -> None:
    """Have values written, one after the other."""
    for value in values:
        ticket = await rig.guard.ask(rig.request(value), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.state is State.HELD
        rig.clock.move(61)


async def ticks(rig: Rig, count: int) -> None:
    for _ in range(count):
        rig.clock.move(5)
        await rig.guard.tick()


def test_revert_leads_back_within_step_and_slope(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await walk(rig, 52.0)
        assert await rig.guard.revert(SPEED, "otto", WORD) == 50.0
        await ticks(rig, 40)
        assert rig.plc.values[SPEED] == pytest.approx(50.0)
        with pytest.raises(Rejected, match="nothing of the guard"):
            await rig.guard.revert(SPEED, "otto", WORD)
        (held,) = rig.guard.book.tickets(State.REVERTED)
        assert held.request.value == 52.0

    ran(story())
    assert all(abs(sent.value - before) <= 2 for sent, before in rig.plc.log)


def test_what_nobody_renews_falls_back_and_waits_for_its_interlock(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await walk(rig, 52.0, 54.0)
        rig.plc.values[TEMP] = 90.0
        rig.clock.move(1800)
        await ticks(rig, 40)
        assert rig.plc.values[SPEED] == 54.0
        rig.plc.values[TEMP] = 60.0
        await ticks(rig, 60)
        assert rig.plc.values[SPEED] == pytest.approx(50.0)

    ran(story())
    (fallback,) = rig.events("fallback")
    assert fallback["to"] == 50.0
    assert len(rig.events("checked")) < 15


def test_a_flood_is_named_and_switched_off_and_others_are_heard(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        before = rig.audit.count
        for _ in range(OFF_AFTER + 40):
            last = await rig.guard.ask(rig.request(99.0), rig.program)
        assert last.code is Code.FLOODING
        assert "speeds" in rig.guard.status()["off"]
        assert rig.audit.count - before < 200
        assert (await rig.guard.ask_as(rig.request(based_on=()), "eve", WORD)).state is (
            State.PENDING
        )
        rig.clock.move(3600)
        assert (await rig.guard.ask(rig.request(), rig.program)).code is Code.FLOODING
        await rig.guard.start("ana", WORD)
        rig.clock.move(120)
        rig.plc.values[SPEED] = 50.0
        assert (await rig.guard.ask(rig.request(), rig.program)).state is State.PENDING

    ran(story())


NAMESAKE = LIMITS.replace('name = "speeds"', 'name = "eve"')
PROGRAM = Actor("eve", models=("speeds@1",), tags=(SPEED,))
PERSON = Actor("eve", person=True)


def test_a_program_that_is_switched_off_does_not_silence_the_person_of_its_name(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path, NAMESAKE)

    async def story() -> None:
        for _ in range(OFF_AFTER + 40):
            await rig.guard.ask(rig.request(99.0), PROGRAM)
        assert "eve" in rig.guard.status()["off"]
        assert (await rig.guard.ask(rig.request(), PROGRAM)).code is Code.FLOODING
        person = await rig.guard.ask_as(rig.request(based_on=()), "eve", WORD)
        assert person.state is State.PENDING
        await rig.guard.start("ana", WORD)
        assert (await rig.guard.ask(rig.request(), PROGRAM)).state is State.PENDING

    ran(story())


def test_a_person_who_asks_too_often_does_not_silence_the_program_of_his_name(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path, NAMESAKE)

    async def story() -> None:
        for _ in range(OFF_AFTER + 40):
            last = await rig.guard.ask(rig.request(99.0), PERSON)
        assert last.code is Code.FLOODING
        assert rig.guard.status()["off"] == {}
        assert (await rig.guard.ask(rig.request(), PROGRAM)).state is State.PENDING

    ran(story())


def test_a_key_of_a_person_and_of_a_program_of_his_name_ask_twice(tmp_path: Path) -> None:
    rig = Rig(tmp_path, NAMESAKE)

    async def story() -> None:
        first = await rig.guard.ask(rig.request(key="k"), PROGRAM)
        second = await rig.guard.ask(rig.request(key="k"), PERSON)
        assert (first.state, second.state) == (State.PENDING, State.PENDING)
        assert first is not second

    ran(story())


def test_as_many_wait_of_a_person_whatever_waits_of_a_program_of_his_name(tmp_path: Path) -> None:
    rig = Rig(tmp_path, NAMESAKE)

    async def story() -> None:
        for _ in range(MOST_PENDING):
            assert (await rig.guard.ask(rig.request(), PROGRAM)).state is State.PENDING
        assert (await rig.guard.ask(rig.request(), PROGRAM)).code is Code.FLOODING
        assert (await rig.guard.ask(rig.request(), PERSON)).state is State.PENDING

    ran(story())


@pytest.mark.parametrize("model", [{}, {"model": "", "version": ""}])
def test_a_person_who_is_called_as_a_model_takes_none_of_its_tokens(
    tmp_path: Path, model: dict[str, str]
) -> None:
    rig = Rig(tmp_path, LIMITS.replace("per_hour = 10", "per_hour = 1"))

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(**model), Actor("speeds@1", person=True))
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.state is State.HELD
        rig.clock.move(600)
        assert (await rig.guard.ask(rig.request(50.0), rig.program)).state is State.PENDING

    ran(story())


def test_a_stranger_and_his_flood_do_not_silence_the_program(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        stranger = rig.guard.program("speeds", "a guess")
        assert (await rig.guard.ask(rig.request(), stranger)).code is Code.STRANGER

    ran(story())
    assert rig.guard.program("speeds", TOKEN).known


def test_a_step_of_the_clock_stops_writes_until_it_goes_evenly(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await rig.guard.tick()
        rig.clock.wall += 3600 * 10**9
        await rig.guard.tick()
        assert (await rig.guard.ask(rig.request(), rig.program)).code is Code.CLOCK
        rig.clock.move(30)
        await rig.guard.tick()
        assert (await rig.guard.ask(rig.request(), rig.program)).code is Code.CLOCK
        rig.clock.move(40)
        await rig.guard.tick()
        assert (await rig.guard.ask(rig.request(), rig.program)).state is State.PENDING

    ran(story())


def test_without_an_audit_nothing_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)

        def broken(_handle: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("gateway.guard.audit.os.fsync", broken)
        with pytest.raises(Exception, match="cannot be written"):
            await rig.guard.approve(ticket.request.id, "ana", WORD)
        monkeypatch.undo()
        after = await rig.guard.ask(rig.request(), rig.program)
        assert after.code is Code.NO_AUDIT
        assert "audit" in rig.guard.book.alarms

    ran(story())
    assert rig.plc.attempts == 0


def test_a_connection_that_was_lost_between_the_look_and_the_write(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        rig.plc.reachable = False
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.code in (Code.STALE, Code.LOCAL)
        rig.plc.reachable = True
        assert (await rig.guard.ask(rig.request(), rig.program)).state is State.PENDING

    ran(story())


def test_two_approvals_at_once_write_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        key = ticket.request.id
        await asyncio.gather(
            rig.guard.approve(key, "ana", WORD),
            rig.guard.approve(key, "ben", WORD),
            return_exceptions=True,
        )
        assert ticket.state is State.HELD

    ran(story())
    assert rig.plc.attempts == 1


BLOCK = LIMITS.replace("persons = 1", 'persons = 1\nblock = "unit 3, holding 400"')


@pytest.mark.parametrize("mode", [Mode.ADVISORY, Mode.APPROVE, Mode.AUTO])
def test_a_request_that_wants_to_go_nowhere_goes_nowhere(tmp_path: Path, mode: Mode) -> None:
    rig = Rig(tmp_path, mode=mode)
    ticket = ran(rig.guard.ask(rig.request(mode=Mode.OFF), rig.program))
    assert (ticket.state, ticket.code) == (State.REJECTED, Code.OFF)
    assert rig.plc.attempts == 0


def test_a_stop_that_comes_while_the_write_waits_for_its_connection_binds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    reading, seen = asyncio.Event(), InMemory.read

    async def slow(actuator: InMemory, tags: Sequence[str]) -> Sequence[Reading]:
        found = await seen(actuator, tags)
        reading.set()
        await asyncio.sleep(0.02)
        return found

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        monkeypatch.setattr(InMemory, "read", slow)
        approval = asyncio.create_task(rig.guard.approve(ticket.request.id, "ana", WORD))
        await reading.wait()
        rig.plc.values[HALT] = 1.0
        await asyncio.gather(approval, rig.guard.look_at_the_stop_tag())
        assert (ticket.state, ticket.code) == (State.REJECTED, Code.STOPPED)

    ran(story())
    assert rig.plc.attempts == 0
    assert rig.store.of(SPEED).intent is None


def test_the_stop_tag_is_read_for_each_decision(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        waiting = await rig.guard.ask(rig.request(), rig.program)
        rig.plc.values[HALT] = 1.0
        await rig.guard.approve(waiting.request.id, "ana", WORD)
        assert (waiting.state, waiting.code) == (State.REJECTED, Code.STOPPED)
        assert (await rig.guard.ask(rig.request(), rig.program)).state is State.ADVISED

    ran(story())
    assert rig.plc.attempts == 0


def test_a_stop_during_the_read_back_ends_the_heartbeat(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BLOCK)
    sleep = rig.clock.sleep

    async def pulled(seconds: float) -> None:
        rig.guard.stop("otto")
        await sleep(seconds)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        rig.clock.sleep = pulled  # type: ignore[method-assign]
        rig.again().book.put(ticket)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.state is State.HELD

    ran(story())
    assert not rig.store.of(SPEED).beating


def test_a_stop_without_a_running_guard_ends_the_heartbeat_of_the_next(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BLOCK)
    ran(walk(rig, 51.0))
    assert rig.store.of(SPEED).beating
    (tmp_path / STOP).symlink_to(tmp_path / "nowhere")
    rig.again()
    assert rig.guard.stopped()
    assert not rig.store.of(SPEED).beating
    (tmp_path / STOP).unlink()
    assert rig.guard.stopped()


def test_a_stop_file_made_by_hand_ends_the_heartbeat_and_what_waits(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BLOCK)

    async def story() -> None:
        await walk(rig, 51.0)
        waiting = await rig.guard.ask(rig.request(52.0), rig.program)
        assert waiting.state is State.PENDING
        (tmp_path / STOP).touch()
        await rig.guard.look_at_the_stop_tag()
        assert waiting.code is Code.STOPPED

    ran(story())
    assert not rig.store.of(SPEED).beating


def test_a_write_that_broke_off_in_a_way_nobody_foresaw_locks(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await rig.guard.tick()
        ticket = await rig.guard.ask(rig.request(), rig.program)

        def strange(_setpoint: object) -> None:
            raise ValueError("not foreseen")

        rig.plc.apply = strange  # type: ignore[method-assign,assignment]
        with pytest.raises(ValueError, match="not foreseen"):
            await rig.guard.approve(ticket.request.id, "ana", WORD)
        rig.clock.move(61)
        assert (await rig.guard.ask(rig.request(50.6), rig.program)).code is Code.LOCKED

    ran(story())
    assert rig.plc.attempts == 1


def test_two_who_lead_back_at_once_take_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    seen, keep = InMemory.read, rig.store.keep
    at_once, looking, wanted = asyncio.Event(), asyncio.Event(), asyncio.Event()
    gates = chain([at_once], repeat(wanted))

    async def slow(actuator: InMemory, tags: Sequence[str]) -> Sequence[Reading]:
        gate = next(gates)
        await gate.wait()
        looking.set()
        return await seen(actuator, tags)

    def kept() -> None:
        keep()
        wanted.set()

    async def story() -> None:
        await walk(rig, 51.0)
        monkeypatch.setattr(InMemory, "read", slow)
        monkeypatch.setattr(rig.store, "keep", kept)
        at_once.set()
        ticking = asyncio.create_task(rig.guard.tick())
        await looking.wait()
        await asyncio.gather(ticking, rig.guard.revert(SPEED, "otto", WORD))

    ran(story())
    assert [sent.value for sent, _ in rig.plc.log] == [51.0, 50.0]


def test_a_stop_is_on_disk_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path)
    synced: list[int] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        sync(handle)

    monkeypatch.setattr("plant.files.os.fsync", noted)
    monkeypatch.setattr(rig.store, "keep", lambda: None)
    rig.guard.stop("otto")
    assert {(tmp_path / STOP).stat().st_ino, tmp_path.stat().st_ino} <= set(synced)


class Ticking(Clock):
    """Goes on by itself each time it is looked at."""

    def __call__(self) -> Moment:
        self.wall += 1
        return super().__call__()


def test_an_approval_that_is_struck_out_waits_for_another(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TWO)
    rig.clock.__class__ = Ticking

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        accounts = read_accounts(tmp_path / "accounts.toml").by_name
        left = {name: one for name, one in accounts.items() if name != "ana"}
        write_accounts(tmp_path / "accounts.toml", Accounts(left))
        await rig.guard.approve(ticket.request.id, "ben", WORD)
        assert (ticket.state, ticket.approvals) == (State.PENDING, ["ben"])

    ran(story())
    assert len(rig.events("approval void")) == 1


@pytest.mark.parametrize(("back_s", "state"), [(2.0, State.PENDING), (2.001, State.REJECTED)])
def test_a_clock_that_goes_back_no_further_than_it_may_slip(
    tmp_path: Path, back_s: float, state: State
) -> None:
    rig = Rig(tmp_path)
    rig.clock.wall -= int(back_s * NS)
    assert ran(rig.guard.ask(rig.request(), rig.program)).state is state


def test_an_account_with_the_name_of_the_guard_is_nobody(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def play() -> None:
        with pytest.raises(Rejected, match="Guard is the guard's own name"):
            await rig.guard.start("Guard", WORD)

    asyncio.run(play())
