"""A simulated line: three machines, their modes and scripted faults, pure and seeded.

Tests read it at any speed; the demo serves it over loopback OPC UA and Modbus servers.
"""
