"""Entry of the command ``wheeltapper`` and of ``python -m wheeltapper``.

Exit codes: 0 done; 1 done, and the finding is negative (a wrong alarm, none in time); 2 wrong
input, usage or configuration; 3 something that has to answer does not (not running, unreachable).
"""

import logging
import sys

from plant.errors import PlantError, Unreachable
from wheeltapper.app import app

NEGATIVE = 1
WRONG_INPUT = 2
UNREACHABLE = 3
CHATTER = ("asyncua", "pymodbus")
"""Libraries that log every lost connection; the gateway says it once, in its own words."""


def main() -> None:
    """Run a command; what went wrong is said on stderr, in plain words."""
    for library in CHATTER:
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        app()
    except Unreachable as error:
        fail(error, UNREACHABLE)
    except PlantError as error:
        fail(error, WRONG_INPUT)
    except OSError as error:
        if error.filename is None:
            raise
        # A file or folder that this user may not enter, wherever a command first touches it.
        fail(f"{error.filename}: {error.strerror}", WRONG_INPUT)


def fail(error: PlantError | str, code: int) -> None:
    """Say what went wrong and end."""
    sys.stderr.write(f"{error}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
