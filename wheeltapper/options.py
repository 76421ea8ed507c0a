"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The TOML configuration.")]
Labels = Annotated[
    str,
    typer.Option(metavar="A,B", help="Columns of the recording that are labels, not signals."),
]


def split(labels: str) -> tuple[str, ...]:
    """Take a comma-separated list apart.

    Examples
    --------
    >>> split("anomaly, changepoint"), split("")
    (('anomaly', 'changepoint'), ())
    """
    return tuple(name.strip() for name in labels.split(",") if name.strip())
