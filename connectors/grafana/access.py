"""What a person may say about one Grafana."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
        try:
            url = urlsplit(self.url)
            usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        except ValueError:
            usable = False
        yield not usable, f"url: {self.url!r} is no address; write https://host:3000"
        yield "@" in self.url, "url: holds a user; a token is given in a file or the environment"
        yield (
            "?" in self.url or "#" in self.url,
            "url: ends before ? or #; it is the address of Grafana, not of a board",
        )
        yield (
            "/d/" in self.url or self.url.rstrip("/").endswith(("/api", "/login", "/dashboards")),
            "url: is that of a page; give the address of Grafana itself, as https://host:3000",
        )
        yield (
            self.ca is not None and not self.url.startswith("https:"),
            "ca: protects nothing without TLS; write url = https://…",
        )

    @property
    def place(self) -> str:
        """Where it leads, for people."""
        return self.url.rstrip("/")
