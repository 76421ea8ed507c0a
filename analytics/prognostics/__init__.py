"""Prognostics (ISO 13381): how long a machine will last, and which part will turn out bad.

Models are trained with scikit-learn and kept as arrays; to predict needs numpy alone.
"""
