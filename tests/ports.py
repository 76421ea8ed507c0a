"""Ports that nobody else takes between the moment they are chosen and the one they are used in."""

import random
import socket
from pathlib import Path

FIRST = 10_000
"""Below it stand the ports that programs have by habit."""
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""From its first number on the system gives ports away by itself, also to who only connects."""


def free_port() -> int:
    """Give a port on which nobody listens, and which is this process's until it ends.

    Several processes of tests run at a time, and a port that was only looked at may be another's a
    moment later. A name of the system, which vanishes with its process, marks it as taken; it takes
    a descriptor, so ask before descriptors are counted.
    """
    below = int(RANGE.read_text(encoding="ascii").split()[0])
    while True:
        port = random.SystemRandom().randrange(FIRST, below)
        mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            mark.bind(f"\0wheeltapper-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("", port))
        except OSError:
            mark.close()
        else:
            mark.detach()  # open until the process ends
            return port
