"""A second gateway, in records: what the simulated line does not show within a minute."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from plant.records import JUDGED, EventRecord, Record, ScoreRecord

S = 1_000_000_000
MINUTE = 60 * S
MILL = "b/works/hall/line-7/mill 1 (old)"
"""An asset whose name has to be escaped, of a site that is two levels deep."""
PUMP = "line-9/pump-9"
"""A path without a site and an area."""


@dataclass(frozen=True)
class Elsewhere:
    """What it told, up to ns `now`."""

    now: int

    def alarm(
        self, number: int, asset: str, state: str, minutes: float, priority: int, **more: Any
    ) -> EventRecord:
        at = self.now - round(minutes * MINUTE)
        part = {
            "signal": f"{asset}/torque",
            "share": 0.9,
            "actual": 5.0,
            "expected": 1.0,
            "low": 0.5,
            "high": 1.5,
            "unit": "N.m",
            "since": at,
            "trend": "rising",
        }
        like = {
            "id": 3,
            "similarity": 0.9,
            "at": 5,
            "label": "real",
            "note": "greased",
            "actor": "Ay",
        }
        reason = {"score": 9.0, "threshold": 3.0, "contributions": [part], "precedents": [like]}
        body = {
            "id": number,
            "asset": asset,
            "priority": priority,
            "state": state,
            "onset": at - MINUTE,
            "raised": at,
            "changed": at,
            "occurrences": 1,
            "annunciated": at,
            "reason": reason,
            **more,
        }
        return EventRecord("alarm", at, body)

    def state(self, asset: str, **more: Any) -> EventRecord:
        body = {"asset": asset, "ne107": 0, "mode": 1, "machine": 2, "alarm": 0, "priority": 0}
        return EventRecord(
            "state", self.now - 2 * S, {**body, "alarm_state": "NORM", "reason": "", **more}
        )

    def model(self, action: str, version: int, minutes: float, actor: str) -> EventRecord:
        body = {
            "asset": MILL,
            "action": action,
            "version": version,
            "sha256": "ab" * 32,
            "why": "healthy week",
            "actor": actor,
        }
        return EventRecord("model", self.now - round(minutes * MINUTE), body)

    def scores(self, role: str = "", version: int = 0) -> ScoreRecord:
        at = self.now // (10 * S) * 10 * S - np.arange(10, 0, -1) * 10 * S
        flags = np.full(10, JUDGED, np.uint8)
        return ScoreRecord(MILL, at, np.full(10, 0.5), np.full(10, 2.0), flags, role, version)

    def records(self) -> list[Record]:
        raised = {"annunciated": self.now - 50 * MINUTE}
        said = {"label": "false", "note": "door open", "actor": "Ay", "at": 1}
        return [
            self.alarm(1, MILL, "UNACK", 50, 1, **raised),
            self.alarm(1, MILL, "ACKED", 49, 1, **raised, actor="Ay", note="looked"),
            self.alarm(1, MILL, "NORM", 40, 1, **raised, feedback=said),
            self.alarm(2, MILL, "UNACK", 30, 3, chattering=True),
            self.alarm(2, MILL, "UNACK", 25, 3, chattering=True),
            self.alarm(2, MILL, "RTNUN", 20, 3, chattering=True),
            self.alarm(4, MILL, "NORM", 5, 4, feedback={**said, "label": "expected"}),
            self.alarm(3, PUMP, "UNACK", 15, 4, stale=True),
            self.alarm(3, PUMP, "SHLVD", 14, 4, stale=True),
            self.state(
                MILL,
                ne107=5,
                alarm=2,
                priority=3,
                alarm_state="RTNUN",
                reason="mill",
                waited_s=700.0,
                model=3,
                beside=4,
            ),
            self.model("shadow", 4, 9, "rule"),
            self.model("promote", 3, 19, "Ay"),
            EventRecord(
                "model-refused",
                self.now - 7 * MINUTE,
                {"asset": MILL, "file": "5.wtm", "cause": "foreign-key", "why": "of nobody"},
            ),
            self.scores(),
            self.scores("shadow", 4),
            self.state(PUMP, ne107=4, alarm=3, priority=4, alarm_state="SHLVD", reason="pump"),
            EventRecord(
                "gap",
                self.now - 10 * MINUTE,
                {
                    "id": 1,
                    "source": "plc",
                    "start": self.now - 12 * MINUTE,
                    "stop": self.now - 10 * MINUTE,
                    "cause": "link",
                    "why": "no route",
                    "republished": 2,
                    "history": 3,
                    "lost": 7,
                    "estimated": False,
                },
            ),
            *(
                EventRecord(
                    "instrument",
                    self.now - minutes * MINUTE,
                    {
                        "asset": MILL,
                        "signal": f"{MILL}/torque",
                        "action": action,
                        "kind": "stuck",
                        "health": 1,
                        "sentence": "torque stands still",
                        "since": self.now - 9 * MINUTE,
                    },
                )
                for minutes, action in ((8, "raise"), (6, "clear"))
            ),
            EventRecord(
                "gateway",
                self.now - 3 * S,
                {
                    "journal_bytes": 1000,
                    "unsent_s": 1000.0,
                    "read_p95_ms": 2.0,
                    "bad_quality_ratio": 0.5,
                    "rss_mb": 70.0,
                    "cpu_ratio": 0.1,
                    "certificate_days": 12.5,
                },
            ),
        ]
