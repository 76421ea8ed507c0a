"""Modbus over TCP, TLS and serial lines, polled in blocks, every answer checked."""
