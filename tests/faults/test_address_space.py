"""P2, P7, P12: nodes that go and come, indices that move, servers that allow little."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plant.quality import Quality, quality
from plant.tags import Tag
from tests.faults.evidence import Evidence, doubled, missing, seconds_to_first_good, wrong
from tests.faults.plc import Witness, tags_of
from tests.faults.rows import Row
from tests.faults.stage import Stage, facts_of, opcua
from tests.lacking import need_node_opcua

BAR_S = 5.0
HEALS_S = 20.0
"""Within this time a refused tag has been asked for again."""
GONE = 42


@pytest.mark.parametrize(
    "restarted",
    [
        pytest.param(
            restarted,
            id=words,
            marks=pytest.mark.pain(
                "P2",
                f"1 of 100 nodes is removed {words}, and returns",
                "node-opcua",
                f"99 flow on within 5 s; the 1 is Bad; it heals within {HEALS_S:.0f} s "
                "of its return; 0 wrong",
            ),
        )
        for restarted, words in [(True, "by a restart of the server"), (False, "while it runs")]
    ],
)
def test_p02_one_node_gone(restarted: bool, tmp_path: Path, row: Row) -> None:
    need_node_opcua()

    async def go() -> tuple[int, int, int, Witness, Stage]:
        async with Witness(tmp_path, {"tags": 100, "period": 200}) as witness:
            stage = Stage(tmp_path, [opcua("plc", witness.url)], tags_of("plc", 100))
            async with stage.running():
                await stage.until("plc", "up", 30)
                await asyncio.sleep(2)
                removing = removed_by_restart if restarted else removed_at_once
                gone = await removing(witness)
                await asyncio.sleep(6)
                back = await witness.order(**{"return": f"T{GONE}"})
                await asyncio.sleep(HEALS_S)
            return gone, back, time.time_ns(), witness, stage

    gone, back, end, witness, stage = asyncio.run(go())
    evidence = stage.evidence()
    others = [i for i in range(100) if i != GONE]
    waits = [
        seconds_to_first_good(evidence.of(f"site/plc/T{i}"), [gone], [back])[0] for i in others
    ]
    lone = evidence.of(f"site/plc/T{GONE}")
    between = lone.status[(lone.received >= gone) & (lone.received < back)]
    (heals,) = seconds_to_first_good(lone, [back], [end])
    row.measured(
        flowing=f"{sum(wait <= BAR_S for wait in waits)} of 99 within {max(waits):.1f} s",
        the_one=_words(between),
        heals_after=f"{heals:.1f} s",
        wrong=sum(wrong(evidence.of(f"site/plc/T{i}"), witness, i) for i in range(100)),
    )
    assert max(waits) <= BAR_S
    assert row.figures["wrong"] == "0"
    assert row.figures["the one"] == "Bad"
    assert heals <= HEALS_S, "it does not heal"


async def removed_by_restart(witness: Witness) -> int:
    await witness.kill()
    return await witness.start(missing=[f"T{GONE}"])


async def removed_at_once(witness: Witness) -> int:
    return await witness.order(remove=f"T{GONE}")


def _words(status: "np.ndarray[tuple[int], np.dtype[np.uint32]]") -> str:
    if not len(status):
        return "silent, as if it did not change"
    return Quality(int(quality(status)[-1])).name.capitalize()


@pytest.mark.pain(
    "P7",
    "a server restarts with its namespaces in another order, twice; tags by identifier and by path",
    "node-opcua",
    "all flow within 5 s; 0 wrong, 0 swapped",
)
def test_p07_namespaces_shuffled(tmp_path: Path, row: Row) -> None:
    need_node_opcua()
    orders = [
        ["urn:a", "urn:plant:line", "urn:b"],
        ["urn:plant:line", "urn:b", "urn:a"],
        ["urn:c", "urn:b", "urn:a", "urn:plant:line"],
    ]
    by_path = tags_of("plc", 10, "Line1/T{}")
    tags: list[Tag] = [*tags_of("plc", 10)[:5], *by_path[5:]]

    async def go() -> tuple[list[int], Witness, Stage]:
        returned = []
        async with Witness(tmp_path, {"spaces": orders[0]}) as witness:
            stage = Stage(tmp_path, [opcua("plc", witness.url)], tags)
            async with stage.running():
                await stage.until("plc", "up", 30)
                await asyncio.sleep(2)
                for order in orders[1:]:
                    await witness.kill()
                    returned.append(await witness.start(spaces=order))
                    await asyncio.sleep(7)
        return returned, witness, stage

    returned, witness, stage = asyncio.run(go())
    evidence = stage.evidence()
    mine = [(i, evidence.of(f"site/plc/T{i}")) for i in range(10)]
    until = [*returned[1:], time.time_ns()]
    waits = [wait for _, tag in mine for wait in seconds_to_first_good(tag, returned, until)]
    row.measured(
        first_good_value=f"{max(waits):.1f} s at most, 10 tags",
        lost=sum(len(missing(tag, witness, i)) for i, tag in mine),
        ledger_says=evidence.lost("plc"),
        wrong=sum(wrong(tag, witness, i) for i, tag in mine),
    )
    assert max(waits) <= BAR_S
    assert row.figures["wrong"] == "0"


LIMITED = {"tags": 1200, "period": 1000, "operations": 100, "items": 1000, "subscriptions": 1}


@pytest.mark.pain(
    "P12",
    "1,200 tags of a server that allows 100 operations a call, 1,000 monitored items and "
    "1 subscription",
    "node-opcua",
    "all 1,200 Good and flowing; what is not monitored is polled and said; 0 wrong",
)
def test_p12_a_server_that_allows_little(tmp_path: Path, row: Row) -> None:
    need_node_opcua()
    seconds = 15
    tags = [replace(tag, name=f"site/plc{i % 10}/{tag.signal}") for i, tag in _numbered(1200)]

    async def go() -> tuple[Witness, Stage, tuple[str, ...]]:
        async with Witness(tmp_path, LIMITED) as witness:
            source = opcua("plc", witness.url, publishing_ms=500.0)
            stage = Stage(tmp_path, [source], tags)
            async with stage.running() as gateway:
                await stage.until("plc", "up", 30)
                await asyncio.sleep(seconds)
                notes = facts_of(gateway, "plc").notes
            return witness, stage, notes

    witness, stage, notes = asyncio.run(go())
    evidence = stage.evidence()
    counts = [_fresh(evidence, tag) for tag in tags]
    row.measured(
        flowing=f"{sum(count >= seconds / 2 for count in counts)} of 1200",
        fewest_values=f"{min(counts)} in {seconds} s",
        lost=sum(len(missing(evidence.of(t.name), witness, i)) for i, t in enumerate(tags)),
        twice=sum(doubled(evidence.of(t.name), witness, i) for i, t in enumerate(tags)),
        wrong=sum(wrong(evidence.of(t.name), witness, i) for i, t in enumerate(tags)),
        said="; ".join(notes) or "nothing",
    )
    assert min(counts) >= seconds / 2
    assert row.figures["wrong"] == "0"
    assert notes, "the shortfall is not reported"


def _numbered(count: int) -> list[tuple[int, Tag]]:
    return list(enumerate(tags_of("plc", count)))


def _fresh(evidence: Evidence, tag: Tag) -> int:
    live = evidence.of(tag.name).live_good()
    return len(np.unique(live.at))
