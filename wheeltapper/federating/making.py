"""One gateway's message of one asset, made from its own history."""

import hashlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from analytics.federation.contribution import Contribution, scores_of, statistics_of
from analytics.federation.messages import read_consolidated, write_contribution
from analytics.federation.refusals import Refused, Why
from analytics.federation.rows import STRUCK
from analytics.federation.terms import Terms
from analytics.modelfiles.places import model_folder
from wheeltapper.federating.fields import fields
from wheeltapper.federating.keyfiles import KEY, private
from wheeltapper.federating.ledger import MADE, Ledger
from wheeltapper.federating.own import Member
from wheeltapper.federating.ways import fetched

EPOCH = "1970-01-02"
WEEK_NS = 7 * 24 * 3600 * 10**9
"""Told of by the first message, unless something else is said."""


class Making:
    """A gateway at work on the message of one asset."""

    def __init__(
        self, gateway: str, data: Path, terms: Terms, ledger: Ledger, member: Member
    ) -> None:
        self.gateway, self.data, self.terms = gateway, data, terms
        self.ledger, self.member = ledger, member

    def told(
        self,
        faults: Sequence[tuple[int, int]] | None,
        since: str,
        until: str,
        model: str,
        keys: Sequence[Ed25519PublicKey],
    ) -> tuple[Contribution, dict[str, int]]:
        """Make the contribution, and count what was left out of it.

        Parameters
        ----------
        faults
            Times of alarms; None if nobody knows of any, for want of a journal.
        """
        from wheeltapper.export import span

        spans = list(self.ledger.told_of(self.member.path))
        last = max((stop for _, stop in spans), default=None)
        start, stop = span(since or EPOCH, until)
        if not since:
            start = stop - WEEK_NS if last is None else last
        rows = self.member.rows(self.data, self.terms, start, stop, faults or [])
        if not len(rows.at):
            raise Refused(Why.NO_DATA, f"{self.member.path}: no row in that time")
        first, end = int(rows.at[0]), int(rows.at[-1]) + self.terms.row_ns
        for begun, ended in spans:
            if first < ended and begun < end:
                raise Refused(
                    Why.OVERLAP,
                    f"{self.member.path}: an earlier message told of a part of that time; the two "
                    "would differ by exactly the new rows: begin where it ended",
                )
        said: dict[str, Any]
        if model:
            data = fetched(model)
            scored, sha256 = self._model(data, keys)
            said = {"scores": scores_of(rows, self.terms, scored), "model": sha256}
        else:
            said = {"statistics": statistics_of(rows, self.terms, secrets.randbits(64))}
        told = Contribution(
            plan=self.terms.identity,
            gateway=self.gateway,
            asset=self.member.path,
            number=len(self.ledger.made()) + 1,
            created=time.time_ns(),
            start=first,
            stop=end,
            **said,
        )
        if faults is None:
            return told, {name: n for name, n in rows.dropped.items() if name != STRUCK}
        return told, rows.dropped

    def kept(self, told: Contribution, dropped: dict[str, int], *, dry_run: bool) -> Any:
        """Write the message into the outbox, or give its fields only."""
        data = write_contribution(told, self.terms, private(self.ledger.folder / KEY))
        kind = "statistics" if told.statistics else "scores"
        words = dict(self.terms.modes)
        counts = {words[mode]: known.n for mode, known in told.statistics.items()}
        counts |= {words[mode]: sketch.n for mode, sketch in told.scores.items()}
        asset = str(model_folder(told.asset)).replace("|", ".")
        event: dict[str, Any] = {
            "event": MADE,
            "at": told.created,
            "file": f"{self.gateway}-{told.number:05d}-{kind}-{asset}.wtm",
            "kind": kind,
            "asset": told.asset,
            "plan": told.plan,
            "start": told.start,
            "stop": told.stop,
            "rows": counts,
            "dropped": dropped,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        if dry_run:
            return event | {"fields": [each.row() for each in fields(data)]}
        # The line first: after a power cut between the two nothing can leave that is not listed.
        self.ledger.note(event)
        self.ledger.keep(event["file"], data)
        return event

    def _model(self, data: bytes, keys: Sequence[Ed25519PublicKey]) -> Any:

        model, file = read_consolidated(data, keys)
        if file.header.settings.get("plan") != self.terms.identity:
            raise Refused(Why.OTHER_MODEL, "that model is of another plan")
        return model, file.sha256
