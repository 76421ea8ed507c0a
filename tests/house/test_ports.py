"""A port that was given away in one process of the tests is given away in no other."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from tests import ports

ROOT = Path(__file__).parents[2]
HOLDER = "from tests.ports import free_port; print(free_port(), flush=True); input()"


def test_what_another_process_was_given_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ports.free_port()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout
        held = int(holder.stdout.readline())
        # Nobody listens on either of them.
        proposed = chain([held, other], range(ports.FIRST, 1 << 16))
        monkeypatch.setattr(ports.random.SystemRandom, "randrange", lambda *_: next(proposed))
        assert ports.free_port() not in (held, other)
        holder.communicate("\n", timeout=60)
