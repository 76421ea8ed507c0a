"""`wheeltapper setpoints stop` stops, whatever answers at the guard's socket, or nothing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.guard.stopping import stopped
from gateway.guard.words import FOLDER, SOCKET, framed
from wheeltapper.app import app

ANSWERS = {
    "it says no": framed({"ok": False, "why": "malformed: name", "class": "Rejected"}),
    "what is no message": b"\x00\x00\x00\x02{]",
    "half of one": b"\x00\x00",
    "nothing": b"",
}


@contextmanager
def answering(folder: Path, answer: bytes) -> Iterator[None]:
    """Answer one question at the guard's socket, and hang up."""
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as own:
        own.bind(str(folder / SOCKET))
        own.listen()

        def speak() -> None:
            line, _ = own.accept()
            with line:
                line.recv(65_536)
                line.sendall(answer)

        thread = threading.Thread(target=speak)
        thread.start()
        yield
        thread.join(60)


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_stops_whatever_the_guard_answers(tmp_path: Path, answer: str) -> None:
    with answering(tmp_path / FOLDER, ANSWERS[answer]):
        ended = CliRunner().invoke(app, ["setpoints", "stop", "--data", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    assert stopped(tmp_path / FOLDER) is not None
