"""The sheet of tags keeps what people wrote, in the way their spreadsheet wrote it."""

import csv
import io
from pathlib import Path

import pytest

from plant.errors import Misconfigured
from plant.tags import Role, Tag, ValueType
from wheeltapper import sheet

NEW = Tag(
    name="Line1/Groesse",
    source="plc",
    address='nsu=urn:x;Line1/a "b", c;',
    type=ValueType.FLOAT32,
    unit="mm",
    role=Role.SIGNAL,
    low=-0.5,
    high=12.25,
    description="=cmd|' /C calc'!A0",
)
GERMAN = "sep=;\r\ntag;source;address;scale;unit\r\na/b;plc;nsu=urn:x;0,25;°C\r\n".replace(
    "nsu=urn:x;", '"nsu=urn:x;b";'
)


def test_a_new_sheet_is_one_that_the_gateway_reads(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    sheet.save(path, [NEW], None)
    again = sheet.read(path)
    assert again
    (tag,) = again.tags
    assert (tag.address, tag.low, tag.high, tag.type) == (
        NEW.address,
        NEW.low,
        NEW.high,
        NEW.type,
    )
    assert tag.description == "'" + NEW.description


def test_what_excel_wrote_stays_to_the_byte_and_new_rows_follow_its_ways(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_bytes(GERMAN.encode("cp1252"))
    before = sheet.read(path)
    assert before
    new = Tag(name="Line1/x", source="plc", address="nsu=urn:x;x", scale=0.5, unit="mm")
    sheet.save(path, [new], before)
    raw = path.read_bytes()
    assert raw.startswith(GERMAN.encode("cp1252"))
    assert raw.endswith(b'Line1/x;plc;"nsu=urn:x;x";0,5;mm\r\n')
    after = sheet.read(path)
    assert after
    assert [tag.scale for tag in after.tags] == [0.25, 0.5]


def test_what_the_old_encoding_cannot_hold_turns_it_to_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_bytes(GERMAN.encode("cp1252"))
    before = sheet.read(path)
    sheet.save(path, [Tag(name="a/c", source="plc", address="nsu=urn:x;圧力")], before)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    after = sheet.read(path)
    assert after
    assert [tag.address for tag in after.tags] == ["nsu=urn:x;b", "nsu=urn:x;圧力"]


def test_a_last_line_without_an_end_gets_one(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("tag,source,address\na/b,plc,nsu=urn:x;b")
    sheet.save(path, [Tag(name="a/c", source="plc", address="nsu=urn:x;c")], sheet.read(path))
    assert path.read_text().splitlines()[1:] == ["a/b,plc,nsu=urn:x;b", "a/c,plc,nsu=urn:x;c"]


def test_an_empty_sheet_gets_every_column(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("tag;source;address\n")
    sheet.save(path, [NEW], sheet.read(path))
    assert "description" in path.read_text("utf-8-sig").splitlines()[0]


@pytest.mark.parametrize("start", "=+-@")
def test_no_cell_of_a_server_begins_a_formula(start: str) -> None:
    tag = Tag(name="a/b", source="plc", address="nsu=urn:x;b", description=f"{start}1+1")
    form = sheet.Form(("tag", "description"))
    (cells,) = csv.reader(io.StringIO(sheet.rows([tag], form)))
    assert cells[1] == f"'{start}1+1"


@pytest.mark.parametrize("lock", [".~lock.tags.csv#", "~$tags.csv"])
def test_a_sheet_that_is_open_elsewhere_is_left_alone(tmp_path: Path, lock: str) -> None:
    (tmp_path / "tags.csv").write_text("tag,source,address\n")
    (tmp_path / lock).touch()
    with pytest.raises(Misconfigured, match="close it there first"):
        sheet.read(tmp_path / "tags.csv")


def test_a_sheet_with_mistakes_is_not_grown(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("tag,source,adress\na/b,plc,x\n")
    with pytest.raises(Misconfigured, match="nothing was changed"):
        sheet.read(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be written"):
        sheet.save(tmp_path / "nowhere" / "tags.csv", [NEW], None)
    assert list(tmp_path.iterdir()) == []
