"""Instruments at fault, as the console shows them, and the order to believe one again.

They are told to maintenance and ask no operator for anything (NAMUR NE 107 §4): a list, no alarms.
What stands is what the watches know; the journal keeps when each came and went.
"""

from collections.abc import Awaitable, Callable

from gateway.console.view import InstrumentRow
from gateway.journal import JSON
from gateway.models.watched import WatchedAsset
from gateway.pipeline import Pipeline
from gateway.rows import instrument_row
from plant.alarms import AlarmState
from plant.assets import Health
from plant.errors import Rejected

Order = Callable[[str, dict[str, JSON]], Awaitable[None]]


class InstrumentDesk:
    """The instruments of a running gateway.

    Parameters
    ----------
    pipeline
        Where they are judged.
    order
        Does what a person orders, durably; see `Pipeline.order`.
    """

    def __init__(self, pipeline: Pipeline, order: Order) -> None:
        self._pipeline = pipeline
        self._order = order

    def rows(self) -> list[InstrumentRow]:
        """List those at fault, asset by asset."""
        return [row for state in self._pipeline.assets for row in self.of(state)]

    def of(self, state: WatchedAsset) -> list[InstrumentRow]:
        """List those of one asset; of one that is worked on each is C, function check."""
        held = self._pipeline.book.held(state.asset.path)
        worked_on = held in (AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
        health = int(Health.CHECK_FUNCTION) if worked_on else None
        at = state.watch.now
        return [instrument_row(doubt, at, health) for doubt in state.watch.doubts]

    def left_out(self, state: WatchedAsset) -> list[str]:
        """Name the signals that an asset is judged without."""
        return [doubt.signal for doubt in state.watch.doubts if doubt.kind.misleads]

    async def trust(self, target: str, actor: str, note: str) -> InstrumentRow:
        """Believe an instrument again, and give it as it was once the journal holds the order.

        Raises
        ------
        KeyError
            No instrument at fault goes by that name.
        Rejected
            Several do.
        """
        found = [row for row in self.rows() if target in (row["tag"], row["signal"])]
        if not found:
            raise KeyError(target)
        if len(found) > 1:
            raise Rejected(f'"{target}" is the name of {len(found)} signals; give the whole tag')
        await self._order("trust", {"tag": found[0]["tag"], "actor": actor, "note": note})
        return found[0]
