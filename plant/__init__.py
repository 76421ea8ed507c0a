"""The words everybody uses: tags, assets, samples, quality, alarms, errors.

Standard library and numpy only; no input or output, no clock.
"""
