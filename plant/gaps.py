"""Gaps: the intervals for which a source could not be read, and what became of them."""

from dataclasses import dataclass
from enum import StrEnum


class GapCause(StrEnum):
    """Why a source could not be read."""

    LINK = "link"
    """The connection was lost or could not be opened."""
    MISCONFIGURED = "misconfigured"
    """A person had to mend something: a certificate, a password, an address."""
    MESSAGES = "messages"
    """The link stood, but notification messages are missing."""
    OVERLOAD = "overload"
    """The link stood, but this gateway or the server could not keep up."""
    STOPPED = "stopped"
    """The gateway did not run."""
    DAMAGED = "damaged"
    """It had been read, and the file that it was kept in was damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One interval for which a source could not be read.

    Parameters
    ----------
    id
        Number of the gap, unique within a gateway.
    source
        Name of the source.
    start
        Up to here everything had been delivered, ns on the source's clock.
    stop
        From here on it is delivered again, ns on the source's clock; None while it lasts.
    cause, why
        The cause, and the sentence that told it.
    republished, history
        Samples recovered from the server's retransmission queue and from its history.
    lost
        Samples that are missing for good; None while the gap lasts or its recovery is under way.
    estimated
        `lost` follows from the usual rate of the source, where nothing can tell it exactly.
    """

    id: int
    source: str
    start: int
    cause: GapCause
    why: str
    stop: int | None = None
    republished: int = 0
    history: int = 0
    lost: int | None = None
    estimated: bool = False

    @property
    def recovered(self) -> int:
        """Samples that came in later."""
        return self.republished + self.history
