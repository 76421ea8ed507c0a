"""One board: its question, what a reader chooses, its annotations, and its rows of panels."""

import json
from dataclasses import dataclass
from typing import Any

from dashboards.layout import Row, placed
from dashboards.queries import datasource
from dashboards.style import PALE
from dashboards.variables import Console, Variable

Json = dict[str, Any]
SCHEMA = 41
"""Of the classic JSON; a newer Grafana brings it up to its own when it loads a board."""
TAG = "wheeltapper"
SHIFTS = (
    ("Last hour", "now-1h", "now"),
    ("Last 8 hours: a shift", "now-8h", "now"),
    ("Last 24 hours", "now-24h", "now"),
    ("Today so far", "now/d", "now"),
    ("Yesterday", "now-1d/d", "now-1d/d"),
    ("Last 7 days", "now-7d", "now"),
    ("Last 30 days", "now-30d", "now"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One board.

    Parameters
    ----------
    name
        Name of its file, and the end of its uid.
    title, question
        What it is called, and the question that it answers.
    rows
        Its panels.
    variables
        What a reader chooses.
    events
        InfluxQL over `alarm` that gives what is marked in every panel over time; empty: nothing.
    since
        Begin of the time that is shown first.
    """

    name: str
    title: str
    question: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]
    events: str = ""
    since: str = "now-24h"

    @property
    def uid(self) -> str:
        """What links and pushes know it by."""
        return uid_of(self.name)

    def written(self, console: str) -> Json:
        """Write it, with the address of the console to which its links lead."""
        return {
            "uid": self.uid,
            "title": f"Wheeltapper: {self.title}",
            "description": self.question,
            "tags": [TAG],
            "schemaVersion": SCHEMA,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "30s",
            "timezone": "browser",
            "time": {"from": self.since, "to": "now"},
            "timepicker": {
                "quick_ranges": [{"display": d, "from": f, "to": t} for d, f, t in SHIFTS],
            },
            "templating": {
                "list": [*(one.written() for one in self.variables), Console(console).written()]
            },
            "annotations": {"list": [_marks(self.events)] if self.events else []},
            "links": _links(),
            "panels": list(placed(self.rows)),
        }


def uid_of(name: str) -> str:
    """Give the uid of a board.

    Examples
    --------
    >>> uid_of("01-site")
    'wheeltapper-site'
    """
    return f"{TAG}-{name.partition('-')[2]}"


def address(name: str, *variables: str) -> str:
    """Lead to another board at the same time range, with these variables set.

    Examples
    --------
    >>> address("02-line", "var-line=a")
    '/d/wheeltapper-line?${__url_time_range}&${console:queryparam}&var-line=a'
    """
    said = "&".join(("${__url_time_range}", "${console:queryparam}", *variables))
    return f"/d/{uid_of(name)}?{said}"


def console_alarm(number: str) -> str:
    """Lead to an alarm's page in the console, where it is acknowledged, shelved and named."""
    return f"${{console}}/alarms?id={number}"


def text_of(board: Json) -> str:
    """Write a board as the text of its file."""
    return json.dumps(board, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _marks(query: str) -> Json:
    """Mark the changes of alarms, asked from where gateways write them."""
    return {
        "name": "Alarms",
        "enable": True,
        "hide": False,
        "iconColor": PALE,
        "datasource": datasource("alarm"),
        "target": {
            "refId": "Anno",
            "query": query,
            "rawQuery": True,
            "fromAnnotations": True,
            "textColumn": "text",
            "tagsColumn": "state_name,priority",
            "timeEndColumn": "",
        },
    }


def _links() -> list[Json]:
    """Lead to the other boards at the same time, and to the console."""
    others = {
        "type": "dashboards",
        "title": "Boards",
        "tags": [TAG],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "dashboard",
        "tooltip": "",
        "url": "",
    }
    console = {
        "type": "link",
        "title": "Alarms in the console",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": True,
        "icon": "external link",
        "tooltip": "Acknowledge, shelve, say what it was",
        "url": "${console}/alarms",
    }
    return [others, console]
