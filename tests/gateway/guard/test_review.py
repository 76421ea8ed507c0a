"""What a safety engineer asked of the guard: blocks, ways back, clocks, people, what is proven."""

import asyncio
from pathlib import Path

import pytest

from gateway.accounts.passwords import hashed
from gateway.accounts.register import Account, Accounts, write_accounts
from gateway.accounts.roles import Right, Role
from gateway.guard import proof
from gateway.guard.checks import HOUR_S
from gateway.guard.desk import Actor, Desk
from gateway.guard.store import LEAST_ASKED
from gateway.guard.tickets import Ticket
from plant.errors import Rejected
from plant.setpoints import Code, Mode, Readback, State
from tests.gateway.guard.rig import CHEAP, LIMITS, SPEED, WORD, InMemory, Rig, policy_of, ran

TWO = LIMITS.replace("persons = 1", "persons = 2")
BLOCK = LIMITS.replace("persons = 1", 'persons = 1\nblock = "unit 3, holding 400"')


async def written(rig: Rig, value: float) -> Ticket:
    ticket = await rig.guard.ask(rig.request(value), rig.program)
    await rig.guard.approve(ticket.request.id, "ana", WORD)
    return ticket


# A block's answer that is older than the request.


class Block:
    """Answers as a block does; `takes` and `looks` say what it does with the next request."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rig, self.accepted, self.seen, self.code = rig, 0, 0, 0
        self.runs = self.looks = self.takes = True
        self.stood = 0.0
        """How long it has stood still, s."""
        monkeypatch.setattr(InMemory, "read_back", self.read_back)

    async def read_back(self, tag: str) -> Readback:
        sent = self.rig.plc.log[-1][0].sequence if self.rig.plc.log else 0
        if self.runs and self.looks and sent != self.seen:
            self.seen, self.code = sent, 0 if self.takes else 5
            self.accepted = sent if self.takes else self.accepted
        mono = self.rig.clock.mono - self.stood if self.runs else 0.0
        reading = self.rig.plc.reading(tag)
        return Readback(reading, None, self.accepted, self.code, self.seen, int(mono * 1000))


def test_an_old_refusal_of_a_block_that_stands_still_is_not_taken_for_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, BLOCK)
    block = Block(rig, monkeypatch)
    # It has refused the same number before, and stopped.
    block.runs, block.seen, block.code = False, 1, 5

    async def story() -> None:
        ticket = await written(rig, 51.0)
        assert (ticket.state, ticket.code) == (State.UNKNOWN, None)
        assert "stands still" in rig.guard.book.alarms[SPEED]
        for _ in range(10):
            rig.clock.move(130)
            await rig.guard.tick()
        assert ticket.state is State.UNKNOWN
        # It runs again, and takes what lay before it.
        block.runs, block.seen, block.stood = True, 0, rig.clock.mono
        await rig.guard.tick()
        assert ticket.state is State.HELD

    ran(story())
    assert rig.plc.attempts == 1


def test_a_block_that_stood_still_and_did_not_take_it_is_believed_once_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, BLOCK)
    block = Block(rig, monkeypatch)
    block.runs, block.takes = False, False

    async def story() -> None:
        ticket = await written(rig, 51.0)
        rig.clock.move(130)
        await rig.guard.tick()
        block.runs, block.stood = True, rig.clock.mono
        for seconds, state in ((1, State.UNKNOWN), (1, State.UNKNOWN), (2, State.REJECTED)):
            await rig.guard.tick()
            rig.clock.move(seconds)
            await rig.guard.tick()
            assert ticket.state is state

    ran(story())


@pytest.mark.parametrize(
    ("looks", "code", "locked"), [(True, Code.REFUSED, False), (False, Code.NOT_TAKEN, True)]
)
def test_a_block_that_runs_has_refused_it_or_never_saw_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: bool, code: Code, locked: bool
) -> None:
    rig = Rig(tmp_path, BLOCK)
    block = Block(rig, monkeypatch)
    block.takes, block.looks = False, looks

    async def story() -> None:
        ticket = await written(rig, 51.0)
        assert (ticket.state, ticket.code) == (State.REJECTED, code)

    ran(story())
    assert bool(rig.store.of(SPEED).locked) is locked


# Ways back.


async def on_the_way_back(rig: Rig) -> None:
    """Write twice, and begin to go back from 54 to 50."""
    await written(rig, 52.0)
    rig.clock.move(61)
    await written(rig, 54.0)
    rig.clock.move(1801)
    await rig.guard.tick()
    assert rig.store.of(SPEED).returning == (50.0, "fallback")


def test_an_operator_ends_a_way_back_and_it_is_said(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await on_the_way_back(rig)
        rig.plc.values[SPEED] = 56.0
        await rig.guard.tick()
        assert "somebody else has changed it" in rig.guard.book.alarms[f"{SPEED} way back"]
        before = len(rig.plc.log)
        for _ in range(30):
            rig.clock.move(30)
            await rig.guard.tick()
        assert (rig.plc.values[SPEED], len(rig.plc.log)) == (56.0, before)
        assert rig.guard.book.alarms == {}

    ran(story())
    assert [one["by"] for one in rig.events("way back ended")] == ["somebody else"]


def test_what_another_proposer_has_written_is_not_led_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await on_the_way_back(rig)
        rig.clock.move(61)
        live = rig.plc.values[SPEED]
        ticket = await rig.guard.ask(rig.request(live + 1.0), Actor("eve", person=True))
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.state is State.HELD
        for _ in range(20):
            rig.clock.move(20)
            await rig.guard.tick()
        assert rig.plc.values[SPEED] == live + 1.0
        assert rig.store.of(SPEED).returning is None

    ran(story())
    assert [one["by"] for one in rig.events("way back ended")] == ["eve"]


def test_a_write_that_was_refused_does_not_end_a_way_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        await on_the_way_back(rig)
        rig.clock.move(61)
        rig.plc.next_write = "refuse"
        ticket = await rig.guard.ask(rig.request(rig.plc.values[SPEED] + 1.0), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.code is Code.REFUSED
        for _ in range(20):
            rig.clock.move(20)
            await rig.guard.tick()
        assert rig.plc.values[SPEED] == pytest.approx(50.0)

    ran(story())


# A wall clock that is wrong over a start of the machine.


@pytest.mark.parametrize("wall_s", [-10 * 365 * 86_400.0, -3600.0, 0.0, 30 * 86_400.0])
def test_over_a_start_of_the_machine_no_wrong_clock_lets_more_be_written(
    tmp_path: Path, wall_s: float
) -> None:
    rig = Rig(tmp_path, LIMITS.replace("interval_s = 60", "interval_s = 600"))

    async def story() -> None:
        await written(rig, 52.0)
        rig.clock.move(601)
        await written(rig, 54.0)
        rig.clock.reboot(120.0, wall_s)
        rig.again()
        said = await rig.guard.ask(rig.request(54.6), rig.program)
        # The hour's drift is 4 already, and the last write was no more than two minutes ago.
        assert said.code in (Code.DRIFT, Code.SLOPE)
        said = await rig.guard.ask(rig.request(53.4), rig.program)
        assert said.code in (Code.SLOPE, Code.TOO_SOON)

    ran(story())
    assert len(rig.plc.log) == 2


def test_what_was_written_is_forgotten_a_day_after_the_start_at_the_earliest(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    ran(written(rig, 52.0))
    rig.clock.reboot(10.0, 365 * 86_400.0)
    assert len(rig.store.of(SPEED).past(rig.clock()).writes) == 1
    rig.clock.move(86_300)
    assert len(rig.store.of(SPEED).past(rig.clock()).writes) == 1
    rig.clock.move(100)
    assert rig.store.of(SPEED).past(rig.clock()).writes == ()


def test_a_clock_behind_the_newest_record_writes_nothing_until_an_approver_says_so(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    ran(written(rig, 51.0))
    rig.clock.reboot(700.0, -10 * 86_400.0)
    rig.again()

    async def story() -> None:
        await rig.guard.tick()
        assert "wheeltapper setpoints start" in rig.guard.book.alarms["clock"]
        assert (await rig.guard.ask(rig.request(51.6), rig.program)).code in (
            Code.CLOCK, Code.TOO_SOON,
        )  # fmt: skip
        rig.clock.move(4000)
        rig.guard = rig.again()
        late = await rig.guard.ask(rig.request(51.6, not_after=rig.clock.wall), rig.program)
        assert late.code in (Code.CLOCK, Code.TOO_SOON)
        assert len(rig.plc.log) == 1
        await rig.guard.start("ana", WORD)
        assert rig.audit.newest == rig.clock.wall
        # The last write was of a day to come; it counts as of now.
        rig.clock.move(61)
        await rig.guard.tick()
        assert "clock" not in rig.guard.book.alarms
        assert (await rig.guard.ask(rig.request(50.4), rig.program)).state is State.PENDING

    ran(story())


def test_a_clock_behind_the_signature_of_the_limits_writes_nothing(tmp_path: Path) -> None:
    text = f"{LIMITS}\n[signed]\nat = 2027-01-15T09:00:00Z\n[signed.outlets]\n"
    rig = Rig(tmp_path, text)

    async def story() -> None:
        said = await rig.guard.ask(rig.request(), rig.program)
        assert said.code is Code.CLOCK
        await rig.guard.start("ana", WORD)
        assert (await rig.guard.ask(rig.request(), rig.program)).code is Code.CLOCK
        rig.clock.move(3600)
        assert (await rig.guard.ask(rig.request(), rig.program)).state is State.PENDING

    ran(story())


# People.


def people(folder: Path, **who: Account) -> None:
    write_accounts(folder / "accounts.toml", Accounts(who))


def person(name: str, role: Role = Role.APPROVER, enabled: bool = True) -> Account:
    return Account(name=name, role=role, password=hashed(WORD, CHEAP), enabled=enabled)


GONE = {
    "disabled": {"ana": person("ana", enabled=False), "ben": person("ben"), "cy": person("cy")},
    "demoted": {"ana": person("ana", Role.ENGINEER), "ben": person("ben"), "cy": person("cy")},
    "removed": {"ben": person("ben"), "cy": person("cy")},
}


@pytest.mark.parametrize("accounts", GONE.values(), ids=GONE)
def test_who_may_no_longer_approve_has_not_approved(
    tmp_path: Path, accounts: dict[str, Account]
) -> None:
    rig = Rig(tmp_path, TWO)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        people(tmp_path, **accounts)
        await rig.guard.approve(ticket.request.id, "ben", WORD)
        assert (ticket.state, ticket.approvals) == (State.PENDING, ["ben"])
        await rig.guard.approve(ticket.request.id, "cy", WORD)
        assert ticket.state is State.HELD

    ran(story())
    assert [one["by"] for one in rig.events("approval void")] == ["ana"]


def test_an_approver_who_is_disabled_while_the_device_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    write = InMemory.write

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)

        async def slow(*said: object) -> None:
            people(tmp_path, **GONE["disabled"])
            await asyncio.sleep(0)
            await write(*said)  # type: ignore[arg-type]

        monkeypatch.setattr(InMemory, "write", slow)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert (ticket.state, ticket.code) == (State.REJECTED, Code.NOT_APPROVED)

    ran(story())
    assert (rig.plc.attempts, rig.store.of(SPEED).intent) == (0, None)


def test_where_accounts_cannot_be_read_nobody_has_approved(tmp_path: Path) -> None:
    people(tmp_path, ana=person("ana"))
    desk = Desk(tmp_path / "accounts.toml", CHEAP)
    assert desk.stands("ana", Right.APPROVE)
    (tmp_path / "accounts.toml").write_text("no accounts")
    assert not desk.stands("ana", Right.APPROVE)


@pytest.mark.parametrize("first", ["ana", "ben"])
def test_of_two_people_neither_is_the_proposer_nor_the_same_in_other_letters(
    tmp_path: Path, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, TWO)

    async def anybody(*_said: object) -> Role:
        return Role.APPROVER

    monkeypatch.setattr(rig.guard._desk, "person", anybody)
    monkeypatch.setattr(rig.guard._desk, "stands", lambda *_said: True)
    other = {"ana": "ben", "ben": "ana"}[first]

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(proposer="speeds"), Actor("Cy", person=True))
        for name in ("Cy", "cy", "CY", "Speeds"):
            with pytest.raises(Rejected, match="somebody else has to approve"):
                await rig.guard.approve(ticket.request.id, name, WORD)
        await rig.guard.approve(ticket.request.id, first, WORD)
        for name in (first, first.upper(), first.title()):
            with pytest.raises(Rejected, match="it takes two people"):
                await rig.guard.approve(ticket.request.id, name, WORD)
        assert rig.plc.attempts == 0
        await rig.guard.approve(ticket.request.id, other, WORD)
        assert ticket.state is State.HELD

    ran(story())


# Auto.

AUTO = BLOCK.replace('mode = "approve"', 'mode = "auto"').replace(
    "hold_s = 1800", "hold_s = 86400\nproven_days = 1"
)


async def proving(rig: Rig, requests: int, denied: int = 0) -> None:
    """Have people decide on requests, one an hour."""
    for number in range(requests):
        value = {True: 50.0, False: 50.6}[rig.plc.values[SPEED] > 50.3]
        ticket = await rig.guard.ask(rig.request(value), rig.program)
        decide = rig.guard.reject if number < denied else rig.guard.approve
        assert ticket.state is State.PENDING
        await decide(ticket.request.id, "ana", WORD)
        rig.clock.move(HOUR_S)
        await rig.guard.tick()


def hourly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time in approve be served an hour at a time."""
    monkeypatch.setattr(proof, "LONGEST_S", HOUR_S)


async def next_state(rig: Rig, value: float = 51.2, **said: object) -> State:
    return (await rig.guard.ask(rig.request(value, **said), rig.program)).state


@pytest.mark.parametrize(
    ("requests", "denied", "state"),
    [
        (24, 0, State.HELD),
        (24, 1, State.HELD),  # 95.8 %
        (24, 2, State.PENDING),  # 91.7 %
        (23, 0, State.PENDING),  # 23 hours
        (LEAST_ASKED - 1, 0, State.PENDING),
    ],
)
def test_auto_needs_its_days_and_its_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requests: int, denied: int, state: State
) -> None:
    hourly(monkeypatch)
    rig = Rig(tmp_path, AUTO)

    async def story() -> None:
        await proving(rig, requests, denied)
        assert await next_state(rig) is state

    ran(story())


def test_a_few_requests_prove_nothing_however_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly(monkeypatch)
    rig = Rig(tmp_path, AUTO)

    async def story() -> None:
        await proving(rig, LEAST_ASKED - 1)
        for _ in range(10):
            rig.clock.move(HOUR_S)
            await rig.guard.tick()
        assert await next_state(rig) is State.PENDING

    ran(story())


def test_what_is_proven_survives_starts_and_is_lost_with_other_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly(monkeypatch)
    rig = Rig(tmp_path, AUTO.replace('mode = "auto"\n', 'mode = "approve"\n'))
    ran(proving(rig, 25))

    async def story() -> None:
        assert await next_state(rig) is State.PENDING
        rig.clock.move(61)
        # How far it may go is what is proven: to let it go further loses nothing.
        rig.policy = policy_of(AUTO)
        rig.clock.reboot(2 * HOUR_S, 2 * HOUR_S)
        rig.again()
        assert await next_state(rig) is State.HELD
        rig.clock.move(HOUR_S)
        asks = rig.request(50.6, mode=Mode.APPROVE)
        assert (await rig.guard.ask(asks, rig.program)).state is State.PENDING
        rig.guard.stop("otto")
        assert await next_state(rig, 50.6) is State.ADVISED
        await rig.guard.start("ana", WORD)
        rig.policy = policy_of(AUTO.replace("max_step = 2", "max_step = 1.9"))
        rig.again()
        assert await next_state(rig, 50.6) is State.PENDING
        rig.policy = policy_of(AUTO)
        rig.again()
        assert await next_state(rig, 50.6) is State.PENDING

    ran(story())
    assert [one["tag"] for one in rig.events("to be proven anew")] == [SPEED, SPEED]


def test_time_in_which_nothing_could_be_asked_proves_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, AUTO)

    async def story() -> None:
        rig.clock.move(100 * 86_400)
        await rig.guard.tick()
        assert rig.store.of(SPEED).served_s == 0.0
        await rig.guard.ask(rig.request(), rig.program)
        rig.clock.move(5)
        await rig.guard.tick()
        rig.clock.move(86_400)
        await rig.guard.tick()
        assert rig.store.of(SPEED).served_s == 5.0 + proof.LONGEST_S
        rig.guard.stop("otto")
        rig.clock.move(5)
        await rig.guard.tick()
        assert rig.store.of(SPEED).served_s == 5.0 + proof.LONGEST_S

    ran(story())


def test_time_that_was_served_is_kept_though_nothing_else_is_written(tmp_path: Path) -> None:
    rig = Rig(tmp_path, AUTO)

    async def story() -> None:
        await rig.guard.tick()
        await rig.guard.ask(rig.request(), rig.program)
        for _ in range(20):
            rig.clock.move(5)
            await rig.guard.tick()
        rig.again()
        assert rig.store.of(SPEED).served_s >= 40.0

    ran(story())


def test_the_digest_of_limits_knows_each_of_them() -> None:
    text = AUTO.replace('mode = "auto"\n', 'mode = "approve"\n')
    assert proof.terms(policy_of(AUTO), SPEED) == proof.terms(policy_of(text), SPEED)
    for old, new in (("low = 40", "low = 41"), ("persons = 1", "persons = 2"), ("< 80", "< 81")):
        changed = policy_of(text.replace(old, new))
        assert proof.terms(changed, SPEED) != proof.terms(policy_of(text), SPEED)
