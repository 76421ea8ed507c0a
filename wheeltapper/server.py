"""The OPC UA server that a command is about: named by its address, or by a configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connectors.opcua.config import OpcUaConfig
    from gateway.config.plan import Plan

Security = Annotated[
    str,
    typer.Option(
        metavar="POLICY",
        help="Basic256Sha256, Aes128_Sha256_RsaOaep, Aes256_Sha256_RsaPss, or none.",
    ),
]
Trust = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Folder of the certificates we believe.")
]
User = Annotated[str, typer.Option(help="User at the server.")]
PasswordFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File whose first line is the password.")
]
SOURCE = "plc"
"""Name of a source that nobody has named."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to get into a server, as said on the command line.

    Parameters
    ----------
    security
        Policy; empty where none was named.
    trust, user, password_file
        As in a configuration.
    """

    security: str = ""
    trust: Path | None = None
    user: str = ""
    password_file: Path | None = None

    @property
    def said(self) -> bool:
        """Whether anything at all was said about it."""
        return bool(self.security or self.trust)

    def config(self, url: str, security: str, name: str = SOURCE) -> "OpcUaConfig":
        """Make the configuration of a source.

        Raises
        ------
        Misconfigured
            The words do not fit together.
        """
        from pydantic import ValidationError

        from connectors.opcua.config import OpcUaConfig
        from gateway.config.wording import words
        from plant.errors import Misconfigured

        settings = {
            "name": name,
            "url": url,
            "security": security,
            "trust": self.trust,
            "user": self.user or None,
            "password_file": self.password_file,
        }
        try:
            return OpcUaConfig.model_validate(settings)
        except ValidationError as error:
            found = [(one["loc"], words(one, [])) for one in error.errors(include_url=False)]
            raise Misconfigured(
                "; ".join(f"{place[0]}: {what}" if place else what for place, what in found)
            ) from error


def is_url(target: str) -> bool:
    """Tell an address from the name of a file."""
    return "://" in target


async def reached(url: str, access: Access) -> "OpcUaConfig":
    """Choose the policy where none was named: the strongest that the server offers.

    Raises
    ------
    Misconfigured
        The server offers none, or nothing was said about security at all.
    """
    from connectors.opcua.commissioning.discovery import greet
    from plant.errors import Misconfigured

    if access.security:
        return access.config(url, access.security)
    if access.trust is None:
        raise Misconfigured(
            "say how to connect: --trust pki for a secured connection (the folder is made at "
            "the first use), or --security none for one that anybody on the way can read"
        )
    best = (await greet(url)).best()
    if best == "none":
        raise Misconfigured(
            f"{url} offers no secured endpoint; enable one at the server, or say --security none "
            "if anybody on the way may read along"
        )
    return access.config(url, best)


def source_of(plan: "Plan", name: str) -> "OpcUaConfig":
    """Find the OPC UA source of a configuration: the one named, or the only one.

    Raises
    ------
    Misconfigured
        There is none, or there are several.
    """
    from connectors.opcua.config import OpcUaConfig
    from gateway.config.problems import nearest
    from plant.errors import Misconfigured

    found = {one.name: one for one in plan.sources if isinstance(one, OpcUaConfig)}
    if name and name not in found:
        raise Misconfigured(f'no OPC UA source is named "{name}"{nearest(name, found)}')
    if not found:
        raise Misconfigured("the configuration has no OPC UA source; nothing else can be browsed")
    if not name and len(found) > 1:
        raise Misconfigured(f"say which source: --source {' or '.join(found)}")
    return found[name] if name else next(iter(found.values()))
