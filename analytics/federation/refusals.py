"""Why something is not sent, or not taken, in a federation."""

from enum import StrEnum

from plant.errors import Rejected


class Why(StrEnum):
    """The one word by which the ledgers count refusals."""

    FEW_ROWS = "too-few-rows"
    SHORT = "too-short"
    OVERLAP = "overlapping-window"
    OTHER_SIGNALS = "other-signals"
    OTHER_UNITS = "other-units"
    OTHER_LIMITS = "other-limits"
    OTHER_PLAN = "unknown-plan"
    OTHER_MODEL = "other-model"
    STRANGER = "no-participant"
    FOREIGN_KEY = "foreign-key"
    MALFORMED = "malformed"
    IMPOSSIBLE = "impossible-numbers"
    TOO_LARGE = "too-large"
    FEW_SITES = "too-few-sites"
    NO_DATA = "no-data"


class Refused(Rejected):
    """Something is withheld by a gateway, or refused by the centre.

    Parameters
    ----------
    why
        In one word.
    message
        For people.
    """

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why
