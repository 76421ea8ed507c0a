"""What can be set for an OPC UA source."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlparse

from pydantic import BaseModel, ConfigDict, Field, model_validator

Security = Literal["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss", "none"]


class OpcUaConfig(BaseModel):
    """One OPC UA server.

    Parameters
    ----------
    name
        Name of the source.
    url
        ``opc.tcp://host:port/path``; user and password do not belong here.
    security
        Security policy, always with SignAndEncrypt; ``none`` only for who asks for it, and never
        with a password.
    trust
        Folder of certificates: ``trusted/certs``, ``trusted/crl``, ``issuers/certs``,
        ``issuers/crl``, ``rejected`` and, unless `certificate` says otherwise, ``own``.
    certificate, key
        Our application certificate (DER or PEM) and its RSA key (PEM); made in ``own`` when
        neither is given.
    certificate_host
        Name that the server's certificate carries where it differs from the host in `url`.
    user, password_file
        User and the file whose first line is the password.
    publishing_ms
        Publishing interval, ms.
    sampling_ms
        Sampling interval, ms; the publishing interval unless given.
    queue
        Values that the server keeps for one tag between two publishes: sampling rate × longest
        outage to ride through.
    publish_requests
        Publish requests that wait at the server at any time.
    items_per_call
        Nodes in one service call; halved by itself when a server finds it too many.
    timeout_s
        Patience with one answer, s.
    decode
        ``columns``, or ``handler``: asyncua's decoder and callbacks, for comparisons only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["opcua"] = "opcua"
    name: str = Field(min_length=1)
    url: str
    security: Security = "Basic256Sha256"
    trust: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    certificate_host: str | None = None
    user: str | None = None
    password_file: Path | None = None
    publishing_ms: float = Field(default=200.0, ge=1.0, le=60_000.0)
    sampling_ms: float | None = Field(default=None, ge=0.0)
    queue: int = Field(default=10, ge=1, le=100_000)
    publish_requests: int = Field(default=3, ge=1, le=10)
    items_per_call: int = Field(default=500, ge=1, le=500)
    timeout_s: float = Field(default=4.0, gt=0.0, le=60.0)
    decode: Literal["columns", "handler"] = "columns"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Refuse what cannot be connected, or not safely."""
        for refused, sentence in self._objections():
            if refused:
                raise ValueError(sentence)
        return self

    def _objections(self) -> tuple[tuple[bool, str], ...]:
        url = urlparse(self.url)
        secured = self.security != "none"
        return (
            (
                url.scheme != "opc.tcp" or not url.hostname,
                f"url: {self.url!r} is no OPC UA address; write opc.tcp://host:4840/path",
            ),
            ("@" in url.netloc, "url: holds a user; use user and password_file instead"),
            (
                self.user is not None and not secured,
                'user: would be sent in clear with security = "none"; choose a security policy',
            ),
            (
                (self.user is None) != (self.password_file is None),
                "user and password_file: give both or neither",
            ),
            (
                (self.certificate is None) != (self.key is None),
                "certificate and key: give both or neither",
            ),
            (
                secured and self.trust is None,
                f"trust: security {self.security} needs a folder of trusted certificates; "
                'write trust = "pki"',
            ),
        )
