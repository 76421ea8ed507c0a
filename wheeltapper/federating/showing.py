"""Plans and messages in words and tables, for people."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from analytics.federation.rows import STRUCK
from analytics.federation.terms import Terms
from wheeltapper import terminal
from wheeltapper.federating.fields import fields
from wheeltapper.federating.ledger import MADE, WITHHELD, Ledger


def messages(
    ledger: Ledger, events: Sequence[dict[str, Any]], *, all_bytes: bool
) -> Iterator[dict[str, Any]]:
    """Give each message with the ways that it went, and with its fields if they are asked for."""
    for event in events:
        if event["event"] != MADE:
            continue
        ways = [one for one in events if "to" in one and one["file"] == event["file"]]
        row = event | {"ways": ways, "sent_bytes": sum(one["bytes"] for one in ways)}
        if all_bytes:
            data = ledger.find(event["file"])
            row["fields"] = [each.row() for each in fields(data)] if data else []
        yield row


def say_made(row: dict[str, Any], *, dry_run: bool) -> None:
    """Say what became of one message."""
    if row["event"] == WITHHELD:
        terminal.say(f"withheld ({row['why']}): {row['message']}")
        return
    rows = ", ".join(f"{count} rows of {mode}" for mode, count in row["rows"].items())
    out = ", ".join(f"{count} {reason}" for reason, count in row["dropped"].items() if count)
    if dry_run:
        show_fields(f"{row['file']} would be", row["fields"])
    if STRUCK not in row["dropped"]:
        terminal.say("there is no journal here: no alarm is known, none of its rows was left out")
    where = "would leave" if dry_run else "in the outbox"
    terminal.say(
        f"{row['file']}: {row['bytes']:,} bytes {where}; {rows}; left out: {out or 'none'}"
    )


def show_fields(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write a message byte by byte."""
    total = sum(row["size"] for row in rows)
    terminal.table(
        f"{title}: {total:,} bytes",
        ("from", "bytes", "what", "value"),
        [(str(row["at"]), str(row["size"]), row["name"], row["value"]) for row in rows],
    )


def terms_in_words(terms: Terms) -> Iterator[str]:
    """Say what was agreed, a line each."""
    yield f"{terms.name}: {len(terms.signals)} signals, rows of {terms.row_s:g} s"
    for name, unit, low, high in zip(
        terms.signals, terms.units, terms.low, terms.high, strict=True
    ):
        yield f"  {name}: {low:g} to {high:g} {unit}"
    yield f"  modes: {', '.join(f'{number} {name}' for number, name in terms.modes)}"
    yield f"  participants: {', '.join(one.name for one in terms.participants)}"
    yield (
        f"  nothing goes of fewer than {terms.rows} rows of a mode or "
        f"{terms.span_ns / 3600e9:g} h; nothing is published of fewer than "
        f"{terms.least_sites} participants"
    )


def counted(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Count what was withheld, by its reason."""
    for why, count in sorted(Counter(event["why"] for event in events).items()):
        yield f"{count} {why}"
