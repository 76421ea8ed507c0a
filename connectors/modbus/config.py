"""What a person may say about one Modbus line: a device, or a gateway with units behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Transport = Literal["tcp", "tls", "rtu", "rtu-over-tcp"]
PORTS = {"tcp": 502, "tls": 802, "rtu-over-tcp": 502}
"""Port that each transport has by default."""
GAPS = {"tcp": 64, "tls": 64, "rtu": 16, "rtu-over-tcp": 16}
"""Registers worth reading along: on a serial line a byte takes about 1 ms."""
_NETWORK = ("host", "port")
_CERTIFICATES = ("ca", "certificate", "key")
_SERIAL = ("device", "baud", "parity", "stop_bits")
_OWN: dict[str, tuple[str, ...]] = {
    "tcp": _NETWORK,
    "tls": (*_NETWORK, *_CERTIFICATES, "ca_sha256"),
    "rtu": (*_SERIAL, "silence_ms"),
    "rtu-over-tcp": (*_NETWORK, "silence_ms"),
}
"""Keys that only some transports have."""
_NEEDED = {
    "tcp": ("host",),
    "tls": ("host", *_CERTIFICATES),
    "rtu": ("device",),
    "rtu-over-tcp": ("host",),
}
_MEANING = {
    "host": 'the name or address of the device, like host = "10.0.0.5"',
    "device": 'the serial line, like device = "/dev/ttyUSB0"',
    "ca": "the PEM file of the authority that signed the device's certificate",
    "certificate": "the PEM file of the certificate that this gateway shows",
    "key": "the PEM file of this gateway's key",
}


class ModbusConfig(BaseModel):
    """One line and the units on it.

    Parameters
    ----------
    name
        Name of the source; tags refer to it.
    transport
        ``tcp``; ``tls`` (Modbus/TCP Security, with certificates on both sides); ``rtu`` on a serial
        line; ``rtu-over-tcp`` for serial frames passed on by a device server.
    host, port
        Where the device listens; port 502, with TLS 802.
    device, baud, parity, stop_bits
        The serial line.
    ca, certificate, key
        PEM files for TLS: the authority that signed the device's certificate, our certificate,
        its unencrypted key.
    ca_sha256
        SHA-256 of the file `ca`, 64 hexadecimal digits; with it no other file will do.
    silence_ms
        On RTU, how long an answer may be late after its timeout without being taken for the answer
        to the next request, ms; as long as `timeout_ms` unless given.
    scan_ms
        Period of the scan of all units, ms.
    timeout_ms
        Longest wait for a connection and for one answer, ms.
    max_gap
        Unused registers that one request may read along to save another request; for coils and
        discrete inputs 16 times as many bits. 64, on a serial line 16.
    max_registers, max_bits
        Most registers or bits that one request may ask (Modbus Application Protocol V1.1b3 §6.1,
        §6.3). Devices that allow fewer are found out, this saves the finding.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["modbus"] = "modbus"
    name: str = Field(min_length=1)
    transport: Transport = "tcp"
    host: str | None = Field(default=None, min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    device: str | None = Field(default=None, min_length=1)
    baud: int = Field(default=19200, ge=300, le=4_000_000)
    parity: Literal["even", "odd", "none"] = "even"
    stop_bits: Literal[1, 2] = 1
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    ca_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    silence_ms: float | None = Field(default=None, ge=0.0)
    scan_ms: float = Field(default=1000.0, ge=10.0)
    timeout_ms: float = Field(default=1000.0, ge=10.0)
    max_gap: int | None = Field(default=None, ge=0, le=125)
    max_registers: int = Field(default=125, ge=4, le=125)
    max_bits: int = Field(default=2000, ge=16, le=2000)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Refuse keys of another transport, and a transport without its keys."""
        for sentence in self._objections():
            raise ValueError(sentence)
        return self

    def _objections(self) -> Iterator[str]:
        own, given = _OWN[self.transport], self.model_fields_set
        for key in dict.fromkeys(key for keys in _OWN.values() for key in keys):
            if key in given and key not in own:
                homes = " or ".join(f'"{name}"' for name, keys in _OWN.items() if key in keys)
                yield f'{key}: belongs to transport {homes}, and this one is "{self.transport}"'
        for key in _NEEDED[self.transport]:
            if getattr(self, key) is None:
                yield f'{key}: transport "{self.transport}" needs {_MEANING[key]}'

    @property
    def serial(self) -> bool:
        """Whether RTU frames travel, in which answers carry no number."""
        return self.transport in ("rtu", "rtu-over-tcp")

    @property
    def place(self) -> str:
        """Where it leads, for people."""
        if self.transport == "rtu":
            return str(self.device)
        return f"{self.host}:{self.port or PORTS[self.transport]}"

    @property
    def gap(self) -> int:
        """Unused registers that one request may read along."""
        return GAPS[self.transport] if self.max_gap is None else self.max_gap
