"""The files that a Grafana takes at its start: data sources, where the boards lie, alert rules.

They are JSON, which YAML holds, so that they are the same bytes at every run. Secrets are named and
never written: Grafana puts variables of its environment in the place of ``$NAME``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.influx.schema import KEEPINGS, KEPT
from dashboards.collection import texts
from dashboards.queries import source_uid
from dashboards.rules import FOLDER, rules
from dashboards.variables import CONSOLE

Json = dict[str, Any]
BOARDS = "/var/lib/grafana/dashboards/wheeltapper"
"""Where Grafana finds the boards, unless it is told otherwise."""
_UNASKED = frozenset({KEPT["signal_10s"]})
"""What no board asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The store that the boards read.

    Parameters
    ----------
    bucket
        First part of the names of its buckets; the database of an InfluxDB 1.
    split
        Whether there is a bucket for each time that things are kept.
    version1
        It is an InfluxDB 1: a user and a password instead of a token.
    """

    bucket: str = "wheeltapper"
    split: bool = True
    version1: bool = False

    def sources(self) -> list[Json]:
        """Write a data source for each time that things are kept, wherever these are."""
        return [
            self._source(source_uid(one.suffix), self.bucket + one.suffix * self.split)
            for one in KEEPINGS
            if one not in _UNASKED
        ]

    def _source(self, uid: str, database: str) -> Json:
        told: Json = {"dbName": database, "httpMode": "POST", "version": "InfluxQL"}
        common: Json = {
            "uid": uid,
            "name": f"Wheeltapper ({uid})",
            "type": "influxdb",
            "access": "proxy",
            "url": "$INFLUX_URL",
            "editable": False,
        }
        if self.version1:
            secret = {"password": "$INFLUX_PASSWORD"}
            return {**common, "user": "$INFLUX_USER", "jsonData": told, "secureJsonData": secret}
        header = {"httpHeaderName1": "Authorization"}
        secret = {"httpHeaderValue1": "Token $INFLUX_READ_TOKEN"}
        return {**common, "jsonData": told | header, "secureJsonData": secret}


def provisioning(
    store: Store | None = None, console: str = CONSOLE, boards: str = BOARDS
) -> Mapping[str, str]:
    """Write the files for Grafana's folder ``provisioning``: path to text.

    Parameters
    ----------
    store
        What the boards read.
    console
        Where the readers of alerts find the console.
    boards
        Folder in which Grafana finds the boards.
    """
    sources = {"apiVersion": 1, "datasources": (store or Store()).sources()}
    provider = {
        "name": "wheeltapper",
        "type": "file",
        "folder": FOLDER,
        "folderUid": FOLDER.lower(),
        "disableDeletion": False,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 60,
        "options": {"path": boards},
    }
    group = {
        "orgId": 1,
        "name": "wheeltapper",
        "folder": FOLDER,
        "interval": "1m",
        "rules": [one.written(console) for one in rules()],
    }
    return {
        "datasources/wheeltapper.yaml": _text(sources),
        "dashboards/wheeltapper.yaml": _text({"apiVersion": 1, "providers": [provider]}),
        "alerting/wheeltapper.yaml": _text({"apiVersion": 1, "groups": [group]}),
    }


def files(
    store: Store | None = None, console: str = CONSOLE, boards: str = BOARDS
) -> Mapping[str, str]:
    """Write every file that a Grafana needs: ``json/`` the boards, ``provisioning/`` the rest."""
    made = {f"json/{name}": text for name, text in texts(console).items()}
    told = provisioning(store, console, boards)
    return made | {f"provisioning/{name}": text for name, text in told.items()}


def _text(found: Json) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
