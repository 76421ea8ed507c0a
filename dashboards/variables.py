"""What a reader chooses on a board: site, then line, then asset; and where the console is."""

from dataclasses import dataclass
from typing import Any

from dashboards.queries import LINE, SITE, datasource

Json = dict[str, Any]
CONSOLE = "http://127.0.0.1:8080"
"""Where a gateway serves its console unless it is told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """Something to choose from what the store holds.

    Parameters
    ----------
    name, label
        As queries know it, and as people do.
    query
        InfluxQL that lists the values.
    several
        Whether several may be chosen, and all of them.
    falling
        Numbers, the greatest first.
    """

    name: str
    label: str
    measurement: str
    query: str
    several: bool = True
    falling: bool = False

    def written(self) -> Json:
        """Write it."""
        found: Json = {
            "type": "query",
            "name": self.name,
            "label": self.label,
            "datasource": datasource(self.measurement),
            "query": self.query,
            "refresh": 2,
            "regex": "",
            "sort": 4 if self.falling else 1,
            "hide": 0,
            "skipUrlSync": False,
            "multi": self.several,
            "includeAll": self.several,
            "options": [],
        }
        if self.several:
            found |= {"allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}
        return found


@dataclass(frozen=True, slots=True)
class Console:
    """Address of the console, to which links lead."""

    url: str

    def written(self) -> Json:
        """Write it as a text that a reader may change."""
        chosen = {"text": self.url, "value": self.url, "selected": True}
        return {
            "type": "textbox",
            "name": "console",
            "label": "Console",
            "query": self.url,
            "current": chosen,
            "options": [chosen],
            "hide": 0,
            "skipUrlSync": False,
        }


def _places(key: str, where: str) -> str:
    chosen = f" WHERE {where}" if where else ""
    return f'SHOW TAG VALUES FROM "state" WITH KEY = "{key}"{chosen}'


def site() -> Variable:
    """Choose sites."""
    return Variable(name="site", label="Site", measurement="state", query=_places("site", ""))


def line() -> Variable:
    """Choose lines of the chosen sites."""
    return Variable(name="line", label="Line", measurement="state", query=_places("line", SITE))


def asset(*, several: bool = False) -> Variable:
    """Choose one asset of the chosen lines, or several."""
    query = _places("asset", LINE)
    return Variable(name="asset", label="Asset", measurement="state", query=query, several=several)
