import pytest

from connectors.modbus import stamps
from connectors.modbus.stamps import Stamps

SECOND = 1_000_000_000


class Clocks:
    wall = 1_000 * SECOND
    monotonic = 5 * SECOND

    def time_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.monotonic


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(stamps, "time", clocks)
    return clocks


def test_follows_the_wall_clock(clocks: Clocks) -> None:
    given = Stamps()
    assert given.next() == 1_000 * SECOND
    clocks.wall += 3 * SECOND
    clocks.monotonic += SECOND
    assert given.next() == 1_003 * SECOND


def test_a_clock_set_back_is_caught_up_at_half_speed(clocks: Clocks) -> None:
    given = Stamps()
    given.next()
    seen = []
    clocks.wall -= 4 * SECOND
    for _ in range(5):
        clocks.wall += 2 * SECOND
        clocks.monotonic += 2 * SECOND
        seen.append(given.next() // SECOND)
    assert seen == [1001, 1002, 1003, 1004, 1006]
