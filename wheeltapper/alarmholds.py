"""``wheeltapper alarms shelve`` and its kin: keep the alarms of a machine quiet, and say why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.alarms import Actor, Data, Url, answered, ordered
from wheeltapper.options import AsJson

if TYPE_CHECKING:
    from gateway.console.view import HoldRow
    from gateway.journal import Journal

UNITS = {"m": 60, "h": 3600, "d": 86_400}
SHELVED, SUPPRESSED, OUT = "shelved", "suppressed", "out-of-service"

Target = Annotated[
    str, typer.Argument(metavar="N|ASSET", help="An alarm of the machine, its name or its path.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with it.")]
Length = Annotated[str, typer.Option("--for", metavar="TIME", help="30m, 4h, 2d; it ends then.")]


def shelve(
    target: Target,
    actor: Actor,
    reason: Reason,
    length: Length = "1h",
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Set a machine's alarms aside for a time, a shift at most; then they are told again."""
    _hold(target, SHELVED, seconds(length), actor, reason, data, url, as_json)


def unshelve(
    target: Target,
    actor: Actor,
    reason: Reason,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Take a machine's alarms from the shelf before their time."""
    _release(target, SHELVED, actor, reason, data, url, as_json)


def suppress(
    target: Target,
    actor: Actor,
    reason: Reason,
    length: Length,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Suppress a machine's alarms by design for a time: maintenance, off, a changeover."""
    _hold(target, SUPPRESSED, seconds(length), actor, reason, data, url, as_json)


def unsuppress(
    target: Target,
    actor: Actor,
    reason: Reason,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """End a suppression before its time."""
    _release(target, SUPPRESSED, actor, reason, data, url, as_json)


def out_of_service(
    target: Target,
    actor: Actor,
    reason: Reason,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Take a machine's alarms out of service until somebody returns them."""
    _hold(target, OUT, None, actor, reason, data, url, as_json)


def in_service(
    target: Target,
    actor: Actor,
    reason: Reason,
    data: Data = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Return a machine's alarms to service."""
    _release(target, OUT, actor, reason, data, url, as_json)


def quiet(data: Data = None, url: Url = "", as_json: AsJson = False) -> None:
    """List what is kept quiet now: by whom, why and until when."""
    from wheeltapper import terminal

    rows: list[Any] = answered(data, url, "/api/holds", _holds_kept)["holds"]
    terminal.listing(rows, show, "nothing is kept quiet", as_json=as_json)


def show(rows: Sequence[Any]) -> None:
    """Write what is kept quiet as a table."""
    from wheeltapper import terminal
    from wheeltapper.story import counted

    terminal.table(
        counted(len(rows), "asset") + " kept quiet",
        ("asset", "how", "since", "until", "by", "why"),
        [
            (
                row["asset"],
                words(row["kind"]),
                "" if row["since"] is None else terminal.local_time(row["since"]),
                _until(row),
                row["actor"] or "the machine",
                row["note"],
            )
            for row in rows
        ],
    )


def seconds(length: str) -> float:
    """Read a length of time.

    Examples
    --------
    >>> seconds("90m"), seconds("1.5h"), seconds("2d")
    (5400.0, 5400.0, 172800.0)
    """
    unit = UNITS.get(length[-1:], 0)
    try:
        found = float(length[:-1]) * unit
    except ValueError:
        found = 0.0
    if not found > 0:
        raise typer.BadParameter(f'--for "{length}": write a length of time as 30m, 4h or 2d')
    return found


def words(kind: str) -> str:
    """Write the kind of a hold for people."""
    return kind.replace("-", " ")


def _until(row: "HoldRow") -> str:
    from wheeltapper import terminal

    if row["until"] is not None:
        return terminal.local_time(row["until"])
    return "somebody returns it" if row["actor"] else "the mode ends"


def _hold(
    target: str,
    kind: str,
    length: float | None,
    actor: str,
    reason: str,
    data: Any,
    url: str,
    as_json: bool,
) -> None:
    from wheeltapper import terminal

    said = {"target": target, "kind": kind, "seconds": length, "actor": actor, "note": reason}
    row = ordered(data, url, "/api/holds", said, "do it again")
    if as_json:
        terminal.record(row)
    else:
        terminal.say(f"{row['asset']} is {words(kind)} until {_until(row)}")


def _release(
    target: str, kind: str, actor: str, reason: str, data: Any, url: str, as_json: bool
) -> None:
    from wheeltapper import terminal

    said = {"target": target, "kind": kind, "actor": actor, "note": reason}
    row = ordered(data, url, "/api/holds/release", said, "do it again")
    if as_json:
        terminal.record(row)
    else:
        terminal.say(f"{row['asset']} is no longer {words(kind)}; what stands there is told again")


def _holds_kept(journal: "Journal") -> dict[str, Any]:
    from gateway.alarms import hold_from
    from gateway.journal import EventRecord
    from gateway.rows import hold_row

    held: dict[tuple[str, str], HoldRow] = {}
    for _, record in journal.read(kinds=(EventRecord,)):
        if not isinstance(record, EventRecord):
            continue
        if record.kind == "hold":
            hold = hold_from(record.body)
            held[hold.asset, str(hold.kind)] = hold_row(hold)
        elif record.kind in ("release", "hold-ended"):
            held.pop((str(record.body["asset"]), str(record.body["kind"])), None)
    return {"holds": list(held.values())}
