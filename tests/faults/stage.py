"""Runs whole gateways in this process, over real sockets, for a row of the campaign."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from connectors.contract import Facts
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.source import OpcUaSource
from gateway.config.plan import ConsolePlan, DetectionPlan, Plan
from gateway.runtime import Gateway
from plant.assets import asset_of
from plant.errors import Misconfigured
from plant.tags import Tag
from tests.faults.evidence import Evidence, read

STOP_S = 5.0


class Stage:
    """One gateway that runs, and what it told.

    Attributes
    ----------
    told : list
        Each event with its moment, ns of the wall clock, for waiting and for messages; figures come
        from the journal.
    stopping_s : float
        How long it took to stop.
    """

    def __init__(
        self, folder: Path, sources: Sequence[Any], tags: Sequence[Tag], **more: Any
    ) -> None:
        self.data = folder / "data"
        self.tags = tuple(tags)
        paths = dict.fromkeys(tag.asset for tag in tags)
        settings: dict[str, Any] = {
            "detection": DetectionPlan(learn_s=20.0),
            "console": ConsolePlan(port=0),
            "assets": tuple(asset_of(path, tags) for path in paths),
            **more,
        }
        self.plan = Plan(
            name="faults", data=self.data, sources=tuple(sources), tags=self.tags, **settings
        )
        self.told: list[tuple[int, str, dict[str, Any]]] = []
        self.stopping_s = float("inf")

    def _tell(self, kind: str, row: dict[str, Any]) -> None:
        self.told.append((time.time_ns(), kind, row))

    @asynccontextmanager
    async def running(self, *, listen: bool = False) -> AsyncIterator[Gateway]:
        """Run the gateway; stop it at the end, within its five seconds."""
        stop = asyncio.Event()
        gateway = Gateway(self.plan, on_event=self._tell, listen=listen)
        task = asyncio.create_task(gateway.run(stop))
        try:
            yield gateway
        finally:
            begun = time.monotonic()
            stop.set()
            await asyncio.wait_for(task, 4 * STOP_S)
            self.stopping_s = time.monotonic() - begun

    async def until(self, source: str, state: str, seconds: float = 60.0, since: int = 0) -> int:
        """Wait until a source told this state after `since`; give the moment, ns."""
        async with asyncio.timeout(seconds):
            while True:
                for at, kind, row in self.told:
                    if (
                        kind == "source"
                        and at > since
                        and (row["name"], row["state"]) == (source, state)
                    ):
                        return at
                await asyncio.sleep(0.02)

    async def settled(self, seconds: float = 30.0) -> None:
        """Wait until the ledger has said of every gap what is lost; not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while None in {row["id"]: row["lost"] for row in self._rows("gap")}.values():
                    await asyncio.sleep(0.1)

    def _rows(self, kind: str) -> list[dict[str, Any]]:
        return [row for _, told, row in self.told if told == kind]

    def why(self, source: str) -> list[str]:
        """Reasons that were told of a source, each once."""
        rows = (row for _, kind, row in self.told if kind == "source" and row["name"] == source)
        return list(dict.fromkeys(row["why"] for row in rows if row["why"]))

    def evidence(self) -> Evidence:
        """Read what was left behind."""
        return read(self.data, self.tags)


def opcua(name: str, url: str, **more: Any) -> OpcUaConfig:
    """One source, plain unless told otherwise."""
    settings = {"name": name, "url": url, "security": "none", "publishing_ms": 100.0, "queue": 1000}
    return OpcUaConfig.model_validate({**settings, "sampling_ms": 0.0, **more})


async def trusting(url: str, folder: Path, policy: str) -> dict[str, Any]:
    """Settings of a source with this policy that trusts the server and signs in as operator."""
    if policy == "none":
        return {}
    password = folder / "password"
    password.write_text("s3cret")
    # node-opcua puts the host's name into its certificate.
    host = socket.gethostname()
    settings = {"security": policy, "trust": folder / "pki", "certificate_host": host}
    with suppress(Misconfigured):
        async with OpcUaSource(opcua("stranger", url, timeout_s=20.0, **settings), []):
            raise AssertionError("a server that nobody trusts was believed")
    (stranger,) = (folder / "pki/rejected").iterdir()
    stranger.rename(folder / "pki/trusted/certs" / stranger.name)
    return {**settings, "user": "operator", "password_file": password}


def facts_of(gateway: Gateway, name: str) -> Facts:
    """What the gateway says of a connection; a row that needs more than nothing fails by it."""
    return gateway._supervisor.facts(name) or Facts(endpoint="")
