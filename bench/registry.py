"""Measures what delivering models costs a gateway and prints one JSON document.

A registry with one line is served by `wheeltapper models serve`; a gateway with ten assets of the
line pulls through a relay that counts every byte of its TCP connections (without the frames below
them). Processor time is that of a pull in a process that is warm, beside that of the whole command
``wheeltapper models pull``, which starts Python each time. The best of several goes.

    python -m bench.registry [--size 40000] [--models 10 200] [--goes 5]
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analytics.modelfiles import Header, write_model
from bench.machine import machine
from connectors.registry.ceremony import Offline, entrust, found
from connectors.registry.keys import write_public
from connectors.registry.puller import Puller
from connectors.registry.registry import Online, Registry
from connectors.registry.ways import Web

LINE = "works/hall-1/line-3"
ASSETS = tuple(f"{LINE}/pump-{number}" for number in range(10))
WEEK_PULLS = 7 * 24 * 4
"""Of one pull every 15 minutes."""
CONFIG = """
version = 1
[gateway]
name = "line"
[[source]]
type = "modbus"
name = "plc"
host = "127.0.0.1"
{tags}
[models]
url = "{url}"
root = "root.json"
keys = ["trainer.pub.pem"]
"""
TAG = """[[tag]]
tag = "{asset}/flow"
source = "plc"
address = "unit 1, holding {number}, float32"
"""


class Relay:
    """Passes TCP on to a port, and counts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.bytes = 0
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with closing(target):
            try:
                while data := source.recv(65536):
                    self.bytes += len(data)
                    target.sendall(data)
            except OSError:
                return

    def close(self) -> None:
        """Let nobody in any more."""
        self._door.close()


@contextmanager
def served(folder: Path) -> Iterator[Relay]:
    """Serve a folder as the stack does, behind a relay."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "wheeltapper", "models", "serve", str(folder)]
    running = subprocess.Popen([*words, "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        relay = Relay(port)
        yield relay
        relay.close()
    finally:
        running.terminate()
        running.wait(30)


def model(asset: str, version: int, size: int, key: Ed25519PrivateKey) -> bytes:
    """Make a model file of about `size` bytes."""
    header = Header(
        name=asset,
        version=version,
        kind="watch",
        created=0,
        signals=(f"{asset}/flow",),
        units=("m3/h",),
        settings={},
        start=0,
        stop=1,
        history="0" * 64,
    )
    random = np.random.default_rng(version)
    return write_model(header, {"any": random.normal(size=size // 8)}, key)


def founded(folder: Path, trainer: Ed25519PrivateKey, online: Online) -> Registry:
    """Make a registry with one line."""
    offline = Offline(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())
    made = found(folder, offline, online, 14)
    entrust(made, LINE, trainer.public_key(), offline.targets, trainer)
    made.refresh(online)
    return made


def measured(listed: int, size: int, goes: int, folder: Path) -> dict[str, Any]:
    """Measure pulls of a line of which so many models are listed."""
    trainer = Ed25519PrivateKey.generate()
    online = Online(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())
    registry = founded(folder / "registry", trainer, online)
    others = [f"{LINE}/other-{number}" for number in range(listed - len(ASSETS))]
    for asset in (*ASSETS, *others):
        registry.publish(asset, 1, model(asset, 1, size, trainer), trainer, None)
    registry.refresh(online)
    (folder / "root.json").write_bytes(registry.shelf.content("root"))
    write_public(folder / "trainer.pub.pem", trainer.public_key())
    with served(registry.folder) as relay:
        url = f"http://127.0.0.1:{relay.port}"
        tags = "".join(TAG.format(asset=a, number=2 * n) for n, a in enumerate(ASSETS))
        config = folder / "gateway.toml"
        config.write_text(CONFIG.format(tags=tags, url=url))
        first = pulled(folder, url, relay)
        nothing = min((pulled(folder, url, relay) for _ in range(goes)), key=_cpu)
        news = []
        for go in range(goes):
            data = model(ASSETS[0], go + 2, size, trainer)
            registry.publish(ASSETS[0], go + 2, data, trainer, online)
            news.append(pulled(folder, url, relay))
        one = min(news, key=_cpu)
        command, peak = min(commanded(config) for _ in range(max(2, goes // 2)))
    return {
        "listed": listed,
        "first_pull_of_ten": first,
        "nothing_new": nothing,
        "one_new_model": one,
        "whole_command_cpu_s": round(command, 2),
        "whole_command_peak_mb": round(peak, 1),
        "week_bytes": WEEK_PULLS * nothing["wire_bytes"] + one["wire_bytes"] * len(ASSETS),
    }


def _cpu(row: dict[str, Any]) -> float:
    return float(row["cpu_ms"])


def pulled(folder: Path, url: str, relay: Relay) -> dict[str, Any]:
    """Pull once in this process."""
    models = folder / "data" / "models"
    assets = {asset: models / asset.replace("/", "|") for asset in ASSETS}
    before, cpu = relay.bytes, time.thread_time()
    puller = Puller(Web(url), (folder / "root.json").read_bytes(), models, assets, "all")
    outcome = puller.pull(time.time_ns())
    taken = time.thread_time() - cpu
    if outcome.state != "ok" or outcome.refused:
        raise SystemExit(f"the pull went wrong: {outcome}")
    time.sleep(0.2)  # for what the relay has still in its hands
    return {
        "new": len(outcome.new),
        "requests": outcome.requests,
        "body_bytes": outcome.received,
        "wire_bytes": relay.bytes - before,
        "cpu_ms": round(1e3 * taken, 1),
    }


def commanded(config: Path) -> tuple[float, float]:
    """Run the command once; give its processor time, s, and its peak of resident memory, MB."""
    words = [sys.executable, "-m", "wheeltapper", "models", "pull", str(config), "--json"]
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"the command ended with {running.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--size", type=int, default=40_000, help="bytes of a model")
    asked.add_argument("--models", type=int, nargs="+", default=[10, 200], help="on the list")
    asked.add_argument("--goes", type=int, default=5)
    said = asked.parse_args()
    rows = []
    for listed in said.models:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(listed, said.size, said.goes, Path(folder)))
    print(json.dumps({"machine": machine(), "model_bytes": said.size, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
