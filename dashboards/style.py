"""Colours, shapes and words (after ISA-101): grey while normal, colour for the abnormal only.

A colour never stands alone: each priority has a shape and a digit, each state a letter and a word,
so that a print in black and white and a colour-blind reader see the same.
"""

from typing import Any

from plant.alarms import AlarmState
from plant.assets import Health

GREY = "#8e8e8e"
DARK = "#6e6e6e"
PALE = "#b8b8b8"
RED = "#c4162a"
ORANGE = "#e0691a"
YELLOW = "#c9a400"
MAGENTA = "#a3307d"
NORMALS = frozenset({GREY, DARK, PALE, "transparent", "text"})
"""What may be seen while nothing is wrong."""

PRIORITIES = {1: ("■1", RED), 2: ("▲2", ORANGE), 3: ("▼3", YELLOW), 4: ("◆4", MAGENTA)}
HEALTHS = {
    Health.NORMAL: ("normal", GREY),
    Health.FAILURE: ("■ F failure", RED),
    Health.CHECK_FUNCTION: ("◇ C check function", DARK),
    Health.OFF_SPEC: ("▲ S out of specification", ORANGE),
    Health.MAINTENANCE_REQUIRED: ("◆ M maintenance required", MAGENTA),
    Health.CANNOT_JUDGE: ("○ cannot judge", PALE),
}
STATES = {
    AlarmState.NORMAL: ("normal", GREY),
    AlarmState.UNACKNOWLEDGED: ("! UNACK", RED),
    AlarmState.ACKNOWLEDGED: ("ACKED", DARK),
    AlarmState.RETURNED: ("! RTNUN", ORANGE),
    AlarmState.SHELVED: ("SHLVD", PALE),
    AlarmState.SUPPRESSED: ("DSUPR", PALE),
    AlarmState.OUT_OF_SERVICE: ("OOSRV", PALE),
    AlarmState.HELD_BACK: ("FSUPR", PALE),
}
WATCHED = {0: "not read", 1: "learning", 2: "watched", 3: "alarmed"}

Mapping = dict[str, Any]


def values(words: dict[int, tuple[str, str]]) -> list[Mapping]:
    """Map numbers to words and colours."""
    options = {
        str(number): {"index": place, "text": text, "color": colour}
        for place, (number, (text, colour)) in enumerate(words.items())
    }
    return [{"type": "value", "options": options}]


def healths() -> list[Mapping]:
    """Map NE 107 numbers."""
    return values({int(health): told for health, told in HEALTHS.items()})


def states() -> list[Mapping]:
    """Map the numbers of alarm states, which are their order."""
    return values(dict(enumerate(STATES[state] for state in AlarmState)))


def priorities() -> list[Mapping]:
    """Map priorities; 0 is none."""
    return values({0: ("–", GREY), **PRIORITIES})


def urgencies() -> list[Mapping]:
    """Map urgencies, which grow where priorities fall, so that the most urgent is the greatest."""
    return values({0: ("–", GREY), **{5 - number: told for number, told in PRIORITIES.items()}})


def watched() -> list[Mapping]:
    """Map how far an asset is watched."""
    return values({number: (word, GREY) for number, word in WATCHED.items()})


def steps(*beyond: tuple[float, str], base: str = GREY) -> dict[str, Any]:
    """Colour what is beyond a value; grey below all."""
    first: list[dict[str, Any]] = [{"value": None, "color": base}]
    return {
        "mode": "absolute",
        "steps": first + [{"value": value, "color": colour} for value, colour in beyond],
    }


def fixed(colour: str) -> dict[str, str]:
    """Give one colour to everything."""
    return {"mode": "fixed", "fixedColor": colour}


BY_THRESHOLD = {"mode": "thresholds"}
