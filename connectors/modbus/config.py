"""What a person may say about one Modbus TCP device or gateway."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ModbusConfig(BaseModel):
    """One TCP connection and the units behind it.

    Parameters
    ----------
    name
        Name of the source; tags refer to it.
    host, port
        Where the device listens.
    scan_ms
        Period of the scan of all units, ms.
    timeout_ms
        Longest wait for a connection and for one answer, ms.
    max_gap
        Unused registers that one request may read along to save another request; for coils and
        discrete inputs 16 times as many bits.
    max_registers, max_bits
        Most registers or bits that one request may ask (Modbus Application Protocol V1.1b3 §6.1,
        §6.3); some devices allow fewer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["modbus"] = "modbus"
    name: str = Field(min_length=1)
    host: str = Field(min_length=1)
    port: int = Field(default=502, ge=1, le=65535)
    scan_ms: float = Field(default=1000.0, ge=10.0)
    timeout_ms: float = Field(default=1000.0, ge=10.0)
    max_gap: int = Field(default=16, ge=0, le=125)
    max_registers: int = Field(default=125, ge=4, le=125)
    max_bits: int = Field(default=2000, ge=16, le=2000)
