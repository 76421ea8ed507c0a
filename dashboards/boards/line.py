"""What happened this shift? Every asset of a line, its states, its scores, its alarms."""

from dashboards import style
from dashboards.alarmlist import alarm_column, alarms_now, asset_column
from dashboards.board import Board, address
from dashboards.layout import row
from dashboards.panels import HIDDEN, Panel, coloured, history, link, table, timeline
from dashboards.queries import EACH, LINE, RANGE, Query, series
from dashboards.style import ORANGE, YELLOW, steps
from dashboards.variables import line, site

TO_ASSET = address(
    "03-asset", "${site:queryparam}", "${line:queryparam}", "var-asset=${__field.labels.asset}"
)
EVENTS = (
    f'SELECT "text", "state_name", "id" FROM "alarm" WHERE {LINE} AND {RANGE} '
    'AND ("state" = 1 OR "state" = 0) GROUP BY "priority"'
)


def changes(where: str, title: str = "Every change of an alarm") -> Panel:
    """List what became of the alarms, newest first."""
    query = (
        'SELECT "id" AS "alarm", "state", "text", "actor", "note", "feedback", "priority", '
        f'"site", "line", "asset" FROM "alarm" WHERE {where} AND {RANGE} '
        "ORDER BY time DESC LIMIT 500"
    )
    return table(
        title,
        Query("alarm", query),
        {
            "Time": {"custom__width": 170},
            "priority": coloured(
                [{"type": "value", "options": _as_texts()}], displayName="Priority"
            ),
            "alarm": alarm_column(),
            "state": coloured(style.states(), displayName="State"),
            "asset": asset_column(),
            "line": {"displayName": "Line"},
            "text": {"displayName": "Reason", "custom__minWidth": 300},
            "actor": {"displayName": "Who"},
            "note": {"displayName": "Why"},
            "feedback": {"displayName": "What it was"},
            "site": HIDDEN,
        },
        about="The 500 newest. The menu of the panel gives them as CSV (Inspect, Data).",
        none="No alarm changed in this time",
    )


def _as_texts() -> dict[str, dict[str, object]]:
    """Map priorities where they stand as texts: they are a tag of `alarm`."""
    mapped: dict[str, dict[str, object]] = style.priorities()[0]["options"]
    return mapped


def _states() -> Panel:
    query = (
        f'SELECT last("ne107") AS "ne107" FROM "state" WHERE {LINE} AND {RANGE} '
        f"GROUP BY time($__interval), {EACH} fill(none)"
    )
    return timeline(
        "State of each asset (NE 107)",
        series("state", query, "$tag_asset"),
        style.healths(),
        about="A hole means that nothing was told.",
        links=[link("Open the asset", TO_ASSET)],
    )


def _scores() -> Panel:
    query = (
        'SELECT max("ratio") AS "ratio" FROM (SELECT "score" / "threshold" AS "ratio" '
        f'FROM "score" WHERE {LINE} AND {RANGE} GROUP BY {EACH}) '
        f"WHERE {RANGE} GROUP BY time($__interval), {EACH} fill(none)"
    )
    return history(
        "Strangeness of each asset: score over limit",
        series("score", query, "$tag_asset"),
        steps((1.0, YELLOW), (2.0, ORANGE)),
        about="The greatest within each step; beyond 1 an asset is stranger than its limit allows.",
        unit="none",
        links=[link("Open the asset", TO_ASSET)],
    )


def board() -> Board:
    """Make the board."""
    return Board(
        name="02-line",
        title="line",
        question="What happened this shift?",
        variables=(site(), line()),
        events=EVENTS,
        since="now-8h",
        rows=(
            row(8, _states()),
            row(8, _scores()),
            row(7, alarms_now(LINE)),
            row(9, changes(LINE)),
        ),
    )
