"""``wheeltapper secret FILE…``: secrets that nobody chose; and tokens that people name."""

import os
from pathlib import Path
from typing import Annotated

import typer

from wheeltapper.options import AsJson

BYTES = 32
"""Of randomness in each; 43 characters of A-Z a-z 0-9 - and _, which no shell or URL minds."""


def secret(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Where each is put.")],
    as_json: AsJson = False,
) -> None:
    """Put a random secret into each file that is not there; only its owner can read it.

    A file that is there is left as it is, for something else knows its secret already. No secret
    is printed.
    """
    from wheeltapper import terminal

    for file in files:
        made = _make(file)
        if as_json:
            terminal.record({"file": str(file), "made": made})
        else:
            terminal.say(f"{file}: {'made' if made else 'is there already'}")


def _make(file: Path) -> bool:
    """Make one unless it is there; a crash leaves the whole of it or nothing."""
    import os
    import secrets
    import tempfile

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")  # of mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_urlsafe(BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        # A link refuses where a name would be replaced: of two that run at once one makes it.
        os.link(name, file)
    except FileExistsError:
        return False
    finally:
        Path(name).unlink()
    return True


def token_of(file: Path | None, option: str, variable: str, whose: str) -> str:
    """Read the token that a command needs: the first line of the file of an option, or a variable.

    Raises
    ------
    Misconfigured
        There is none.
    """
    from plant.errors import Misconfigured
    from plant.files import first_line

    if file is not None:
        token = first_line(file).strip()
        if not token:
            raise Misconfigured(f"{file} has nothing in its first line")
        return token
    token = os.environ.get(variable, "").strip()
    if not token:
        raise Misconfigured(
            f"the token of {whose} is needed: put it into the variable {variable}, or name its "
            f"file with {option}; never on the command line, where others on this machine can "
            "read it"
        )
    return token
