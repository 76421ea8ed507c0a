"""Handles are for ever."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.journal import Journal
from plant.tags import Tag

FLOW = Tag(name="s/a/l/pump-1/flow", source="line", address="Flow", unit="L/min")
LEVEL = Tag(name="s/a/l/pump-1/level", source="line", address="Level", unit="m")
SPEED = Tag(name="s/a/l/pump-1/speed", source="line", address="Speed", unit="/min")


def _handles(path: Path, tags: Sequence[Tag], at: int = 0) -> list[int]:
    journal = Journal.open(path)
    handles = [known.handle for known in journal.register(tags, at)]
    journal.close()
    return handles


def _versions(path: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT handle, valid_from, unit, scale FROM tag ORDER BY rowid")
    versions = rows.fetchall()
    connection.close()
    return versions


def test_a_name_keeps_its_handle(path: Path) -> None:
    assert _handles(path, [FLOW, LEVEL]) == [1, 2]
    assert _handles(path, [LEVEL, FLOW]) == [2, 1]


def test_a_handle_is_never_given_away(path: Path) -> None:
    _handles(path, [FLOW, LEVEL])
    assert _handles(path, [SPEED]) == [3]
    assert _handles(path, [FLOW, SPEED, LEVEL]) == [1, 3, 2]


def test_a_change_of_meaning_adds_a_version(path: Path) -> None:
    _handles(path, [FLOW], at=10)
    _handles(path, [FLOW], at=20)
    _handles(path, [replace(FLOW, unit="m3/h", scale=0.06)], at=30)
    _handles(path, [FLOW], at=40)
    assert _versions(path) == [
        (1, 10, "L/min", 1.0),
        (1, 30, "m3/h", 0.06),
        (1, 40, "L/min", 1.0),
    ]


def test_what_is_only_for_people_makes_no_version(path: Path) -> None:
    _handles(path, [FLOW], at=10)
    _handles(path, [replace(FLOW, description="after the filter", low=0.0)], at=20)
    assert len(_versions(path)) == 1


def test_a_tag_given_twice_has_one_handle(path: Path) -> None:
    assert _handles(path, [FLOW, FLOW]) == [1, 1]


def test_what_is_configured_no_more_is_known_as_it_was_last(path: Path) -> None:
    _handles(path, [FLOW, LEVEL, SPEED], at=10)
    _handles(path, [replace(FLOW, unit="m3/h", scale=0.06)], at=20)
    journal = Journal.open(path)
    configured = journal.register([LEVEL], 30)
    retired = journal.retired(configured)
    journal.close()
    assert [(one.handle, one.tag.name, one.tag.unit, one.tag.scale) for one in retired] == [
        (1, FLOW.name, "m3/h", 0.06),
        (3, SPEED.name, "/min", 1.0),
    ]
    assert all(one.retired for one in retired)
    assert not any(one.retired for one in configured)
