"""Alert rules of Grafana, driven by what gateways tell of alarms and of themselves.

Who is told, and by which way, is Grafana's business (contact points, notification policies); when
there is an alarm is the gateway's. Nothing in a rule has a dollar: Grafana takes one in a file for
a variable of its environment.
"""

from dataclasses import dataclass
from typing import Any

from dashboards.board import uid_of
from dashboards.queries import EACH, LATELY, datasource

Json = dict[str, Any]
FOLDER = "Wheeltapper"
_PLACE = "{{ .Labels.site }} {{ .Labels.line }} {{ .Labels.asset }}"
_GATEWAY = "{{ .Labels.gateway }}"
_EXPRESSION = {"type": "__expr__", "uid": "__expr__"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: it fires for each series whose last value is beyond a limit for so long.

    Parameters
    ----------
    name
        End of its uid.
    title, summary
        What is told.
    measurement, query
        What it asks: series over time, one for each asset or gateway.
    limit, below
        The limit, and whether it is one from below.
    lasts
        For how long it has to be beyond it.
    severity
        Label for the routing.
    board
        Board to look at.
    back
        How far the query looks back, s.
    """

    name: str
    title: str
    summary: str
    measurement: str
    query: str
    limit: float
    below: bool = False
    lasts: str = "0s"
    severity: str = "warning"
    board: str = "03-asset"
    back: int = 300

    def written(self, console: str) -> Json:
        """Write it; `console` is where its reader acknowledges."""
        return {
            "uid": f"wheeltapper-{self.name}",
            "title": self.title,
            "condition": "C",
            "for": self.lasts,
            "noDataState": "OK",
            "execErrState": "Error",
            "isPaused": False,
            "labels": {"source": "wheeltapper", "severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "console": f"{console}/alarms",
                "__dashboardUid__": uid_of(self.board),
                "__panelId__": "1",
            },
            "data": [self._asked(), self._last(), self._beyond()],
        }

    def _asked(self) -> Json:
        source = datasource(self.measurement)
        model = {
            "refId": "A",
            "datasource": source,
            "query": self.query,
            "rawQuery": True,
            "resultFormat": "time_series",
            "intervalMs": 60_000,
            "maxDataPoints": 1_000,
        }
        return self._step("A", source["uid"], model)

    def _last(self) -> Json:
        model = {
            "refId": "B",
            "datasource": _EXPRESSION,
            "type": "reduce",
            "expression": "A",
            "reducer": "last",
        }
        return self._step("B", "__expr__", model)

    def _beyond(self) -> Json:
        evaluator = {"type": "lt" if self.below else "gt", "params": [self.limit]}
        model = {
            "refId": "C",
            "datasource": _EXPRESSION,
            "type": "threshold",
            "expression": "B",
            "conditions": [{"evaluator": evaluator}],
        }
        return self._step("C", "__expr__", model)

    def _step(self, ref: str, source: str, model: Json) -> Json:
        return {
            "refId": ref,
            "queryType": "",
            "datasourceUid": source,
            "relativeTimeRange": {"from": self.back, "to": 0},
            "model": model,
        }


def _of_assets(field: str) -> str:
    return f'SELECT last("{field}") AS "{field}" FROM "state" WHERE {LATELY} GROUP BY {EACH}'


def _of_gateways(field: str) -> str:
    return f'SELECT last("{field}") AS "{field}" FROM "gateway" WHERE {LATELY} GROUP BY "gateway"'


def rules() -> tuple[Rule, ...]:
    """Make every rule."""
    return (
        Rule(
            name="urgent",
            title="An alarm of priority 1 or 2",
            summary=f"{_PLACE}: an alarm of priority 1 or 2 is open.",
            measurement="state",
            query=_of_assets("urgency"),
            limit=2.5,
            severity="critical",
        ),
        Rule(
            name="waiting",
            title="An alarm has waited for ten minutes",
            summary=f"{_PLACE}: nobody has acknowledged an alarm for ten minutes.",
            measurement="state",
            query=_of_assets("overdue"),
            limit=0.5,
        ),
        Rule(
            name="unjudged",
            title="An asset cannot be judged",
            summary=f"{_PLACE}: not read, learning, or without its sensors for half an hour.",
            measurement="state",
            query=_of_assets("unjudged"),
            limit=0.5,
            lasts="30m",
            severity="info",
        ),
        Rule(
            name="silent",
            title="A gateway is silent",
            summary=f"{_GATEWAY}: nothing was heard of it for five minutes, so that nothing is "
            "known of its assets.",
            measurement="gateway",
            # Zeros make it known that somebody is missing who was heard within a day.
            query='SELECT count("rss_mb") AS "heard" FROM "gateway" WHERE time > now() - 1d '
            'GROUP BY time(5m), "gateway" fill(0)',
            limit=0.5,
            below=True,
            lasts="5m",
            severity="critical",
            board="05-gateway",
            back=86_400,
        ),
        Rule(
            name="unsent",
            title="A gateway cannot send",
            summary=f"{_GATEWAY}: its oldest unsent record is older than a quarter of an hour; "
            "nothing is lost within the limits of its journal.",
            measurement="gateway",
            query=_of_gateways("unsent_s"),
            limit=900.0,
            lasts="5m",
            board="05-gateway",
        ),
        Rule(
            name="quality",
            title="Many tags are not Good",
            summary=f"{_GATEWAY}: more than a fifth of its tags have no Good value.",
            measurement="gateway",
            query=_of_gateways("bad_quality_ratio"),
            limit=0.2,
            lasts="10m",
            board="05-gateway",
        ),
        Rule(
            name="certificate",
            title="A certificate is about to end",
            summary=f"{_GATEWAY}: a certificate of one of its sources ends within two weeks.",
            measurement="gateway",
            query=_of_gateways("certificate_days"),
            limit=14.0,
            below=True,
            severity="info",
            board="05-gateway",
        ),
    )
