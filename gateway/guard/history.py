"""What became of requests, told from the audit, whether a guard runs or not."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

from gateway.guard.audit import records_of

LIFE = frozenset(
    {"armed", "written", "read back", "held", "advised", "pending", "rejected", "expired",
     "unknown", "reverted"}
)  # fmt: skip
"""Events that are states of a request."""


def history(file: Path, most: int = 1000) -> list[dict[str, Any]]:
    """Give the newest requests of an audit, newest first.

    Parameters
    ----------
    file
        The audit.
    most
        How many.
    """
    found: OrderedDict[str, dict[str, Any]] = OrderedDict()
    for record in records_of(file):
        event, key = record.get("event"), record.get("request")
        if event == "received" and isinstance(key, dict):
            found[str(key.get("id"))] = {
                **key, "proposer": record["actor"], "received": record["wall"], "state": "received",
                "code": "", "why": "", "approvals": [], "before": None,
            }  # fmt: skip
            if len(found) > most:
                found.popitem(last=False)
            continue
        row = found.get(str(key))
        if row is None:
            continue
        if event == "approved":
            row["approvals"].append(record["actor"])
        elif event in LIFE:
            row["state"] = event
            row |= {name: record[name] for name in ("code", "why", "before") if name in record}
    return list(reversed(found.values()))
