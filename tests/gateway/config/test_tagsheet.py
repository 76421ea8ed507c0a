"""Sheets as people save them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.problems import Problems
from gateway.config.tagsheet import number, read_sheet
from plant.tags import Role, Tag, ValueType

HEAD = "tag,source,address,type,unit,scale,offset,deadband,role,low,high,description\n"
ROW = 'a/b,plc,"unit 1, holding 0",int16,Cel,0.1,-40,0.5,context,-40,1250.5,Öl\n'
EXPECTED = Tag(
    name="a/b",
    source="plc",
    address="unit 1, holding 0",
    type=ValueType.INT16,
    unit="Cel",
    scale=0.1,
    offset=-40.0,
    deadband=0.5,
    role=Role.CONTEXT,
    low=-40.0,
    high=1250.5,
    description="Öl",
)
GERMAN = (HEAD + ROW).replace('"unit 1, holding 0"', "unit 1| holding 0")
GERMAN = GERMAN.replace(",", ";").replace("|", ",").replace(".", ",")


def read(folder: Path, raw: bytes) -> tuple[list[Tag], list[str]]:
    path = folder / "tags.csv"
    path.write_bytes(raw)
    problems = Problems()
    tags = [placed.tag for placed in read_sheet(path, "tags.csv", problems)]
    return tags, [str(problem) for problem in problems.found]


@pytest.mark.parametrize(
    "raw",
    [
        (HEAD + ROW).encode(),
        (HEAD + ROW).encode("utf-8-sig"),
        (HEAD + ROW).encode("cp1252"),
        (HEAD + ROW).encode("utf-16"),
        (HEAD + ROW).replace("\n", "\r\n").encode(),
        (HEAD + ROW + ",,,\n\n").encode(),
        GERMAN.encode("cp1252"),
        ("sep=;\n" + GERMAN).encode(),
        GERMAN.replace(";", "\t").encode("utf-16"),
        GERMAN.replace("tag;source", "Tag; SOURCE ").replace("int16", "INT16").encode(),
    ],
)
def test_dialects_of_one_sheet(tmp_path: Path, raw: bytes) -> None:
    assert read(tmp_path, raw) == ([EXPECTED], [])


def test_line_of_a_mistake_after_a_cell_with_a_line_break(tmp_path: Path) -> None:
    broken = ROW.replace("Öl", '"two\nlines"')
    _, problems = read(tmp_path, (HEAD + broken + ROW.replace("1250.5", "x")).encode())
    assert problems == ['tags.csv:4: high: "x" is not a number']


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "tags.csv:1: tag: this column is missing"),
        (HEAD.encode() + b'a/b,plc,"open', "tags.csv:2: not CSV from here on"),
        (b"\xff\xfe\x00", "tags.csv: is not text"),
        (b"caf\x81", "tags.csv: is not text"),
    ],
)
def test_no_sheet_at_all(tmp_path: Path, raw: bytes, message: str) -> None:
    tags, problems = read(tmp_path, raw)
    assert tags == []
    assert problems[0].startswith(message)


def test_an_address_that_the_separator_of_its_sheet_cuts_is_told(tmp_path: Path) -> None:
    _, problems = read(tmp_path, b"tag;source;address;unit\na/b;plc;nsu=urn:maker;s=Flow;\n")
    assert problems == [
        'tags.csv:2: address: "nsu=urn:maker" ends at a semicolon; put it in quotes'
    ]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_is_read_back_with_either_decimal_sign(value: float) -> None:
    assert number(repr(value), decimal_comma=False) == value
    assert number(repr(value).replace(".", ","), decimal_comma=True) == value


@pytest.mark.parametrize("cell", ["1.234,5", "1,2,3", "nan", "inf", "1_000", "0x10", "--1"])
def test_what_is_no_number_or_two(cell: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        number(cell, decimal_comma=True)
