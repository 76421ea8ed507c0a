"""`wheeltapper secret`: nobody chose it, nobody else reads it, and it is made once."""

import json
import stat
from pathlib import Path

from tests.wheeltapper.conftest import Command


def test_each_file_gets_its_own_secret_for_its_owner_alone(
    command: Command, tmp_path: Path
) -> None:
    files = [tmp_path / "store/a", tmp_path / "store/b"]
    ended = command("secret", *files)
    secrets = [file.read_text() for file in files]
    assert ended.code == 0
    assert len(set(secrets)) == 2
    assert {len(secret.strip()) for secret in secrets} == {43}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700
    assert not any(secret.strip() in ended.out + ended.err for secret in secrets)
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["a", "b"]


def test_a_secret_that_is_there_stays(command: Command, tmp_path: Path) -> None:
    command("secret", tmp_path / "a")
    before = (tmp_path / "a").read_text()
    ended = command("secret", tmp_path / "a", tmp_path / "b", "--json")
    assert (tmp_path / "a").read_text() == before
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [row["made"] for row in rows] == [False, True]


def test_a_place_that_cannot_be_is_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = command("secret", tmp_path / "file/a")
    assert ended.code == 2
    assert str(tmp_path / "file") in ended.err
