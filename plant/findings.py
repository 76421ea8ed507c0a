"""What an examination finds: the check, its result, and what a person can do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check ended."""

    GOOD = "good"
    NOTE = "note"
    """It works, and somebody should know something about it."""
    NO_DATA = "no data"
    """The connection stands, and what should come through it does not."""
    WRONG = "wrong"
    """A person has to mend a setting, here or on the other side."""
    UNREACHABLE = "unreachable"
    """Something that has to answer does not."""
    SKIPPED = "skipped"
    """Not looked at, for something before it failed."""


FAILED = frozenset({Verdict.NO_DATA, Verdict.WRONG, Verdict.UNREACHABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Parameters
    ----------
    subject
        What was examined: a source, or the gateway.
    check
        What was looked at.
    verdict
        How it ended.
    result
        What was found, in plain words.
    mend
        What to do about it; empty where there is nothing to do.
    """

    subject: str
    check: str
    verdict: Verdict
    result: str
    mend: str = ""

    @property
    def failed(self) -> bool:
        """Whether what builds on it need not be tried."""
        return self.verdict in FAILED
