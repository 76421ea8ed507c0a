"""A node-opcua server of 2,000 variables that the product has never seen."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lacking import NODE_OPCUA, need_node_opcua
from tests.ports import free_port


@dataclass
class Plant2000:
    """One such server in a process of its own."""

    process: subprocess.Popen[str]
    url: str

    def freeze(self) -> None:
        """Let it rest: 2,000 values a second take a twentieth of a core."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it move again."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        assert self.process.stdout
        self.process.kill()
        self.process.wait(timeout=60)
        self.process.stdout.close()


def start(pki: Path, *words: str) -> Plant2000:
    """Start it; `words` as in plant2000.js."""
    need_node_opcua()
    port = free_port()
    process = subprocess.Popen(
        ["node", "plant2000.js", str(port), str(pki), *words],
        cwd=NODE_OPCUA,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    assert any(line.startswith("UP") for line in process.stdout)
    return Plant2000(process, f"opc.tcp://127.0.0.1:{port}/UA/plant")
