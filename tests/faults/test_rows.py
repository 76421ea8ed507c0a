"""The frame itself: a row in words, a table in a document."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.conftest import judge
from tests.faults.rows import BEGIN, END, Row, table, written


def some_row(pain: str = "P3") -> Row:
    return Row(pain, "flapping", "a server", "1 session")


def test_a_row_holds_its_figures_and_no_column_breaks() -> None:
    row = some_row()
    row.measured(sessions_at_most=1, first_good_value="2.31 s | 20 of 20", share=0.98765)
    line = table([row]).splitlines()[2]
    assert "sessions at most 1; first good value 2.31 s ∣ 20 of 20; share 0.988" in line
    assert line.count("|") == 8


def test_rows_stand_in_the_order_of_their_numbers() -> None:
    lines = table([some_row("P12"), some_row("P2"), some_row("P29")]).splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == ["| P2", "| P12", "| P29"]


def test_the_document_around_the_table_stays() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = written(text, [some_row()], "now")
    assert once == written(once, [some_row()], "now")
    assert once.startswith("before\n")
    assert once.endswith(f"{END}\nafter\n")
    assert "old" not in once


def test_rows_that_were_not_run_again_stay_as_they_were() -> None:
    old, new = some_row("P3"), some_row("P4")
    old.verdict, old.when = "pass", "a day | a commit"
    once = written(f"{BEGIN}\n{END}", [old, some_row("P4")], "here")
    new.verdict = "pass"
    part = written(once, [new], "here", whole=False)
    assert part.count("| pass |") == 2
    assert "a day ∣ a commit" in part
    assert len(part.splitlines()) == len(once.splitlines())
    assert written(once, [new], "here").count("| pass |") == 1


@pytest.mark.parametrize(
    ("when", "outcome", "longrepr", "verdict"),
    [
        ("call", "passed", None, "pass"),
        ("setup", "passed", None, "not run"),
        ("call", "failed", "AssertionError: 6 s", "**fail**: 6 s"),
        ("teardown", "failed", "left open", "**fail**: left open"),
        ("call", "skipped", ("x.py", 3, "Skipped: no namespaces"), "not run: no namespaces"),
    ],
)
def test_the_outcome_is_the_verdict(when: str, outcome: str, longrepr: Any, verdict: str) -> None:
    row = some_row()
    report: Any = SimpleNamespace(
        when=when,
        failed=outcome == "failed",
        skipped=outcome == "skipped",
        longrepr=longrepr,
    )
    judge(row, report)
    assert row.verdict == verdict
