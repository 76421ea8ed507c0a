"""What is written is what is read back, to the bit, by a real server."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.influx.line_protocol import Column, Kind, encode, one, series, text, unspeakable
from connectors.influx.server import Server
from tests.connectors.influx.records import T0, Place

EDGES = [
    0.0, -0.0, 0.1, 1 / 3, -1e-7, 1e16, 123456789.125, 5e-324, 2.2250738585072014e-308,
    1.7976931348623157e308, -1.7976931348623157e308, 9007199254740993.0, 1e22, 1e21,
]  # fmt: skip
HOSTILE = [
    "plain",
    "two words",
    "a,b=c d",
    "x\\y",
    "#start",
    "ünï",
    'quo"te',
    "it's",
    "a=b=",
    "Ω,\u00a0=",
]


def floats(name: str, values: list[float]) -> Column:
    return Column(name, Kind.FLOAT, np.array(values, np.float64))


def test_each_kind_is_written_as_the_format_says() -> None:
    columns = [
        floats("v", [1.5]),
        Column("n", Kind.INT, np.array([7], np.uint32)),
        Column("b", Kind.BOOL, np.array([True])),
    ]

    assert encode(["m,a=b"], np.array([12], np.int64), columns).lines == [
        "m,a=b v=1.5,n=7i,b=true 12"
    ]


def test_what_is_no_number_is_left_out_and_its_neighbours_stay_in_order() -> None:
    columns = [floats("a", [1.0, math.nan, math.inf, 4.0]), floats("b", [1.0, 2.0, -math.inf, 4.0])]

    made = encode(["m"] * 4, np.arange(4), columns)

    assert made.lines == ["m a=1.0,b=1.0 0", "m b=2.0 1", "m a=4.0,b=4.0 3"]
    assert made.left_out == 1


def test_nothing_makes_nothing() -> None:
    made = encode([], np.empty(0, np.int64), [floats("a", [])])

    assert (made.lines, made.left_out) == ([], 0)


@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=40))
def test_lines_and_left_out_points_add_up(rows: list[tuple[float, float]]) -> None:
    columns = [floats("a", [row[0] for row in rows]), floats("b", [row[1] for row in rows])]

    made = encode(["m"] * len(rows), np.arange(len(rows)), columns)

    finite = [sum(map(math.isfinite, row)) for row in rows]
    assert len(made.lines) == sum(count > 0 for count in finite)
    assert made.left_out == finite.count(0)
    assert sum(line.count("=") for line in made.lines) == sum(finite)


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (Kind.FLOAT, 3, "m f=3.0 1"),
        (Kind.FLOAT, math.nan, None),
        (Kind.INT, 3.0, "m f=3i 1"),
        (Kind.BOOL, False, "m f=false 1"),
        (Kind.TEXT, "", 'm f="" 1'),
        (Kind.TEXT, 'a"\\\n', 'm f="a\\"\\\\ " 1'),
        (Kind.INT, None, None),
    ],
)
def test_single_points(kind: Kind, value: object, written: str | None) -> None:
    assert one("m", 1, {"f": (kind, value)}) == written


@pytest.mark.parametrize(
    ("kind", "value"), [(Kind.INT, 1.5), (Kind.INT, 2**63), (Kind.INT, "x"), (Kind.FLOAT, "x")]
)
def test_a_value_of_another_kind_is_refused(kind: Kind, value: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        one("m", 1, {"f": (kind, value)})


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_no_text_ends_its_line(words: str) -> None:
    line = one(series("m", {"t": words}), 1, {"f": (Kind.TEXT, words)})

    assert line is not None
    assert len(line.splitlines()) == 1
    line.encode()


def test_names_that_cannot_be_written_are_known() -> None:
    assert [name for name in ("a b", "a\\", "a\tb", "") if unspeakable(name)] == ["a\\", "a\tb", ""]


def written(place: Place, lines: list[str]) -> None:
    server = Server(place.config)
    server.write(place.database, "\n".join(lines).encode())
    server.close()


def test_floats_come_back_to_the_bit(v1: Place) -> None:
    rng = np.random.default_rng(7)
    random = rng.integers(0, 2**64, 4000, np.uint64).view(np.float64)
    values = np.concatenate([EDGES, random[np.isfinite(random)]])
    at = T0 + np.arange(len(values), dtype=np.int64)
    written(v1, encode(["m"] * len(at), at, [Column("v", Kind.FLOAT, values)]).lines)

    (found,) = v1.ask('SELECT "v" FROM "m"')
    back = np.array([row[1] for row in found["values"]], np.float64)
    zero = values == 0

    assert [row[0] for row in found["values"]] == at.tolist()
    assert (back.view(np.int64)[~zero] == values.view(np.int64)[~zero]).all()
    assert (back[zero] == 0).all()


def test_hostile_names_come_back_as_they_were(v1: Place) -> None:
    names = [name for name in HOSTILE if not unspeakable(name)]
    lines = [
        one(series("m", {"t": name, "k": str(number)}), T0, {"f": (Kind.TEXT, name)})
        for number, name in enumerate(names)
    ]
    written(v1, [line for line in lines if line])

    found = v1.ask('SELECT "f" FROM "m" GROUP BY "k", "t"')
    back = {int(one["tags"]["k"]): (one["tags"]["t"], one["values"][0][1]) for one in found}

    assert back == {number: (name, name) for number, name in enumerate(names)}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=30))
def test_any_text_comes_back(v1: Place, words: list[str]) -> None:
    at = range(T0, T0 + len(words))
    lines = [
        one("any", when, {"f": (Kind.TEXT, word)}) for when, word in zip(at, words, strict=True)
    ]
    written(v1, [line for line in lines if line])

    (found,) = v1.ask(f'SELECT "f" FROM "any" WHERE time < {at.stop}')
    back = [text(row[1]) for row in found["values"][: len(words)]]

    assert back == [text(word) for word in words]
