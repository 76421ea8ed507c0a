"""What became of requests, told from the audit, whether a guard runs or not."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.guard.audit import records_of
from plant.setpoints import Code, State

LIFE = frozenset(
    {"armed", "written", "read back", "held", "advised", "pending", "rejected", "expired",
     "unknown", "reverted"}
)  # fmt: skip
"""Events that are states of a request."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an audit tells.

    Parameters
    ----------
    requests
        The newest, newest first: as `Ticket.shown`, and ``checks``: what each check saw last, as
        (its number, the code where it failed, what it saw).
    locked
        Since when a setpoint is locked, ns since 1970 UTC, by its tag.
    """

    requests: list[dict[str, Any]]
    locked: dict[str, int]


def history(file: Path, most: int = 1000) -> list[dict[str, Any]]:
    """Give the newest requests of an audit, newest first.

    Parameters
    ----------
    file
        The audit.
    most
        How many.
    """
    return told(file, most).requests


def told(file: Path, most: int = 1000, tail: int | None = None) -> Told:
    """Read what an audit tells; Misconfigured when it cannot be read.

    Parameters
    ----------
    file, most
        As of `history`.
    tail
        Bytes at the end of the file that are read; None: all of it.
    """
    found: OrderedDict[str, dict[str, Any]] = OrderedDict()
    locked: dict[str, int] = {}
    for record in records_of(file, tail):
        event, key = record.get("event"), record.get("request")
        if event == "received" and isinstance(key, dict):
            found[str(key.get("id"))] = {
                **key, "proposer": record["actor"], "received": record["wall"], "state": "received",
                "code": "", "why": "", "approvals": [], "before": None, "checks": [],
            }  # fmt: skip
            if len(found) > most:
                found.popitem(last=False)
        elif event == "alarm":
            locked.setdefault(str(record.get("what")), record["wall"])
        elif event in ("unlocked", "settled"):
            locked.pop(str(record.get("tag")), None)
            if event == "settled" and str(key) in found:
                # A guard that was started meanwhile knows the write, and no more of the request.
                applied = record.get("applied") is True
                found[str(key)] |= {
                    "state": str(State.HELD if applied else State.REJECTED),
                    "code": "" if applied else str(Code.NOT_APPLIED),
                }
        elif (row := found.get(str(key))) is not None:
            _went_on(row, record)
    return Told(list(reversed(found.values())), locked)


def _went_on(row: dict[str, Any], record: dict[str, Any]) -> None:
    """Take up what a record says of a request."""
    if record["event"] == "approved":
        row["approvals"].append(record["actor"])
    elif record["event"] == "approval void" and record.get("by") in row["approvals"]:
        row["approvals"].remove(record["by"])
    elif record["event"] == "checked":
        row["checks"] = record["checks"]
    elif record["event"] in LIFE:
        row["state"] = record["event"]
        row |= {name: record[name] for name in ("code", "why", "before") if name in record}
