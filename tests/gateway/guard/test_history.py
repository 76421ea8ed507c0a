"""What became of requests, as the audit tells it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts.register import read_accounts, write_accounts
from gateway.guard.history import history
from plant.setpoints import State
from tests.gateway.guard.rig import LIMITS, WORD, Rig, ran


def newest(rig: Rig) -> dict[str, Any]:
    return history(rig.folder / "audit.jsonl")[0]


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize(
    ("how", "state", "code"), [("blind", "held", ""), ("vanish", "rejected", "not applied")]
)
def test_what_was_unknown_is_told_as_it_was_found(
    tmp_path: Path, how: str, state: str, code: str, again: bool
) -> None:
    rig = Rig(tmp_path)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        rig.plc.next_write = how
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert newest(rig)["state"] == "unknown"
        for _ in range(again):
            # The one that comes after knows the write, and no more of the request.
            rig.again()
        rig.clock.move(130)
        await rig.guard.tick()

    ran(story())
    found = newest(rig)
    assert (found["state"], found["code"]) == (state, code)


def test_an_approval_that_was_struck_out_is_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path, LIMITS.replace("persons = 1", "persons = 2"))
    file = tmp_path / "accounts.toml"

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(), rig.program)
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert newest(rig)["approvals"] == ["ana"]
        accounts = read_accounts(file)
        write_accounts(file, accounts.put(replace(accounts.get("ana"), enabled=False)))
        await rig.guard.approve(ticket.request.id, "ben", WORD)
        assert ticket.state is State.PENDING

    ran(story())
    assert newest(rig)["approvals"] == ["ben"]
