"""Modbus TCP: registers and bits, polled in blocks, every answer checked against its request."""
