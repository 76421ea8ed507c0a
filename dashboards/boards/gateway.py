"""Is the data believable? Gateways: quality, delay, what waits to be sent, gaps, sensors."""

from dashboards import style
from dashboards.alarmlist import alarms_now
from dashboards.board import Board
from dashboards.layout import row
from dashboards.panels import Panel, coloured, stat, table, trend
from dashboards.queries import EACH, RANGE, Query, series
from dashboards.style import ORANGE, RED, steps
from dashboards.variables import Variable

CHOSEN = '"gateway" =~ /^${gateway:regex}$/'
_LATELY = "time > now() - 5m"


def gateway_choice() -> Variable:
    """Choose gateways."""
    query = 'SHOW TAG VALUES FROM "gateway" WITH KEY = "gateway"'
    return Variable(name="gateway", label="Gateway", measurement="gateway", query=query)


def _last() -> Panel:
    fields = (
        "bad_quality_ratio",
        "read_p95_ms",
        "unsent_s",
        "journal_bytes",
        "certificate_days",
        "cpu_ratio",
        "rss_mb",
    )
    asked = ", ".join(f'last("{name}") AS "{name}"' for name in fields)
    query = f'SELECT {asked} FROM "gateway" WHERE {CHOSEN} AND {_LATELY} GROUP BY "gateway"'
    amber = {"custom__cellOptions": {"type": "color-text"}, "color": {"mode": "thresholds"}}
    return table(
        "Gateways",
        Query("gateway", query),
        {
            "gateway": {"displayName": "Gateway"},
            "bad_quality_ratio": {
                "displayName": "Tags not Good",
                "unit": "percentunit",
                "thresholds": steps((0.02, ORANGE), (0.2, RED)),
                **amber,
            },
            "read_p95_ms": {"displayName": "Reads, 95 % within", "unit": "ms"},
            "unsent_s": {
                "displayName": "Oldest unsent",
                "unit": "s",
                "thresholds": steps((900, ORANGE)),
                **amber,
            },
            "journal_bytes": {"displayName": "Journal", "unit": "decbytes"},
            "certificate_days": {
                "displayName": "Certificates left",
                "unit": "d",
                "decimals": 0,
                "thresholds": _falling(30.0),
                **amber,
            },
            "cpu_ratio": {"displayName": "Processors", "unit": "percentunit", "decimals": 1},
            "rss_mb": {"displayName": "Memory", "unit": "decmbytes"},
        },
        about="As told within the last five minutes; a gateway that is silent is missing here. "
        "Days are those of the first certificate of a source that ends, where there is one.",
        none="No gateway has told anything within five minutes",
    )


def _falling(least: float) -> dict[str, object]:
    """Colour what is below a value."""
    found = steps((least, style.GREY), base=RED)
    return dict(found)


def _seen() -> Panel:
    query = (
        f'SELECT count("n") AS "gateways" FROM (SELECT last("rss_mb") AS "n" FROM "gateway" '
        f'WHERE {CHOSEN} AND {_LATELY} GROUP BY "gateway")'
    )
    return stat(
        "Gateways heard",
        Query("gateway", query),
        about="Within five minutes, of those chosen.",
        decimals=0,
    )


def _over_time(name: str, title: str, unit: str, about: str) -> Panel:
    query = (
        f'SELECT max("{name}") AS "{name}" FROM "gateway" WHERE {CHOSEN} AND {RANGE} '
        'GROUP BY time($__interval), "gateway" fill(none)'
    )
    asked = series("gateway", query, "$tag_gateway")
    return trend(title, asked, about=about, unit=unit, interval="1m").wide(12)


def _gaps() -> Panel:
    fields = (
        '"source", "gateway", "cause", "why", "from" / 1000000 AS "from", "to" / 1000000 AS "to", '
        '"recovered", "lost"'
    )
    query = f'SELECT {fields} FROM "gap" WHERE {CHOSEN} AND {RANGE} ORDER BY time DESC LIMIT 200'
    return table(
        "Gaps: when a source could not be read, and what became of it",
        Query("gap", query),
        {
            "source": {"displayName": "Source"},
            "gateway": {"displayName": "Gateway"},
            "from": {"displayName": "From", "unit": "dateTimeAsIso"},
            "to": {"displayName": "To", "unit": "dateTimeAsIso"},
            "cause": {"displayName": "Cause"},
            "why": {"displayName": "Why", "custom__minWidth": 250},
            "recovered": {"displayName": "Recovered"},
            "lost": {"displayName": "Lost"},
        },
        about="One row for each thing that was told of a gap: that it begins, ends, is settled.",
        none="No gap in this time",
    )


def _sensors() -> Panel:
    query = (
        'SELECT last("ne107") AS "ne107", "action", "fault", "text" FROM "instrument" '
        f'WHERE {CHOSEN} AND {RANGE} GROUP BY {EACH}, "signal"'
    )
    query = f'SELECT "ne107", "action", "fault", "text" FROM ({query}) GROUP BY {EACH}, "signal"'
    return table(
        "Sensors that were at fault",
        Query("instrument", query),
        {
            "asset": {"displayName": "Asset"},
            "signal": {"displayName": "Signal"},
            "action": {
                "displayName": "Now",
                "mappings": [
                    {
                        "type": "value",
                        "options": {
                            "raise": {"index": 0, "text": "▲ at fault", "color": ORANGE},
                            "clear": {"index": 1, "text": "believed again", "color": style.GREY},
                        },
                    }
                ],
                "custom__cellOptions": {"type": "color-text"},
            },
            "ne107": coloured(style.healths(), displayName="NE 107"),
            "text": {"displayName": "Diagnosis", "custom__minWidth": 300},
        },
        about="The last word on each sensor in the chosen time.",
        none="No sensor was at fault in this time",
    )


def _worst() -> Panel:
    query = (
        'SELECT mean("good_ratio") AS "good" FROM "signal_1m" '
        f'WHERE {RANGE} GROUP BY {EACH}, "signal"'
    )
    return table(
        "Signals with the least good values",
        Query("signal_1m", query),
        {
            "asset": {"displayName": "Asset"},
            "signal": {"displayName": "Signal"},
            "good": {
                "displayName": "Good",
                "unit": "percentunit",
                "thresholds": steps((0.98, style.GREY), base=ORANGE),
                "custom__cellOptions": {"type": "color-text"},
                "color": {"mode": "thresholds"},
            },
        },
        about="The twenty worst of all gateways: mean share of Good samples in the chosen time.",
        none="No signal in this time",
        sort=("good", False),
        most=20,
    )


def board() -> Board:
    """Make the board."""
    unsent = "Age of the oldest record that a store still lacks."
    bad = "Share of the tags whose value is not Good."
    return Board(
        name="05-gateway",
        title="gateway",
        question="Is the data believable?",
        variables=(gateway_choice(),),
        rows=(
            row(6, _seen(), _last().wide(20)),
            row(
                7,
                _over_time("bad_quality_ratio", "Tags not Good", "percentunit", bad),
                _over_time("unsent_s", "Oldest unsent record", "s", unsent),
            ),
            row(
                7,
                _over_time("journal_bytes", "Journal", "decbytes", "Its size on disk."),
                _over_time(
                    "read_p95_ms", "Reads, 95 % within", "ms", "Time that reads were in work."
                ),
            ),
            row(8, _gaps()),
            row(8, _worst().wide(10), _sensors().wide(14)),
            row(7, alarms_now("")),
        ),
    )
