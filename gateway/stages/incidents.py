"""From what a watch says of rows to the alarm book: in time order, with the mode of each row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.findings import ABNORMAL, is_abnormal
from analytics.judgements import Judgement, Transition
from gateway.alarms import AlarmBook
from plant.alarms import Alarm, AlarmAction
from plant.tags import TagHandle

PLANT_BITS = np.uint8(ABNORMAL)


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """Rows (n,) of one asset as its watch saw them: source times, ns, and known modes."""

    at: NDArray[np.int64]
    mode: NDArray[np.int64]
    judgement: Judgement | None


class IncidentDesk:
    """Takes what watches and monitors found to the book.

    Parameters
    ----------
    book
        Where incidents stand.
    handles
        Every tag of the gateway.
    suppressed
        Modes of each asset in which its alarms are suppressed.
    """

    def __init__(
        self,
        book: AlarmBook,
        handles: Mapping[str, tuple[TagHandle, ...]],
        suppressed: Mapping[str, frozenset[int]],
    ) -> None:
        self._book = book
        self._modes = {path: np.array(sorted(modes)) for path, modes in suppressed.items()}
        self._assets = tuple(handles)
        self._tags = {path: np.array([h.handle for h in own]) for path, own in handles.items()}
        known = [handle for own in handles.values() for handle in own]
        self._names = {handle.handle: handle.tag.name for handle in known}
        self._owner = np.full(max(self._names, default=-1) + 1, -1, np.intp)
        for place, own in enumerate(self._tags.values()):
            self._owner[own] = place

    def take(self, asset: str, looked: Looked, verdict: NDArray[np.uint8]) -> list[Alarm]:
        """Take rows of an asset; give its alarms as they changed.

        Parameters
        ----------
        asset
            Its path.
        looked
            The rows.
        verdict
            Last verdict of every tag, by handle.
        """
        if not len(looked.at):
            return []
        changed = list(self._moved(asset, looked, verdict))
        if self._book.open(asset) is None:
            return [alarm for alarm in changed if alarm is not None]
        at = int(looked.at[-1])
        changed.append(self._book.observe(asset, at))
        return [alarm for alarm in changed if alarm is not None]

    def findings(
        self, tag: NDArray[np.int32], at: NDArray[np.int64], verdict: NDArray[np.uint8]
    ) -> list[Alarm]:
        """Let the findings of monitors (n,) join the incidents that stand."""
        abnormal = np.flatnonzero(is_abnormal(verdict) & (tag < len(self._owner)))
        if not len(abnormal):
            return []
        changed = []
        owner = self._owner[tag[abnormal]]
        for place in np.unique(owner[owner >= 0]).tolist():
            asset = self._assets[place]
            if self._book.open(asset) is not None:
                mine = abnormal[owner == place]
                found = self._found(tag[mine], verdict[mine])
                changed.append(self._book.join(asset, found, int(at[mine[0]])))
        return [alarm for alarm in changed if alarm is not None]

    def _found(self, tag: NDArray[np.int32], verdict: NDArray[np.uint8]) -> dict[str, int]:
        found: dict[str, int] = {}
        for handle, bits in zip(tag.tolist(), (verdict & PLANT_BITS).tolist(), strict=True):
            name = self._names[handle]
            found[name] = found.get(name, 0) | bits
        return found

    def _quiet(self, asset: str, mode: NDArray[np.int64]) -> NDArray[np.bool_]:
        modes = self._modes.get(asset)
        return np.zeros(len(mode), np.bool_) if modes is None else np.isin(mode, modes)

    def _moved(
        self, asset: str, looked: Looked, verdict: NDArray[np.uint8]
    ) -> Iterator[Alarm | None]:
        steps: list[tuple[int, Transition | bool]] = []
        if asset in self._modes or self._book.quiet(asset):
            quiet = self._quiet(asset, looked.mode)
            turns = np.flatnonzero(quiet != np.append(self._book.quiet(asset), quiet[:-1]))
            steps = [(int(looked.at[i]), bool(quiet[i])) for i in turns]
        if looked.judgement is not None:
            steps += [(one.at, one) for one in looked.judgement.transitions]
        # A mode begins with its row: what that row decides is decided in the new mode.
        for at, step in sorted(steps, key=lambda one: (one[0], not isinstance(one[1], bool))):
            if isinstance(step, bool):
                yield self._book.suppress(asset, at, quiet=step)
                continue
            row = int(np.searchsorted(looked.at, at))
            yield self._book.apply(asset, step, int(looked.mode[min(row, len(looked.at) - 1)]))
            if step.action is AlarmAction.RAISE:
                own = self._tags[asset]
                abnormal = own[is_abnormal(verdict[own])]
                yield self._book.join(asset, self._found(abnormal, verdict[abnormal]), at)
