"""A cable between this machine and a network namespace, which can be cut: needs root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import pytest

NOWHERE = "02:00:00:00:00:01"
"""A station that nobody is: what is sent there is lost without a word."""


_NUMBERS = count(os.getpid())


@dataclass(frozen=True)
class Wire:
    """Both ends of a cable.

    Parameters
    ----------
    name
        Of the namespace and of both interfaces.
    near, far
        Addresses of this machine and of the one behind the cable.
    """

    name: str
    near: str
    far: str

    @property
    def inside(self) -> tuple[str, ...]:
        """Words before a command that shall run behind the cable."""
        return "ip", "netns", "exec", self.name

    def lose(self) -> None:
        """Lose every packet both ways; neither side is told."""
        run("ip", "neigh", "replace", self.far, "lladdr", NOWHERE, "dev", self.name, *PERMANENT)
        inside = ("dev", "far", *PERMANENT)
        run(*self.inside, "ip", "neigh", "replace", self.near, "lladdr", NOWHERE, *inside)

    def unplug(self) -> None:
        """Take the carrier away, as a pulled cable does."""
        run(*self.inside, "ip", "link", "set", "far", "down")

    def mend(self) -> None:
        """Pass again."""
        run(*self.inside, "ip", "link", "set", "far", "up")
        run("ip", "neigh", "flush", "dev", self.name)
        run("ip", "neigh", "del", self.far, "dev", self.name, check=False)
        run(*self.inside, "ip", "neigh", "del", self.near, "dev", "far", check=False)


PERMANENT = ("nud", "permanent")


def run(*words: str, check: bool = True) -> None:
    subprocess.run(words, check=check, capture_output=True, text=True)


def _free() -> int:
    """Give a number whose network is not laid: a test that was killed leaves its own behind."""
    try:
        laid = subprocess.run(("ip", "-o", "addr"), capture_output=True, text=True).stdout
    except OSError:
        laid = ""
    return next(one for one in (n % 250 for n in _NUMBERS) if f" 10.213.{one}.1/" not in laid)


@contextmanager
def wired() -> Iterator[Wire]:
    """Lay a cable; the row is "not run" where that is not permitted."""
    # The kernel takes a namespace down in its own time: no name or network is used twice.
    number = _free()
    wire = Wire(f"wt{os.getpid()}-{number}", f"10.213.{number}.1", f"10.213.{number}.2")
    try:
        run("ip", "netns", "add", wire.name)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("network namespaces are not permitted here (needs root)")
    try:
        end = ("type", "veth", "peer", "name", "far", "netns", wire.name)
        run("ip", "link", "add", wire.name, *end)
        run("ip", "addr", "add", f"{wire.near}/24", "dev", wire.name)
        run("ip", "link", "set", wire.name, "up")
        run(*wire.inside, "ip", "addr", "add", f"{wire.far}/24", "dev", "far")
        run(*wire.inside, "ip", "link", "set", "far", "up")
        run(*wire.inside, "ip", "link", "set", "lo", "up")
        yield wire
    finally:
        run("ip", "netns", "del", wire.name)
