"""The contract suite of actuators: what every implementation has to pass over a real server.

The judge is the controller's own log; no actuator's word counts::

    @pytest.mark.parametrize("check", applicable({}))
    def test_contract(check, actuator_under_test):
        asyncio.run(check(actuator_under_test))
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from connectors.checks.demands import a_while, nothing_left, raises, require, soon, without
from connectors.contract import Actuator, Beating
from plant.errors import Misconfigured, PlantError, Rejected, Unreachable
from plant.quality import Status
from plant.setpoints import BLOCK_OK, Doubtful, Readback, Setpoint

DEADLINE_S = 20.0
POLL_S = 0.02
HANG_S = 1.0
"""How long a controller hangs on after its client has given up."""


@dataclass(frozen=True, slots=True)
class ActuatorUnderTest:
    """How to get at an actuator, at its controller, and at the controller's log.

    Parameters
    ----------
    make
        Gives a fresh actuator, not entered, whose controller is up.
    unreachable
        Gives a fresh actuator whose controller is off.
    tag, unit
        The setpoint.
    values
        Two values that fit it and that the controller takes one after the other, neither being
        the value that it has.
    unfit
        A value that lies between two counts.
    block
        Whether a block takes it.
    applied
        Gives the values, in the unit of the tag, that came into force so far.
    attempts
        Gives how many writes of the setpoint came in so far.
    hang, recover
        The controller reads nothing from its connections, and reads on.
    refuse
        From now on it refuses the setpoint, and says so.
    drop
        Ends every connection.
    patience
        Longest wait for what the controller does by itself, s.
    """

    make: Callable[[], Actuator]
    unreachable: Callable[[], Actuator]
    tag: str
    unit: str
    values: tuple[float, float]
    unfit: float
    block: bool
    applied: Callable[[], list[float]]
    attempts: Callable[[], int]
    hang: Callable[[], None]
    recover: Callable[[], None]
    refuse: Callable[[], None]
    drop: Callable[[], None]
    patience: float = 10.0

    def setpoint(self, value: float, sequence: int = 1, left_s: float = DEADLINE_S) -> Setpoint:
        """Give a setpoint that is due in `left_s`."""
        return Setpoint(self.tag, value, self.unit, time.time_ns() + int(left_s * 1e9), sequence)


Check = Callable[[ActuatorUnderTest], Awaitable[None]]


async def _applied(peer: ActuatorUnderTest, count: int) -> None:
    """Wait until so many setpoints came into force."""
    deadline = time.monotonic() + peer.patience
    while len(peer.applied()) < count and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)
    require(len(peer.applied()) >= count, "a write comes into force")


async def _armed(peer: ActuatorUnderTest, actuator: Actuator) -> int:
    """Make a block ready; give the sequence number that comes next."""
    if not peer.block:
        return 1
    require(isinstance(actuator, Beating), "an actuator of blocks beats")
    said = await actuator.beat(peer.tag)  # type: ignore[attr-defined]  # it does
    return int(said.accepted or 0) % 65_535 + 1


def _near(found: float, wanted: float) -> bool:
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)


async def check_fits_protocol(peer: ActuatorUnderTest) -> None:
    """See that it has the methods of `Actuator` and a name."""
    actuator = peer.make()
    require(isinstance(actuator, Actuator), f"{type(actuator).__name__} is not an Actuator")
    require(actuator.name, "an actuator has a name")


async def check_open_close_twice(peer: ActuatorUnderTest) -> None:
    """Open and close two actuators one after the other; nothing is left and nothing written."""
    with nothing_left():
        for _ in range(2):
            actuator = peer.make()
            entered = await actuator.__aenter__()
            for _ in range(2):
                with soon("leaving"):
                    await actuator.__aexit__(None, None, None)
            require(entered is actuator, "entering gives the actuator itself")
            await asyncio.sleep(0.1)
    require(not peer.attempts(), "connecting writes nothing")


async def check_close_without_open(peer: ActuatorUnderTest) -> None:
    """Leave an actuator that was never entered: nothing happens."""
    with soon("leaving"):
        await peer.make().__aexit__(None, None, None)


async def check_close_after_failed_open(peer: ActuatorUnderTest) -> None:
    """Enter while the controller is off: it raises, and leaving works."""
    with nothing_left():
        actuator = peer.unreachable()
        with raises(Unreachable, Misconfigured, when="entering while the controller is off"):
            await actuator.__aenter__()
        with soon("leaving"):
            await actuator.__aexit__(None, None, None)


async def check_reads(peer: ActuatorUnderTest) -> None:
    """Read the setpoint now: Good, scaled, with its times; reading writes nothing."""
    async with peer.make() as actuator:
        before = time.monotonic()
        (reading,) = await actuator.read([peer.tag])
        require(reading.tag == peer.tag, "a reading names its tag")
        require(reading.status == Status.GOOD, "a setpoint that is there reads Good")
        require(math.isfinite(reading.value), "a Good reading is a number")
        require(before <= reading.age_basis <= time.monotonic(), "its age begins when it was read")
        require(abs(reading.at - time.time_ns()) < 60e9, "its source time is of now, ns")
        with raises(Rejected, when="reading a tag of others"):
            await actuator.read(["nobody/knows/this"])
    require(not peer.attempts(), "reading writes nothing")


async def check_writes_and_reads_back(peer: ActuatorUnderTest) -> None:
    """Write two values: each comes into force once, and is read back."""
    async with peer.make() as actuator:
        for value in peer.values:
            sequence = await _armed(peer, actuator)
            done = len(peer.applied())
            await actuator.write(peer.setpoint(value, sequence))
            await _applied(peer, done + 1)
            await _read_back(peer, actuator, value, sequence)
    applied = peer.applied()
    require(
        len(applied) == 2 and all(map(_near, applied, peer.values)),
        f"each write is applied once: {applied}",
    )


async def _read_back(
    peer: ActuatorUnderTest, actuator: Actuator, value: float, sequence: int
) -> None:
    said = await actuator.read_back(peer.tag)
    require(_near(said.setpoint.value, value), f"{said.setpoint.value} is read back of {value}")
    require(said.setpoint.status == Status.GOOD, "what is read back is Good")
    require(peer.block == (said.accepted is not None), "a block says what it took, nobody else")
    require(peer.block <= (said.accepted == sequence), f"the block took {said.accepted}")
    require(peer.block <= (said.code == BLOCK_OK), f"the block says {said.code}")


async def check_refuses_what_does_not_fit(peer: ActuatorUnderTest) -> None:
    """Write what cannot be held exactly, in another unit, too late, elsewhere: nothing leaves."""
    good = peer.setpoint(peer.values[0])
    bad = (
        peer.setpoint(peer.unfit),
        peer.setpoint(math.nan),
        peer.setpoint(math.inf),
        peer.setpoint(1e300),
        peer.setpoint(peer.values[0], left_s=-0.001),
        Setpoint(peer.tag, good.value, "furlong", good.deadline, 1),
        Setpoint("nobody/knows/this", good.value, good.unit, good.deadline, 1),
    )
    async with peer.make() as actuator:
        for setpoint in bad:
            with raises(Rejected, when=f"writing {setpoint}"):
                await actuator.write(setpoint)
        with raises(Rejected, when="reading back a tag that is not written here"):
            await actuator.read_back("nobody/knows/this")
    require(not peer.attempts(), "what does not fit never leaves")


async def check_what_is_withdrawn_does_not_leave(peer: ActuatorUnderTest) -> None:
    """Withdraw a write at its last look: no frame leaves, and the connection goes on."""

    def withdrawn() -> None:
        raise Rejected("withdrawn")

    async with peer.make() as actuator:
        setpoint = peer.setpoint(peer.values[0], await _armed(peer, actuator))
        with raises(Rejected, when="a write that is withdrawn at the last look"):
            await actuator.write(setpoint, withdrawn)
        (reading,) = await actuator.read([peer.tag])
        require(reading.status == Status.GOOD, "after a withdrawal the connection goes on")
    require(not peer.attempts(), "what is withdrawn never leaves")


async def check_a_refusal_is_no_doubt(peer: ActuatorUnderTest) -> None:
    """Write what the controller refuses: `Rejected`, and the connection goes on."""
    async with peer.make() as actuator:
        peer.refuse()
        with raises(Rejected, when="a write that the controller refuses"):
            await actuator.write(peer.setpoint(peer.values[0]))
        (reading,) = await actuator.read([peer.tag])
        require(reading.status == Status.GOOD, "after a refusal the connection goes on")
    require(not peer.applied(), "what was refused is not in force")


async def check_a_lost_link_is_no_doubt(peer: ActuatorUnderTest) -> None:
    """Write when the connection has ended before: `Unreachable`, and nothing was written."""
    async with peer.make() as actuator:
        peer.drop()
        await a_while(0.2)
        with raises(Unreachable, when="writing after the connection has ended"):
            await actuator.write(peer.setpoint(peer.values[0]))
        with raises(Unreachable, when="reading after the connection has ended"):
            await actuator.read([peer.tag])
    require(not peer.attempts(), "nothing is sent over a connection that has ended")


async def check_write_after_close_raises(peer: ActuatorUnderTest) -> None:
    """Write with an actuator that was left: it does not connect again by itself."""
    actuator = peer.make()
    async with actuator:
        pass
    with raises(PlantError, when="writing after leaving"):
        await actuator.write(peer.setpoint(peer.values[0]))
    require(not peer.attempts(), "who has left writes nothing")


async def check_a_doubt_ends_the_connection(peer: ActuatorUnderTest) -> None:
    """Hang the controller: the write is not done or in doubt, and only reading back goes on.

    A block never takes late what its caller saw fail. A plain register may, for the bytes are in
    the controller already: then reading back shows it.
    """
    async with peer.make() as actuator:
        sequence = await _armed(peer, actuator)
        (before,) = await actuator.read([peer.tag])
        done = peer.attempts()
        peer.hang()
        with raises(Doubtful, Unreachable, when="a write to a controller that hangs"):
            await actuator.write(peer.setpoint(peer.values[0], sequence))
        for _ in range(2):
            with raises(Unreachable, when="writing after a doubt"):
                await actuator.write(peer.setpoint(peer.values[1], sequence))
        await asyncio.sleep(HANG_S)
        peer.recover()
        await asyncio.sleep(HANG_S)
        said: Readback = await actuator.read_back(peer.tag)
        late = peer.applied()
        require(peer.attempts() - done <= 1, "it is tried once")
        require(not (peer.block and late), f"a block takes nothing late: {late}")
        expected = late[-1] if late else before.value
        require(_near(said.setpoint.value, expected), "reading back tells what is in force")
        with raises(Unreachable, when="writing after a doubt was read back"):
            await actuator.write(peer.setpoint(peer.values[1], sequence))


async def check_cancelling_cuts(peer: ActuatorUnderTest) -> None:
    """Cancel a write under way: the connection is cut, and nothing is sent twice."""
    async with peer.make() as actuator:
        sequence = await _armed(peer, actuator)
        done = peer.attempts()
        peer.hang()
        task = asyncio.create_task(actuator.write(peer.setpoint(peer.values[0], sequence)))
        await a_while(0.2)
        task.cancel()
        await asyncio.wait([task])
        require(task.cancelled(), "cancelling a write ends it")
        with raises(Unreachable, when="writing after a cancelled write"):
            await actuator.write(peer.setpoint(peer.values[1], sequence))
        peer.recover()
        await a_while(0.2)
        require(peer.attempts() - done <= 1, "it is tried once")


ALL_CHECKS: tuple[Check, ...] = (
    check_fits_protocol,
    check_open_close_twice,
    check_close_without_open,
    check_close_after_failed_open,
    check_reads,
    check_writes_and_reads_back,
    check_refuses_what_does_not_fit,
    check_what_is_withdrawn_does_not_leave,
    check_a_refusal_is_no_doubt,
    check_a_lost_link_is_no_doubt,
    check_write_after_close_raises,
    check_a_doubt_ends_the_connection,
    check_cancelling_cuts,
)


def applicable(exempt: Mapping[Check, str]) -> list[Check]:
    """Give every check but the exempt ones; each exemption needs its reason in words."""
    return without(ALL_CHECKS, exempt)
