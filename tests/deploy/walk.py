"""docker-compose.yml walked without containers: its own commands, on a temporary folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
PLACES = ("/secrets", "/srv", "/etc/wheeltapper", "/var/lib/wheeltapper")
"""What a container sees there lies below the folder of the walk."""
PATIENCE_S = 100.0


def filled(text: str, environment: dict[str, str]) -> str:
    """Put variables in their places as compose does: ``${NAME:-usual}``, and ``$$`` for a dollar.

    Examples
    --------
    >>> filled("${A:-x} ${B:-y} $$(cat)", {"B": "z"})
    'x z $(cat)'
    """

    def value(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else environment.get(found[1], found[2])

    return re.sub(r"\$\$|\$\{([A-Z_]+):-([^}]*)\}", value, text)


@dataclass
class Walk:
    """One walk, in a folder of its own.

    Parameters
    ----------
    folder
        Stands for the volumes.
    elsewhere
        What else is found in another place: text of the file to what stands for it.
    """

    folder: Path
    elsewhere: dict[str, str]

    def __post_init__(self) -> None:
        programs = self.folder / "programs"
        programs.mkdir(parents=True)
        ours = programs / "wheeltapper"
        ours.write_text(f'#!/bin/sh\nexec {sys.executable} -m wheeltapper "$@"\n')
        ours.chmod(0o755)
        (programs / "python3").symlink_to(sys.executable)
        # What the image leaves out is not to be had here either.
        without = re.search(r'ARG WITHOUT="([^"]+)"', (ROOT / "Dockerfile").read_text())
        assert without
        for name in without[1].replace("scikit-learn", "sklearn").split():
            (self.folder / "lacks" / name).mkdir(parents=True)
            (self.folder / "lacks" / name / "__init__.py").write_text("raise ImportError(__name__)")
        self.path = f"{programs}:{os.environ['PATH']}"

    def mapped(self, text: str) -> str:
        """Give a path, or a text with paths, as it is found here."""
        for there, here in self.elsewhere.items():
            text = text.replace(there, here)
        for place in PLACES:
            text = re.sub(rf"(?<![\w/.]){place}", f"{self.folder}{place}", text)
        return text

    def words(self, name: str, **variables: str) -> list[str]:
        """Give the command of a service of ours, or that of its shell."""
        service = SERVICES[name]
        entry = service.get("entrypoint", ["wheeltapper"])
        return [self.mapped(filled(word, variables)) for word in (*entry, *service["command"])]

    def share(self, other: "Walk", *places: str) -> None:
        """Let another walk, as of another container, have volumes of this one."""
        for place in places:
            there = other.folder / place.lstrip("/")
            there.parent.mkdir(parents=True, exist_ok=True)
            (self.folder / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
            there.symlink_to(self.folder / place.lstrip("/"))

    def check(self, name: str) -> list[str]:
        """Give the command of a health check."""
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return [self.mapped(word) for word in words]

    def environment(self, name: str, **more: str) -> dict[str, str]:
        """Give the environment of a service."""
        own = SERVICES[name].get("environment", {})
        whole = SERVICES[name].get("build", {}).get("args", {}).get("WITHOUT") == ""
        return {
            "PATH": self.path,
            "PYTHONPATH": str(ROOT) if whole else f"{self.folder / 'lacks'}:{ROOT}",
            **{key: filled(value, {}) for key, value in own.items()},
            **more,
        }

    def run(self, name: str, words: list[str], **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of a service to its end."""
        return subprocess.run(
            words, env=self.environment(name, **more), timeout=PATIENCE_S, capture_output=True,
            text=True,
        )  # fmt: skip

    @contextmanager
    def running(
        self, name: str, *extra: str, words: list[str] | None = None, **more: str
    ) -> "Iterator[subprocess.Popen[str]]":
        """Let a service run."""
        (self.folder / "tmp").mkdir(exist_ok=True)
        process = subprocess.Popen(
            [*(self.words(name) if words is None else words), *extra],
            env=self.environment(name, TMPDIR=str(self.folder / "tmp"), **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
