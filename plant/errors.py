"""The four words that decide what happens after a failure.

PlantError
 ├── Unreachable    the other side does not answer: try again, with back-off
 ├── Misconfigured  a person has to change something: stop and say what
 ├── Rejected       this batch does not fit: set it aside, go on with the next
 └── Exhausted      the recording has ended: finish in order
"""


class PlantError(Exception):
    """Root of everything the product raises on purpose."""


class Unreachable(PlantError):
    """The source or sink does not answer; it is tried again with back-off.

    Parameters
    ----------
    retry_after
        How long the other side asks to be left alone, s; None if it did not say.
    """

    def __init__(self, *message: object, retry_after: float | None = None) -> None:
        super().__init__(*message)
        self.retry_after = retry_after


class Misconfigured(PlantError):
    """Only a person can mend it; the message names the place and the mend."""


class Rejected(PlantError):
    """One batch or value cannot be taken; it is set aside with its reason, the rest goes on."""


class Exhausted(PlantError):
    """A finite source has delivered its last sample."""
