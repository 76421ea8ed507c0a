"""What the shipped proposers have in common: one request at a time, or why there is none."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any

from gateway.config.plan import ProposerPlan
from gateway.proposing.contract import Look
from plant.setpoints import Request
from plant.tags import Tag

ELSEWHERE = ("name", "token_file", "response")
"""Of a plan: who asks, and where files lie. What is in the files counts."""


class Asker(ABC):
    """Half of a `contract.Proposer`.

    Parameters
    ----------
    plan
        What it is told to do.
    tag
        Its setpoint.
    version
        See `version_of`.
    """

    def __init__(self, plan: ProposerPlan, tag: Tag, version: str) -> None:
        self.name, self.tag, self.model, self.version = plan.name, plan.tag, plan.name, version
        self.why = "not asked yet"
        self._setpoint = tag
        self._open: Request | None = None
        self._next = -math.inf
        """Monotonic time before which it asks for nothing, s."""
        self._recalled = False
        """Whether it begins from what was kept before a restart, and has not looked since."""

    def propose(self, look: Look) -> Request | None:
        """Ask for something, unless it waits for what becomes of the last it asked for."""
        if self._open is not None:
            return self._nothing("waits for what becomes of its last request")
        request = self._propose(look)
        if request is not None:
            self.why, self._open = "", request
        return request

    @abstractmethod
    def _propose(self, look: Look) -> Request | None:
        """Ask for something, or say by `_nothing` why not."""

    def _nothing(self, why: str) -> Request | None:
        self.why = why
        return None


def version_of(plan: ProposerPlan, learnt: str = "") -> str:
    """Name a proposer by what it was told and what it has learnt: the limits are signed for it."""
    said: dict[str, Any] = {
        key: value for key, value in asdict(plan).items() if key not in ELSEWHERE
    }
    content = json.dumps(said, sort_keys=True, default=str) + learnt
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def signal_of(tag: str) -> str:
    """Give the last part of a tag's name."""
    return tag.rpartition("/")[2]
