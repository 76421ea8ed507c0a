"""Browsing: a real server of 2,000 variables, and made-up ones that mean harm."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from connectors.opcua.commissioning import browse
from connectors.opcua.commissioning.browse import Bounds, Walk, walk
from connectors.opcua.commissioning.pattern import Pattern
from connectors.opcua.commissioning.survey import Survey, survey
from connectors.opcua.config import OpcUaConfig
from plant.tags import ValueType
from tests.plant2000 import Plant2000

SPACE = "nsu=urn:plant:two-thousand"


@pytest.fixture(scope="module")
def found(plant2000: Callable[..., Plant2000]) -> Survey:
    config = OpcUaConfig(name="plc", url=plant2000().url, security="none")
    told: list[tuple[int, int]] = []
    seen = asyncio.run(
        survey(config, Pattern("**"), watch_s=1.2, progress=lambda *steps: told.append(steps))
    )
    assert told[-1] == (2_000, 2_000)
    return seen


@pytest.mark.journey
def test_every_variable_is_found_once_in_spite_of_a_circle(found: Survey) -> None:
    assert (found.counted, found.nodes) == (2_000, 2_106)
    assert len({one.address for one in found.variables}) == len(found.variables) == 2_300
    assert found.notes == ()


@pytest.mark.journey
def test_type_unit_range_description_and_sample_are_taken_over(found: Survey) -> None:
    (one,) = [each for each in found.variables if each.path == "Line2/Machine3/Pressure"]
    assert (one.type, one.unit, one.low, one.high) == (ValueType.FLOAT32, "bar", 0.0, 16.0)
    assert (one.description, one.status) == ("Outlet", 0)
    assert one.address == f"{SPACE};Line2/Machine3/Pressure"
    assert isinstance(one.value, float)
    assert one.at is not None


@pytest.mark.journey
def test_a_unit_that_nobody_knows_is_told_and_left_out(found: Survey) -> None:
    (one,) = [each for each in found.variables if each.path == "Line1/Machine1/Weight"]
    assert (one.unit, one.unit_text) == ("", "bushel(UK)")


@pytest.mark.journey
def test_a_small_array_is_taken_apart(found: Survey) -> None:
    zones = [each for each in found.variables if "Machine1/Profile" in each.path][:4]
    assert [each.address for each in zones] == [
        f"{SPACE};Line1/Machine1/Profile;[{i}]" for i in range(4)
    ]
    first = zones[0].value
    assert isinstance(first, float)
    assert [each.value for each in zones] == [first + i for i in range(4)]


@pytest.mark.journey
def test_a_time_is_no_tag_and_says_why(found: Survey) -> None:
    (one,) = [each for each in found.variables if each.path == "Line1/Machine1/Since"]
    assert "DateTime" in one.obstacle


@pytest.mark.journey
def test_process_values_are_numbers_with_a_unit_or_that_move(found: Survey) -> None:
    likely = {one.path for one in found.likely() if one.path.startswith("Line1/Machine1/")}
    names = {path.rpartition("/")[2] for path in likely}
    assert {"Temperature", "Setpoint", "Ripple", "Profile;[0]"} <= names
    assert not {"Mode", "Recipe", "Running", "Since"} & names


@pytest.mark.journey
def test_hostile_names_and_texts_fit_one_line(found: Survey) -> None:
    odd = [each for each in found.variables if each.path.startswith("Odd/")]
    assert len(odd) == 100
    assert all(each.address.isprintable() and len(each.address) <= 500 for each in odd)
    assert all(each.description.isprintable() for each in odd)
    assert all(each.address for each in odd)


@pytest.mark.journey
def test_only_what_may_lead_there_is_browsed(plant2000: Callable[..., Plant2000]) -> None:
    config = OpcUaConfig(name="plc", url=plant2000().url, security="none")
    seen = asyncio.run(survey(config, Pattern("Line1/*/Flow")))
    assert (seen.counted, seen.nodes) == (20, 6 + 20 + 20 * 19)
    assert {one.unit for one in seen.variables} == {"m3/h"}


@pytest.mark.journey
def test_answers_that_come_in_pieces_are_put_together(
    plant2000: Callable[..., Plant2000], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "_REFERENCES", 7)
    config = OpcUaConfig(name="plc", url=plant2000().url, security="none")
    assert asyncio.run(survey(config, Pattern("Line1/**"))).counted == 380


@dataclass
class Harm:
    """A server as the walk sees it; `below` says what stands below a node."""

    below: Callable[[int], list[int]]
    endless: bool = False
    short_of_points: bool = False
    asked: list[int] = field(default_factory=list)

    async def browse(self, parameters: ua.BrowseParameters) -> list[ua.BrowseResult]:
        nodes = [one.NodeId.Identifier for one in parameters.NodesToBrowse]
        self.asked.append(len(nodes))
        return [self._answer(node, alone=len(nodes) == 1) for node in nodes]

    async def browse_next(self, parameters: ua.BrowseNextParameters) -> list[ua.BrowseResult]:
        return [self._result([], b"more") for _ in parameters.ContinuationPoints]

    def _answer(self, node: int, *, alone: bool) -> ua.BrowseResult:
        if self.short_of_points and not alone:
            return ua.BrowseResult(StatusCode=ua.StatusCode(StatusCodes.BadNoContinuationPoints))
        return self._result(self.below(node), b"more" if self.endless else None)

    def _result(self, nodes: list[int], point: bytes | None) -> ua.BrowseResult:
        references = [
            ua.ReferenceDescription(
                ReferenceTypeId=ua.NodeId(35, 0),
                NodeId=ua.ExpandedNodeId(node, 1),
                BrowseName=ua.QualifiedName("same", 1),
                NodeClass=ua.NodeClass.Object,
            )
            for node in nodes
        ]
        return ua.BrowseResult(ContinuationPoint=point, References=references)


def walked(harm: Harm, **bounds: int) -> Walk:
    client: Any = SimpleNamespace(uaclient=harm)
    return asyncio.run(asyncio.wait_for(walk(client, bounds=Bounds(**bounds)), 60))


def test_a_space_without_an_end_is_cut() -> None:
    ended = walked(Harm(lambda node: [10 * node + i for i in range(10)]), nodes=500)
    assert len(ended.places) == 500
    assert ended.cut > 0


def test_a_path_without_an_end_is_cut() -> None:
    ended = walked(Harm(lambda node: [node + 1]), depth=30)
    assert len(ended.places) == 30
    assert ended.cut == 1


def test_a_circle_ends() -> None:
    assert len(walked(Harm(lambda node: [86, 87])).places) == 2


def test_two_nodes_of_one_name_have_no_path_of_their_own() -> None:
    ended = walked(Harm(lambda node: [86, 87] if node == 85 else []))
    assert [place.unique for place in ended.places] == [False, False]


def test_a_server_that_always_has_more_and_sends_nothing_is_left() -> None:
    ended = walked(Harm(lambda node: [86] if node == 85 else [], endless=True))
    assert len(ended.places) == 1


def test_nodes_are_asked_alone_where_continuation_points_are_short() -> None:
    def below(node: int) -> list[int]:
        return [86, 87] if node == 85 else [100 + node]

    ended = walked(Harm(below, short_of_points=True), depth=2)
    assert len(ended.places) == 4
    assert ended.refused == []


def test_a_name_that_is_too_long_is_left_out() -> None:
    assert walked(Harm(lambda node: [86]), name=3).cut == 1
