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
Assets = Annotated[
    list[str] | None, typer.Argument(metavar="ASSET...", help="Path, or the last part of it.")
]
Authority = Annotated[
    Path | None, typer.Option(help="PEM file of the authority of the server's certificate.")
]
Backend = Annotated[str, typer.Option(metavar="NAME", help="loky, dask, threading or sequential.")]
DataFolder = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="A data folder; else the configured one.")
]
DefectOneIn = Annotated[
    int, typer.Option(min=0, help="One part of the press in so many has a defect; 0: none.")
]
DropLateRows = Annotated[
    bool, typer.Option("--drop-late-rows", help="Leave out rows whose time goes back.")
]
EveryAsset = Annotated[bool, typer.Option("--all", help="All assets.")]
Fault = Annotated[str, typer.Option(help="A kind of fault, random or none.")]
FromCentral = Annotated[
    str, typer.Option(metavar="SINK", help="From that sink of the configuration instead.")
]
GatewayConfig = Annotated[
    Path, typer.Option(metavar="CONFIG", help="The gateway's: signals, units, modes.")
]
Host = Annotated[str, typer.Option(help="IP address to listen on.")]
Jobs = Annotated[int, typer.Option(min=1, help="Assets that are trained at once.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File whose first line is the password; else it is asked."),
]
Port = Annotated[int, typer.Option(min=1, max=65535)]
Since = Annotated[str, typer.Option("--from", metavar="WHEN", help="12h, 7d, or 2026-11-23T06:00.")]
TokenFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With it: a token that may read there.")
]
Until = Annotated[
    str, typer.Option("--to", metavar="WHEN", help="The same; the present without it.")
]
WithoutMode = Annotated[
    list[int] | None, typer.Option(metavar="N", help="Mode that need not be seen. Repeatable.")
]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def split(labels: str) -> tuple[str, ...]:
    """Take a comma-separated list apart.

    Examples
    --------
    >>> split("anomaly, changepoint"), split("")
    (('anomaly', 'changepoint'), ())
    """
    return tuple(name.strip() for name in labels.split(",") if name.strip())
