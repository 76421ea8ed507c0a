"""The optimiser: bounded steps, only where it has learnt, only when it is worth it."""

import itertools

import numpy as np
import pytest

from gateway.proposing.contract import Outcome
from gateway.proposing.optimiser import AGAIN_S
from plant.setpoints import Code, State
from tests.gateway.proposing.scenes import LEARNT, SPEED, VIB, asked, look, optimiser, response

HELD = Outcome(State.HELD)
DENIED = Outcome(State.REJECTED, str(Code.DENIED))
LOW, HIGH = LEARNT.seen[SPEED]


def test_a_step_says_what_it_expects_and_how_sure_it_is() -> None:
    (request,) = asked(optimiser(), look())

    assert request.value == 48.0
    words = "minimise vibration: speed 50 → 48 1/min, expected −0.4 ± "
    assert request.reason.startswith(words)
    change, half = LEARNT.change(
        {SPEED: 50.0, "n/l/conveyor/load": 60.0}, {SPEED: 48.0, "n/l/conveyor/load": 60.0}
    )
    assert change == pytest.approx(-0.4, abs=0.02)
    assert 0 < half < 0.05
    assert {basis.tag for basis in request.based_on} >= {SPEED, VIB, "n/l/conveyor/load"}


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ({"aim": "maximise"}, 52.0),
        ({"max_step": 0.5}, 49.5),
        ({"aim": "hold", "target": 4.9}, 49.0),
        ({"aim": "hold", "target": 6.5}, 52.0),
    ],
)
def test_it_steps_towards_its_aim(said: dict[str, object], value: float) -> None:
    assert [one.value for one in asked(optimiser(**said), look())] == [
        pytest.approx(value, abs=0.15)
    ]


def test_of_a_bend_it_finds_the_bottom_and_stays_there() -> None:
    bent = response(slope=0.0, bend=0.05, noise=0.05)
    made = optimiser(bent, max_step=4.0)

    (request,) = asked(made, look(speed=53.0, vibration=5.45))

    assert request.value == pytest.approx(50.0, abs=0.3)
    assert asked(optimiser(bent), look(speed=50.0, vibration=5.0)) == []


REFUSED: dict[str, tuple[dict[str, float], str]] = {
    "beyond the speeds": ({"speed": HIGH + 1}, "is outside what was seen"),
    "beyond the loads": ({"load": 95.0}, "load 95 is outside what was seen, 50"),
    "not as foretold": ({"vibration": 9.0}, "vibration is 9, where 4.99"),
    "at the end of the range": ({"speed": LOW, "vibration": 3.9}, "no step is worth it"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_where_it_does_not_know_it_asks_for_nothing(what: str) -> None:
    values, why = REFUSED[what]
    made = optimiser()

    assert asked(made, look(**values)) == []
    assert why in made.why


def test_within_the_noise_of_its_target_it_lets_be() -> None:
    made = optimiser(aim="hold", target=5.12)

    assert asked(made, look()) == []
    assert made.why == "5.1 mm/s is at its target, within the noise"


@pytest.mark.parametrize("seed", range(20))
def test_never_further_than_a_step_and_never_outside_what_was_seen(seed: int) -> None:
    random = np.random.default_rng(seed)
    made = optimiser(max_step=1.5, aim=str(random.choice(["minimise", "maximise"])))
    speed = float(random.uniform(LOW, HIGH))
    for step in range(30):
        at = {"speed": speed, "vibration": 5.0 + 0.2 * (speed - 50.0)}
        for request in asked(made, look(step * made.plan.pause_s, **at)):
            assert abs(request.value - speed) <= 1.5
            assert LOW <= request.value <= HIGH
            speed = request.value
            made.heard(HELD)


def test_it_lets_the_plant_answer_first() -> None:
    made = optimiser()
    asked(made, look())
    made.heard(HELD)
    there = {"speed": 48.0, "vibration": 4.7}

    assert asked(made, look(599.0, **there)) == []
    assert made.why == "asks again in 1 s: the plant has to answer first"
    assert [one.value for one in asked(made, look(600.0, **there))] == [46.0]


def test_a_no_holds_for_an_hour_or_until_somebody_moves_the_setpoint() -> None:
    made = optimiser()
    asked(made, look())
    made.heard(DENIED)

    assert asked(made, look(700.0)) == []
    assert made.why.startswith("was told no: speed 50 → 48")
    assert len(asked(made, look(AGAIN_S))) == 1
    made.heard(DENIED)
    assert len(asked(made, look(AGAIN_S + 700.0, speed=51.0, vibration=5.3))) == 1


def test_another_response_or_aim_is_another_version() -> None:
    made = (optimiser(), optimiser(max_step=1.0), optimiser(response(seed=2)))

    assert all(a.version != b.version for a, b in itertools.combinations(made, 2))
