"""What a panel asks: one line of InfluxQL each, over measurements as gateways write them.

Whatever has to be counted or compared is done by the gateway before it is written, so that a query
stays one line, works on InfluxDB 1, 2 and 3, and shows what the console shows.
"""

from dataclasses import dataclass
from typing import Any, Literal

from connectors.influx.schema import KEPT

SOURCE = "wheeltapper"
"""First part of the uids of the data sources; one for each time that things are kept."""
LATELY = "time > now() - 5m"
"""The present: assets are told of every minute, so what is older than this is not known."""
COUNTED = "time > now() - 3h"
"""The same of what is counted once an hour."""
RANGE = "$timeFilter"
SITE = '"site" =~ /^${site:regex}$/'
LINE = f'{SITE} AND "line" =~ /^${{line:regex}}$/'
ASSET = f'{LINE} AND "asset" =~ /^${{asset:regex}}$/'
EACH = '"site", "area", "line", "asset"'
"""The tags that tell assets apart."""

Format = Literal["table", "time_series"]


@dataclass(frozen=True, slots=True)
class Query:
    """One question.

    Parameters
    ----------
    measurement
        What it asks; tells the data source.
    text
        The InfluxQL, with the board's variables and Grafana's macros.
    form
        A table, or series over time.
    alias
        Name of each series, as ``$tag_asset``.
    """

    measurement: str
    text: str
    form: Format = "table"
    alias: str = ""

    def target(self, ref: str) -> dict[str, Any]:
        """Write it as the target of a panel."""
        return {
            "refId": ref,
            "datasource": datasource(self.measurement),
            "query": self.text,
            "rawQuery": True,
            "resultFormat": self.form,
            **({"alias": self.alias} if self.alias else {}),
        }


def series(measurement: str, text: str, alias: str = "") -> Query:
    """Ask for series over time."""
    return Query(measurement, text, "time_series", alias)


def source_uid(suffix: str) -> str:
    """Name the data source of a bucket.

    Examples
    --------
    >>> source_uid(""), source_uid("_1y")
    ('wheeltapper', 'wheeltapper-1y')
    """
    return SOURCE + suffix.replace("_", "-")


def datasource(measurement: str) -> dict[str, str]:
    """Name the data source in which a measurement is found."""
    return {"type": "influxdb", "uid": source_uid(KEPT[measurement].suffix)}
