"""What Grafana does with a query before it asks: variables, formats and macros put in.

After Grafana's own documentation (Variable syntax, InfluxDB query editor); written here, so it is
no Grafana.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
ALL = ".*"
"""The custom value of "All": it goes in as it stands, whatever the format."""


def escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)


@dataclass(frozen=True)
class Viewer:
    """Somebody who looks at a board.

    Parameters
    ----------
    chosen
        Values of the variables.
    start, stop
        Time range, ms.
    step
        ``$__interval``.
    """

    chosen: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    start: int = 0
    stop: int = 0
    step: str = "1m"

    def asks(self, query: str) -> str:
        """Give the query as it goes over the wire."""
        query = query.replace("$timeFilter", f"time >= {self.start}ms and time <= {self.stop}ms")
        return _VARIABLE.sub(self._value, query.replace("$__interval", self.step))

    def _value(self, found: "re.Match[str]") -> str:
        value = self.chosen[found[1] or found[3]]
        if value == ALL:
            return ALL
        return _FORMATS[found[2] or "regex"]([value] if isinstance(value, str) else list(value))


def _regex(values: list[str]) -> str:
    told = [escaped(value) for value in values]
    return told[0] if len(told) == 1 else f"({'|'.join(told)})"


_FORMATS = {"regex": _regex, "raw": ",".join}


def targets(board: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Give every target of a board with the title of its panel."""
    return [(panel["title"], one) for panel in board["panels"] for one in panel.get("targets", ())]


def questions(board: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give every query of a board with what asks it: panels, variables, annotations."""
    panels = [(title, one["query"]) for title, one in targets(board)]
    listed = [
        (f"variable {one['name']}", one["query"])
        for one in board["templating"]["list"]
        if one["type"] == "query"
    ]
    marks = [(one["name"], one["target"]["query"]) for one in board["annotations"]["list"]]
    return panels + listed + marks


def rows(answer: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give an InfluxDB's answer as the rows of a table: tags beside columns."""
    return [
        {**one.get("tags", {}), **dict(zip(one["columns"], values, strict=True))}
        for one in answer
        for values in one["values"]
    ]
