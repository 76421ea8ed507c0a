"""Where a walk happens: a folder, real commands in it, and gateways that run meanwhile."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from plant.errors import Rejected, Unreachable
from wheeltapper import terminal
from wheeltapper.running import ask, console_of
from wheeltapper.session import end_on_sigterm

PATIENCE_S = 900.0
LOOK_S = 0.5
SOON_S = 5.0
"""For so long nobody wonders what is waited for, s."""
LEAVE_S = 30.0
NO_ANSWER, BUSY_S = 3, 120.0
"""Exit code of a command whom nobody answers, and how long it is tried again: a gateway that reads
hundreds of times faster than a plant is sometimes busy."""


class Stage:
    """Runs commands as a person would type them, and says so.

    Parameters
    ----------
    folder
        Where they run.
    as_json
        Whether a program listens: one record a step instead of what the commands print.
    """

    def __init__(self, folder: Path, *, as_json: bool = False) -> None:
        self.folder = folder
        self._as_json = as_json
        self._running = ExitStack()
        self._begin = time.monotonic()

    def __enter__(self) -> Self:
        end_on_sigterm(128 + signal.SIGTERM)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what still runs."""
        self._running.close()

    def step(self, what: str, why: str = "") -> None:
        """Say what comes next."""
        passed = round(time.monotonic() - self._begin)
        if self._as_json:
            terminal.record({"step": what, "why": why, "after_s": passed})
        else:
            terminal.say(f"\n── {passed // 60}:{passed % 60:02d}  {what}")
            if why:
                terminal.say(f"   {why}")

    def fact(self, **told: Any) -> None:
        """Give a program what was found; people read it in what the commands print."""
        if self._as_json:
            terminal.record(told)

    def run(self, *words: str, code: int = 0, quiet: bool = False) -> str:
        """Run one command of the product to its end, show it, and give what it printed.

        Raises
        ------
        Rejected
            It ended with another code than `code`.
        """
        if not self._as_json and not quiet:
            terminal.say(f"   $ wheeltapper {shlex.join(words)}")
        until = time.monotonic() + BUSY_S
        while True:
            done = subprocess.run(  # noqa: S603 our own commands, words of our own
                command(words), cwd=self.folder, env=environment(), capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            if done.returncode != NO_ANSWER or code == NO_ANSWER or time.monotonic() > until:
                break
            time.sleep(LOOK_S)
        printed = (done.stdout + done.stderr).rstrip()
        if not self._as_json and not quiet:
            for line in printed.splitlines():
                terminal.say(f"     {line}")
        if done.returncode != code:
            raise Rejected(
                f"wheeltapper {shlex.join(words)} ended with {done.returncode}, not {code}:\n"
                f"{printed}"
            )
        return done.stdout

    def record(self, *words: str, code: int = 0) -> Any:
        """Run one command with ``--json`` without showing it; give its records."""
        printed = self.run(*words, "--json", code=code, quiet=True)
        return [json.loads(line) for line in printed.splitlines() if line.strip()]

    def start(self, *words: str, log: str) -> None:
        """Start a command that runs until the walk is over; what it prints goes to a file."""
        if not self._as_json:
            terminal.say(f"   $ wheeltapper {shlex.join(words)} &")
        out = self._running.enter_context((self.folder / log).open("wb"))
        child = subprocess.Popen(  # noqa: S603 our own commands, words of our own
            command(words), cwd=self.folder, env=environment(), stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._running.callback(_end, child)

    def wait(self, what: str, met: Callable[[], Any]) -> Any:
        """Wait until `met` gives something, and give it; a gateway that is not up is waited for.

        Raises
        ------
        Unreachable
            It did not come.
        """
        begin, told = time.monotonic(), self._as_json
        while time.monotonic() < begin + PATIENCE_S:
            try:
                if found := met():
                    return found
            except Unreachable:
                pass
            if not told and time.monotonic() > begin + SOON_S:
                terminal.say(f"   … until {what}")
                told = True
            time.sleep(LOOK_S)
        raise Unreachable(f"waited {PATIENCE_S:g} s in vain until {what}")

    def ask(self, path: str, data: str = "data") -> Any:
        """Ask the console of the gateway on a data folder.

        Raises
        ------
        Unreachable
            None answers (yet).
        """
        console = console_of(self.folder / data)
        if console is None:
            raise Unreachable("no gateway runs")
        return ask(console, path)


def free_port() -> int:
    """Give a port of this machine that nobody uses now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def command(words: Sequence[str]) -> list[str]:
    """Give the words that run a command of this very installation."""
    return [sys.executable, "-m", "wheeltapper", *words]


def environment() -> dict[str, str]:
    """Give the environment of the commands: plain tables, whatever the terminal."""
    return {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(LEAVE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
