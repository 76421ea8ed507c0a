"""Why a model file is not taken."""

from enum import StrEnum

from plant.errors import Rejected


class Cause(StrEnum):
    """The one word by which programs and the audit tell refusals apart."""

    TOO_LARGE = "too-large"
    CUT_OFF = "cut-off"
    NO_MODEL = "no-model-file"
    FOREIGN_KEY = "foreign-key"
    MALFORMED = "malformed"
    BAD_SUM = "bad-sum"
    TOO_NEW = "gateway-too-old"
    UNKNOWN_KIND = "unknown-kind"
    NOT_FINITE = "not-finite"
    IMPOSSIBLE = "impossible-numbers"
    OTHER_ASSET = "other-asset"
    OTHER_SIGNALS = "other-signals"
    OTHER_UNITS = "other-units"
    OTHER_SETTINGS = "other-settings"
    NOT_LEARNT = "not-learnt"


class ModelRefused(Rejected):
    """A model file cannot be taken; whatever was in force before stays so.

    Parameters
    ----------
    cause
        In one word.
    message
        For people.
    """

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause
