"""One look at the plant for all proposers: the newest values and the alarms that stand."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gateway.alarms import AlarmBook
from gateway.link import Link, LinkState
from gateway.proposing.contract import Look, Standing
from gateway.stages.latest import Latest
from plant.alarms import ANNUNCIATED
from plant.quality import Status
from plant.reasons import SMALL
from plant.tags import TagHandle


class Looks:
    """Looks at a running gateway; each look copies a number a tag, and keeps no history.

    Parameters
    ----------
    handles
        The tags.
    latest
        Their newest values.
    links
        The connections, by source.
    book, assets
        The alarms, and the assets that have some.
    """

    def __init__(
        self,
        handles: Sequence[TagHandle],
        latest: Latest,
        links: Callable[[], Mapping[str, Link]],
        book: AlarmBook,
        assets: Sequence[str],
    ) -> None:
        self._latest, self._links, self._book, self._assets = latest, links, book, assets
        self._places = {one.tag.name: place for place, one in enumerate(handles)}
        self._handles = np.array([one.handle for one in handles], np.intp)
        self._sources = list(dict.fromkeys(one.tag.source for one in handles))
        at = {source: place for place, source in enumerate(self._sources)}
        self._of_source = np.array([at[one.tag.source] for one in handles], np.intp)

    def take(self) -> Look:
        """Give the plant as it is known now; of a source that is not up nothing is good."""
        links = self._links()
        up = np.zeros(len(self._sources), np.bool_)
        age = np.full(len(self._sources), math.inf)
        upto = np.zeros(len(self._sources), np.int64)
        for place, source in enumerate(self._sources):
            link = links.get(source)
            if link is None or link.state is not LinkState.UP:
                continue
            up[place], age[place] = True, link.age_s() or 0.0
            # While a batch is in work its watermark is ahead of the values that are known.
            upto[place] = 0 if link.taking else link.upto
        status = self._latest.status[self._handles]
        lost = ~up[self._of_source] & (status < Status.BAD)
        status[lost] = Status.BAD_NO_COMMUNICATION
        return Look(
            now=time.time_ns(),
            mono=time.monotonic(),
            places=self._places,
            value=self._latest.value[self._handles],
            status=status,
            at=np.maximum(self._latest.at[self._handles], upto[self._of_source]),
            age=age[self._of_source],
            alarms=tuple(self._standing()),
        )

    def _standing(self) -> list[Standing]:
        found = []
        for path in self._assets:
            alarm = self._book.open(path)
            if alarm is None or not alarm.stands or alarm.state not in ANNUNCIATED:
                continue
            culprits = [one.signal for one in alarm.reason.contributions if one.share >= SMALL]
            found.append(Standing(alarm.id, path, alarm.priority, tuple(culprits), alarm.onset))
        return found
