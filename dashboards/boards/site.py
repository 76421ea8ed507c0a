"""Where do I look? Every line with its most urgent alarm."""

from dashboards import style
from dashboards.alarmlist import TO_LINE, alarms_now
from dashboards.board import Board
from dashboards.layout import row
from dashboards.panels import Panel, coloured, link, stat, table, timeline
from dashboards.queries import EACH, LATELY, RANGE, SITE, Query, series
from dashboards.style import ORANGE, PALE, RED, steps
from dashboards.variables import site


def _now(fields: str, by: str = "") -> str:
    """Ask every asset for its last word, and put them together."""
    inner = f'SELECT last("ne107") AS "ne107", {_FLAGS} FROM "state" WHERE {SITE} AND {LATELY} '
    return f"SELECT {fields} FROM ({inner}GROUP BY {EACH})" + (f" GROUP BY {by}" if by else "")


_FLAGS = '"open", "waiting", "overdue", "urgency", "unjudged"'


def _count(name: str, title: str, about: str, colour: str) -> Panel:
    query = Query("state", _now(f'sum("{name}") AS "{name}"'))
    return stat(title, query, about=about, thresholds=steps((1, colour)), decimals=0)


def _lines() -> Panel:
    fields = (
        'max("urgency") AS "urgency", sum("open") AS "open", sum("waiting") AS "waiting", '
        'sum("overdue") AS "overdue", sum("unjudged") AS "unjudged", count("ne107") AS "assets"'
    )
    return table(
        "Lines",
        Query("state", _now(fields, '"site", "line"')),
        {
            "site": {"displayName": "Site"},
            "line": {"displayName": "Line", "links": [link("Open the line", TO_LINE)]},
            "urgency": coloured(style.urgencies(), displayName="Most urgent"),
            "open": {"displayName": "Alarms"},
            "waiting": {"displayName": "Not acknowledged"},
            "overdue": {"displayName": "For more than 10 min"},
            "unjudged": {"displayName": "Cannot be judged"},
            "assets": {"displayName": "Assets"},
        },
        about="One row a line. What cannot be judged is learning, not read, or has lost sensors.",
        none="Nothing was told within five minutes: see the board of the gateways",
        sort=("urgency", True),
    )


def _course() -> Panel:
    query = (
        f'SELECT max("urgency") AS "urgency" FROM "state" WHERE {SITE} AND {RANGE} '
        'GROUP BY time($__interval), "line" fill(none)'
    )
    return timeline(
        "Most urgent alarm of each line",
        series("state", query, "$tag_line"),
        style.urgencies(),
        about="Over the chosen time. A hole means that nothing was told.",
    )


def board() -> Board:
    """Make the board."""
    waits = "Alarms that nobody has acknowledged"
    return Board(
        name="01-site",
        title="site",
        question="Where do I look?",
        variables=(site(),),
        rows=(
            row(
                4,
                _count("open", "Alarms", "Alarms that stand or wait for a person.", ORANGE).wide(6),
                _count("waiting", "Not acknowledged", f"{waits}.", ORANGE).wide(6),
                _count("overdue", "For more than 10 min", f"{waits} for ten minutes.", RED).wide(6),
                _count("unjudged", "Cannot be judged", "Not read or learning.", PALE).wide(6),
            ),
            row(8, _lines()),
            row(7, alarms_now(SITE)),
            row(7, _course()),
        ),
    )
