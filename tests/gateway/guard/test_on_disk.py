"""On disk before a frame leaves: the audit and the store; before an answer: the audit."""

import os
from pathlib import Path

import pytest

from gateway.guard.audit import FOLLOWED
from plant.setpoints import Setpoint, State
from tests.gateway.guard.rig import WORD, Rig, ran


class Disk:
    """Knows of each file how much of it was synced, by inode, and how often it was."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.sizes: dict[int, int] = {}
        self.count = 0
        self._sync = os.fsync
        patch.setattr(os, "fsync", self.fsync)

    def fsync(self, handle: int) -> None:
        self._sync(handle)
        found = os.fstat(handle)
        self.sizes[found.st_ino] = found.st_size
        self.count += 1

    def has(self, file: Path) -> bool:
        found = file.stat()
        return self.sizes.get(found.st_ino) == found.st_size


def test_all_is_on_disk_before_the_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig, disk = Rig(tmp_path), Disk(monkeypatch)
    apply, seen = rig.plc.apply, list[tuple[bool, ...]]()

    def looked(setpoint: Setpoint) -> None:
        files = (tmp_path / "audit.jsonl", tmp_path / "store.json")
        seen.append((*map(disk.has, files), b'"armed"' in files[0].read_bytes()))
        seen.append(
            (b'"value": 51.0' in files[1].read_bytes(), tmp_path.stat().st_ino in disk.sizes)
        )
        apply(setpoint)

    async def story() -> None:
        ticket = await rig.guard.ask(rig.request(51.0), rig.program)
        rig.plc.apply = looked  # type: ignore[method-assign]
        await rig.guard.approve(ticket.request.id, "ana", WORD)
        assert ticket.state is State.HELD

    ran(story())
    assert seen == [(True, True, True), (True, True)]


@pytest.mark.parametrize(
    ("value", "state", "count"), [(99.0, State.REJECTED, 1), (51.0, State.PENDING, 3)]
)
def test_before_an_answer_the_audit_waits_for_the_disk_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float, state: State, count: int
) -> None:
    rig, disk = Rig(tmp_path), Disk(monkeypatch)
    assert ran(rig.guard.ask(rig.request(value), rig.program)).state is state
    assert disk.has(tmp_path / "audit.jsonl")
    assert disk.count == count
    assert {"received", "checked"} == FOLLOWED
