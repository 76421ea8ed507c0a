"""``wheeltapper audit``: who logged in, who was refused, who changed an account, who did what."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.alarms import Data, Url, answered
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from gateway.journal import Journal


def audit(
    data: Data = None,
    url: Url = "",
    who: Annotated[str, typer.Option(metavar="NAME", help="Only what this one did.")] = "",
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="Only of the last 12h, 7d, or from 2026-11-23 on.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List who did what, newest first, at the running gateway or in the journal in --data."""
    from wheeltapper import terminal
    from wheeltapper.gaps import earliest

    begin = earliest(since, datetime.now(UTC)) if since else 0.0
    rows = [
        row
        for row in answered(data, url, "/api/audit", kept)["audit"]
        if row["at"] >= begin and who in ("", row["who"])
    ]
    terminal.listing(rows, _show, "nothing was done", as_json=as_json)


def kept(journal: "Journal") -> dict[str, Any]:
    """Read the audit in a journal."""
    from gateway.accounts.audit import KINDS, MOST_ROWS, rows

    return {"audit": rows(journal.newest(KINDS, 0, MOST_ROWS))}


def _show(rows: Sequence[Any]) -> None:
    from wheeltapper import terminal
    from wheeltapper.story import counted

    terminal.table(
        counted(len(rows), "entry"),
        ("at", "who", "from", "what", "of what, and why"),
        [
            (
                terminal.local_time(row["at"]),
                f"{row['who']} ({row['role']})" if row["role"] else row["who"],
                row["place"],
                row["what"],
                row["words"],
            )
            for row in rows
        ],
    )
