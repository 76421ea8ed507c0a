"""A node that the limits name twice, in words that only its server can tell to be one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.simulated.hostile.proxy import ChaosProxy
from connectors.simulated.setpoint_opcua import SPACE, SetpointOpcua
from connectors.simulated.setpoint_plc import SetpointPlc
from gateway.accounts.passwords import hashed
from gateway.accounts.register import Account, Accounts, write_accounts
from gateway.accounts.roles import Role
from gateway.config.loader import load
from gateway.guard.keys import make_key
from gateway.guard.process import Guard
from gateway.guard.starting import guard_of
from gateway.guard.words import new_id
from plant.errors import Rejected
from plant.setpoints import Code, Request, State
from tests.gateway.guard.rig import CHEAP, NUMBERS, WORD, Rig
from tests.gateway.guard.sealing import seal

ONE, TWO = "l/c/one", "l/c/two"
BY_ID, BY_PATH = f"nsu={SPACE};s=Loop1.Setpoint", f"nsu={SPACE};/Loop1/Setpoint"
OTHER = f"nsu={SPACE};s=Loop2.Setpoint"
CONFIG = """\
version = 1
[gateway]
name = "line-1"
[setpoints]
mode = "approve"
limits = "limits.toml"
keys = ["engineer.pub"]
[[source]]
type = "opcua"
name = "cell"
url = "{url}"
security = "none"
[[source]]
type = "opcua"
name = "side"
url = "{side}"
security = "none"
[[tag]]
tag = "l/c/one"
source = "cell"
address = "{one}"
scale = 0.05
[[tag]]
tag = "l/c/two"
source = "{source}"
address = "{two}"
scale = 0.05
"""
HEAD = 'serial = 1\nexpires = 2099-12-31\nmode = "approve"\n'
LIMITS = HEAD + "".join(
    f'[[setpoint]]\ntag = "{tag}"\nunit = ""\nmode = "approve"\nfresh_s = 60\n{NUMBERS}'
    for tag in (ONE, TWO)
)


@dataclass
class Stage:
    """A server that the guard reaches by two ways, and the guard."""

    folder: Path
    front: SetpointOpcua
    proxy: ChaosProxy

    def guard(self, source: str, two: str) -> Guard:
        side = f"opc.tcp://127.0.0.1:{self.proxy.port}/"
        text = CONFIG.format(url=self.front.url, side=side, one=BY_ID, source=source, two=two)
        (self.folder / "plant.toml").write_text(text)
        key = make_key(self.folder / "engineer.key")
        seal(self.folder, LIMITS, key, time.time_ns())
        accounts = {
            name: Account(name=name, role=role, password=hashed(WORD, CHEAP))
            for name, role in (("ana", Role.APPROVER), ("eve", Role.ENGINEER))
        }
        (self.folder / "data/guard").mkdir(parents=True)
        write_accounts(self.folder / "data/accounts.toml", Accounts(accounts))
        return guard_of(load(self.folder / "plant.toml"), self.folder / "data/guard")


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    async with (
        SetpointOpcua(SetpointPlc(loops=2)) as front,
        ChaosProxy(front.port) as proxy,
    ):
        yield Stage(folder, front, proxy)


def request(tag: str) -> Request:
    now = time.time_ns()
    return Request(
        id=new_id(now), tag=tag, value=51.0, unit="", proposer="eve", reason="r",
        not_after=now + 20 * 10**9, key=new_id(now),
    )  # fmt: skip


@pytest.mark.parametrize(("source", "two"), [("cell", BY_PATH), ("side", BY_ID)])
def test_it_is_locked_under_both_names_and_nobody_can_unlock_it(
    tmp_path: Path, source: str, two: str
) -> None:
    async def run() -> None:
        async with stage(tmp_path) as there:
            guard = there.guard(source, two)
            await guard.tick()
            await guard.tick()
            why = {one["tag"]: one["locked"] for one in guard.standings()}
            words = "at the device: leave one of them out of the limits"
            assert why == {ONE: f"one with {TWO} {words}", TWO: f"one with {ONE} {words}"}
            assert guard.status()["alarms"] == why
            for tag in (ONE, TWO):
                ticket = await guard.ask_as(request(tag), "eve", WORD)
                assert (ticket.state, ticket.code) == (State.REJECTED, Code.LOCKED)
                with pytest.raises(Rejected, match=f"{tag} is one with .*start the guard again"):
                    await guard.unlock(tag, "ana", WORD)
            await guard.close()
            assert there.front.plc.written == []

    asyncio.run(run())


def test_it_is_seen_in_the_first_request_already(tmp_path: Path) -> None:
    async def run() -> None:
        async with stage(tmp_path) as there:
            guard = there.guard("cell", BY_PATH)
            first = await guard.ask_as(request(ONE), "eve", WORD)
            assert first.state is State.PENDING
            second = await guard.ask_as(request(TWO), "eve", WORD)
            assert second.code is Code.LOCKED
            await guard.approve(first.request.id, "ana", WORD)
            assert first.code is Code.LOCKED
            await guard.close()
            assert there.front.plc.written == []

    asyncio.run(run())


def test_a_guard_that_is_started_again_lets_one_of_them_go_at_most(tmp_path: Path) -> None:
    async def run() -> None:
        async with stage(tmp_path) as there:
            guard = there.guard("cell", BY_PATH)
            await guard.tick()
            await guard.tick()
            await guard.close()
            guard = guard_of(load(tmp_path / "plant.toml"), tmp_path / "data/guard")
            await guard.tick()
            await guard.unlock(ONE, "ana", WORD)
            with pytest.raises(Rejected, match=f"{TWO} is one with {ONE}"):
                await guard.unlock(TWO, "ana", WORD)
            await guard.tick()
            assert [bool(one["locked"]) for one in guard.standings()] == [True, True]
            await guard.close()

    asyncio.run(run())


def test_two_nodes_are_two(tmp_path: Path) -> None:
    async def run() -> None:
        async with stage(tmp_path) as there:
            guard = there.guard("side", OTHER)
            await guard.tick()
            await guard.tick()
            assert [one["locked"] for one in guard.standings()] == ["", ""]
            await guard.close()

    asyncio.run(run())


def test_what_was_found_to_be_one_stays_so_when_it_is_found_elsewhere_later(
    tmp_path: Path,
) -> None:
    devices = Rig(tmp_path).devices
    devices._place({ONE: frozenset({("a",), ("b",)})})
    assert devices.twins == {}
    devices._place({TWO: frozenset({("b",)})})
    devices._place({TWO: frozenset({("c",)})})
    assert devices.twins == {ONE: TWO, TWO: ONE}
