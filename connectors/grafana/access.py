"""What a person may say about one Grafana."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.webaddress import authority_objection, objections


class GrafanaConfig(BaseModel):
    """One Grafana.

    Parameters
    ----------
    url
        ``https://host:3000`` or ``https://host/grafana``; user and token do not belong here.
    ca
        PEM file of the authority that signed the server's certificate; without it those that this
        machine trusts.
    timeout_s
        Patience with a connection and with one answer, s.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    url: str
    ca: Path | None = None
    timeout_s: float = Field(default=10.0, gt=0.0, le=120.0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Refuse what cannot be reached, or would tell a secret."""
        for refused, sentence in self._objections():
            if refused:
                raise ValueError(sentence)
        return self

    def _objections(self) -> Iterator[tuple[bool, str]]:
        yield from objections(
            self.url,
            example="https://host:3000",
            user="a token is given in a file or the environment",
            rest="it is the address of Grafana, not of a board",
        )
        yield (
            "/d/" in self.url or self.url.rstrip("/").endswith(("/api", "/login", "/dashboards")),
            "url: is that of a page; give the address of Grafana itself, as https://host:3000",
        )
        yield authority_objection(self.url, self.ca)

    @property
    def place(self) -> str:
        """Where it leads, for people."""
        return self.url.rstrip("/")
