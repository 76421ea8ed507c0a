import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua.address import NodeAddress, PathAddress, parse_address
from plant.errors import Misconfigured


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("nsu=urn:a;s=Line1.Flow", NodeAddress("urn:a", "Line1.Flow")),
        ("nsu=urn:a;s=a;b=c", NodeAddress("urn:a", "a;b=c")),
        ("nsu=http://x/y;i=4294967295", NodeAddress("http://x/y", 4294967295)),
        ("nsu=urn:a;Line1/Flow", PathAddress("urn:a", ("Line1", "Flow"))),
        ("nsu=urn:a;/Line1/Flow", PathAddress("urn:a", ("Line1", "Flow"))),
        ("nsu=urn:a;m&/s", PathAddress("urn:a", ("m/s",))),
        ("nsu=urn:a;R&&D/x", PathAddress("urn:a", ("R&D", "x"))),
        ("nsu=urn:a;a\nb/x", PathAddress("urn:a", ("a\nb", "x"))),
        ("nsu=urn:a;s=Line1.Temps;[3]", NodeAddress("urn:a", "Line1.Temps", "3")),
        ("nsu=urn:a;i=7;[01,2]", NodeAddress("urn:a", 7, "1,2")),
        ("nsu=urn:a;Line1/Temps;[3]", PathAddress("urn:a", ("Line1", "Temps"), "3")),
        ("nsu=urn:a;Line1/R&&D&&;[3]", PathAddress("urn:a", ("Line1", "R&D&"), "3")),
        ("nsu=urn:a;s=a;b&;[0]", NodeAddress("urn:a", "a;b&", "0")),
        ("nsu=urn:a;Line1/Temps&;[3]", PathAddress("urn:a", ("Line1", "Temps;[3]"))),
        ("nsu=urn:a;s=arr[3]", NodeAddress("urn:a", "arr[3]")),
        ("nsu=urn:a;DB/arr[3]", PathAddress("urn:a", ("DB", "arr[3]"))),
        ("nsu=urn:a;DB/arr/[3]", PathAddress("urn:a", ("DB", "arr", "[3]"))),
        ("nsu=urn:a;s=a;[b]", NodeAddress("urn:a", "a;[b]")),
    ],
)
def test_addresses(text: str, address: object) -> None:
    assert parse_address(text, "t") == address


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("ns=3;s=Flow", "write nsu=<uri>;s=Flow"),
        ("ns=3;i=12", "write nsu=<uri>;i=12"),
        ("s=Flow", "write nsu=<uri>;s=Flow"),
        ("i=2258", "write nsu=<uri>;i=2258"),
        ("", "write nsu=<uri>;s=<id>"),
        ("nsu=urn:a", "write nsu=<uri>;s=<id>"),
        ("nsu=;s=a", "write nsu=<uri>;s=<id>"),
        ("nsu=urn:a;s=", "nothing after s="),
        ("nsu=urn:a;i=-1", "whole number"),
        ("nsu=urn:a;i=4294967296", "whole number"),
        ("nsu=urn:a;i=²", "whole number"),
        ("nsu=urn:a;g=09087e75-8e5e-499b-954f-f2a9603db28a", "browse path"),
        ("nsu=urn:a;Line1//Flow", "empty name"),
        ("nsu=urn:a;Line1/", "empty name"),
        ("nsu=urn:a;s=a;[]", "write ;[3]"),
        ("nsu=urn:a;s=a;[1:3]", "write ;[3]"),
        ("nsu=urn:a;s=a;[1,]", "write ;[3]"),
        ("nsu=urn:a;Line1/a;[-1]", "write ;[3]"),
        ("nsu=urn:a;s=a;[4294967296]", "write ;[3]"),
        ("nsu=urn:a;s=;[1]", "nothing after s="),
        ("nsu=urn:a;;[1]", "empty name"),
    ],
)
def test_refusals_say_the_mend(text: str, mend: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(mend)) as refusal:
        parse_address(text, "site/line/flow")
    assert "site/line/flow" in str(refusal.value)


_NAME = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@given(st.lists(_NAME, min_size=1, max_size=4))
def test_any_name_can_be_escaped(names: list[str]) -> None:
    path = "/".join(name.replace("&", "&&").replace("/", "&/").replace(";", "&;") for name in names)
    assert parse_address(f"nsu=urn:a;/{path}", "t") == PathAddress("urn:a", tuple(names))


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_misconfigured(text: str) -> None:
    with contextlib.suppress(Misconfigured):
        assert parse_address(text, "t").uri
