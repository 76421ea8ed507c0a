"""P10, P11: clocks that are wrong, and what becomes of quality and time on the way."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from connectors.simulated.hostile.proxy import ChaosProxy
from gateway.config.plan import DetectionPlan
from plant.quality import Quality, quality
from tests.faults.evidence import Samples, bad_after_s, missing, wrong
from tests.faults.outages import Peer
from tests.faults.plc import Witness, tags_of
from tests.faults.rows import Row
from tests.faults.stage import Stage, facts_of, opcua, trusting
from tests.lacking import need_node_opcua

KEEP_ALIVE_S = 2.0
SHOWN_WITHIN_S = 2.0


@pytest.mark.parametrize(
    ("skew_s", "policy"),
    [
        pytest.param(
            skew_s,
            policy,
            id=f"{skew_s} {policy}",
            marks=pytest.mark.pain(
                "P10",
                f"a server whose clock is {words}, security {policy}",
                "node-opcua",
                f"connects; skew shown to {SHOWN_WITHIN_S:.0f} s; source times kept and in order; "
                "0 wrong",
            ),
        )
        for skew_s, words in [(-3600, "1 h behind"), (300, "5 min ahead")]
        for policy in ("none", "Basic256Sha256")
    ],
)
def test_p10_a_wrong_clock(skew_s: int, policy: str, tmp_path: Path, row: Row) -> None:
    need_node_opcua()

    async def go() -> tuple[Witness, Stage, float | None]:
        async with Witness(tmp_path) as witness:  # with certificates made while the clock was right
            await witness.kill()
            await witness.start(skew=1000 * skew_s)
            source = await trusting(witness.url, tmp_path, policy)
            stage = Stage(tmp_path, [opcua("plc", witness.url, **source)], tags_of("plc", 3))
            async with stage.running() as gateway:
                await stage.until("plc", "up", 30)
                await asyncio.sleep(8)
                shown = facts_of(gateway, "plc").clock_offset_s
            return witness, stage, shown

    witness, stage, shown = asyncio.run(go())
    evidence = stage.evidence()
    mine = [(i, evidence.of(f"site/plc/T{i}")) for i in range(3)]
    kept = [tag.live_good() for _, tag in mine]
    row.measured(
        values=min(len(tag.at) for tag in kept),
        shown="nothing" if shown is None else f"{shown:+.1f} s",
        lost=sum(len(missing(tag, witness, i)) for i, tag in mine),
        wrong=sum(wrong(tag, witness, i, 1000 * skew_s) for i, tag in mine),
        out_of_order=sum(int(np.count_nonzero(np.diff(tag.at) <= 0)) for tag in kept),
    )
    assert int(row.figures["values"]) >= 60
    assert row.figures["wrong"] == "0"
    assert row.figures["out of order"] == "0"
    assert shown is not None, "the skew is not shown"
    assert abs(shown - skew_s) <= SHOWN_WITHIN_S


JUDGED = DetectionPlan(learn_s=12.0, grid_s=0.1)
"""Learnt within the first seconds of a row."""
GOOD, UNCERTAIN, SENSOR = 0, 0x40900000, 0x808C0000


@pytest.mark.pain(
    "P11",
    "Good, Uncertain and Bad by turns, each with its source time",
    "node-opcua",
    "status and time bit by bit in the journal; no sample that is not Good judged or scored",
)
def test_p11_quality_and_time_to_the_bit(tmp_path: Path, row: Row) -> None:
    need_node_opcua()

    async def go() -> tuple[Witness, Stage]:
        async with Witness(tmp_path, {"tags": 3, "level": True}) as witness:
            source = opcua("plc", witness.url)
            stage = Stage(tmp_path, [source], tags_of("plc", 3), detection=JUDGED)
            async with stage.running():
                await stage.until("plc", "up", 30)
                await asyncio.sleep(32)
            return witness, stage

    witness, stage = asyncio.run(go())
    evidence = stage.evidence()
    all_told = [evidence.of(f"site/plc/T{i}") for i in range(3)]
    compared, unlike = zip(*(unlike_of(tag, witness) for tag in all_told), strict=True)
    row.measured(
        compared=sum(compared),
        unlike=sum(unlike),
        statuses=len(np.unique(all_told[0].status)),
        judged_though_not_good=evidence.judged_not_good,
        rows_scored=evidence.scored(0, time.time_ns()),
    )
    assert sum(compared) > 700
    assert row.figures["unlike"] == "0"
    assert set(all_told[0].status.tolist()) >= {GOOD, UNCERTAIN, SENSOR}
    assert evidence.judged_not_good == 0


def unlike_of(samples: Samples, witness: Witness) -> tuple[int, int]:
    """Samples of the source, and those whose status is not what the witness gave that tick."""
    mine = samples.where(np.isin(samples.status, (GOOD, UNCERTAIN, SENSOR)))
    ticks = mine.at // (witness.period * 1_000_000)
    given = np.where(ticks % 15 == 0, SENSOR, np.where(ticks % 10 == 0, UNCERTAIN, GOOD))
    off_beat = mine.at % (witness.period * 1_000_000) != 0
    unlike = (given != mine.status) | off_beat | ~np.isin(ticks, witness.ticks)
    return len(ticks), int(np.count_nonzero(unlike))


@pytest.mark.parametrize(
    ("fault", "bar_s"),
    [
        pytest.param(
            fault,
            bar_s,
            id=fault,
            marks=pytest.mark.pain(
                "P11",
                words,
                "node-opcua",
                f"Bad within {bar_s:.1f} s; until then a tag that does not change stays Good; "
                "nothing scored of the time without values",
            ),
        )
        for fault, words, bar_s in [
            ("kill", "the server is killed", 1.0),
            ("blackhole", "the cable is pulled: 2 keep-alives", 2 * KEEP_ALIVE_S),
        ]
    ],
)
def test_p11_link_down_is_bad(fault: str, bar_s: float, tmp_path: Path, row: Row) -> None:
    need_node_opcua()

    async def go() -> tuple[int, int, Stage]:
        settings = {"tags": 3, "still": ["T2"]}
        async with Witness(tmp_path, settings) as witness, ChaosProxy(witness.port) as proxy:
            url = f"{proxy.url}/UA/plc"
            stage = Stage(tmp_path, [opcua("plc", url)], tags_of("plc", 3), detection=JUDGED)
            async with stage.running():
                await stage.until("plc", "up", 30)
                await asyncio.sleep(30)
                cut = time.time_ns()
                await Peer(witness, proxy, asyncio.Lock()).breaks(fault)
                await asyncio.sleep(12)
                return cut, time.time_ns(), stage

    cut, end, stage = asyncio.run(go())
    evidence = stage.evidence()
    waits = [bad_after_s(evidence.of(f"site/plc/T{i}"), cut) for i in range(3)]
    still = evidence.of("site/plc/T2")
    before = still.where(still.received < cut)
    row.measured(
        bad_after=f"{max(waits):.1f} s",
        still_tag_bad_before=int(np.count_nonzero(quality(before.status) == Quality.BAD)),
        rows_scored_before=evidence.scored(0, cut),
        rows_scored_without_values=evidence.scored(cut + 1_500_000_000, end),
    )
    assert row.figures["still tag bad before"] == "0"
    assert int(row.figures["rows scored before"]) > 0, "nothing was scored at all"
    assert row.figures["rows scored without values"] == "0"
    assert max(waits) <= bar_s
