"""The line to the guard: one question over its socket, one answer, and never longer than said."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.guard.words import (
    ANSWER_S,
    LENGTH,
    SOCKET,
    framed,
    heard,
    length_of,
    silence,
    unframed,
)
from plant.errors import Unreachable


class GuardLine:
    """Speaks to the guard of a folder; a connection a question, nothing is kept open.

    Parameters
    ----------
    folder
        The guard's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / SOCKET

    async def tell(self, said: Mapping[str, Any], answer_s: float = ANSWER_S) -> dict[str, Any]:
        """Say something to the guard and give its answer.

        Raises
        ------
        Unreachable
            No guard runs there, it does not answer in time, this user may not speak to it, or it
            cannot do it now.
        Rejected
            It says no, or what is said is too long.
        """
        frame = framed(said)
        try:
            async with asyncio.timeout(answer_s):
                answer = await self._asked(frame)
        except TimeoutError as error:
            raise Unreachable(f"the guard has not answered within {answer_s:g} s") from error
        except (EOFError, OSError) as error:
            raise silence(self.path, error) from error
        return heard(answer)

    async def _asked(self, frame: bytes) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        try:
            writer.write(frame)
            await writer.drain()
            length = length_of(await reader.readexactly(LENGTH))
            return unframed(await reader.readexactly(length))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
