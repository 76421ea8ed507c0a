"""What the numbers mean: monitors, detectors, thresholds, explanations, alarm logic.

Arrays in, arrays out; no input or output, no clock. Every time is the source time in the samples.
"""
