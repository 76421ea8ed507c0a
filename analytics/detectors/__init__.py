"""Detectors: one file each, all behind `analytics.contract.RowDetector`."""
