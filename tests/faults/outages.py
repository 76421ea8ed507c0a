"""Outages, over and over: what is done, to how many sources at once, and what came of it."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.simulated.hostile.proxy import ChaosProxy
from tests.faults.evidence import Evidence, doubled, missing, seconds_to_first_good, wrong
from tests.faults.plc import Witness, tags_of
from tests.faults.stage import Stage, opcua, trusting

SETTLE_S = 8.0
"""The rate that the ledger reckons with is of the seconds before the first outage."""
BETWEEN_S = 12.0
"""Stories of many sources return one after the other: it is one gateway with ten sources that is
measured, not four of them that share two cores."""
UP_S = 7.0
"""Longer than the five seconds of the bar, so that a late one is seen to be late."""
TAGS = 5
SILENCE_S = 4.0
"""Two keep-alives: silence beyond it is a loss."""


@dataclass(frozen=True)
class Story:
    """One kind of outage.

    Parameters
    ----------
    fault
        ``kill``, ``pause``, ``blackhole``, ``refuse``, ``reset``.
    outage_s
        How long.
    repeats
        How often, one after the other.
    beside
        Sources that suffer it at the same time.
    settings
        Of the witness.
    policy
        Security policy; with another than ``none`` as user operator.
    """

    fault: str
    outage_s: float
    repeats: int = 20
    beside: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    policy: str = "none"

    @property
    def noticed(self) -> bool:
        """Whether it has to be taken for a loss: a short silence that loses nothing is none."""
        return self.fault in {"kill", "refuse"} or self.outage_s > SILENCE_S


@dataclass(frozen=True)
class Outcome:
    """What a story led to, by the witness and the journal."""

    waits: list[float]
    missing: int
    wrong: int
    doubled: int
    ledger: int
    gaps: int
    live_at_most: int
    created: int
    why: list[str]


class Peer:
    """The witness of a story, and the proxy before it, as one thing that can be broken."""

    def __init__(self, witness: Witness, proxy: ChaosProxy, start: asyncio.Lock) -> None:
        self.witness = witness
        self._proxy = proxy
        self._start = start

    async def breaks(self, fault: str) -> None:
        """Do it."""
        if fault == "kill":
            await self.witness.kill()
        elif fault == "pause":
            self.witness.freeze()
        else:
            done = getattr(self._proxy, fault)()
            await (done if asyncio.iscoroutine(done) else asyncio.sleep(0))

    async def heals(self, fault: str) -> int:
        """Undo it; give the moment from which it can be reached, ns."""
        if fault == "kill":
            async with self._start:
                return await self.witness.start()
        if fault == "pause":
            return self.witness.thaw()
        await self._proxy.heal()
        return time.time_ns()


class Company:
    """What stories that run side by side share.

    Parameters
    ----------
    stories
        How many there are.
    """

    def __init__(self, stories: int) -> None:
        self.start = asyncio.Lock()
        """Held while a server starts."""
        self._awaited = stories
        self._all = asyncio.Event()

    def arrived(self) -> None:
        """Note that a story flows, or never will."""
        self._awaited -= 1
        if self._awaited <= 0:
            self._all.set()

    async def flows(self) -> None:
        """Wait until all stories flow."""
        self.arrived()
        await self._all.wait()


async def play_all(
    stories: Mapping[str, Story], folder: Path
) -> dict[str, Outcome | BaseException]:
    """Run stories, each with a server, a gateway and a journal of its own.

    Those of one source side by side, then those of many: all at once they are fifty sources and
    thirteen servers, which two slow cores do not carry.
    """
    one = {name: story for name, story in stories.items() if story.beside == 1}
    many = {name: story for name, story in stories.items() if story.beside > 1}
    return {
        **await _side_by_side(one, folder / "one", 0.0),
        **await _side_by_side(many, folder / "many", BETWEEN_S),
    }


async def _side_by_side(
    stories: Mapping[str, Story], folder: Path, between_s: float
) -> dict[str, Outcome | BaseException]:
    """Run stories at once, the outages of each so much later than those of the one before.

    Nothing is broken until all of them flow, and one server starts at a time: it costs seconds of
    both cores, more than all gateways together, and must not be measured as theirs.
    """
    company = Company(len(stories))

    async def in_turn(number: int, story: Story) -> Outcome:
        own = folder / str(number)
        own.mkdir(parents=True)
        try:
            return await play(story, own, company, number * between_s)
        finally:
            company.arrived()  # one that failed before it flowed must not hold up the others

    turns = (in_turn(i, story) for i, story in enumerate(stories.values()))
    outcomes = await asyncio.gather(*turns, return_exceptions=True)
    return dict(zip(stories, outcomes, strict=True))


async def play(story: Story, folder: Path, company: Company, later_s: float) -> Outcome:
    """Run a gateway through a story."""
    names = [f"plc{i}" for i in range(story.beside)]
    async with AsyncExitStack() as stack:
        settings = {"tags": TAGS, "sessions": story.beside + 10, **story.settings}
        witness = Witness(folder, settings)
        stack.push_async_callback(witness.kill)
        async with company.start:
            await witness.start()
        proxy = await stack.enter_async_context(ChaosProxy(witness.port))
        url = f"{proxy.url}/UA/plc"
        tags = [tag for name in names for tag in tags_of(name, TAGS)]
        source = await trusting(url, folder, story.policy)
        stage = Stage(folder, [opcua(name, url, **source) for name in names], tags)
        peer = Peer(witness, proxy, company.start)
        returned, cut = [], []
        async with stage.running():
            await asyncio.gather(*(stage.until(name, "up", 60) for name in names))
            await company.flows()
            await asyncio.sleep(SETTLE_S + later_s)
            for _ in range(story.repeats):
                cut.append(time.time_ns())
                await peer.breaks(story.fault)
                await asyncio.sleep(story.outage_s)
                returned.append(await peer.heals(story.fault))
                await asyncio.sleep(UP_S)
            cut.append(time.time_ns())
            # The ledger is compared with what is lost: it may still be fetching what is not.
            await stage.settled()
        evidence = await asyncio.to_thread(stage.evidence)
    why = [text for name in names for text in stage.why(name)]
    return _judged(evidence, witness, names, returned, cut[1:], list(dict.fromkeys(why)))


def _judged(
    evidence: Evidence,
    witness: Witness,
    names: list[str],
    returned: list[int],
    until: list[int],
    why: list[str],
) -> Outcome:
    mine = [(i, evidence.of(f"site/{name}/T{i}")) for name in names for i in range(TAGS)]
    waits = [
        wait for i, tag in mine for wait in seconds_to_first_good(tag, returned, until) if not i
    ]
    return Outcome(
        waits=waits,
        missing=sum(len(missing(tag, witness, i)) for i, tag in mine),
        wrong=sum(wrong(tag, witness, i) for i, tag in mine),
        doubled=sum(doubled(tag, witness, i) for i, tag in mine),
        ledger=sum(evidence.lost(name) for name in names),
        gaps=sum(evidence.gaps(name) for name in names),
        live_at_most=witness.live_at_most,
        created=witness.count("created"),
        why=why,
    )
