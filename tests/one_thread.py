"""One thread a process for what numpy and scikit-learn compute; loaded before either.

A run has a process of tests on each core. Threads of OpenMP spin while they wait for each other,
and where others use the cores too that takes ten times what the work itself takes.
"""

import os

for _name, _value in {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # for those that ask for more threads all the same
}.items():
    os.environ.setdefault(_name, _value)
