"""Walks: a long story of several commands on the simulated line, told while it happens."""
