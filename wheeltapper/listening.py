"""A source listened to for a moment: whether anything comes, is good, and changes."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plant.errors import Exhausted, Misconfigured, PlantError, Rejected
from plant.findings import Finding, Verdict
from plant.quality import Status, status_name
from plant.tags import Tag, TagHandle

if TYPE_CHECKING:
    from connectors.catalogue import SourceConfig
    from connectors.contract import Facts, Source
    from plant.samples import Batch

LISTENED_S = 3.0
"""How long values are awaited and watched, s."""
FIRST_S = 10.0
"""Longest wait for the first value, s."""
SHOWN = 5
"""Tags that a finding names."""


@dataclass
class Heard:
    """What came from a source while it was listened to.

    Attributes
    ----------
    status, value
        The latest of each tag, by its handle; texts have a status only.
    moved
        Handles of tags that changed.
    first_s
        Time to the first sample, s; None while there is none.
    facts
        What the source says of its connection.
    """

    status: dict[int, int] = field(default_factory=dict)
    value: dict[int, float] = field(default_factory=dict)
    moved: set[int] = field(default_factory=set)
    first_s: float | None = None
    facts: "Facts | None" = None

    def take(self, batch: "Batch") -> None:
        """Take note of a batch."""
        for handle, value, status in zip(
            batch.tag.tolist(), batch.value.tolist(), batch.status.tolist(), strict=True
        ):
            before = self.value.get(handle, value)
            if before != value and not (math.isnan(before) and math.isnan(value)):
                self.moved.add(handle)
            self.value[handle] = value
            self.status[handle] = status
        for event in batch.context:
            if event.tag in self.status:
                self.moved.add(event.tag)
            self.status[event.tag] = event.status


async def listen(config: "SourceConfig", tags: Sequence[TagHandle], listened_s: float) -> Heard:
    """Enter a source, read it for a moment and leave it.

    Raises
    ------
    Unreachable, Misconfigured
        It cannot be entered, or is lost before anything came.
    """
    from connectors.catalogue import build
    from connectors.contract import Described

    heard = Heard()
    began = time.monotonic()
    async with build(config, tags) as source:
        try:
            async with asyncio.timeout(FIRST_S) as limit:
                while True:
                    heard.take(await _read(source))
                    if heard.first_s is None and heard.status:
                        heard.first_s = time.monotonic() - began
                        limit.reschedule(asyncio.get_running_loop().time() + listened_s)
        except (TimeoutError, Exhausted):
            pass
        if isinstance(source, Described):
            heard.facts = source.facts()
    return heard


async def _read(source: "Source") -> "Batch":
    while True:
        try:
            return await source.read()
        except Rejected:
            # One answer that makes no sense; the next may.
            await asyncio.sleep(0)


async def heard_from(
    config: "SourceConfig", tags: Sequence[Tag], listened_s: float | None = None
) -> tuple[Heard, list[Finding]]:
    """Listen to a source and judge what came; the last check of every protocol."""
    handles = [TagHandle(number, tag) for number, tag in enumerate(tags)]
    try:
        heard = await listen(config, handles, listened_s or LISTENED_S)
    except PlantError as error:
        verdict = Verdict.WRONG if isinstance(error, Misconfigured) else Verdict.UNREACHABLE
        words = str(error).removeprefix(f"{config.name}: ")
        return Heard(), [_finding(config, verdict, words)]
    return heard, [_judged(config, tags, heard)]


def _judged(config: "SourceConfig", tags: Sequence[Tag], heard: Heard) -> Finding:
    total, came = len(tags), len(heard.status)
    if heard.first_s is None:
        return _finding(
            config,
            Verdict.NO_DATA,
            f"connected, but no data: not one of {total:,} tags came within {FIRST_S:g} s",
            "the other side took the order and sends nothing: is publishing or sampling disabled "
            "there, or is it paused?",
        )
    bad = Counter(status for status in heard.status.values() if status >> 30)
    if sum(bad.values()) == came:
        kinds = ", ".join(f"{n:,} × {status_name(status)}" for status, n in bad.most_common(SHOWN))
        return _finding(
            config,
            Verdict.NO_DATA,
            f"connected, but no data: no value is Good ({kinds})",
            "correct the addresses first"
            if set(bad) == {Status.BAD_NODE_ID_UNKNOWN}
            else "the other side does not get them from its devices: look at its own diagnostics",
        )
    words = (
        f"{came:,} of {total:,} tags came, the first after {heard.first_s:.1f} s; "
        f"{came - sum(bad.values()):,} Good, {len(heard.moved):,} changed"
    )
    if came < total:
        silent = [tag.name for number, tag in enumerate(tags) if number not in heard.status]
        return _finding(config, Verdict.NOTE, f"{words}; silent: {_named(silent)}")
    if bad:
        names = [tag.name for number, tag in enumerate(tags) if heard.status[number] >> 30]
        return _finding(config, Verdict.NOTE, f"{words}; not Good: {_named(names)}")
    if not heard.moved:
        return _finding(
            config,
            Verdict.NOTE,
            f"{words}: connected, and nothing moves",
            "right for settings and for a machine at rest; else see whether the other side still "
            "reads its devices",
        )
    return _finding(config, Verdict.GOOD, words)


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" * (len(names) > SHOWN))


def _finding(config: "SourceConfig", verdict: Verdict, result: str, mend: str = "") -> Finding:
    return Finding(subject=config.name, check="values", verdict=verdict, result=result, mend=mend)
