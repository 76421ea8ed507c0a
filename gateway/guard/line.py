"""The line to the guard: one question over its socket, one answer, and never longer than said."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.guard.words import ANSWER_S, FOLDER, LENGTH, MOST_BYTES, SOCKET, framed, unframed
from plant.errors import Rejected, Unreachable


class GuardLine:
    """Speaks to the guard of a data folder; a connection a question, nothing is kept open.

    Parameters
    ----------
    data
        The gateway's data folder.
    """

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER
        self.path = self.folder / SOCKET

    async def tell(self, said: Mapping[str, Any], answer_s: float = ANSWER_S) -> dict[str, Any]:
        """Say something to the guard and give its answer.

        Raises
        ------
        Unreachable
            No guard runs there, it does not answer in time, or the socket is another user's.
        Rejected
            It says no, or what is said is too long.
        """
        frame = framed(said)
        try:
            async with asyncio.timeout(answer_s):
                answer = await self._asked(frame)
        except TimeoutError as error:
            raise Unreachable(f"the guard has not answered within {answer_s:g} s") from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise Unreachable("no guard is running") from error
        except PermissionError as error:
            raise Unreachable("the guard's socket is another user's: run both as one") from error
        except (EOFError, OSError) as error:
            why = getattr(error, "strerror", None) or "it hung up"
            raise Unreachable(f"the guard does not answer: {why}") from error
        if not answer.get("ok"):
            why = str(answer.get("why", "the guard says no"))
            raise (Unreachable if answer.get("class") == "Unreachable" else Rejected)(why)
        return answer

    async def _asked(self, frame: bytes) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        try:
            writer.write(frame)
            await writer.drain()
            length = int.from_bytes(await reader.readexactly(LENGTH), "big")
            if length > MOST_BYTES:
                raise Unreachable(f"what answers with {length} bytes is no guard")
            return unframed(await reader.readexactly(length))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
