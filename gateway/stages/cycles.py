"""Samples to cycles: the raw samples of an asset from the moment a part begins to its end.

Grid rows are a second apart, and a stroke may be shorter; so a cycle is cut from the samples
themselves. It is given out by the batch with which everything before its end has been delivered,
on source time, whoever is slowest of the sources.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.cycles import Cycle
from gateway.config.plan import CyclePlan
from gateway.stages.clocks import SourceClock
from plant.assets import Asset
from plant.quality import is_good
from plant.samples import Batch, ContextEvent
from plant.tags import TagHandle, ValueType

UNKNOWN = -1
MOST_SAMPLES = 1_000_000
"""Samples of one cycle that are kept (about 24 MB); one with more is told and not judged."""
LEAST_NS = 4
"""A cycle has four quarters."""
UNSEEN = "its beginning was not seen"

Columns = tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """A cycle that is over.

    `number` is empty where it is not known, `why` says why it cannot be judged; empty if it can.
    """

    asset: str
    number: str
    mode: int
    why: str
    cycle: Cycle


@dataclass(slots=True)
class _Open:
    """A cycle that goes on; `number` and `mode` are those known so far."""

    start: int
    number: str
    mode: int
    why: str = ""
    samples: int = 0

    def spoil(self, why: str) -> None:
        """Note the first reason for which it cannot be judged."""
        self.why = self.why or why


@dataclass(slots=True)
class _News:
    """What changed at one moment; None: it did not."""

    level: int | None = None
    number: str | None = None
    mode: int | None = None


@dataclass(slots=True)
class _Heap:
    """Samples in the order in which they came."""

    parts: list[Columns] = field(default_factory=list)

    def add(self, column: NDArray[np.intp], at: NDArray[np.int64], value: Any) -> None:
        self.parts.append((column, at, value))

    def all(self) -> Columns:
        if not self.parts:
            return np.empty(0, np.intp), np.empty(0, np.int64), np.empty(0)
        column, at, value = (np.concatenate(each) for each in zip(*self.parts, strict=True))
        return column, at, value

    def take(self, upto: int) -> Columns:
        """Take out what lies at or before a moment, in time order."""
        column, at, value = self.all()
        order = np.argsort(at, kind="stable")
        column, at, value = column[order], at[order], value[order]
        n = int(np.searchsorted(at, upto, side="right"))
        self.parts = [(column[n:], at[n:], value[n:])] if n < len(at) else []
        return column[:n], at[:n], value[:n]


class CycleGatherer:
    """The cycles of one asset.

    Columns of its samples are its signals, then trigger, part and mode where it has them.

    Parameters
    ----------
    asset
        Whose.
    handles
        Its tags by name.
    plan
        What a cycle is.
    """

    def __init__(self, asset: Asset, handles: Mapping[str, TagHandle], plan: CyclePlan) -> None:
        self.asset, self.plan = asset, plan
        self.by = plan.by or ("trigger" if asset.trigger else "part")
        self.tags = [handles[name] for name in cycle_tags(asset)]
        size = len(asset.signals)
        places = iter(range(size, len(self.tags)))
        self._trigger, self._part, self._mode_column = (
            next(places) if name else None for name in (asset.trigger, asset.part, asset.mode)
        )
        part = handles[asset.part] if asset.part else None
        self.text = part.handle if part and part.tag.type is ValueType.TEXT else None
        self._said = np.full(len(self.tags) - size, np.nan)
        """Last sample of trigger, part and mode; NaN = not Good or not known."""
        self._held = np.full(size, np.nan)
        self._pending, self._kept = _Heap(), _Heap()
        self._texts: list[tuple[int, str]] = []
        self._open: _Open | None = None
        self._level, self._number = UNKNOWN, ""
        self._mode = UNKNOWN if asset.mode else 0
        self._blind = True
        """The last edge may have been missed."""

    def add(
        self, column: NDArray[np.intp], at: NDArray[np.int64], value: NDArray[np.float64]
    ) -> None:
        """Take samples; NaN = not Good."""
        self._pending.add(column, at, value)

    def say(self, at: int, text: str) -> None:
        """Take a number of a part that is a text; empty = not Good."""
        self._texts.append((at, text))

    def reconnected(self, source: str) -> None:
        """Note that `source` is read anew: edges may have been missed."""
        mine = [tag.tag.source == source for tag in self.tags]
        if not any(mine):
            return
        if self._open is not None:
            self._open.spoil(f"{source} was connected anew amid it")
        size = len(self._held)
        self._held[np.array(mine[:size], bool)] = np.nan
        said = np.array(mine[size:], bool)
        self._said[said] = np.nan
        if said.any():
            self._lose_sight()

    def _lose_sight(self) -> None:
        self._blind = True
        if self._open is None:
            self._level = UNKNOWN

    def advance(self, upto: int) -> list[Ended]:
        """Go on to a moment before which everything was delivered; give the cycles that ended."""
        column, at, value = self._pending.take(upto)
        size, ended, begin = len(self._held), list[Ended](), 0
        news = self._news(column, at, value, upto)
        own = column < size
        signals = column[own], at[own], value[own]
        for moment in sorted(news):
            until = int(np.searchsorted(signals[1], moment, side="left"))
            self._gather(*(each[begin:until] for each in signals))
            ended += self._overdue(moment)
            ended += self._step(moment, news[moment])
            begin = until
        self._gather(*(each[begin:] for each in signals))
        return ended + list(self._overdue(upto))

    def _news(self, column: Any, at: Any, value: Any, upto: int) -> dict[int, _News]:
        found: dict[int, _News] = {}
        for moment, text in sorted(t for t in self._texts if t[0] <= upto):
            found.setdefault(moment, _News()).number = text
        self._texts = [t for t in self._texts if t[0] > upto]
        size = len(self._held)
        for place in (self._trigger, self._part, self._mode_column):
            if place is None:
                continue
            mine = np.flatnonzero(column == place)
            if not len(mine):
                continue
            told = value[mine]
            before = np.append(self._said[place - size], told[:-1])
            changed = ~((told == before) | (np.isnan(told) & np.isnan(before)))
            self._said[place - size] = told[-1]
            for k in mine[changed].tolist():
                self._enter(found.setdefault(int(at[k]), _News()), place, float(value[k]))
        return found

    def _enter(self, news: _News, place: int, value: float) -> None:
        known = value == value
        if place == self._trigger:
            news.level = int(value >= 0.5) if known else UNKNOWN
        elif place == self._part:
            news.number = number_words(value) if known else ""
        else:
            news.mode = int(value) if known else UNKNOWN

    def _gather(self, column: Any, at: Any, value: Any) -> None:
        if self._open is None:
            self._held[column] = value
        elif len(at):
            self._open.samples += len(at)
            if self._open.samples > MOST_SAMPLES:
                self._settle()
                self._open.spoil(f"more than {MOST_SAMPLES:,} samples")
                self._held[column] = value
            else:
                self._kept.add(column, at, value)

    def _settle(self) -> None:
        """Let what the samples of the open cycle showed last be what is held."""
        column, _, value = self._kept.all()
        self._held[column] = value
        self._kept = _Heap()

    def _overdue(self, moment: int) -> Iterator[Ended]:
        if self._open is None:
            return
        stop = self._open.start + round(self.plan.longest_s * 1e9)
        if moment > stop:
            self._open.spoil(f"longer than {self.plan.longest_s:g} s: its end was not seen")
            yield self._close(self._open, stop)

    def _step(self, moment: int, news: _News) -> Iterator[Ended]:
        level = self._level if news.level is None else news.level
        renumbered = bool(news.number) and news.number != self._number
        begins, now = self._begins(level, renumbered=renumbered), self._open
        if now is not None and self._ends(now, level, begins=begins, renumbered=renumbered):
            yield self._close(now, moment)
            begins = begins or (self.by == "trigger" and level == 1)
        elif now is not None:
            self._disturb(now, news)
        self._level = level
        if news.number is not None:
            self._number = news.number
        if news.mode is not None:
            self._mode = news.mode
        if self._open is None and begins:
            self._begin(moment, unseen=self._blind)
        edge, lost = (news.number, "") if self.by == "part" else (news.level, UNKNOWN)
        if edge == lost:
            self._lose_sight()
        elif edge is not None:
            self._blind = False

    def _begins(self, level: int, *, renumbered: bool) -> bool:
        if self.by == "part":
            return renumbered
        return level == 1 and self._level != 1

    def _ends(self, now: _Open, level: int, *, begins: bool, renumbered: bool) -> bool:
        if self.by == "trigger":
            # An edge was missed where another part is in work.
            return level == 0 or bool(now.why and renumbered and level == 1)
        return begins

    def _disturb(self, now: _Open, news: _News) -> None:
        if news.level == UNKNOWN and self.by != "part":
            now.spoil("its trigger was not Good all the time")
        if news.number == "" and self.by == "part":
            now.spoil("its number was not Good all the time")
        if news.mode is not None and news.mode != now.mode:
            now.spoil("its operating mode changed or was not Good")

    def _begin(self, moment: int, *, unseen: bool) -> None:
        self._open = _Open(moment, self._number, self._mode, UNSEEN if unseen else "")
        if self._mode == UNKNOWN:
            self._open.spoil("its operating mode was not known")

    def _close(self, done: _Open, stop: int) -> Ended:
        self._open = None
        column, at, value = self._kept.all()
        held = self._held.copy()
        self._settle()
        seconds = (stop - done.start) / 1e9
        if seconds < self.plan.shortest_s or stop - done.start < LEAST_NS:
            done.spoil(f"{seconds:.3g} s long: shorter than a part takes")
        inside = (at >= done.start) & (at < stop)
        cycle = Cycle(done.start, stop, held, column[inside], at[inside], value[inside])
        return Ended(self.asset.path, self._number, done.mode, done.why, cycle)

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything held, as arrays."""
        known: dict[str, NDArray[Any]] = {"held": self._held.copy(), "said": self._said.copy()}
        for name, heap in (("pending", self._pending), ("kept", self._kept)):
            column, at, value = heap.all()
            known |= {f"{name}_column": column.astype(np.int64), f"{name}_at": at}
            known[f"{name}_value"] = value
        rest = {
            "texts": self._texts,
            "open": asdict(self._open) if self._open else None,
            "level": self._level,
            "number": self._number,
            "mode": self._mode,
            "blind": self._blind,
        }
        return known | {"rest": np.frombuffer(json.dumps(rest).encode(), np.uint8)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state of the same tags."""
        self._held, self._said = state["held"].copy(), state["said"].copy()
        for name in ("pending", "kept"):
            column = state[f"{name}_column"].astype(np.intp)
            heap = _Heap([(column, state[f"{name}_at"], state[f"{name}_value"])])
            setattr(self, f"_{name}", heap if len(column) else _Heap())
        rest = json.loads(state["rest"].tobytes())
        self._texts = [(at, text) for at, text in rest["texts"]]
        self._open = _Open(**rest["open"]) if rest["open"] else None
        self._level, self._number = rest["level"], rest["number"]
        self._mode, self._blind = rest["mode"], rest["blind"]


class CycleGroup:
    """Assets with parts that are fed by the same sources; they share clocks.

    Parameters
    ----------
    gatherers
        One an asset.
    stale_ns
        Per source: longest silence, ns, after which its last values no longer count.
    """

    def __init__(self, gatherers: Sequence[CycleGatherer], stale_ns: Mapping[str, int]) -> None:
        self.gatherers = tuple(gatherers)
        self._clocks = {
            name: SourceClock(stale, alone=len(stale_ns) == 1) for name, stale in stale_ns.items()
        }
        tags = [tag for one in gatherers for tag in one.tags]
        self._owner = np.full(max(tag.handle for tag in tags) + 1, -1, np.intp)
        self._column = np.zeros(len(self._owner), np.intp)
        self._fed: list[dict[str, NDArray[np.intp]]] = []
        for place, one in enumerate(gatherers):
            handles = np.array([tag.handle for tag in one.tags], np.intp)
            self._owner[handles] = place
            self._column[handles] = np.arange(len(handles))
            sources = np.array([tag.tag.source for tag in one.tags])
            self._fed.append({name: np.flatnonzero(sources == name) for name in stale_ns})
        self._texts = {one.text: one for one in gatherers if one.text is not None}

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources that feed the group."""
        return tuple(self._clocks)

    def reconnected(self, source: str) -> None:
        """Note that the next live batch of `source` is the first of a connection."""
        self._clocks[source].fresh = True
        for one in self.gatherers:
            one.reconnected(source)

    def take(self, batch: Batch) -> list[Ended]:
        """Take a scaled batch; give the cycles that ended, asset by asset in time order."""
        clock = self._clocks[batch.source]
        at, silences = clock.take(batch)
        known = batch.tag < len(self._owner)
        owner = np.where(known, self._owner[np.where(known, batch.tag, 0)], -1)
        mine = np.flatnonzero(owner >= 0)
        if len(mine):
            self._share(batch, at, owner, mine)
        for event in batch.context:
            self._say(event, clock)
        for end in silences.tolist():
            for one, fed in zip(self.gatherers, self._fed, strict=True):
                column = fed[batch.source]
                blank = np.full(len(column), np.nan)
                one.add(column, np.full(len(column), end, np.int64), blank)
        upto = min(each.upto for each in self._clocks.values())
        return [ended for one in self.gatherers for ended in one.advance(upto)]

    def _share(self, batch: Batch, at: Any, owner: Any, mine: NDArray[np.intp]) -> None:
        mine = mine[np.argsort(owner[mine], kind="stable")]
        owner, at, column = owner[mine], at[mine], self._column[batch.tag[mine]]
        value = np.where(is_good(batch.status[mine]), batch.value[mine], np.nan)
        begins = np.flatnonzero(np.append(True, owner[1:] != owner[:-1])).tolist()
        for begin, end in pairwise([*begins, len(mine)]):
            own = slice(begin, end)
            self.gatherers[int(owner[begin])].add(column[own], at[own], value[own])

    def _say(self, event: ContextEvent, clock: SourceClock) -> None:
        one = self._texts.get(event.tag)
        if one is not None:
            good = bool(is_good(np.array([event.status], np.uint32))[0])
            one.say(min(event.at + clock.shift, clock.upto), event.text if good else "")

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the clocks, as arrays; the gatherers give their own."""
        clocks = [asdict(clock) for clock in self._clocks.values()]
        return {"clocks": np.frombuffer(json.dumps(clocks).encode(), np.uint8)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up the clocks of the same sources."""
        told = json.loads(state["clocks"].tobytes())
        for clock, one in zip(self._clocks.values(), told, strict=True):
            clock.upto, clock.shift, clock.lag, clock.fresh = (
                one[name] for name in ("upto", "shift", "lag", "fresh")
            )


def cycle_tags(asset: Asset) -> tuple[str, ...]:
    """Name every tag that an asset's cycles are made of, in the order of their columns."""
    return asset.signals + tuple(
        name for name in (asset.trigger, asset.part, asset.mode) if name is not None
    )


def number_words(value: float) -> str:
    """Write the number of a part.

    Examples
    --------
    >>> number_words(10432.0), number_words(7.5)
    ('10432', '7.5')
    """
    return str(int(value)) if value.is_integer() else f"{value:g}"
