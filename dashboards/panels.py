"""The kinds of panels that the boards use, each with the options that Grafana needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dashboards.queries import Query
from dashboards.style import BY_THRESHOLD, GREY, fixed, steps

Json = dict[str, Any]
HIDDEN: Json = {
    "custom__hidden": True,
    "custom__hideFrom": {"viz": True, "legend": False, "tooltip": False},
}
"""A column that is not shown: a link needs it. Said as Grafana before 12.2 knows it, and after."""
NOT_KNOWN = "not known"
"""Shown where nothing was said lately: silence is never shown as normal."""
LEGEND: Json = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
TOOLTIP: Json = {"mode": "multi", "sort": "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel, without its place.

    Parameters
    ----------
    kind
        Grafana's name of its type.
    title, about
        What it is called, and what it tells.
    queries
        What it asks.
    width
        Of 24 columns.
    options, defaults, overrides, transformations
        As Grafana's schema has them.
    interval
        Shortest step of its series.
    repeat
        Variable for each of whose values it is shown.
    """

    kind: str
    title: str
    about: str = ""
    queries: tuple[Query, ...] = ()
    width: int = 24
    options: Json = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)
    overrides: tuple[Json, ...] = ()
    transformations: tuple[Json, ...] = ()
    interval: str = ""
    repeat: str = ""

    def written(self, number: int, place: Json) -> Json:
        """Write it with its number and place."""
        found: Json = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "gridPos": place,
            "options": self.options,
            "fieldConfig": {"defaults": self.defaults, "overrides": list(self.overrides)},
            "transparent": False,
        }
        if self.queries:
            asked = [query.target(chr(65 + n)) for n, query in enumerate(self.queries)]
            found |= {"targets": asked, "datasource": asked[0]["datasource"]}
        if self.transformations:
            found["transformations"] = list(self.transformations)
        if self.interval:
            found["interval"] = self.interval
        if self.repeat:
            found |= {"repeat": self.repeat, "repeatDirection": "v"}
        return found

    def wide(self, width: int) -> "Panel":
        """Give it another width."""
        return replace(self, width=width)

    def saying(self, none: str) -> "Panel":
        """Say something else where there is nothing, because nothing is an answer too."""
        return replace(self, defaults={**self.defaults, "noValue": none})


def override(name: str, **properties: Any) -> Json:
    """Show a field otherwise; `properties` by their ids, a double underscore for a dot."""
    listed = [{"id": key.replace("__", "."), "value": what} for key, what in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def link(title: str, url: str, *, outside: bool = False) -> Json:
    """Lead somewhere from a value."""
    return {"title": title, "url": url, "targetBlank": outside}


def shown(order: Sequence[str]) -> Json:
    """Put the columns of a table in order."""
    return {
        "id": "organize",
        "options": {
            "excludeByName": {},
            "indexByName": {name: place for place, name in enumerate(order)},
            "renameByName": {},
        },
    }


def only(*names: str) -> Json:
    """Keep these columns of a table."""
    return {"id": "filterFieldsByName", "options": {"include": {"names": list(names)}}}


def stat(
    title: str,
    query: Query,
    *,
    about: str,
    unit: str = "short",
    thresholds: Json | None = None,
    mappings: Sequence[Json] = (),
    field_: str = "",
    links: Sequence[Json] = (),
    decimals: int | None = None,
) -> Panel:
    """Show one number."""
    defaults: Json = {
        "unit": unit,
        "noValue": NOT_KNOWN,
        "color": BY_THRESHOLD,
        "thresholds": thresholds or steps(),
        "mappings": list(mappings),
        "links": list(links),
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    return Panel(
        kind="stat",
        title=title,
        about=about,
        queries=(query,),
        width=4,
        defaults=defaults,
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": field_, "values": False},
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "value",
            "wideLayout": True,
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
        },
    )


def table(
    title: str,
    query: Query,
    columns: Mapping[str, Json],
    *,
    about: str,
    none: str = "none",
    sort: tuple[str, bool] | None = None,
    most: int = 0,
) -> Panel:
    """Show rows.

    Parameters
    ----------
    columns
        The columns that are shown, in their order, each with its properties.
    none
        What is said when there are no rows.
    sort, most
        Column and whether it falls; rows that are shown, 0 for all.
    """
    transformations = [only(*columns), shown(list(columns))]
    if sort:
        by = [{"field": sort[0], "desc": sort[1]}]
        transformations.append({"id": "sortBy", "options": {"fields": {}, "sort": by}})
    if most:
        transformations.append({"id": "limit", "options": {"limitField": most}})
    return Panel(
        kind="table",
        title=title,
        about=about,
        queries=(query,),
        defaults={
            "noValue": none,
            "color": fixed("text"),
            "mappings": [],
            "thresholds": steps(),
            "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False},
        },
        overrides=tuple(override(name, **told) for name, told in columns.items() if told),
        transformations=tuple(transformations),
        options={
            "showHeader": True,
            "cellHeight": "sm",
            "frameIndex": 0,
            **({"sortBy": [{"displayName": sort[0], "desc": sort[1]}]} if sort else {}),
        },
    )


def coloured(mappings: Sequence[Json], **more: Any) -> Json:
    """Show a column of numbers as words in their colours."""
    return {
        "mappings": list(mappings),
        "custom__cellOptions": {"type": "color-text"},
        "color": BY_THRESHOLD,
        **more,
    }


def timeline(
    title: str, query: Query, mappings: Sequence[Json], *, about: str, links: Sequence[Json] = ()
) -> Panel:
    """Show in which state things were, over time."""
    return Panel(
        kind="state-timeline",
        title=title,
        about=about,
        queries=(query,),
        interval="1m",
        defaults={
            "color": BY_THRESHOLD,
            "thresholds": steps(),
            "mappings": list(mappings),
            "links": list(links),
            "noValue": NOT_KNOWN,
            "custom": {"lineWidth": 0, "fillOpacity": 60},
        },
        options={
            "mergeValues": True,
            "showValue": "auto",
            "alignValue": "left",
            "rowHeight": 0.85,
            "legend": LEGEND,
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )


def history(
    title: str,
    query: Query,
    thresholds: Json,
    *,
    about: str,
    unit: str,
    links: Sequence[Json] = (),
) -> Panel:
    """Show how much of something there was, step by step, as fields of a grid."""
    return Panel(
        kind="status-history",
        title=title,
        about=about,
        queries=(query,),
        interval="5m",
        defaults={
            "unit": unit,
            "decimals": 2,
            "color": BY_THRESHOLD,
            "thresholds": thresholds,
            "mappings": [],
            "links": list(links),
            "custom": {"lineWidth": 0, "fillOpacity": 60},
        },
        options={
            "showValue": "never",
            "rowHeight": 0.85,
            "colWidth": 0.95,
            "legend": LEGEND,
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )


def trend(
    title: str,
    *queries: Query,
    about: str,
    unit: str = "short",
    overrides: Sequence[Json] = (),
    interval: str = "10s",
    thresholds: Json | None = None,
    bars: bool = False,
    points: bool = False,
    links: Sequence[Json] = (),
    repeat: str = "",
) -> Panel:
    """Show values over time, in grey unless an override says otherwise."""
    marked: Json = {"thresholdsStyle": {"mode": "dashed"}} if thresholds else {}
    return Panel(
        kind="timeseries",
        title=title,
        about=about,
        queries=queries,
        interval=interval,
        repeat=repeat,
        defaults={
            "unit": unit,
            "color": fixed(GREY),
            "thresholds": thresholds or steps(),
            "mappings": [],
            "links": list(links),
            "custom": {
                "drawStyle": "bars" if bars else "points" if points else "line",
                "lineInterpolation": "linear",
                "lineWidth": 1,
                "fillOpacity": 40 if bars else 0,
                "pointSize": 3,
                "showPoints": "always" if points else "auto",
                "spanNulls": False,
                "axisPlacement": "auto",
                "axisLabel": "",
                **marked,
            },
        },
        overrides=tuple(overrides),
        options={"legend": LEGEND, "tooltip": TOOLTIP},
    )


def line_of(colour: str, **custom: Any) -> Json:
    """Draw a series in one colour; `custom` as its own properties."""
    return {"color": fixed(colour), **{f"custom__{key}": what for key, what in custom.items()}}


def histogram(title: str, query: Query, *, about: str, unit: str, size: float) -> Panel:
    """Show how often values come, in bins of one size."""
    return Panel(
        kind="histogram",
        title=title,
        about=about,
        queries=(query,),
        interval="1m",
        defaults={
            "unit": unit,
            "color": fixed(GREY),
            "thresholds": steps(),
            "mappings": [],
            "custom": {"lineWidth": 1, "fillOpacity": 50, "gradientMode": "none"},
        },
        options={
            "bucketSize": size,
            "bucketOffset": 0,
            "combine": True,
            "legend": LEGEND,
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )


def words(title: str, text: str) -> Panel:
    """Show a text."""
    return Panel(
        kind="text",
        title=title,
        options={"mode": "markdown", "content": text},
    )
