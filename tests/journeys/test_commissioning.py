"""From an unknown server to live values, in six commands; what they say stands in the docs.

``WRITE_DOCS=1 pytest tests/journeys/test_commissioning.py`` writes the transcript anew.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from gateway.config.loader import load
from gateway.journal import Journal, SampleRecord
from plant.quality import is_good
from plant.tags import ValueType
from tests.plant2000 import Plant2000
from wheeltapper.running import ask, console_of

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

WHEELTAPPER = str(Path(sys.executable).with_name("wheeltapper"))
DOCUMENT = Path(__file__).parents[2] / "docs" / "commissioning.md"
BLOCK = re.compile(r"(<!-- transcript -->\n```console\n)(.*?)(```\n)", re.DOTALL)
SERVER = "opc.tcp://plc:4840/UA/plant"
MOST_COMMANDS = 6
BAR_S, SHARED = 60.0, 3.0
"""The bar on a machine of its own, and how much longer a shared one may take."""
VARIABLES = 2_000
TAGS = 2_200


@dataclass
class Transcript:
    """Commands as they were typed, and what they answered."""

    folder: Path
    url: str
    text: str = ""
    commands: list[str] = field(default_factory=list)

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        ended = subprocess.run(
            [WHEELTAPPER, *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SHARED * BAR_S,
            check=False,
        )
        self.note(words, ended.stdout)
        return ended

    def note(self, words: Sequence[str], said: str) -> None:
        line = " ".join(f"'{word}'" if "*" in word else word for word in words)
        self.commands.append(line)
        shown = "".join(f"{each.rstrip()}\n" for each in said.splitlines())
        self.text += f"$ wheeltapper {line}\n{shown}\n".replace(self.url, SERVER)
        self.text = self.text.replace(f"{self.folder}/", "")

    def run(self, config: str) -> str:
        """Start the gateway, wait for its first value and end it as Ctrl-C does."""
        process = subprocess.Popen(
            [WHEELTAPPER, "run", config],
            cwd=self.folder,
            env={**os.environ, "WHEELTAPPER__CONSOLE__PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("first value"):
                break
        self.note(("run", config), "".join(lines))
        wait_for(lambda: delivered(self.folder / config, process) == TAGS)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        return lines[-1]


def wait_for(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def delivered(config: Path, process: subprocess.Popen[str]) -> int:
    """Ask the running gateway how many tags have a good value."""
    assert process.poll() is None
    url = console_of(load(config).data)
    assert url
    return int(ask(url, "/api/tags?match=good")["matching"])


def same(text: str) -> str:
    """Blot out what differs from run to run."""
    text = re.sub(r"[0-9a-f]{16,64}", "«thumbprint»", text)
    text = re.sub(r"(first value of plc: ).*", r"\1«value»", text)
    text = re.sub(r". gateway +page .*\n|live; Ctrl-C ends it\n", "", text)
    text = re.sub(r"[0-9][0-9,.:]*", "#", text)
    text = re.sub(r"# s (ahead|behind)", "# s off", text)
    return re.sub(r"[ ─]+", " ", text)


@pytest.fixture
def transcript(tmp_path: Path, plant2000: Callable[..., Plant2000]) -> Transcript:
    return Transcript(tmp_path, plant2000().url)


def test_six_commands_lead_from_an_unknown_server_to_live_values(transcript: Transcript) -> None:
    began = time.monotonic()
    assert transcript.type("discover", transcript.url).returncode == 0
    assert transcript.type("init", "line1", "--opcua", transcript.url).returncode == 0
    refused = transcript.type("doctor", "line1.toml")
    assert refused.returncode == 2
    (thumbprint,) = re.findall(r"trust accept ([0-9a-f]+)", refused.stdout)
    accepting = ("trust", "accept", thumbprint, "line1.toml", "--yes")
    assert transcript.type(*accepting).returncode == 0
    browsing = ("browse", "line1.toml", "--match", "**", "--write", "tags.csv")
    assert "2,200 new" in transcript.type(*browsing).stdout
    assert "first value of plc" in transcript.run("line1.toml")
    assert time.monotonic() - began < SHARED * BAR_S
    assert len(transcript.commands) <= MOST_COMMANDS

    plan = load(transcript.folder / "line1.toml")
    assert len(plan.tags) == TAGS
    assert {tag.unit for tag in plan.tags} >= {"Cel", "bar", "mm/s", "/min", "A", "m3/h", "%", "kW"}
    (temperature,) = [tag for tag in plan.tags if tag.name == "Line1/Machine1/Temperature"]
    assert (temperature.low, temperature.high) == (-20.0, 140.0)
    assert temperature.description == "Bearing, drive end"
    assert good_tags(plan.data) == sum(tag.type is not ValueType.TEXT for tag in plan.tags)
    assert_documented(transcript.text)


def good_tags(data: Path) -> int:
    """Count the tags of which the journal holds a Good sample."""
    journal = Journal.open(data / "journal.db")
    found: set[int] = set()
    for _, entry in journal.read(kinds=[SampleRecord]):
        assert isinstance(entry, SampleRecord)
        found.update(np.unique(entry.batch.tag[is_good(entry.batch.status)]).tolist())
    journal.close()
    return len(found)


def assert_documented(text: str) -> None:
    """Compare with the document, or write it anew when asked to."""
    document = DOCUMENT.read_text("utf-8")
    if os.environ.get("WRITE_DOCS"):
        document = BLOCK.sub(lambda found: found[1] + text.rstrip() + "\n" + found[3], document)
        DOCUMENT.write_text(document, "utf-8")
    (shown,) = [found[1] for found in BLOCK.findall(document)]
    assert same(shown).split() == same(text).split()
