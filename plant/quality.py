"""Quality of a value, as OPC UA words it (OPC 10000-4 §7.39 StatusCode, OPC 10000-8 §6.3)."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Quality(IntEnum):
    """Severity of a StatusCode: its top two bits."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


class Status(IntEnum):
    """The StatusCodes that the product itself assigns; a server may send any other."""

    GOOD = 0x00000000
    UNCERTAIN = 0x40000000
    UNCERTAIN_LAST_USABLE_VALUE = 0x40900000
    BAD = 0x80000000
    BAD_COMMUNICATION_ERROR = 0x80050000
    BAD_DECODING_ERROR = 0x80070000
    BAD_UNKNOWN_RESPONSE = 0x80090000
    BAD_TIMEOUT = 0x800A0000
    BAD_NO_COMMUNICATION = 0x80310000
    BAD_WAITING_FOR_INITIAL_DATA = 0x80320000
    BAD_NODE_ID_UNKNOWN = 0x80340000
    BAD_OUT_OF_RANGE = 0x803C0000
    BAD_TYPE_MISMATCH = 0x80740000
    BAD_CONFIGURATION_ERROR = 0x80890000
    BAD_NOT_CONNECTED = 0x808A0000
    BAD_DEVICE_FAILURE = 0x808B0000
    BAD_SENSOR_FAILURE = 0x808C0000
    BAD_OUT_OF_SERVICE = 0x808D0000


def quality(status: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Reduce StatusCodes (n,) to `Quality` numbers (n,).

    The reserved severity 3 counts as Bad (OPC 10000-4, table 178: "should be treated as bad").

    Examples
    --------
    >>> quality(np.array([0, 0x40900000, 0x80050000], np.uint32)).tolist()
    [0, 1, 2]
    """
    severity: NDArray[np.uint32] = np.minimum(status >> np.uint32(30), np.uint32(Quality.BAD))
    return severity.astype(np.uint8)


def is_good(status: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Tell which StatusCodes (n,) have severity Good; only these are ever scored or learnt."""
    return status < np.uint32(Status.UNCERTAIN)


def status_name(status: int) -> str:
    """Name a StatusCode for people: its own name where the product knows it, else its severity.

    Examples
    --------
    >>> status_name(0x80050000), status_name(0x80AB0000)
    ('BadCommunicationError', 'Bad (0x80AB0000)')
    """
    try:
        words = Status(status).name.split("_")
    except ValueError:
        severity = Quality(min(status >> 30, 2)).name.capitalize()
        return f"{severity} (0x{status:08X})"
    return "".join(word.capitalize() for word in words)
