"""The way to the guard: its Unix socket, asked with a limit on every wait."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.guard.words import ANSWER_S, FOLDER, LENGTH, MOST_BYTES, SOCKET, framed, unframed
from plant.errors import Rejected, Unreachable

CONNECT_S = 2.0


class GuardLine:
    """Speaks to the guard of a data folder; one connection a word, nothing is kept open.

    Parameters
    ----------
    data
        The gateway's data folder.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / FOLDER / SOCKET

    async def tell(self, said: Mapping[str, Any], answer_s: float = ANSWER_S) -> dict[str, Any]:
        """Say something and give the answer.

        Raises
        ------
        Unreachable
            No guard runs there, it does not answer in time, or the socket is another user's.
        Rejected
            It says no, or what is said is too long.
        """
        frame = framed(said)
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_unix_connection(str(self.path))
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"no guard answers at {self.path} ({_words(error)})") from error
        try:
            async with asyncio.timeout(answer_s):
                writer.write(frame)
                await writer.drain()
                length = int.from_bytes(await reader.readexactly(LENGTH), "big")
                if length > MOST_BYTES:
                    raise Unreachable(f"what answers at {self.path} is no guard")
                answer = unframed(await reader.readexactly(length))
        except (OSError, EOFError, TimeoutError) as error:
            raise Unreachable(f"the guard does not answer ({_words(error)})") from error
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        if not answer.get("ok"):
            why = str(answer.get("why", "the guard says no"))
            raise (Unreachable if answer.get("class") == "Unreachable" else Rejected)(why)
        return answer


def _words(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "its socket is for its own user: run guard and gateway as one, or neither asks"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "no answer in time" if isinstance(error, TimeoutError) else "it hung up"
