"""What can be set for an OPC UA source."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlparse

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Security = Literal["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss", "none"]
Mode = Literal["SignAndEncrypt", "Sign"]
_THUMBPRINT = re.compile(r"[0-9a-f]{64}")


class OpcUaConfig(BaseModel):
    """One OPC UA server.

    Parameters
    ----------
    name
        Name of the source.
    url
        ``opc.tcp://host:port/path``; user and password do not belong here.
    security
        Security policy; ``none`` only for who asks for it, and never with a user.
    mode
        ``Sign`` leaves the values readable to whoever listens on the way, but nobody can change
        them.
    trust
        Folder of certificates: ``trusted/certs``, ``trusted/crl``, ``issuers/certs``,
        ``issuers/crl``, ``rejected`` and, unless `certificate` says otherwise, ``own``.
    certificate, key
        Our application certificate (DER or PEM) and its RSA key (PEM); made in ``own`` when
        neither is given.
    certificate_host
        Name that the server's certificate carries where it differs from the host in `url`.
    server_thumbprint
        SHA-256 thumbprint, 64 hexadecimal digits, of the one certificate that the server may show;
        it has to be trusted all the same.
    user, password_file
        User and the file whose first line is the password.
    user_certificate, user_key
        Certificate (DER or PEM) that stands for the user instead of name and password, and its
        unencrypted RSA key.
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
    mode: Mode = "SignAndEncrypt"
    trust: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    certificate_host: str | None = None
    server_thumbprint: str | None = None
    user: str | None = Field(default=None, min_length=1)
    password_file: Path | None = None
    user_certificate: Path | None = None
    user_key: Path | None = None
    publishing_ms: float = Field(default=200.0, ge=1.0, le=60_000.0)
    sampling_ms: float | None = Field(default=None, ge=0.0)
    queue: int = Field(default=10, ge=1, le=100_000)
    publish_requests: int = Field(default=3, ge=1, le=10)
    items_per_call: int = Field(default=500, ge=1, le=500)
    timeout_s: float = Field(default=4.0, gt=0.0, le=60.0)
    decode: Literal["columns", "handler"] = "columns"

    @field_validator("server_thumbprint")
    @classmethod
    def _as_digits(cls, text: str | None) -> str | None:
        """Take a thumbprint as tools write it: with colons or spaces, large letters or small."""
        digits = None if text is None else re.sub(r"[\s:]", "", text).lower()
        if digits is not None and not _THUMBPRINT.fullmatch(digits):
            raise ValueError("a SHA-256 thumbprint has 64 hexadecimal digits")
        return digits

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Refuse what cannot be connected, or not safely."""
        for refused, sentence in self._objections():
            if refused:
                raise ValueError(sentence)
        return self

    def _objections(self) -> Iterator[tuple[bool, str]]:
        yield from self._address_objections()
        yield from self._user_objections()
        secured = self.security != "none"
        yield (
            (self.certificate is None) != (self.key is None),
            "certificate and key: give both or neither",
        )
        yield (
            secured and self.trust is None,
            f"trust: security {self.security} needs a folder of trusted certificates; "
            'write trust = "pki"',
        )
        for name in ("mode", "server_thumbprint"):
            yield (
                not secured and name in self.model_fields_set,
                f'{name}: protects nothing with security = "none"; choose a security policy',
            )

    def _address_objections(self) -> Iterator[tuple[bool, str]]:
        url = urlparse(self.url)
        yield (
            url.scheme != "opc.tcp" or not url.hostname,
            f"url: {self.url!r} is no OPC UA address; write opc.tcp://host:4840/path",
        )
        yield "@" in url.netloc, "url: holds a user; use user and password_file instead"

    def _user_objections(self) -> Iterator[tuple[bool, str]]:
        open_wide = self.security == "none"
        yield (
            self.user is not None and open_wide,
            'user: would be sent in clear with security = "none"; choose a security policy',
        )
        yield (
            self.user_certificate is not None and open_wide,
            'user_certificate: anybody on the way could use its session with security = "none"; '
            "choose a security policy",
        )
        yield (
            (self.user is None) != (self.password_file is None),
            "user and password_file: give both or neither",
        )
        yield (
            (self.user_certificate is None) != (self.user_key is None),
            "user_certificate and user_key: give both or neither",
        )
        yield (
            self.user is not None and self.user_certificate is not None,
            "user and user_certificate: one connection has one user; leave one of them out",
        )
