"""The data folder, made and tried before anything starts."""

import tempfile
from pathlib import Path

from plant.errors import Misconfigured


def usable(data: Path) -> Path:
    """Make the folder of the journal, and try whether it can be written.

    Raises
    ------
    Misconfigured
        It cannot be made, is no folder, or takes no file.
    """
    if data.exists() and not data.is_dir():
        raise Misconfigured(f"{data}: is a file; name a folder for the data")
    try:
        data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data):
            return data
    except OSError as error:
        raise Misconfigured(
            f"{data}: the data cannot be kept there: {error.strerror}; name a folder that this "
            "user may write"
        ) from error
