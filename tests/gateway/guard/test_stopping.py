"""The files of the kill switch: whose they are, which is newer, and what is no file at all."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.guard import stopping
from gateway.guard.stopping import ENDED, STOP, STOPS, Stopped, end, marks, pull, stopped
from plant.errors import Rejected
from tests.gateway.guard.rig import WORD, Rig, ran


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a guard that is another user than whoever stops here."""
    (tmp_path / STOPS).mkdir()
    me = os.geteuid()
    monkeypatch.setattr(stopping.os, "geteuid", lambda: me + 1)
    return tmp_path


def test_another_user_stops_by_a_file_of_his_own(folder: Path) -> None:
    pull(folder, "otto")
    assert [one.name for one in (folder / STOPS).iterdir()] == [str(os.geteuid())]
    found = stopped(folder)
    assert found is not None
    # Who he says that he is, and who the file says that he is.
    assert found.who == f"otto (uid {(folder / STOPS).stat().st_uid})"


def secret(folder: Path) -> Path:
    made = folder / "audit.key"
    made.write_text("a secret of the guard\n")
    return made


BAITS: dict[str, Callable[[Path, Path], object]] = {
    "a link": lambda at, folder: at.symlink_to(secret(folder)),
    "another name of a file": lambda at, folder: at.hardlink_to(secret(folder)),
    "a pipe": lambda at, _: os.mkfifo(at),
    "a folder": lambda at, _: at.mkdir(),
    "a dead link": lambda at, folder: at.symlink_to(folder / "nowhere"),
    "a line break": lambda at, _: at.write_bytes(b"\x1b[2J\n"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("bait", BAITS)
def test_whatever_lies_there_stops_and_gives_nothing_away(folder: Path, bait: str) -> None:
    BAITS[bait](folder / STOPS / "bait", folder)
    found = stopped(folder)
    assert found is not None
    assert found.who.startswith("somebody (uid ")


def test_what_cannot_be_looked_at_counts_as_pulled(folder: Path) -> None:
    (folder / STOPS).rmdir()
    (folder / STOPS).write_text("no folder")
    assert stopped(folder) == Stopped()


def test_an_end_takes_all_that_was_there_and_ours_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(folder, "otto")
    (folder / STOPS / ".half").write_text("")
    (folder / STOP).write_text("ours")
    before, taken = marks(folder), []
    replace = Path.replace

    def noted(file: Path, to: Path) -> Path:
        taken.append(file.name)
        return replace(file, to)

    monkeypatch.setattr(Path, "replace", noted)
    assert end(folder, before)
    assert (len(taken), taken[-1]) == (3, STOP)
    assert stopped(folder) is None
    assert not (folder / ENDED).exists()


@pytest.mark.parametrize("place", [STOP, f"{STOPS}/7"])
def test_an_end_leaves_what_was_pulled_anew_in_the_last_moment(folder: Path, place: str) -> None:
    file = folder / place
    file.write_text("old")
    before = marks(folder)
    (folder / "new").write_text("ana")
    (folder / "new").replace(file)
    assert not end(folder, before)
    assert stopped(folder) is not None
    assert (folder / STOP).read_text() == "ana"


def test_an_end_takes_nothing_that_it_was_not_told_of(folder: Path) -> None:
    before = marks(folder)
    pull(folder, "otto")
    assert end(folder, before)
    assert stopped(folder) is not None


def test_a_stop_that_cannot_be_taken_away_stays_and_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (tmp_path / STOPS / "folder").mkdir(parents=True)
    (tmp_path / STOPS / "folder" / "file").touch()

    async def story() -> None:
        with pytest.raises(Rejected, match="cannot be taken away"):
            await rig.guard.start("ana", WORD)
        assert rig.guard.stopped() == "stopped"
        rig.again()
        assert rig.guard.stopped() == "stopped"

    ran(story())


def test_a_guard_that_begins_makes_a_stop_of_others_its_own(tmp_path: Path) -> None:
    """Else whoever has pulled it could take it away before anybody has looked."""
    rig = Rig(tmp_path)
    (tmp_path / STOPS).mkdir()
    (tmp_path / STOPS / "7").write_text("otto\n")
    rig.again()
    (tmp_path / STOPS / "7").unlink()
    assert rig.guard.stopped() == "stopped"
    assert (tmp_path / STOP).exists()
    assert rig.events("stopped")[-1]["actor"] == f"otto (uid {os.geteuid()})"
