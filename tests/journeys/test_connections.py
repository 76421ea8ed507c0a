"""The gateway opens no connection that its configuration does not name."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.config.loader import load
from gateway.runtime import Gateway

pytestmark = pytest.mark.journey


def test_it_connects_to_what_its_config_names_and_listens_on_loopback_only(
    plant: Any, tmp_path: Path
) -> None:
    plan = load(plant.configure(tmp_path))
    seen: dict[str, set[tuple[str, int]]] = {"socket.connect": set(), "socket.bind": set()}
    names: set[str] = set()
    listening = True

    def witness(event: str, arguments: tuple[Any, ...]) -> None:
        if not listening:
            return
        if event in seen and isinstance(arguments[1], tuple):
            seen[event].add(arguments[1][:2])
        if event == "socket.getaddrinfo":
            names.add(str(arguments[0]))

    sys.addaudithook(witness)
    values: set[str] = set()

    async def until_both_were_read() -> None:
        stop = asyncio.Event()

        def tell(kind: str, row: dict[str, Any]) -> None:
            values.update([row["source"]] if kind == "first_value" else [])
            if len(values) == len(plan.sources):
                stop.set()

        await asyncio.wait_for(Gateway(plan, on_event=tell).run(stop), 90)

    asyncio.run(until_both_were_read())
    listening = False
    named = {("127.0.0.1", port) for port in plant.ports.values()}
    assert seen["socket.connect"] == named
    assert {host for host, _ in seen["socket.bind"]} <= {"127.0.0.1", ""}
    assert names <= {"127.0.0.1"}
