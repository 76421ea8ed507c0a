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
    """The source or sink does not answer; the supervisor tries again with back-off."""


class Misconfigured(PlantError):
    """Only a person can mend it; the message names the place and the mend."""


class Rejected(PlantError):
    """One batch or value cannot be taken; it is set aside with its reason, the rest goes on."""


class Exhausted(PlantError):
    """A finite source has delivered its last sample."""
