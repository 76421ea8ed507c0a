"""A look at a running gateway: its newest values, their ages, and the alarms that are told."""

import math
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gateway.link import Link, LinkState
from gateway.proposing.looks import Looks
from gateway.stages.latest import Latest
from plant.alarms import Alarm, AlarmState
from plant.quality import Status
from plant.reasons import Contribution, Reason, Trend
from plant.samples import Batch
from plant.tags import Tag, TagHandle

SECOND = 10**9
HANDLES = [
    TagHandle(handle, Tag(name=f"n/l/pump/{name}", source=source, address=""))
    for handle, name, source in ((5, "flow", "plc"), (2, "speed", "plc"), (7, "oil", "lab"))
]
FLOW, SPEED, OIL = (one.tag.name for one in HANDLES)


def batch(value: float, at: int, source: str = "plc", handle: int = 5, status: int = 0) -> Batch:
    return Batch(
        source, np.array([handle], np.int32), np.array([at], np.int64), np.array([value]),
        np.array([status], np.uint32), at, time.time_ns(), time.monotonic_ns(),
    )  # fmt: skip


@dataclass
class Plant:
    """What a gateway knows: values, links, and one alarm maybe."""

    alarm: Alarm | None = None

    def __post_init__(self) -> None:
        self.latest = Latest(8)
        self.links = {name: Link(name, ()) for name in ("plc", "lab")}
        book: Any = SimpleNamespace(open=lambda _path: self.alarm)
        self.looks = Looks(HANDLES, self.latest, lambda: self.links, book, ["n/l/pump"])

    def hear(self, one: Batch) -> None:
        link = self.links[one.source]
        link.hear(one)
        link.state = LinkState.UP
        self.latest.add(one, np.zeros(len(one), np.uint8))


def test_before_anything_was_heard_nothing_is_good() -> None:
    look = Plant().looks.take()

    assert [look.of(tag).status >= Status.BAD for tag in (FLOW, SPEED, OIL)] == [True] * 3
    assert look.of(FLOW).age == math.inf
    assert look.of("n/l/pump/none").status == Status.BAD_NODE_ID_UNKNOWN


def test_a_value_holds_up_to_the_watermark_of_its_source() -> None:
    plant = Plant()
    plant.hear(batch(3.0, 100 * SECOND))
    plant.hear(batch(50.0, 107 * SECOND, handle=2))

    look = plant.looks.take()

    assert (look.of(FLOW).value, look.of(FLOW).at) == (3.0, 107 * SECOND)
    assert look.flaw(FLOW, 60.0) == ""
    assert "n/l/pump/oil has bad quality" in look.flaw(OIL, 60.0)


def test_while_a_batch_is_in_work_its_watermark_counts_for_nothing() -> None:
    plant = Plant()
    plant.hear(batch(3.0, 100 * SECOND))
    plant.links["plc"].hear(batch(4.0, 107 * SECOND))
    plant.links["plc"].taking = time.monotonic_ns()

    assert plant.looks.take().of(FLOW).at == 100 * SECOND


@pytest.mark.parametrize("state", [LinkState.DOWN, LinkState.MISCONFIGURED, LinkState.ENDED])
def test_of_a_lost_source_nothing_is_good(state: LinkState) -> None:
    plant = Plant()
    plant.hear(batch(3.0, 100 * SECOND))
    plant.links["plc"].state = state

    seen = plant.looks.take().of(FLOW)

    assert (seen.status, seen.age) == (Status.BAD_NO_COMMUNICATION, math.inf)


def test_a_look_stays_as_it_was_and_nobody_writes_into_it() -> None:
    plant = Plant()
    plant.hear(batch(3.0, 100 * SECOND))
    look = plant.looks.take()
    plant.hear(batch(4.0, 101 * SECOND))

    assert look.of(FLOW).value == 3.0
    with pytest.raises(ValueError, match="read-only"):
        look.value[0] = 1.0


def alarm(state: AlarmState, beneath: AlarmState) -> Alarm:
    parts = tuple(
        Contribution(tag, share, 1.0, 1.0, 0.0, 2.0, "", 0, Trend.STEADY)
        for tag, share in ((FLOW, 0.7), (SPEED, 0.2), (OIL, 0.05))
    )
    return Alarm(
        id=4, asset="n/l/pump", priority=2, state=state, beneath=beneath, onset=9, raised=9,
        changed=9, occurrences=1, reason=Reason(3.0, 1.0, parts),
    )  # fmt: skip


UNACK, ACKED = AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED


@pytest.mark.parametrize("state", [UNACK, ACKED])
def test_an_alarm_stands_with_its_culprits(state: AlarmState) -> None:
    (found,) = Plant(alarm(state, state)).looks.take().alarms

    assert (found.id, found.priority, found.culprits) == (4, 2, (FLOW, SPEED))


@pytest.mark.parametrize(
    ("state", "beneath"),
    [
        (AlarmState.RETURNED, AlarmState.RETURNED), (AlarmState.SHELVED, UNACK),
        (AlarmState.SUPPRESSED, UNACK), (AlarmState.OUT_OF_SERVICE, ACKED),
        (AlarmState.HELD_BACK, UNACK),
    ],
)  # fmt: skip
def test_what_is_over_or_kept_quiet_does_not_stand(state: AlarmState, beneath: AlarmState) -> None:
    assert Plant(alarm(state, beneath)).looks.take().alarms == ()
