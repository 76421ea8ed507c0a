"""Names and addresses of nodes: no two alike, whatever a server calls them."""

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua.address import NodeAddress, PathAddress, parse_address
from connectors.opcua.commissioning.browse import Place
from connectors.opcua.commissioning.naming import address_of, tag_names
from plant.tags import TAG_NAME

SPACES = ["http://opcfoundation.org/UA/", "urn:server", "urn:plant"]
NAMES = st.text(min_size=1, max_size=40) | st.sampled_from(
    ["..", "=1", "a/b", "a&b", "s=1", "x;[1]"]
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(tuple)


def place(names: tuple[str, ...], identifier: object = 7, *, unique: bool = True) -> Place:
    node = ua.NodeId(identifier, ua.Int16(2))  # type: ignore[arg-type]  # any kind of identifier
    path = tuple((2, name) for name in names)
    return Place(node=node, path=path, variable=True, unique=unique)


@given(st.lists(PATHS, max_size=20, unique=True), st.sets(st.just("site/a/b"), max_size=1))
def test_every_path_gets_a_name_of_its_own(paths: list[tuple[str, ...]], taken: set[str]) -> None:
    names = tag_names(paths, [repr(path) for path in paths], "site", taken)
    assert len({*names, *taken}) == len(names) + len(taken)
    assert all(TAG_NAME.match(name) and all(name.split("/")) for name in names)


def test_plain_names_stay_as_they_are_and_only_the_others_are_marked() -> None:
    names = tag_names([("Line 1", "PV"), ("Line_1", "PV")], ["k1", "k2"], "")
    assert names[1] == "Line_1/PV"
    assert names[0].startswith("Line_1/PV_")


def test_a_name_is_the_same_the_next_time() -> None:
    paths = [("a b", "c"), ("a-b", "c"), ("a+b", "c")]
    keys = ["1", "2", "3"]
    assert tag_names(paths, keys, "x") == tag_names(paths, keys, "x")


def test_ten_thousand_characters_are_cut() -> None:
    (name,) = tag_names([("Odd", "L" * 10_000)], ["k"], "")
    assert len(name) <= 128


@given(PATHS)
def test_an_address_leads_to_its_node_and_fits_one_cell(names: tuple[str, ...]) -> None:
    address = address_of(place(names), SPACES)
    assert parse_address(address, "") in {
        PathAddress("urn:plant", names),
        NodeAddress("urn:plant", 7),
    }
    assert address.isprintable()
    assert address == address.strip()


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (place(("Line1", "In/Out")), "nsu=urn:plant;Line1/In&/Out"),
        (place(("s=1",)), "nsu=urn:plant;/s=1"),
        (place(("Line1", "Flow"), "L1.Flow", unique=False), "nsu=urn:plant;s=L1.Flow"),
        (place(("Line\n1",), 4711), "nsu=urn:plant;i=4711"),
        (place(("Line\n1",), "Line\n1"), ""),
        (place(("Line\n1",), b"opaque"), ""),
    ],
)
def test_the_path_is_preferred_and_what_cannot_be_written_is_not(
    made: Place, expected: str
) -> None:
    assert address_of(made, SPACES) == expected


def test_an_element_of_an_array_stands_behind_both_forms() -> None:
    assert address_of(place(("Zones",)), SPACES, "3") == "nsu=urn:plant;Zones;[3]"
    assert address_of(place(("Zones",), unique=False), SPACES, "3") == "nsu=urn:plant;i=7;[3]"


def test_a_path_through_two_namespaces_is_not_written_as_one() -> None:
    mixed = Place(node=ua.NodeId(7, 2), path=((1, "A"), (2, "B")), variable=True)
    assert address_of(mixed, SPACES) == "nsu=urn:plant;i=7"
