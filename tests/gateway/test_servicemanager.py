"""The words of sd_notify(3), and who is not told."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.servicemanager import ServiceManager

OWN = {"WATCHDOG_USEC": "1000000"}


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.settimeout(30)
        yield one


def heard(listener: socket.socket) -> list[bytes]:
    """Give what was sent up to now."""
    listener.setblocking(False)
    lines = []
    try:
        while True:
            lines.append(listener.recv(4096))
    except BlockingIOError:
        return lines


def test_each_word_is_a_datagram(listener: socket.socket) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": listener.getsockname(), **OWN})
    manager.status("reads 1 of 2")
    manager.status("reads 1 of 2")
    manager.ready()
    manager.beat()
    manager.beat()
    manager.stopping()
    manager.close()
    assert heard(listener) == [b"STATUS=reads 1 of 2", b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_an_abstract_name_begins_with_an_at() -> None:
    name = f"wheeltapper-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        manager = ServiceManager({"NOTIFY_SOCKET": f"@{name}"})
        manager.ready()
        manager.close()
        assert heard(listener) == [b"READY=1"]


@pytest.mark.parametrize(
    "watchdog",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {**OWN, "WATCHDOG_PID": "1"}],
    ids=["none", "off", "no number", "for another process"],
)
def test_no_beat_unless_this_process_is_watched(
    listener: socket.socket, watchdog: dict[str, str]
) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": listener.getsockname(), **watchdog})
    manager.beat()
    manager.ready()
    manager.close()
    assert heard(listener) == [b"READY=1"]


def test_whoever_is_not_there_is_not_told(tmp_path: Path) -> None:
    gone = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone"), **OWN})
    gone.beat()
    gone.close()
    gone.ready()
    alone = ServiceManager({})
    alone.ready()
    alone.beat()
