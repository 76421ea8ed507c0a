"""How long a run of the tests may take: `FULL=1` asks for the long counts; and how a test waits."""

import asyncio
import os
from collections.abc import Callable

FULL = os.environ.get("FULL", "") not in ("", "0")


async def until(
    met: Callable[[], object], patience_s: float | None = 60.0, look_s: float = 0.01
) -> None:
    """Wait until something is so, however long a busy machine takes; None: as long as the test."""
    async with asyncio.timeout(patience_s):
        while not met():
            await asyncio.sleep(look_s)
