"""Checkpoints of the guard's audit go on their way once each, whatever becomes of the file."""

import asyncio
from pathlib import Path

import pytest

from gateway import runtime
from gateway.checkpoints import KIND, Checkpoints, checkpoints_of
from gateway.guard.audit import EVERY, Audit, verify
from gateway.guard.checks import Moment
from gateway.guard.words import AUDIT, FOLDER
from gateway.journal import Journal
from tests.gateway.guard.rig import KEY
from tests.gateway.test_runtime import Played

AT = Moment(10**18, 1.0, "boot")


def noted(file: Path, records: int) -> Audit:
    audit = Audit(file, KEY)
    for number in range(records):
        audit.note(AT, "guard", "noted", number=number)
    return audit


def told(checkpoints: Checkpoints) -> list[object]:
    return [body.get("of") for _, body in checkpoints.look()]


def test_each_goes_once_and_no_other_record(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    checkpoints = Checkpoints(file)
    assert told(checkpoints) == []
    audit = noted(file, EVERY + 20)
    assert (told(checkpoints), told(checkpoints)) == ([EVERY], [])
    audit.checkpoint(AT)
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    assert told(checkpoints) == []
    file.write_bytes(whole)
    assert told(checkpoints) == [EVERY + 21]
    assert told(Checkpoints(file, EVERY)) == [EVERY + 21]


def test_one_that_was_cut_and_written_anew_is_told_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    audit = noted(file, 3 * EVERY)
    checkpoints = Checkpoints(file)
    assert len(told(checkpoints)) == 3
    audit.close()
    file.write_bytes(b"")
    assert told(checkpoints) == []
    noted(file, EVERY)
    assert told(checkpoints) == [EVERY]


def test_one_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    checkpoints = Checkpoints(tmp_path / "audit.jsonl")
    ((kind, body),) = checkpoints.look()
    assert (kind, "cannot be read, so no copy is sent" in str(body["why"])) == (KIND, True)
    assert told(checkpoints) == []


def test_what_is_no_audit_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b'{"event":"checkpoint"}\n"event":"checkpoint"\n' + b"x" * 400_000)
    checkpoints = Checkpoints(file)
    assert (told(checkpoints), told(checkpoints)) == ([], [])
    with file.open("ab") as more:
        more.write(b"\n")
    noted(tmp_path / "other", EVERY)
    with file.open("ab") as more:
        more.write((tmp_path / "other").read_bytes())
    assert told(checkpoints) == [EVERY]


def test_a_gateway_journals_them_for_its_sinks_and_not_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FOLDER / AUDIT).parent.mkdir()
    noted(tmp_path / FOLDER / AUDIT, EVERY).close()

    monkeypatch.setattr(runtime, "LOOK_S", 0.05)
    looks, look = [], Checkpoints.look

    def looked(checkpoints: Checkpoints) -> object:
        looks.append(look(checkpoints))
        return looks[-1]

    async def story() -> None:
        for _ in range(2):
            looks.clear()
            await Played(tmp_path, monkeypatch).play_till(lambda: len(looks) >= 2)

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "look", looked)
        asyncio.run(story())
    journal = Journal.open(tmp_path / "journal.db")
    (event,) = journal.newest({KIND}, 0, 10)
    assert told(checkpoints_of(tmp_path / FOLDER, journal)) == []
    journal.close()
    head = str(event.body["head"])
    keys = [KEY.public_key()]
    assert verify(tmp_path / FOLDER / AUDIT, keys, kept=[head]).bad == 0
    lines = (tmp_path / FOLDER / AUDIT).read_bytes().splitlines(keepends=True)
    (tmp_path / FOLDER / AUDIT).write_bytes(b"".join(lines[: EVERY - 10]))
    assert verify(tmp_path / FOLDER / AUDIT, keys).bad == 0
    assert verify(tmp_path / FOLDER / AUDIT, keys, kept=[head]).bad == EVERY - 9
