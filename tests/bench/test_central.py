"""What the bench of the central store compares is the same."""

from bench.central import by_the_library, report, tags, windows
from connectors.influx.points import Points, as_written
from plant.summaries import LENGTHS, MINUTE


def fields(line: str) -> tuple[str, frozenset[str], str]:
    key, told, at = line.split(" ")
    values = {one.partition("=")[::2] for one in told.split(",")}
    numbers = {f"{name}={float(value.rstrip('i'))}" for name, value in values}
    return key, frozenset(numbers), at


def test_both_write_the_same_points() -> None:
    known, record = tags(9), windows(9, 4, MINUTE)

    ours = Points(known, "edge-1", LENGTHS).encode([record]).lines["signal_1m"]
    theirs = by_the_library(as_written(record), known)

    assert len(ours) == 36
    assert list(map(fields, ours)) == list(map(fields, theirs))


def test_the_report_holds_what_is_promised() -> None:
    found = report(8, 3, 1)

    assert found["signal_1m"]["points"] == 24
    assert 0 < found["signal_1m"]["wire_bytes"] < found["signal_1m"]["line_bytes"]
    assert found["library_us"] > 0
