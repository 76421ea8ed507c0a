"""Learns a watch from a history: windows laid out as rows, fitted, held against what is in force.

Offline only: no gateway imports this package, and what it makes is arrays.
"""
