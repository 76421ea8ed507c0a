"""The alarms of now, as a table that leads on: to the asset, its raw samples, and the console."""

from dashboards import style
from dashboards.board import address, console_alarm
from dashboards.panels import HIDDEN, Json, Panel, coloured, link, table
from dashboards.queries import EACH, LATELY, Query

_TO_ASSET = (
    "var-site=${__data.fields.site}",
    "var-line=${__data.fields.line}",
    "var-asset=${__data.fields.asset}",
)
TO_ASSET = address("03-asset", *_TO_ASSET)
TO_ALARM = address("03-asset", *_TO_ASSET, "var-alarm=${__data.fields.alarm}")
TO_LINE = address("02-line", "var-site=${__data.fields.site}", "var-line=${__data.fields.line}")


def asset_column() -> Json:
    """Show the name of an asset, leading to its board."""
    return {"displayName": "Asset", "links": [link("Open the asset", TO_ASSET)]}


def alarm_column(title: str = "Alarm") -> Json:
    """Show the number of an alarm, leading to its asset and to the console."""
    return {
        "displayName": title,
        "unit": "none",
        "custom__width": 90,
        "links": [
            link("Which sensor, since when?", TO_ALARM),
            link(
                "Acknowledge in the console", console_alarm("${__data.fields.alarm}"), outside=True
            ),
        ],
    }


def alarms_now(where: str, *, kept: bool = False) -> Panel:
    """List the alarms of now.

    Parameters
    ----------
    where
        Which assets, in InfluxQL; empty for all.
    kept
        List those that are kept quiet as well.
    """
    chosen = f"{where} AND " if where else ""
    fields = '"priority", "alarm_state", "alarm", "reason", "waited_s"'
    which = '"alarm" > 0' if kept else '"open" = 1'
    query = (
        f"SELECT {fields} FROM "
        f'(SELECT last("open") AS "open", {fields} FROM "state" WHERE {chosen}{LATELY} '
        f"GROUP BY {EACH}) WHERE {which} GROUP BY {EACH}"
    )
    about = (
        "What the gateways told within the last five minutes. A number leads to the asset, and to "
        "the console, where alarms are acknowledged, shelved and named."
    )
    return table(
        "Alarms of now" + (", those kept quiet as well" if kept else ""),
        Query("state", query),
        {
            "priority": coloured(style.priorities(), displayName="Priority", custom__width=80),
            "alarm": alarm_column(),
            "alarm_state": coloured(style.states(), displayName="State", custom__width=100),
            "asset": asset_column(),
            "line": {"displayName": "Line"},
            "site": HIDDEN,
            "reason": {"displayName": "Reason", "custom__minWidth": 300},
            "waited_s": {"displayName": "Waits for", "unit": "s", "custom__width": 100},
        },
        about=about,
        none="No alarm, or nothing was told within five minutes: see the board of the gateways",
        sort=("priority", False),
    )
