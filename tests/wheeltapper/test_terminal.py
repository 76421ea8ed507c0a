"""What programs read is one line a record, whatever a server called its nodes."""

import json

import pytest

from wheeltapper import terminal


@pytest.mark.parametrize(
    "name", ["Größe", "a\x9b31m", "\u202egnp", "a\u2028b", "\udcff", "\x1b[2J"]
)
def test_a_record_is_one_harmless_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.record({"name": name})
    said = capsys.readouterr().out
    assert said[:-1].isprintable()
    assert len(said.splitlines()) == 1
    assert json.loads(said) == {"name": name}


def test_letters_stay_letters(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.record({"name": "Größe 名前"})
    assert "Größe 名前" in capsys.readouterr().out
