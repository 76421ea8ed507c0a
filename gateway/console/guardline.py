"""The console's line to the guard: one question, one answer, and never longer than said."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.guard.words import ANSWER_S, LENGTH, MOST_BYTES, SOCKET, framed, unframed
from plant.errors import Rejected, Unreachable

LOOK_S = 2.0
"""So long a question that only looks waits."""


class GuardLine:
    """Speaks to the guard of a folder.

    Parameters
    ----------
    folder
        The guard's, where its socket is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def tell(self, said: Mapping[str, Any], answer_s: float = ANSWER_S) -> dict[str, Any]:
        """Say something to the guard and give its answer.

        Raises
        ------
        Unreachable
            No guard runs there, or it does not answer in time.
        Rejected
            It says no.
        """
        try:
            async with asyncio.timeout(answer_s):
                answer = await self._asked(framed(said))
        except TimeoutError as error:
            raise Unreachable(f"the guard has not answered within {answer_s:g} s") from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise Unreachable("no guard is running") from error
        except (EOFError, OSError) as error:
            why = getattr(error, "strerror", None) or "it hung up"
            raise Unreachable(f"the guard does not answer: {why}") from error
        if not answer.get("ok"):
            raise Rejected(str(answer.get("why", "the guard says no")))
        return answer

    async def _asked(self, frame: bytes) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(str(self.folder / SOCKET))
        try:
            writer.write(frame)
            await writer.drain()
            length = int.from_bytes(await reader.readexactly(LENGTH), "big")
            if length > MOST_BYTES:
                raise Rejected(f"the guard answers with {length} bytes")
            return unframed(await reader.readexactly(length))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
