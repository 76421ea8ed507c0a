"""What a person may say about one InfluxDB."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.webaddress import authority_objection, objections
from plant.summaries import HOUR, MINUTE, TEN_SECONDS

Length = Literal["10s", "1m", "1h"]
LENGTHS: dict[Length, int] = {"10s": TEN_SECONDS, "1m": MINUTE, "1h": HOUR}
"""Lengths of windows as they are written, ns."""


class InfluxConfig(BaseModel):
    """One InfluxDB, as a sink and as a history.

    Parameters
    ----------
    name
        Name of the sink.
    url
        ``https://host:8086``; user and token do not belong here.
    api
        ``v2``: InfluxDB 2 and what takes its writes (InfluxDB 1.8 and 3, VictoriaMetrics); ``v1``:
        ``/write`` of InfluxDB 1.
    org
        Organization; only with ``v2``.
    bucket
        Bucket; with `split` the first part of the names of several. With ``v1`` the database, or
        ``database/retention-policy``.
    split
        One bucket for each time that things are kept (`connectors.influx.schema.Keeping`); unless
        said, with ``v2`` yes, with ``v1`` no.
    token_file, token_env
        File whose first line is the token, or the variable of the environment that holds it.
    user, password_file
        With ``v1``: user, and the file whose first line is the password.
    ca
        PEM file of the authority that signed the server's certificate; without it those that this
        machine trusts.
    gzip
        Compress what is sent.
    timeout_s
        Patience with a connection and with one answer, s.
    windows
        Lengths of the windows that are sent.
    raw
        Send every sample, not only those around incidents.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    type: Literal["influx"] = "influx"
    name: str = Field(min_length=1)
    url: str
    api: Literal["v2", "v1"] = "v2"
    org: str = ""
    bucket: str = Field(default="wheeltapper", min_length=1)
    split: bool | None = None
    token_file: Path | None = None
    token_env: str | None = Field(default=None, min_length=1)
    user: str | None = Field(default=None, min_length=1)
    password_file: Path | None = None
    ca: Path | None = None
    gzip: bool = True
    timeout_s: float = Field(default=10.0, gt=0.0, le=120.0)
    windows: tuple[Length, ...] = ("1m", "1h")
    raw: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Refuse what cannot be reached, or would tell a secret."""
        for refused, sentence in self._objections():
            if refused:
                raise ValueError(sentence)
        return self

    def _objections(self) -> Iterator[tuple[bool, str]]:
        yield from self._address_objections()
        v1 = self.api == "v1"
        yield (
            not v1 and not self.org,
            'org: api "v2" needs the organization, like org = "plant"; for InfluxDB 1 write '
            'api = "v1"',
        )
        yield v1 and bool(self.org), 'org: InfluxDB 1 (api = "v1") has no organizations'
        yield (
            self.token_file is not None and self.token_env is not None,
            "token_file and token_env: give one of them",
        )
        token = self.token_file is not None or self.token_env is not None
        yield v1 and token, 'token: InfluxDB 1 (api = "v1") takes user and password_file'
        yield (
            not v1 and (self.user is not None or self.password_file is not None),
            'user and password_file: belong to api "v1"; "v2" takes token_file or token_env',
        )
        yield (
            (self.user is None) != (self.password_file is None),
            "user and password_file: give both or neither",
        )
        yield (
            bool(self.split) and "/" in self.bucket,
            "split: a database with a retention policy stays in one piece; leave split out",
        )

    def _address_objections(self) -> Iterator[tuple[bool, str]]:
        yield from objections(
            self.url,
            example="https://host:8086",
            user="use token_file, or user and password_file",
            rest="organization and bucket are settings of their own",
        )
        yield authority_objection(self.url, self.ca)

    @property
    def several(self) -> bool:
        """Whether things that are kept for different times stand in different buckets."""
        return self.api == "v2" if self.split is None else self.split

    @property
    def lengths(self) -> tuple[int, ...]:
        """Lengths of the windows that are sent, ns, ascending."""
        return tuple(sorted({LENGTHS[length] for length in self.windows}))

    @property
    def place(self) -> str:
        """Where it leads, for people."""
        return self.url.rstrip("/")
