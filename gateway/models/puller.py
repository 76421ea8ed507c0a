"""Has the registry looked into now and then, by a short process: the gateway believes none itself.

What comes lies in the folder of models then, and is found there as any other file is.
"""

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.journal import JSON

FIRST_S = 5.0
"""The first look so soon after the start, s."""
JITTER = 0.2
"""So that the gateways of a plant do not all come at once."""
LONGEST_S = 1000.0
"""A pull ends by itself before; s."""
MOST_BYTES = 1 << 20
REMEMBERED = 1000

Announce = Callable[[str, dict[str, JSON]], None]


@dataclass(frozen=True, slots=True)
class _Stands:
    """Where updates stand: what is news when it changes."""

    state: str
    stale: bool


class Puller:
    """Runs pulls until it is cancelled.

    Parameters
    ----------
    command
        Prints one JSON object, as ``wheeltapper models pull --json`` does.
    every_s
        Between two, about, s.
    announce
        Told "models-pull" when updates stand otherwise, and each "model-refused" once.
    """

    def __init__(self, command: Sequence[str], every_s: float, announce: Announce) -> None:
        self._command = tuple(command)
        self._every_s = every_s
        self._announce = announce
        self._stands = _Stands("ok", stale=False)
        self._told: dict[tuple[str, ...], None] = {}
        self.words = ""
        """How the last pull ended, for people; empty while there is nothing to see to."""

    async def run(self) -> None:
        """Pull, and pull again."""
        await asyncio.sleep(min(FIRST_S, self._every_s))
        while True:
            self._take(await self._pull())
            share = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter, no secret
            await asyncio.sleep(self._every_s * share)

    async def _pull(self) -> Mapping[str, Any]:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=MOST_BYTES,
            )
        except OSError as error:
            return {"state": "failed", "why": f"{self._command[0]}: {error.strerror}"}
        try:
            async with asyncio.timeout(LONGEST_S):
                out, err = await process.communicate()
        except TimeoutError:
            return {"state": "failed", "why": f"a pull did not end within {LONGEST_S:.0f} s"}
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return _outcome(out, err, process.returncode or 0)

    def _take(self, outcome: Mapping[str, Any]) -> None:
        state, why = str(outcome["state"]), str(outcome.get("why") or "")
        stands = _Stands(state, outcome.get("stale_since") is not None)
        told = [why or f"the registry: {state}"] if state != "ok" else []
        told += ["updates are stale; the models that are here go on"] if stands.stale else []
        self.words = "; ".join(told)
        if stands != self._stands:
            self._stands = stands
            body: dict[str, JSON] = {"state": state, "why": self.words, "stale": stands.stale}
            self._announce("models-pull", body)
        for one in outcome.get("refused") or ():
            self._refuse(one)

    def _refuse(self, one: Mapping[str, Any]) -> None:
        asset = str(one.get("asset") or one.get("line") or "registry")
        key = (asset, str(one.get("version")), str(one["reason"]))
        if key in self._told:
            return
        self._told[key] = None
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        what = f"version {one['version']}" if one.get("version") else "the registry"
        self._announce(
            "model-refused", {"asset": asset, "file": what, "cause": key[2], "why": str(one["why"])}
        )


def _outcome(out: bytes, err: bytes, code: int) -> Mapping[str, Any]:
    try:
        found = json.loads(out)
        if isinstance(found, dict) and isinstance(found.get("state"), str):
            return found
    except ValueError:
        pass
    lines = err.decode("utf-8", "replace").strip().splitlines()
    said = lines[-1][:500] if lines else "nothing"
    return {"state": "failed", "why": f"the pull ended with {code} and said: {said}"}
