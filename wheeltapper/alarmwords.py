"""An alarm in the words of a terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.console.view import AlarmRow, PrecedentRow

CALLED = {"real": "called real", "false": "called a false alarm", "expected": "called expected"}


def marks(row: "AlarmRow") -> list[str]:
    """Name what else is to be known of an alarm's state."""
    found = []
    if row["chattering"]:
        found.append("chattering")
    if row["stale"]:
        found.append("stale")
    if row["state"] == "FSUPR":
        found.append(row["held"])
    return found


def noted(row: "AlarmRow") -> str:
    """Say who took note of an alarm and what they called it."""
    said = row["feedback"]
    if said is not None:
        note = f": {said['note']}" if said["note"] else ""
        return f"{said['actor']}, {CALLED[said['label']]}{note}"
    return f"{row['actor']}: {row['note']}" if row["actor"] else ""


def resolved(like: "PrecedentRow") -> str:
    """Say how an earlier alarm was resolved."""
    words = CALLED.get(like["label"], "acknowledged" if like["actor"] else "nobody said")
    by = f" by {like['actor']}" if like["actor"] else ""
    return f"{words}{by}{': ' + like['note'] if like['note'] else ''}"


def told(row: "AlarmRow") -> list[str]:
    """Tell one alarm in full, a line a fact."""
    from plant.units import written
    from wheeltapper import terminal
    from wheeltapper.gaps import span_words
    from wheeltapper.story import STATES

    at = terminal.local_time
    state = ", ".join((STATES[row["state"]], *marks(row)))
    lines = [row["sentence"], f"alarm {row['id']}, priority {row['priority']}: {state}"]
    mode = f" in mode {row['mode']}" if row["mode"] else ""
    times = f", {row['occurrences']} times" if row["occurrences"] > 1 else ""
    lines.append(f"unusual since {at(row['onset'])}, raised {at(row['raised'])}{mode}{times}")
    if row["ended"] is not None:
        lasted = span_words((row["ended"] - row["raised"]) / 1000)
        lines.append(f"gone {at(row['ended'])}, {lasted} after it was raised")
    lines.append(
        f"score {row['score']:.3g}, limit {row['threshold']:.3g}; at most {row['peak']:.2g} "
        "times the limit when it was told"
    )
    lines += [
        f"  {part['share']:4.0%} {part['signal']}: {part['actual']:.4g} instead of "
        f"{part['expected']:.4g} {written(part['unit'])}".rstrip()
        for part in row["contributions"]
    ]
    lines += [
        f"  joined {at(one['since'])} by {one['signal']}: {one['finding']}"
        for one in row["members"]
    ]
    if row["held"]:
        lines.append(f"was held back: {row['held']}")
    if noted(row):
        lines.append(f"noted by {noted(row)}")
    lines += [
        f"like #{like['id']} of {at(like['at'])} ({like['similarity']:.0%}): {resolved(like)}"
        for like in row["precedents"]
    ]
    return lines
