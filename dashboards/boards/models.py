"""May I trust the model? What each asset has learnt, how strange it is, and what people said."""

from dashboards import style
from dashboards.alarmlist import alarm_column, alarms_now, asset_column
from dashboards.board import Board
from dashboards.layout import row
from dashboards.panels import HIDDEN, Panel, coloured, histogram, stat, table, trend
from dashboards.queries import EACH, LATELY, LINE, RANGE, Query, series
from dashboards.ratelist import rates
from dashboards.variables import line, site


def _watched() -> Panel:
    query = (
        f'SELECT last("machine") AS "machine" FROM "state" WHERE {LINE} AND {LATELY} '
        f"GROUP BY {EACH}"
    )
    return table(
        "How far each asset is watched",
        Query("state", query),
        {
            "asset": asset_column(),
            "line": {"displayName": "Line"},
            "machine": coloured(style.watched(), displayName="Watched"),
            "site": HIDDEN,
        },
        about="As told within the last five minutes.",
        none="Nothing was told within five minutes: see the board of the gateways",
        sort=("machine", False),
    )


def _rates() -> Panel:
    return rates(
        LINE,
        about="Of the last four weeks, counted once an hour.",
        none="assets are",
        by=f" GROUP BY {EACH}",
        before={"asset": asset_column()},
        after={"line": HIDDEN, "site": HIDDEN},
        sort=("realised", True),
    )


def _drift() -> Panel:
    query = (
        'SELECT last("drift") AS "drift", "expected", "mode" FROM "normal" '
        f'WHERE {LINE} AND {RANGE} GROUP BY {EACH}, "signal"'
    )
    return table(
        "Drift: how far normal has moved since it was learnt",
        Query("normal", query),
        {
            "asset": asset_column(),
            "signal": {"displayName": "Signal"},
            "mode": {"displayName": "Mode"},
            "drift": {"displayName": "Drift, in spreads", "decimals": 2},
            "expected": {"displayName": "Expected now", "decimals": 3},
            "line": HIDDEN,
            "site": HIDDEN,
        },
        about="In the mode that each asset was in last; in the spreads that a signal had when it "
        "was learnt, rising ones first.",
        none="Nothing is learnt yet",
        sort=("drift", True),
    )


def _in_force() -> Panel:
    query = (
        'SELECT last("model") AS "model", "beside" FROM "state" '
        f"WHERE {LINE} AND {LATELY} GROUP BY {EACH}"
    )
    return table(
        "Models from the centre: in force, and beside",
        Query("state", query),
        {
            "asset": asset_column(),
            "line": {"displayName": "Line"},
            "model": {"displayName": "In force", "decimals": 0},
            "beside": {"displayName": "Beside it", "decimals": 0},
            "site": HIDDEN,
        },
        about="Versions; 0 is what a gateway learnt by itself. The one beside it judges the same "
        "rows and acts on nothing: a new one that is tried, or the one before on probation.",
        none="No model from elsewhere has come to any of these within five minutes",
        sort=("asset", False),
    )


def _beside() -> Panel:
    def over(score: str, threshold: str) -> str:
        return (
            f'SELECT max("ratio") AS "ratio" FROM (SELECT "{score}" / "{threshold}" AS "ratio" '
            f'FROM "score" WHERE {LINE} AND {RANGE} GROUP BY {EACH}) '
            f"WHERE {RANGE} GROUP BY time($__interval), {EACH} fill(none)"
        )

    return trend(
        "Side by side: score over limit",
        series("score", over("beside_score", "beside_threshold"), "$tag_asset, beside"),
        series("score", over("score", "threshold"), "$tag_asset, in force"),
        about="The greatest within each step, each over its own limit; above 1 is anomalous.",
        unit="none",
    )


def _changes() -> Panel:
    query = (
        'SELECT "action", "version", "why", "actor", "site", "line", "asset" FROM "model" '
        f"WHERE {LINE} AND {RANGE} ORDER BY time DESC LIMIT 200"
    )
    return table(
        "Changes of models: who, when and why",
        Query("model", query),
        {
            "Time": {"custom__width": 170},
            "asset": asset_column(),
            "action": {"displayName": "What"},
            "version": {"displayName": "Version", "decimals": 0},
            "actor": {"displayName": "By"},
            "why": {"displayName": "Why", "custom__minWidth": 300},
            "line": HIDDEN,
            "site": HIDDEN,
        },
        about="Tried beside the one in force (shadow), promoted, kept after probation, taken back "
        "(return), tried no longer (discard), a file that was refused.",
        none="No model came or went in this time",
    )


def _scores() -> Panel:
    query = (
        'SELECT mean("ratio") AS "ratio" FROM (SELECT "score" / "threshold" AS "ratio" '
        f'FROM "score" WHERE {LINE} AND {RANGE} GROUP BY {EACH}) '
        f"WHERE {RANGE} GROUP BY time($__interval), {EACH} fill(none)"
    )
    return histogram(
        "How strange the assets were: score over limit",
        series("score", query, "$tag_asset"),
        about="Means over each step. Healthy assets stay well below 1; many steps near 1 mean that "
        "limits are tight.",
        unit="none",
        size=0.1,
    )


def _said(label: str, title: str, about: str) -> Panel:
    inner = (
        f'SELECT count(distinct("id")) AS "n" FROM "alarm" WHERE "feedback" = \'{label}\' '
        f'AND {LINE} AND {RANGE} GROUP BY {EACH}, "gateway"'
    )
    query = f'SELECT sum("n") AS "alarms" FROM ({inner})'
    return stat(title, Query("alarm", query), about=about, decimals=0).saying("none").wide(4)


def _feedback() -> Panel:
    query = (
        'SELECT "id" AS "alarm", "feedback", "note", "actor", "text", "site", "line", "asset" '
        f'FROM "alarm" WHERE "feedback" =~ /./ AND {LINE} AND {RANGE} ORDER BY time DESC LIMIT 200'
    )
    return table(
        "What people said",
        Query("alarm", query),
        {
            "Time": {"custom__width": 170},
            "alarm": alarm_column(),
            "asset": asset_column(),
            "feedback": {"displayName": "What it was"},
            "note": {"displayName": "Note"},
            "actor": {"displayName": "Who"},
            "text": {"displayName": "Reason", "custom__minWidth": 300},
            "line": HIDDEN,
            "site": HIDDEN,
        },
        about="Alarms are named in the console; what they are called is learnt from.",
        none="Nobody has named an alarm in this time",
    )


def board() -> Board:
    """Make the board."""
    real = "Alarms that people called real, of those that changed in the chosen time."
    return Board(
        name="06-models",
        title="models",
        question="May I trust the model?",
        variables=(site(), line()),
        since="now-7d",
        rows=(
            row(9, _watched().wide(9), _rates().wide(15)),
            row(8, _in_force().wide(9), _changes().wide(15)),
            row(9, _beside()),
            row(9, _drift().wide(12), _scores().wide(12)),
            row(
                8,
                _said("real", "Called real", real),
                _said("false", "Called false", "Alarms that people called false."),
                _said("expected", "Called expected", "Something did change, and was meant to."),
                _feedback().wide(12),
            ),
            row(7, alarms_now(LINE)),
        ),
    )
