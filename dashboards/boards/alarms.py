"""Is the alarm system itself usable? Its load, its bad actors, what stands and what chatters."""

from dashboards import style
from dashboards.alarmlist import alarms_now, asset_column
from dashboards.board import Board
from dashboards.boards.line import changes
from dashboards.layout import row
from dashboards.panels import Panel, coloured, stat, table, trend
from dashboards.queries import EACH, LINE, RANGE, Query, series
from dashboards.style import ORANGE, RED, steps
from dashboards.variables import line, site

FLOOD = 10
"""More than this in ten minutes, one operator cannot follow (ANSI/ISA-18.2 §16.5)."""
_TOLD = (
    'SELECT count(distinct("annunciated")) AS "n" FROM "alarm" '
    f'WHERE "state" = 1 AND {LINE} AND {RANGE} GROUP BY '
)
"""An alarm is annunciated when it becomes UNACK; what joins it later is the same annunciation."""


def _load() -> Panel:
    query = (
        f'SELECT sum("n") AS "alarms" FROM ({_TOLD}time(10m), {EACH}, "gateway") '
        f"WHERE {RANGE} GROUP BY time(10m) fill(0)"
    )
    return trend(
        "Alarms in ten minutes",
        series("alarm", query, "alarms"),
        about="How often people were told of an alarm. About one in ten minutes is what one "
        "operator can follow; more than ten are a flood (ANSI/ISA-18.2).",
        unit="short",
        interval="10m",
        thresholds=steps((FLOOD, RED)),
        bars=True,
    )


def _all() -> Panel:
    query = f'SELECT sum("n") AS "alarms" FROM ({_TOLD}{EACH}, "gateway")'
    about = "How often people were told of an alarm in the chosen time."
    return stat("Alarms told", Query("alarm", query), about=about, decimals=0)


def _marked(name: str, title: str, about: str) -> Panel:
    query = (
        f'SELECT count(distinct("id")) AS "n" FROM "alarm" WHERE "{name}" = 1 AND {LINE} AND '
        f"{RANGE} GROUP BY {EACH}"
    )
    query = f'SELECT sum("n") AS "alarms" FROM ({query})'
    panel = stat(
        title, Query("alarm", query), about=about, thresholds=steps((1, ORANGE)), decimals=0
    )
    return panel.saying("none")


def _actors() -> Panel:
    query = f'SELECT sum("n") AS "alarms" FROM ({_TOLD}{EACH}, "gateway") GROUP BY {EACH}'
    return table(
        "Bad actors: ten assets with most alarms",
        Query("alarm", query),
        {
            "asset": asset_column(),
            "line": {"displayName": "Line"},
            "site": {"displayName": "Site"},
            "alarms": {
                "displayName": "Alarms told",
                "custom__cellOptions": {"type": "gauge", "mode": "basic"},
                "min": 0,
            },
        },
        about="A few assets usually give most alarms: begin with them.",
        none="No alarm in this time",
        sort=("alarms", True),
        most=10,
    )


def _priorities() -> Panel:
    query = (
        f'SELECT sum("n") AS "alarms" FROM ({_TOLD}{EACH}, "gateway", "priority") '
        'GROUP BY "priority"'
    )
    return table(
        "By priority",
        Query("alarm", query),
        {
            "priority": coloured(style.priorities(), displayName="Priority"),
            "alarms": {"displayName": "Alarms told"},
        },
        about="The standard advises few of the highest: about 5 %, 15 % and 80 %. An alarm that "
        "became more urgent counts in each of its priorities.",
        none="No alarm in this time",
        sort=("priority", False),
    )


def board() -> Board:
    """Make the board."""
    stale = "Alarms that were stale: they stood for longer than a day."
    chatter = "Alarms that came and went again and again."
    return Board(
        name="04-alarms",
        title="alarms",
        question="Is the alarm system itself usable?",
        variables=(site(), line()),
        since="now-8h",
        rows=(
            row(
                8,
                _all().wide(4),
                _marked("stale", "Standing for long", stale).wide(4),
                _marked("chattering", "Chattering", chatter).wide(4),
                _load().wide(12),
            ),
            row(9, alarms_now(LINE, kept=True)),
            row(9, _actors().wide(16), _priorities().wide(8)),
            row(12, changes(LINE)),
        ),
    )
