"""Units of a server: by their number, by their text, or told to be unknown."""

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua.commissioning.units import _UCUM, _UNECE, _WRITTEN, ucum


def unit(number: int, text: str = "") -> ua.EUInformation:
    return ua.EUInformation(UnitId=ua.Int32(number), DisplayName=ua.LocalizedText(text))


@pytest.mark.parametrize(
    ("number", "code"),
    [(4408652, "Cel"), (4342098, "bar"), (5066068, "mm"), (20529, "%"), (4404533, "")],
)
def test_the_number_decides(number: int, code: str) -> None:
    assert ucum(unit(number)) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("°C", "Cel"),
        ("kg/m3", "kg/m3"),
        ("m³/h", "m3/h"),
        ("{parts}/h", "{parts}/h"),
        ("bushel(UK)", ""),
        ("", ""),
        ("=1+1", ""),
        ("m\nm", ""),
    ],
)
def test_without_a_number_the_text_does(text: str, code: str) -> None:
    assert ucum(unit(-1, text)) == code


@pytest.mark.parametrize("code", sorted({*_UNECE.values(), *_WRITTEN.values()}))
def test_the_tables_hold_ucum(code: str) -> None:
    assert _UCUM.match(code)


@given(st.integers(-(2**31), 2**31 - 1), st.text(max_size=100))
def test_any_unit_gives_a_code_that_fits_a_cell(number: int, text: str) -> None:
    code = ucum(unit(number, text))
    assert len(code) <= 64
    assert code.isascii()
    assert code.isprintable()
