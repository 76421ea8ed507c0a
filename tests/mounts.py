"""A disk of a test's own, which it may fill: a mount that no other process sees."""

import shutil
import subprocess
from pathlib import Path

import pytest

MISSING = "MISSING PART: a mount of our own — run the tests as root, or allow user namespaces"
_WAYS = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])


def on_own_disk(folder: Path, options: str, *command: object) -> str:
    """Run a command with a tmpfs at `folder`; give what it wrote."""
    mount = f'mount -t tmpfs -o {options} tmpfs "{folder}" && exec "$@"'
    ways = [[*way, "sh", "-c", mount, "sh"] for way in _WAYS]
    works = [way for way in ways if _ends_well([*way, "true"])]
    if not works:
        pytest.skip(MISSING)
    ended = subprocess.run([*works[0], *map(str, command)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _ends_well(words: list[str]) -> bool:
    there = shutil.which(words[0]) is not None
    return there and subprocess.run(words, capture_output=True).returncode == 0
