"""A program of a plant's own, that asks over HTTP: slower by one while the vibration is high."""

from collections.abc import Callable, Sequence
from typing import Any

from gateway.proposing.contract import Look, Outcome
from plant.setpoints import Request

FRESH_S = 5.0
HIGH = 5.0


class Outside:
    """A `gateway.proposing.contract.Proposer` that hands what it wants to `post`.

    Parameters
    ----------
    line
        Path of the machine.
    post
        Sends the body of a request, and gives what the guard has taken it for.
    """

    name = model = "speeds"
    version = "1"

    def __init__(self, line: str, post: Callable[[dict[str, Any]], Request]) -> None:
        self.tag, self._vibration, self._post = f"{line}/speed", f"{line}/vibration", post
        self.why = "not asked yet"
        self._asked_at: float | None = None

    def reads(self) -> Sequence[str]:
        """Give what it goes by."""
        return self.tag, self._vibration

    def propose(self, look: Look) -> Request | None:
        """Ask once at each speed."""
        flaws = [flaw for tag in self.reads() if (flaw := look.flaw(tag, FRESH_S))]
        speed, vibration = (look.of(tag) for tag in self.reads())
        if flaws or vibration.value <= HIGH or self._asked_at == speed.value:
            self.why = next(iter(flaws), "nothing to ask for")
            return None
        self._asked_at = speed.value
        return self._post(
            {
                "proposer": self.name,
                "tag": self.tag,
                "value": speed.value - 1.0,
                "unit": "1/min",
                "reason": f"vibration is {vibration.value:g} mm/s, above {HIGH:g}",
                "effect": "less vibration",
                "model": self.model,
                "version": self.version,
                "not_after": look.now + 20 * 10**9,
                "based_on": [
                    {"tag": one.tag, "at": one.at, "status": one.status}
                    for one in (speed, vibration)
                ],
            }
        )

    def heard(self, outcome: Outcome) -> None:
        """Take no notice: at another speed it asks again."""
