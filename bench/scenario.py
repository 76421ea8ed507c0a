"""What a measured gateway is asked to read: its configuration and its tags."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench.loads.formula import ENCODINGS, MODBUS_HEADER, MODBUS_REGISTERS, OpcUaSignals
from bench.loads.opcua_load import NAMESPACE

ASSET_SIGNALS = 20
MODBUS_HIGH = 3_000
"""Between the healthy registers (up to 1,520) and the faulty ones (from 4,000)."""
LEARN_S = 30
COLUMNS = ("tag", "source", "address", "type", "role", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run.

    Parameters
    ----------
    name
        Its key in the printed JSON.
    tags, period_ms
        OPC UA tags and the time between two samples of one.
    units
        Modbus units of 100 registers, scanned once a second.
    decode
        Decoder of the OPC UA source.
    warm_s, measure_s
        Seconds before and of the measurement.
    """

    name: str
    tags: int
    period_ms: int
    units: int
    decode: Literal["columns", "handler"]
    warm_s: float
    measure_s: float

    @property
    def signals(self) -> OpcUaSignals:
        """Formula of the OPC UA tags."""
        return OpcUaSignals(self.tags, self.period_ms * 1_000_000)

    def write(self, folder: Path, opcua_port: int, modbus_port: int) -> Path:
        """Write ``gateway.toml`` and ``tags.csv`` and give the former."""
        with (folder / "tags.csv").open("w", newline="", encoding="utf-8") as sheet:
            writer = csv.writer(sheet)
            writer.writerow(COLUMNS)
            writer.writerows(self._opcua_rows())
            writer.writerows(self._modbus_rows())
        config = folder / "gateway.toml"
        modbus = _MODBUS.format(port=modbus_port) if self.units else ""
        opcua = _OPCUA.format(port=opcua_port, period=self.period_ms, decode=self.decode)
        config.write_text(_GATEWAY.format(learn_s=LEARN_S) + opcua + modbus, encoding="utf-8")
        return config

    def _opcua_rows(self) -> list[tuple[object, ...]]:
        encodings = self.signals.encoding(np.arange(self.tags))
        return [
            (
                f"bench/load/opcua/asset-{tag // ASSET_SIGNALS:03d}/T{tag:05d}",
                "opcua",
                f"nsu={NAMESPACE};s=T{tag:05d}",
                ENCODINGS[encoding].name,
                "signal",
                "",
            )
            for tag, encoding in enumerate(encodings)
        ]

    def _modbus_rows(self) -> list[tuple[object, ...]]:
        return [
            (
                f"bench/load/modbus/unit-{unit:02d}-{register // ASSET_SIGNALS}/R{register:02d}",
                "modbus",
                f"unit {unit}, holding {register}",
                "uint16",
                "context" if register < MODBUS_HEADER else "signal",
                "" if register < MODBUS_HEADER else MODBUS_HIGH,
            )
            for unit in range(1, self.units + 1)
            for register in range(MODBUS_REGISTERS)
        ]


_GATEWAY = """version = 1
tags = "tags.csv"

[gateway]
name = "bench"

[detection]
learn_s = {learn_s}
"""
_OPCUA = """
[[source]]
type = "opcua"
name = "opcua"
url = "opc.tcp://127.0.0.1:{port}"
security = "none"
publishing_ms = {period}
decode = "{decode}"
"""
_MODBUS = """
[[source]]
type = "modbus"
name = "modbus"
host = "127.0.0.1"
port = {port}
scan_ms = 1000
"""
