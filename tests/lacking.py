"""A real part that a test needs and this machine lacks: listed at the end, and a failure in CI."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

MARK = "MISSING PART:"
NODE_OPCUA = Path(__file__).parent / "parts/node-opcua"


def lacking(part: str) -> NoReturn:
    """Give up a test; `part` names what it lacks, and the command that installs it."""
    give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    give_up(f"{MARK} {part}")


def need_node_opcua() -> None:
    """Give up a test where its servers cannot be started."""
    if not (shutil.which("node") and (NODE_OPCUA / "node_modules/node-opcua-server").is_dir()):
        lacking("node-opcua — install with: npm ci --prefix tests/parts/node-opcua")
