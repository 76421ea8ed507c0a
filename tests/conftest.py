"""Says at the end which real parts of the tests were missing, and how to get each."""

import pytest

MARK = "MISSING PART:"


def missing_parts(skipped: list[pytest.TestReport]) -> list[str]:
    """Give the text of every missing part once, in the order met."""
    reasons = (report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple))
    return list(dict.fromkeys(text.partition(MARK)[2].strip() for text in reasons if MARK in text))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the missing parts; a run without them is green but not whole."""
    parts = missing_parts(terminalreporter.getreports("skipped"))
    if parts:
        terminalreporter.section("missing parts: the tests that need them did not run")
        for part in parts:
            terminalreporter.line(part)
