"""The parts of this gateway: a verdict on each as its cycle ends, and what people say of them.

A fold over the samples and over what people order, as the alarm book is. What is kept in memory is
the last parts of each machine; the journal has them all.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.cycles import features
from analytics.parts import KEPT, PartJudge, PartSettings, Verdict
from gateway.config.plan import CyclePlan, Plan, longest_silence
from gateway.stages.cycles import CycleGatherer, CycleGroup, Ended
from plant.assets import Asset
from plant.errors import Rejected
from plant.parts import Deviation, Measure, Part, PartLabel, PartVerdict
from plant.samples import Batch
from plant.tags import TagHandle

FEW = 10
"""Parts from which the usual time between two is told."""
PAUSE = 4
"""So many times of it without a part are a pause."""
LATELY = 100
"""Judged parts of which the share that was suspect is told."""

State = dict[str, NDArray[Any]]
Contain = Callable[[str, Callable[[], Any]], Any]


def part_body(part: Part) -> dict[str, Any]:
    """Write a part as plain data."""
    return asdict(part)


def part_from(body: Mapping[str, Any]) -> Part:
    """Read a part back from plain data."""
    deviations = tuple(
        Deviation(**{**one, "measure": Measure(one["measure"])}) for one in body["deviations"]
    )
    return Part(
        **{
            **body,
            "verdict": PartVerdict(body["verdict"]),
            "deviations": deviations,
            "label": PartLabel(body["label"]) if body["label"] else None,
        }
    )


class PartBook:
    """The parts of one machine.

    Parameters
    ----------
    asset
        The machine.
    judge
        What says how its parts are.
    """

    def __init__(self, asset: Asset, judge: PartJudge) -> None:
        self.asset, self.judge = asset, judge
        self.counts = dict.fromkeys(PartVerdict, 0)
        self._kept: deque[Part] = deque(maxlen=KEPT)

    def parts(self) -> list[Part]:
        """Give the last parts, newest last."""
        return list(self._kept)

    @property
    def last(self) -> Part | None:
        """The newest part."""
        return self._kept[-1] if self._kept else None

    def lately(self) -> tuple[int, int]:
        """Count the suspect ones among the parts judged last, and those judged."""
        told = [
            p.verdict for p in self._kept if p.verdict in (PartVerdict.GOOD, PartVerdict.SUSPECT)
        ]
        return told[-LATELY:].count(PartVerdict.SUSPECT), len(told[-LATELY:])

    def rested(self, start: int) -> bool:
        """Tell whether the machine stood still before a part that begins at `start`, ns."""
        lately = list(self._kept)[-FEW:]
        if len(lately) < FEW:
            return False
        usual = np.median([one.start - before.start for before, one in pairwise(lately)])
        return bool(start - lately[-1].start > PAUSE * usual)

    def enter(self, part: Part) -> None:
        """Take a new part."""
        self._kept.append(part)
        self.counts[part.verdict] += 1

    def find(self, number: str) -> Part:
        """Give the newest part of that number.

        Raises
        ------
        Rejected
            There is none among those kept.
        """
        for part in reversed(self._kept):
            if part.number == number:
                return part
        raise Rejected(
            f"{self.asset.name} has made no part {number} among its last {len(self._kept)}"
        )

    def replace(self, part: Part) -> None:
        """Put a part in the place of its earlier self."""
        place = next(k for k, kept in enumerate(self._kept) if kept.id == part.id)
        self._kept[place] = part

    def state(self) -> State:
        """Give everything held, as arrays."""
        held = {"kept": [part_body(part) for part in self._kept], "counts": self.counts}
        return {"held": np.frombuffer(json.dumps(held).encode(), np.uint8), **self.judge.state()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state."""
        held = json.loads(state["held"].tobytes())
        self._kept = deque(map(part_from, held["kept"]), maxlen=KEPT)
        self.counts = {PartVerdict(word): count for word, count in held["counts"].items()}
        self.judge.restore(state)


class PartBooks:
    """Judges the parts of every machine that has a trigger or a part number.

    Parameters
    ----------
    plan
        What a part is, and what the plant wants.
    handles
        Every tag of the plan with its journal handle.
    key
        Names the snapshot of an asset so that nothing else under the same path is taken for it.
    contain
        Runs each judge; the supervisor's business.
    """

    def __init__(
        self,
        plan: Plan,
        handles: Sequence[TagHandle],
        key: Callable[[Asset, Sequence[TagHandle]], str],
        contain: Contain,
    ) -> None:
        self._contain = contain
        self._next = 1
        by_name = {handle.tag.name: handle.tag for handle in handles}
        self.books: dict[str, PartBook] = {}
        self._keys: dict[str, str] = {}
        self._groups = build_groups(plan, handles)
        for gatherer in (one for group in self._groups for one in group.gatherers):
            asset, cycle = gatherer.asset, gatherer.plan
            signals = [by_name[name] for name in asset.signals]
            settings = PartSettings(learn=cycle.learn, false_in_1000=cycle.false_in_1000)
            judge = PartJudge([t.name for t in signals], [t.unit for t in signals], settings)
            self.books[asset.path] = PartBook(asset, judge)
            self._keys[asset.path] = key(asset, gatherer.tags)

    def number_from(self, number: int) -> None:
        """Give the next parts numbers from here on: the journal has told those before."""
        self._next = max(self._next, number)

    def take(self, batch: Batch) -> list[Part]:
        """Take a scaled live batch; give the parts whose cycles ended with it."""
        made = []
        for group in self._groups:
            if batch.source in group.sources:
                names = ", ".join(one.asset.path for one in group.gatherers)
                found = self._contain(f"cycles of {names}", partial(group.take, batch))
                made += [self._made(ended, batch) for ended in found or ()]
        return made

    def _made(self, ended: Ended, batch: Batch) -> Part:
        book, number = self.books[ended.asset], self._next
        self._next += 1
        verdict = Verdict(PartVerdict.CANNOT_JUDGE, ended.why)
        if not ended.why:
            name = f"parts of {ended.asset}"
            said = self._contain(
                name,
                lambda: book.judge.judge(
                    number, features(ended.cycle), ended.mode, rested=book.rested(ended.cycle.start)
                ),
            )
            verdict = said or Verdict(PartVerdict.CANNOT_JUDGE, "its judge failed")
        part = Part(
            id=number,
            asset=ended.asset,
            number=ended.number or f"#{number}",
            start=ended.cycle.start,
            stop=ended.cycle.stop,
            mode=ended.mode,
            verdict=verdict.verdict,
            why=verdict.why,
            score=verdict.score,
            limit=verdict.limit,
            deviations=verdict.deviations,
            learnt=verdict.learnt,
            provisional=verdict.provisional,
            like=verdict.like,
            replayed=batch.replayed,
        )
        book.enter(part)
        return part

    def reconnected(self, source: str) -> None:
        """Note that the next live batch of `source` is the first of a connection."""
        for group in self._groups:
            if source in group.sources:
                group.reconnected(source)

    def label(self, at: int, body: Mapping[str, Any]) -> Part:
        """Learn what a part turned out to be.

        Raises
        ------
        KeyError
            No such machine makes parts.
        Rejected
            The part is not among those kept.
        """
        book, label = self.books[body["asset"]], PartLabel(body["label"])
        part = replace(
            book.find(body["number"]),
            label=label,
            actor=body["actor"],
            note=body["note"],
            labelled=at,
        )
        name = f"parts of {part.asset}"
        self._contain(name, lambda: book.judge.label(part.id, part.number, label))
        book.replace(part)
        return part

    def accept(self, asset: str) -> None:
        """Learn anew how healthy parts of a machine are; KeyError where it makes none."""
        self._contain(f"parts of {asset}", self.books[asset].judge.accept)

    def state(self) -> dict[str, State]:
        """Give the state of each part of it, under its name."""
        parts: dict[str, State] = {"parts": {"next": np.array([self._next])}}
        for group in self._groups:
            keys = [self._keys[one.asset.path] for one in group.gatherers]
            parts[f"clocks-{'+'.join(keys)}"] = group.state()
            for one, key in zip(group.gatherers, keys, strict=True):
                parts[f"cycles-{key}"] = one.state()
                parts[f"parts-{key}"] = self.books[one.asset.path].state()
        return parts

    def restore(self, parts: Mapping[str, State]) -> list[str]:
        """Take up a state; give the machines that were changed since and have to learn anew."""
        self._next = int(parts["parts"]["next"][0])
        anew = []
        for group in self._groups:
            keys = [self._keys[one.asset.path] for one in group.gatherers]
            clocks = parts.get(f"clocks-{'+'.join(keys)}")
            if clocks is not None:
                group.restore(clocks)
            for one, key in zip(group.gatherers, keys, strict=True):
                if f"parts-{key}" not in parts:
                    anew.append(one.asset.path)
                    continue
                one.restore(parts[f"cycles-{key}"])
                self.books[one.asset.path].restore(parts[f"parts-{key}"])
        return anew


def build_groups(plan: Plan, handles: Sequence[TagHandle]) -> list[CycleGroup]:
    """Put assets that make parts, and are fed by the same sources, side by side."""
    by_name = {handle.tag.name: handle for handle in handles}
    together: dict[frozenset[str], list[CycleGatherer]] = {}
    for asset in plan.assets:
        cycle = plan.cycles.get(asset.path, CyclePlan())
        if (asset.trigger or asset.part) and cycle.by != "none":
            gatherer = CycleGatherer(asset, by_name, cycle)
            sources = frozenset(tag.tag.source for tag in gatherer.tags)
            together.setdefault(sources, []).append(gatherer)
    return [
        CycleGroup(own, {name: longest_silence(plan, name) for name in sorted(sources)})
        for sources, own in together.items()
    ]
