"""Stretches of raw samples that stay: the evidence around incidents."""

import sqlite3
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from gateway.journal.trends import events_of

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
        events, _ = events_of(connection, PIN)
        self._windows = {window for event in events if (window := window_of(event.body))}
        self._spans: dict[int, tuple[list[int], list[int]]] | None = None

    def add(self, body: Mapping[str, Any]) -> None:
        """Take in the body of a pin."""
        window = window_of(body)
        if window is not None and window not in self._windows:
            self._windows.add(window)
            self._spans = None

    def forget(self) -> None:
        """Look names and sources up again: tags were registered, or a commit failed."""
        self._spans = None

    def hold(self, subject: int, first_at: int, last_at: int) -> bool:
        """Tell whether samples of that source over these times, ns, are pinned."""
        if self._spans is None:
            self._spans = self._resolved()
        starts, stops = self._spans.get(subject, ((), ()))
        before = bisect_right(starts, last_at)
        return before > 0 and stops[before - 1] >= first_at

    def _resolved(self) -> dict[int, tuple[list[int], list[int]]]:
        """Give the windows of each source as starts and stops that do not overlap."""
        sources: dict[str, set[int]] = {}
        query = (
            "SELECT DISTINCT tag.name, subject.id FROM tag JOIN subject ON subject.name = source"
        )
        for name, subject in self._connection.execute(query):
            parts = name.split("/")
            for depth in range(1, len(parts)):
                sources.setdefault("/".join(parts[:depth]), set()).add(subject)
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
