"""Why something of a registry is refused: TUF's own errors in one word and a sentence."""

import errno

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.serialization import DeserializationError

from connectors.registry.outcome import Reason
from plant.errors import Rejected

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_MEANINGS: tuple[tuple[type[Exception], Reason, str], ...] = (
    (
        ExpiredMetadataError,
        Reason.EXPIRED,
        "what the registry shows was signed for a time that is over: a mirror that stands still, "
        "or nobody refreshed it (wheeltapper models refresh)",
    ),
    (
        BadVersionNumberError,
        Reason.ROLLED_BACK,
        "the registry shows an older state than this gateway has seen; a backup that was put back "
        "looks like this, too: publish anew instead",
    ),
    (UnsignedMetadataError, Reason.UNSIGNED, "it is not signed by the key that it has to be"),
    (LengthOrHashMismatchError, Reason.MISMATCH, "its bytes are not those that were signed for"),
    (DownloadLengthMismatchError, Reason.TOO_LARGE, "it is longer than it may be"),
    (DownloadHTTPError, Reason.INCOMPLETE, "the registry names it and does not have it"),
)


class Refusal(Rejected):
    """Something is not taken; `reason` in one word, the message as a sentence."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


def refusal(error: Exception, asked: str) -> Refusal:
    """Put an error of TUF into words.

    Parameters
    ----------
    error
        One of tuf's, or of a disk that is full.
    asked
        The file that was asked for last.
    """
    if isinstance(error, Refusal):
        return error
    for kind, reason, meaning in _MEANINGS:
        if isinstance(error, kind):
            return Refusal(reason, f"{asked}: {meaning} ({error})")
    if isinstance(error, DeserializationError):
        page = (
            "; where a root is missing the server has to answer 404, not a page"
            if asked.endswith(".root.json")
            else ""
        )
        return Refusal(Reason.UNREADABLE, f"{asked}: is no metadata{page}")
    if isinstance(error, RepositoryError):
        return Refusal(Reason.ROLLED_BACK, f"{asked}: {error}")
    return Refusal(Reason.NO_ROOM, f"{asked}: the disk has no room for it ({error})")


def is_full(error: OSError) -> bool:
    """Tell whether a disk or a quota is full."""
    return error.errno in NO_ROOM
