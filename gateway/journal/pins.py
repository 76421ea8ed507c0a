"""Stretches of raw samples that stay: the evidence around incidents."""

import sqlite3
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from gateway.journal import index

PIN = "pin"
"""Kind of the event; its body names asset, start and stop (source time, ns)."""

Window = tuple[str, int, int]


class Pins:
    """The pinned windows of a journal, by the number of the source that delivers them.

    Parameters
    ----------
    connection
        The journal's.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._windows: dict[Window, int] = {}
        self._sources: dict[str, set[int]] | None = None
        self._spans: dict[int, tuple[list[int], list[int]]] | None = None
        for position, event in index.events(connection, PIN, 0):
            self.add(event.body, position)

    def add(self, body: Mapping[str, Any], position: int) -> None:
        """Take in the body of a pin, and where it stands."""
        window = window_of(body)
        if window is not None:
            if window not in self._windows:
                self._spans = None
            self._windows[window] = position

    def forget(self) -> None:
        """Look names and sources up again: tags were registered, or a commit failed."""
        self._spans = self._sources = None

    def hold(self, subject: int, first_at: int, last_at: int) -> bool:
        """Tell whether samples of that source over these times, ns, are pinned."""
        if self._spans is None:
            self._spans = self._resolved()
        starts, stops = self._spans.get(subject, ((), ()))
        before = bisect_right(starts, last_at)
        return before > 0 and stops[before - 1] >= first_at

    def last(self, subject: int, first_at: int, last_at: int) -> int:
        """Give the position of the last pin that holds such samples; 0 if none does."""
        sources = self._of_assets()
        return max(
            (
                position
                for (asset, start, stop), position in self._windows.items()
                if start <= last_at and first_at <= stop and subject in sources.get(asset, ())
            ),
            default=0,
        )

    def _of_assets(self) -> dict[str, set[int]]:
        """Give the sources of each asset."""
        if self._sources is not None:
            return self._sources
        sources: dict[str, set[int]] = {}
        query = (
            "SELECT DISTINCT tag.name, subject.id FROM tag JOIN subject ON subject.name = source"
        )
        for name, subject in self._connection.execute(query):
            parts = name.split("/")
            for depth in range(1, len(parts)):
                sources.setdefault("/".join(parts[:depth]), set()).add(subject)
        self._sources = sources
        return sources

    def _resolved(self) -> dict[int, tuple[list[int], list[int]]]:
        """Give the windows of each source as starts and stops that do not overlap."""
        sources = self._of_assets()
        found: dict[int, list[tuple[int, int]]] = {}
        for asset, start, stop in self._windows:
            for subject in sources.get(asset, ()):
                found.setdefault(subject, []).append((start, stop))
        return {subject: _merged(sorted(windows)) for subject, windows in found.items()}


def window_of(body: Mapping[str, Any]) -> Window | None:
    """Read the body of a pin; None if it is none."""
    asset, start, stop = body.get("asset"), body.get("start"), body.get("stop")
    if isinstance(asset, str) and isinstance(start, int) and isinstance(stop, int):
        return asset, start, stop
    return None


def _merged(windows: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    starts: list[int] = []
    stops: list[int] = []
    for start, stop in windows:
        if stops and start <= stops[-1]:
            stops[-1] = max(stops[-1], stop)
        else:
            starts.append(start)
            stops.append(stop)
    return starts, stops
