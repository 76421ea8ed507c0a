"""A port in use gives way to the next free one."""

import socket
from collections.abc import Iterator

import pytest

from connectors.simulated.ports import HOST, free_port
from plant.errors import Misconfigured


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_is_passed_over(taken: int) -> None:
    assert taken < free_port(taken) <= taken + 100


def test_a_free_port_is_taken_as_wished(taken: int) -> None:
    free = free_port(taken)
    assert free_port(free) == free


def test_any_port_will_do() -> None:
    assert 1024 < free_port(0) < 65536


def test_beyond_the_last_port_there_is_none() -> None:
    with pytest.raises(Misconfigured, match=r"no free port on .* from 65536 on"):
        free_port(65536)
