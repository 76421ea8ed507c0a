"""The locator finds every key that tomllib finds, on the line where it stands."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.lines import KeyPath, key_lines

BARE = st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True)
QUOTED = st.sampled_from(['"a b"', "'c.d'", '"e\\"f"', '"#"', "'='", '"]"'])
SCALAR = st.sampled_from(
    [
        "1",
        "-2.5e3",
        "true",
        "inf",
        "1979-05-27 07:32:00",
        '"text # no comment"',
        '"a \\" = [ { quote"',
        "'raw \\ ]'",
        '""',
        '"""\nlong = 1\n[not.a.table]\n"""',
        '"""ends in a quote\\""""',
        '"""two more"""""',
        "'''\nraw\n\n'''",
        "''''apostrophe''''",
    ]
)
INLINE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda parts: "[ # why\n  " + ",\n\n  ".join(parts) + ",\n]"
        ),
        st.dictionaries(BARE, SCALAR, max_size=3).map(
            lambda table: "{ " + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        ),
    ),
    max_leaves=6,
)
PAIRS = st.dictionaries(st.one_of(BARE, QUOTED), INLINE, max_size=4)
HEADERS = st.lists(st.tuples(st.sampled_from("XYZ"), st.booleans(), PAIRS), max_size=5)


def paths(value: Any, above: KeyPath = ()) -> set[KeyPath]:
    """List every key path of a parsed document."""
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    found: set[KeyPath] = set()
    for step, inner in steps:
        found.add((*above, step))
        nested = inner if isinstance(inner, (dict, list)) else ()
        found |= paths(nested, (*above, step))
    return found


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """Write a document, and note the line of each statement's marker."""
    text = ""
    markers: dict[str, int] = {}
    tables = [("", draw(PAIRS))] + [
        (f"[[{name}{number}.in]]" * array or f"[{name}{number}.in]", pairs)
        for number, (name, array, pairs) in enumerate(draw(HEADERS))
    ]
    for number, (header, pairs) in enumerate(tables):
        text += header + draw(st.sampled_from(["", "  # a comment", "\n\n"])) + "\n"
        for key, value in pairs.items():
            text += f"{key} = {value}\n"
        marker = f"marker-{number}"
        markers[marker] = text.count("\n") + 1
        text += f"  {marker}\t= 1{draw(st.sampled_from(['', ' # c']))}\n"
    return text, markers


@given(documents())
def test_every_key_is_found_once_and_markers_stand_on_their_lines(
    document: tuple[str, dict[str, int]],
) -> None:
    text, markers = document
    lines = key_lines(text)
    assert set(lines) == paths(tomllib.loads(text))
    found = {path[-1]: line for path, line in lines.items() if path[-1] in markers}
    assert found == markers


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a.b.c = 1\na.b.d = 2", ("a", "b", "d"), 2),
        ("a.b.c = 1\na.b.d = 2", ("a", "b"), 1),
        ("[a]\n\n[a.b]\nc = 1", ("a", "b", "c"), 4),
        ("[[s]]\nn = 1\n[[s]]\nn = 2", ("s", 1, "n"), 4),
        ("[[s]]\n[s.t]\nn = 1\n[[s]]\n[s.t]\nn = 2", ("s", 1, "t", "n"), 6),
        ("[[s]]\n[[s.u]]\n[[s.u]]\nk = 1", ("s", 0, "u", 1, "k"), 4),
        ("a = [\n 1,\n { b = 2 },\n]", ("a", 1, "b"), 3),
        ('x = """\ny = 1\n"""\ny = 2', ("y",), 4),
        ("a = { b.c = 1, d = [ 2 ] }\nb = 1", ("b",), 2),
        ('"a.b" = 1\n"c\\u0064" = 2', ("cd",), 2),
        ("[ a . b ]\r\nc = 1\r\n", ("a", "b", "c"), 2),
    ],
)
def test_line_of_a_key(text: str, path: KeyPath, line: int) -> None:
    assert key_lines(text)[path] == line
