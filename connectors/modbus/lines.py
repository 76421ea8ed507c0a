"""From what a person configured to a line that can be asked."""

from pathlib import Path
from typing import cast

from connectors.modbus.config import PORTS, ModbusConfig
from connectors.modbus.connection import Line
from connectors.modbus.link import Link, open_serial, open_tcp
from connectors.modbus.tls import context_of, end_of
from connectors.modbus.wire import RtuFraming, TcpFraming

FAST_PAUSE_S = 0.00175
"""Silence between frames above 19200 baud, or where the rate is unknown (V1.02 §2.5.1.1)."""
HANDSHAKE_S = 4.0
"""What TLS may take on top of connecting: small devices reckon for seconds."""
_Files = tuple[Path, Path, Path]
_FAST_BAUD = 19_200
_PAUSE_CHARACTERS = 3.5
_BITS = 11
"""Start, eight data, parity and stop; a second stop bit stands in for no parity (V1.02 §2.5.1)."""


def line_of(config: ModbusConfig) -> Line:
    """Describe the line; nothing is opened yet."""
    timeout = config.timeout_ms / 1000
    silence = timeout if config.silence_ms is None else config.silence_ms / 1000
    host, port = config.host or "", config.port or PORTS.get(config.transport, 0)

    async def over_tcp() -> Link:
        return await open_tcp(host, port, timeout)

    async def over_tls() -> Link:
        ca, certificate, key = cast("_Files", (config.ca, config.certificate, config.key))
        context = context_of(ca, certificate, key, config.ca_sha256)
        link = await open_tcp(host, port, timeout + HANDSHAKE_S, context)
        link.valid_until = end_of(certificate, link.tls) if link.tls else None
        return link

    async def over_wire() -> Link:
        return open_serial(config.device or "", config.baud, config.parity, config.stop_bits)

    match config.transport:
        case "tcp":
            return Line(config.place, over_tcp, TcpFraming(), timeout)
        case "tls":
            return Line(config.place, over_tls, TcpFraming(), timeout)
        case "rtu-over-tcp":
            return Line(config.place, over_tcp, RtuFraming(), timeout, FAST_PAUSE_S, silence)
        case "rtu":
            return Line(
                config.place,
                over_wire,
                RtuFraming(),
                timeout,
                pause=pause_s(config.baud),
                silence=silence,
                byte_s=_BITS / config.baud,
                kept=True,
            )


def pause_s(baud: int) -> float:
    """Give the silence that ends a frame: 3.5 characters, or 1.75 ms above 19200 baud, s.

    Examples
    --------
    >>> round(1000 * pause_s(9600), 2), round(1000 * pause_s(115200), 2)
    (4.01, 1.75)
    """
    return FAST_PAUSE_S if baud > _FAST_BAUD else _PAUSE_CHARACTERS * _BITS / baud
