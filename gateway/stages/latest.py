"""The last sample of every tag, for the page; nothing is judged from it."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.quality import Status
from plant.samples import Batch, ContextEvent

NEVER = -(2**62)


class Latest:
    """Last value, status and source time of every tag, and its last verdict, by handle."""

    def __init__(self, size: int) -> None:
        self.value = np.full(size, np.nan)
        self.status = np.full(size, Status.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self.at = np.full(size, NEVER, np.int64)
        self.verdict = np.zeros(size, np.uint8)
        self.text: dict[int, ContextEvent] = {}

    def add(self, batch: Batch, verdict: NDArray[np.uint8]) -> None:
        """Take a scaled batch with its verdicts (n,); tags that are no longer planned are left."""
        ours: slice | NDArray[np.bool_] = slice(None)
        if int(batch.tag.max(initial=-1)) >= len(self.value):
            ours = batch.tag < len(self.value)
        tag = batch.tag[ours]
        self.value[tag] = batch.value[ours]
        self.status[tag] = batch.status[ours]
        self.at[tag] = batch.at[ours]
        self.verdict[tag] = verdict[ours]
        for event in batch.context:
            self.say(event)

    def say(self, event: ContextEvent) -> None:
        """Take a text."""
        if event.tag < len(self.value):
            self.text[event.tag] = event
            self.status[event.tag] = event.status
            self.at[event.tag] = event.at

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything held, as arrays."""
        said = [[e.tag, e.at, e.text, e.status] for e in self.text.values()]
        return {
            "text": np.frombuffer(json.dumps(said).encode(), np.uint8),
            "value": self.value.copy(),
            "status": self.status.copy(),
            "at": self.at.copy(),
            "verdict": self.verdict.copy(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state; tags added since keep their start values."""
        for column, name in (
            (self.value, "value"),
            (self.status, "status"),
            (self.at, "at"),
            (self.verdict, "verdict"),
        ):
            known = min(len(column), len(state[name]))
            column[:known] = state[name][:known]
        said = json.loads(state["text"].tobytes())
        self.text = {event[0]: ContextEvent(*event) for event in said}
