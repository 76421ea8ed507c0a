"""Which sensor, since when? One asset: score, reason, contributors, raw samples."""

from dashboards import style
from dashboards.board import Board, address, console_alarm
from dashboards.layout import row
from dashboards.panels import (
    HIDDEN,
    Panel,
    coloured,
    line_of,
    link,
    override,
    stat,
    table,
    timeline,
    trend,
)
from dashboards.queries import ASSET, LATELY, RANGE, Query, series
from dashboards.ratelist import rates
from dashboards.style import DARK, GREY, ORANGE, PALE, steps
from dashboards.variables import Variable, asset, line, site

HERE = ("${site:queryparam}", "${line:queryparam}", "${asset:queryparam}")
TO_SIGNAL = address("03-asset", *HERE, "${alarm:queryparam}", "var-signal=${__data.fields.signal}")
EVENTS = (
    f'SELECT "text", "state_name", "id" FROM "alarm" WHERE {ASSET} AND {RANGE} GROUP BY "priority"'
)
SIGNAL = f'{ASSET} AND "signal" =~ /^${{signal:regex}}$/'
_ALARM = '"id" = 0${alarm:raw}'
"""The chosen alarm; 0 and so none where the asset has none, for a query has to stay one."""


def _in_its_window(url: str) -> str:
    """Lead to the time around the incident of a row instead of the time that is shown."""
    window = "from=${__data.fields.from_ms.numeric}&to=${__data.fields.to_ms.numeric}"
    return url.replace("${__url_time_range}", window)


def _state() -> Panel:
    query = f'SELECT last("ne107") AS "ne107" FROM "state" WHERE {ASSET} AND {LATELY}'
    return stat(
        "State (NE 107)",
        Query("state", query),
        about="As told within the last five minutes.",
        mappings=style.healths(),
        field_="ne107",
    )


def _limit() -> Panel:
    query = (
        f'SELECT last("score") / last("threshold") AS "ratio" FROM "score" WHERE {ASSET} '
        "AND time > now() - 15m"
    )
    return stat(
        "Score over limit",
        Query("score", query),
        about="The last row that was judged, within fifteen minutes.",
        thresholds=steps((1.0, ORANGE)),
        field_="ratio",
        decimals=2,
    )


def _budget() -> Panel:
    about = "Over the last four weeks; every alarm counts as false that nobody has called real."
    return rates(ASSET, about=about, none="asset is").wide(14)


def _score() -> Panel:
    query = (
        f'SELECT max("score") AS "score", max("threshold") AS "limit" FROM "score" WHERE {ASSET} '
        f"AND {RANGE} GROUP BY time($__interval) fill(none)"
    )
    return trend(
        "Score and limit",
        series("score", query, "$col"),
        about="The greatest within each step. Changes of alarms are marked.",
        unit="none",
        overrides=[
            override("score", **line_of(DARK)),
            override("limit", **line_of(ORANGE, lineStyle={"fill": "dash", "dash": [8, 6]})),
        ],
    )


def _reason() -> Panel:
    query = (
        'SELECT last("id") AS "alarm", "state", "priority", "text", "similar", "actor", "note", '
        f'"from_ms", "to_ms" FROM "alarm" WHERE {ASSET} AND {_ALARM}'
    )
    raw = _in_its_window(address("03-asset", *HERE, "var-alarm=${__data.fields.alarm}"))
    console = console_alarm("${__data.fields.alarm}")
    return table(
        "Why: alarm $alarm",
        Query("alarm", query),
        {
            "alarm": {
                "displayName": "Alarm",
                "unit": "none",
                "custom__width": 80,
                "links": [
                    link("Acknowledge in the console", console, outside=True),
                    link("Its raw window", raw),
                ],
            },
            "state": coloured(style.states(), displayName="State", custom__width=100),
            "text": {"displayName": "Reason", "custom__minWidth": 300},
            "similar": {"displayName": "Last similar"},
            "actor": {"displayName": "Who"},
            "note": {"displayName": "Why"},
            "from_ms": HIDDEN,
            "to_ms": HIDDEN,
        },
        about="The alarm chosen above. Its number leads to the console and to its raw window.",
        none="This alarm tells nothing",
    )


def _contributors() -> Panel:
    fields = '"signal", "actual", "expected", "low", "high", "unit", "trend", "since_ms"'
    query = (
        f'SELECT last("share") AS "share", {fields}, "from_ms", "to_ms" FROM "contribution" '
        f'WHERE {ASSET} AND {_ALARM} GROUP BY "rank"'
    )
    raw = _in_its_window(TO_SIGNAL)
    return table(
        "Contributors of alarm $alarm",
        Query("contribution", query),
        {
            "rank": {"displayName": " ", "custom__width": 40},
            "signal": {"displayName": "Signal", "links": [link("Its raw window", raw)]},
            "share": {
                "displayName": "Share",
                "unit": "percentunit",
                "min": 0,
                "max": 1,
                "decimals": 0,
                "custom__cellOptions": {"type": "gauge", "mode": "basic"},
            },
            "actual": {"displayName": "Actual", "decimals": 3},
            "expected": {"displayName": "Expected", "decimals": 3},
            "low": {"displayName": "Normal from", "decimals": 3},
            "high": {"displayName": "to", "decimals": 3},
            "unit": {"displayName": "Unit"},
            "trend": {"displayName": "Trend"},
            "since_ms": {"displayName": "Since", "unit": "dateTimeAsIso"},
            "from_ms": HIDDEN,
            "to_ms": HIDDEN,
        },
        about="The five largest. A signal leads to the raw samples around the incident.",
        none="No alarm is chosen",
    )


def _bands() -> Panel:
    values = (
        'SELECT min("min") AS "least", max("max") AS "greatest", mean("mean") AS "mean" '
        f'FROM "signal_1m" WHERE {SIGNAL} AND {RANGE} AND "good_ratio" > 0 '
        "GROUP BY time($__interval) fill(none)"
    )
    band = (
        f'SELECT last("low") AS "normal from", last("high") AS "normal to" FROM "normal" '
        f"WHERE {SIGNAL} AND {RANGE} GROUP BY time($__interval) fill(none)"
    )
    dashed = {"lineStyle": {"fill": "dash", "dash": [4, 6]}, "spanNulls": True}
    return trend(
        "$signal with its normal band",
        series("signal_1m", values, "$col"),
        series("normal", band, "$col"),
        about="Least, mean and greatest within each step; dashed is what is normal in the mode "
        "that the asset was in, told every ten minutes.",
        unit="none",
        interval="1m",
        overrides=[
            override("mean", **line_of(DARK)),
            override("least", **line_of(PALE)),
            override("greatest", **line_of(PALE)),
            override("normal from", **line_of(GREY, **dashed)),
            override("normal to", **line_of(GREY, **dashed)),
        ],
        repeat="signal",
    )


def _raw() -> Panel:
    query = f'SELECT "v" FROM "signal" WHERE {SIGNAL} AND {RANGE} GROUP BY "signal"'
    return trend(
        "Raw samples of the chosen signals",
        series("signal", query, "$tag_signal"),
        about="Samples around incidents, as they were read: they come when the source has passed "
        "an incident by ten minutes, and stay for ten years. Follow a contributor to them. With "
        "raw = true every sample is here.",
        unit="none",
        interval="1s",
        points=True,
    )


def _drift() -> Panel:
    query = (
        'SELECT last("drift") AS "drift", "expected", "low", "high" FROM "normal" '
        f'WHERE {ASSET} AND {RANGE} GROUP BY "signal"'
    )
    return table(
        "Drift: how far normal has moved since it was learnt",
        Query("normal", query),
        {
            "signal": {"displayName": "Signal", "links": [link("Its trend", TO_SIGNAL)]},
            "drift": {"displayName": "Drift, in spreads", "decimals": 2},
            "expected": {"displayName": "Expected", "decimals": 3},
            "low": {"displayName": "Normal from", "decimals": 3},
            "high": {"displayName": "to", "decimals": 3},
        },
        about="In the mode that the asset was in last. Slow, legitimate change is followed; this "
        "is where it went, in the spreads that a signal had when it was learnt.",
        none="Nothing is learnt yet",
        sort=("drift", True),
    )


def _course() -> Panel:
    query = (
        f'SELECT last("ne107") AS "state" FROM "state" WHERE {ASSET} AND {RANGE} '
        "GROUP BY time($__interval) fill(none)"
    )
    return timeline(
        "State over time (NE 107)",
        series("state", query, "$col"),
        style.healths(),
        about="A hole means that nothing was told.",
    )


def alarm_choice() -> Variable:
    """Choose an alarm of the asset, the newest unless said otherwise."""
    return Variable(
        name="alarm",
        label="Alarm",
        measurement="alarm",
        query=f'SELECT "id" FROM "alarm" WHERE {ASSET} ORDER BY time DESC LIMIT 200',
        several=False,
        falling=True,
    )


def signal_choice() -> Variable:
    """Choose signals of the asset."""
    return Variable(
        name="signal",
        label="Signal",
        measurement="tag",
        query=f'SHOW TAG VALUES FROM "tag" WITH KEY = "signal" WHERE {ASSET}',
    )


def board() -> Board:
    """Make the board."""
    return Board(
        name="03-asset",
        title="asset",
        question="Which sensor, since when?",
        variables=(site(), line(), asset(), alarm_choice(), signal_choice()),
        events=EVENTS,
        since="now-8h",
        rows=(
            row(4, _state().wide(5), _limit().wide(5), _budget()),
            row(4, _reason()),
            row(8, _score().wide(12), _contributors().wide(12)),
            row(5, _course()),
            row(8, _raw().wide(14), _drift().wide(10)),
            row(7, _bands()),
        ),
    )
