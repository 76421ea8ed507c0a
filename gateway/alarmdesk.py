"""What the console and the commands ask of the alarms, and what people order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.console.view import AlarmRow, HoldRow, ReportRow
from gateway.journal import JSON, Journal
from gateway.performance import read_report
from gateway.pipeline import Pipeline
from gateway.rows import MS, alarm_row, hold_row
from plant.alarms import Alarm, AlarmState, Hold, HoldKind
from plant.errors import Rejected

Order = Callable[[str, dict[str, JSON]], Awaitable[None]]


class AlarmDesk:
    """The alarms of a running gateway.

    Parameters
    ----------
    pipeline
        Where they stand.
    journal
        Where they are kept.
    order
        Does what a person orders, durably; see `Pipeline.order`.
    now
        The gateway's clock, ns.
    budget
        False alarms that an asset may give in a week.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        journal: Journal,
        order: Order,
        now: Callable[[], int],
        budget: float,
    ) -> None:
        self._pipeline = pipeline
        self._book = pipeline.book
        self._journal = journal
        self._order = order
        self._now = now
        self._budget = budget
        self._assets = {state.asset.path: state for state in pipeline.assets}

    def row(self, alarm: Alarm) -> AlarmRow:
        """Write an alarm in full: earlier ones like it are told by what is known of them now."""
        known = self._book.precedents(alarm.asset, alarm.id) or alarm.reason.precedents
        return self._row(replace(alarm, reason=replace(alarm.reason, precedents=known)))

    def _row(self, alarm: Alarm) -> AlarmRow:
        """Write an alarm, with the plant's word for its mode."""
        state = self._assets.get(alarm.asset)
        named = state is not None and state.mode is not None
        return alarm_row(alarm, state.asset.mode_name(alarm.mode) if named and state else "")

    def alarms(self) -> list[AlarmRow]:
        """List the alarms kept, newest first."""
        return [self._row(alarm) for alarm in reversed(self._book.alarms())]

    def alarm(self, number: int) -> AlarmRow:
        """Give one alarm; `KeyError` when there is none."""
        return self.row(self._book.get(number))

    def holds(self) -> list[HoldRow]:
        """List what keeps alarms quiet: by a person first, then by a mode."""
        by_mode = [path for path in self._assets if self._book.quiet(path)]
        return [hold_row(hold) for hold in self._book.holds()] + [
            row for path in by_mode if (row := self.by_mode(path)) is not None
        ]

    def hold_of(self, path: str) -> HoldRow | None:
        """Give what keeps an asset quiet now, the strongest if several do."""
        state = self._book.held(path)
        own = (hold for hold in self._book.holds() if hold.asset == path)
        found = next((hold for hold in own if hold.kind.state is state), None)
        return hold_row(found) if found else self.by_mode(path)

    def by_mode(self, path: str) -> HoldRow | None:
        """Give the hold that the mode of an asset means, if it does."""
        if not self._book.quiet(path):
            return None
        state = self._assets[path]
        return {
            "asset": path,
            "name": state.asset.name,
            "kind": str(HoldKind.SUPPRESSED),
            "since": None,
            "until": None,
            "actor": "",
            "note": f"mode {state.asset.mode_name(state.mode_now).removeprefix('mode ')}",
        }

    def counts(self) -> dict[AlarmState, int]:
        """Count the alarms kept in each state."""
        found = dict.fromkeys(AlarmState, 0)
        for alarm in self._book.alarms():
            found[alarm.state] += 1
        return found

    async def acknowledge(self, number: int, actor: str, note: str) -> AlarmRow:
        """Acknowledge one alarm and return once the journal holds it."""
        await self._order("acknowledge", {"id": number, "actor": actor, "note": note})
        return self.alarm(number)

    async def feedback(
        self, number: int, label: str, actor: str, note: str, *, new_normal: bool
    ) -> AlarmRow:
        """Keep what a person calls an alarm, and return once the journal holds it."""
        said: dict[str, JSON] = {"id": number, "label": label, "actor": actor, "note": note}
        await self._order("feedback", said | {"new_normal": new_normal})
        return self.alarm(number)

    async def hold(
        self, target: str, kind: str, seconds: float | None, actor: str, note: str
    ) -> HoldRow:
        """Keep the alarms of an asset quiet, and return once the journal holds it."""
        asset, since = self.asset(target), self._now()
        until = None if seconds is None else since + round(seconds * 1e9)
        said: dict[str, JSON] = {"asset": asset, "kind": kind, "since": since, "until": until}
        await self._order("hold", said | {"actor": actor, "note": note})
        return hold_row(self._held(asset, kind))

    async def release(self, target: str, kind: str, actor: str, note: str) -> HoldRow:
        """End a hold and give it as it was."""
        asset = self.asset(target)
        held = self._held(asset, kind)
        said: dict[str, JSON] = {"asset": asset, "kind": kind, "actor": actor, "note": note}
        await self._order("release", said)
        return hold_row(held)

    def _held(self, asset: str, kind: str) -> Hold:
        for hold in self._book.holds():
            if (hold.asset, hold.kind) == (asset, kind):
                return hold
        raise Rejected(f"{asset} is not {kind.replace('-', ' ')}")

    def asset(self, target: str) -> str:
        """Find an asset by its path, the last part of it, or the number of one of its alarms.

        Raises
        ------
        KeyError
            There is none.
        Rejected
            Several assets have that name.
        """
        if target in self._assets:
            return target
        if target.isascii() and target.isdigit():
            return self._book.get(int(target)).asset
        named = [path for path, state in self._assets.items() if state.asset.name == target]
        if len(named) > 1:
            raise Rejected(f'"{target}" is the name of {len(named)} assets; give the whole path')
        if not named:
            raise KeyError(target)
        return named[0]

    async def report(self, start_ms: float | None, stop_ms: float | None) -> ReportRow:
        """Report how the alarms did."""
        start, stop = (None if ms is None else round(ms * MS) for ms in (start_ms, stop_ms))
        return await asyncio.to_thread(read_report, self._journal, start, stop, budget=self._budget)
