"""A canned plant behind the console: rows as the gateway gives them, with and without an alarm."""

import asyncio
import http.client
import json
import math
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from gateway.console.server import ConsoleServer
from gateway.console.view import (
    AlarmRow,
    AssetRow,
    AssetState,
    AssetSummary,
    ChangeRow,
    ContributorRow,
    GapRow,
    HoldRow,
    InstrumentRow,
    LineRow,
    ModelRow,
    ModelsRow,
    PartRow,
    PartsRow,
    ProposerRow,
    ReportRow,
    SavingsRow,
    ScoreSeries,
    SignalRow,
    SinkRow,
    SourceRow,
    TagRow,
    TrendSeries,
    TriedRow,
)
from plant.errors import Rejected
from tests.gateway.console.guarded import People

LINE = "works/hall-2/line1"
PUMP = f"{LINE}/pump-2"
HOSTILE = "</p><script>window.stolen=1</script><img src=x onerror=window.stolen=1>"
SIGNALS = (
    ("vibration", "mm/s", 2.31, 1.9, 2.7),
    ("bearing_temperature", "Cel", 60.42, 58.0, 62.0),
    ("flow", "m3/h", 41.87, 38.0, 45.0),
    ("discharge_pressure", "bar", 5.934, 5.5, 6.4),
    ("motor_current", "A", 18.05, 16.0, 20.0),
    ("speed", "{rpm}", 2950.0, 2900.0, 3000.0),
)


def now_ms() -> float:
    return time.time() * 1000


def contributors(onset: float) -> list[ContributorRow]:
    shares = (("vibration", 0.71, 7.13, 2.31), ("bearing_temperature", 0.18, 66.2, 60.4))
    known = {name: (unit, low, high) for name, unit, _, low, high in SIGNALS}
    return [
        {
            "tag": f"{PUMP}/{name}",
            "signal": name,
            "unit": known[name][0],
            "share": share,
            "actual": actual,
            "expected": expected,
            "low": known[name][1],
            "high": known[name][2],
            "since": onset,
            "trend": "rising",
        }
        for name, share, actual, expected in shares
    ]


class Plant:
    """A `View` over canned rows; tests set its attributes while the console serves it."""

    pump = PUMP
    hostile = HOSTILE

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.start = now_ms()
        self.stands_still = False
        self.alarm_state: str | None = None
        self.priority = 2
        self.learning: frozenset[str] = frozenset()
        self.cut = False
        self.unread = False
        self.score = 1.207
        self.prefix = ""
        self.health_row: dict[str, object] = {"status": "ok"}
        self.actor = self.note = ""
        self.extra_tags = self.extra_alarms = 0
        self.secured = True
        self.outage = False
        self.disk_words = ""
        self.certificate_days: float | None = 412.0
        self.never_up = False
        self.failure: Exception | None = None
        self.quiet: str | None = None
        self.hold_row: HoldRow | None = None
        self.ordered: list[tuple[object, ...]] = []
        self.said: tuple[str, str, str] | None = None
        self.chattering = self.stale = False
        self.stuck = False
        self.tried = False
        self.model_words = ""
        self.proposer_words = ""
        self.part_said: tuple[str, str, str, str] | None = None

    def alarmed(self, state: str = "UNACK", priority: int = 2) -> None:
        self.alarm_state, self.priority = state, priority

    @property
    def now(self) -> float:
        return self.start if self.stands_still else now_ms()

    @property
    def onset(self) -> float:
        return self.start - 150_000

    @property
    def sentence(self) -> str:
        return (
            f"{self.prefix}pump-2: vibration 3.1× its normal, bearing temperature rising;"
            " 71 % / 18 %"
        )

    def _state(self, name: str) -> AssetState:
        ill = self.alarm_state is not None and name == "pump-2"
        quiet = self.quiet if name == "pump-2" else None
        learning = name in self.learning
        unread = learning or (self.cut and name == "press-1")
        press = name == "press-1"
        return {
            "path": f"{LINE}/{name}",
            "name": self.prefix + name,
            "health": 3 if ill else 2 if quiet else 5 if unread else 0,
            "health_name": "OFF_SPEC" if ill else "CANNOT_JUDGE" if unread else "NORMAL",
            "unread": self.unread or (self.cut and press),
            "phase": "learning" if learning else "alarmed" if ill else "watching",
            "progress": 0.45 if learning else 1.0,
            "mode": "run" if press else "changeover",
            "settling": False,
            "part": 1187 if press else None,
            "score": None if unread else 9.412 if ill else self.score,
            "threshold": None if unread else 3.05,
            "priority": self.priority if ill else None,
            "alarm_state": self.alarm_state if ill else None,
            "sentence": self.sentence if ill else None,
            "quiet": quiet,
            "incident": 12 if ill or quiet else None,
            "hold": self.hold_row if quiet else None,
            "instruments": self.instruments() if name == "pump-2" else [],
            "parts": self._made(name),
        }

    def _made(self, name: str) -> PartsRow | None:
        if name != "press-1":
            return None
        counts = {"good": 811, "suspect": 3, "cannot judge": 1, "learning": 50}
        return {
            "counts": counts,
            "suspect_lately": 2,
            "judged_lately": 100,
            "last": self.parts(None, None, 1)[0],
        }

    def parts(self, target: str | None, verdict: str | None, limit: int, /) -> list[PartRow]:
        if target is not None and not target.endswith("press-1"):
            raise KeyError(target)
        good: PartRow = {
            "id": 865,
            "asset": f"{LINE}/press-1",
            "name": f"{self.prefix}press-1",
            "number": f"{self.prefix}1187",
            "start": self.start - 9_000,
            "stop": self.start - 5_000,
            "mode": "run",
            "verdict": "good",
            "why": "",
            "sentence": f"part {self.prefix}1187: good",
            "score": 2.9,
            "limit": 5.1,
            "deviations": [],
            "learnt": 811,
            "provisional": True,
            "like": "",
            "replayed": False,
            "label": None,
            "actor": "",
            "note": "",
            "labelled": None,
        }
        suspect: PartRow = {
            **good,
            "id": 864,
            "number": f"{self.prefix}1186",
            "verdict": "suspect",
            "sentence": f"part {self.prefix}1186: clamp pressure peaked at 81.2 bar, "
            "usually 92 to 95.1",
            "score": 9.4,
            "deviations": [
                {
                    "tag": f"{LINE}/press-1/clamp_pressure",
                    "signal": f"{self.prefix}clamp_pressure",
                    "measure": "greatest",
                    "unit": "bar",
                    "actual": 81.2,
                    "expected": 93.5,
                    "low": 92.0,
                    "high": 95.1,
                    "share": 0.9,
                    "given": False,
                }
            ],
            "label": None if self.part_said is None else self.part_said[1],
            "actor": "" if self.part_said is None else self.part_said[2],
            "note": "" if self.part_said is None else self.part_said[3],
        }
        return [row for row in (good, suspect) if verdict in (None, row["verdict"])][:limit]

    async def label_part(
        self, target: str, number: str, label: str, actor: str, note: str, /
    ) -> PartRow:
        self._fail()
        if number not in ("1186", f"{self.prefix}1186"):
            raise Rejected(f"press-1 has made no part {number} among its last 2")
        self.part_said = number, label, actor, note
        return self.parts(target, "suspect", 1)[0]

    async def new_parts(self, target: str, actor: str, note: str, /) -> PartsRow:
        self.ordered.append(("new_parts", target, actor, note))
        made = self._made(target.rpartition("/")[2])
        if made is None:
            raise KeyError(target)
        return made

    def _summary(self, name: str) -> AssetSummary:
        state = self._state(name)
        return {**state, "alarm": 12 if state["alarm_state"] else None}

    def line(self) -> LineRow:
        self._fail()
        raised = self.alarm_state is not None
        return {
            "gateway": {
                "name": f"{self.prefix}line1",
                "id": "6f1c20aa",
                "version": "0.1.0",
                "simulated": True,
                "notice": "learnt from 4 simulated hours at full speed; live since 14:02",
                "journal": self.disk_words,
                "unsent": [f"{self.prefix}central: {self.outage_words}"] if self.outage else [],
                "models": [f"{self.prefix}pump-2: {self.model_words}"] if self.model_words else [],
                "proposers": [f"{self.prefix}speeds: {self.proposer_words}"]
                if self.proposer_words
                else [],
                "unsecured": [] if self.secured else [f"{self.prefix}press-modbus"],
            },
            "now": self.now,
            "assets": [self._summary(name) for name in ("pump-1", "pump-2", "press-1")],
            "sources": self.sources(),
            "alarms_open": int(raised),
            "unacknowledged": int(self.alarm_state in ("UNACK", "RTNUN")),
            "kept_quiet": int(self.quiet is not None),
            "instruments": len(self.instruments()),
        }

    def sources(self) -> list[SourceRow]:
        return [
            {
                "name": "plc",
                "type": "opcua",
                "connected": not self.never_up,
                "state": "up",
                "since": self.start - 7_200_000,
                "endpoint": "opc.tcp://10.0.0.5:4840",
                "security": "Basic256Sha256, SignAndEncrypt",
                "secured": True,
                "user": "operator",
                "certificate_days": self.certificate_days,
                "round_trip_ms": None if self.never_up else 2.31,
                "clock_offset_s": -3600.0,
                "notes": [f"{self.prefix}2 of 40 tags are refused: BadNodeIdUnknown"],
                "age_s": 0.21,
                "good_ratio": 1.0,
                "samples_per_s": 28.4,
                "losses": 1,
                "gap": self.gaps()[-1],
            },
            {
                "name": "press-modbus",
                "type": "modbus",
                "connected": not self.cut,
                "state": "no answer, next try in 8 s" if self.cut else "scanning",
                "since": None if self.cut else self.start - 7_200_000,
                "endpoint": "modbus tcp 10.0.0.6:502",
                "security": "none",
                "secured": False,
                "user": "",
                "certificate_days": None,
                "round_trip_ms": 11.2,
                "clock_offset_s": None,
                "notes": [],
                "age_s": 64.0 if self.cut else 0.6,
                "good_ratio": 0.0 if self.cut else 0.998,
                "samples_per_s": 18.0,
                "losses": 3,
                "gap": self.gaps()[0] if self.cut else None,
            },
        ]

    @property
    def outage_words(self) -> str:
        return (
            "the oldest unsent record has waited for 26 min: "
            f"{self.prefix}https://influx.works:8086 does not answer"
        )

    def proposers(self) -> list[ProposerRow]:
        return []

    def sinks(self) -> list[SinkRow]:
        kept: SinkRow = {
            "name": "history",
            "type": "sqlite",
            "where": "this machine",
            "state": "up",
            "why": "",
            "late": False,
            "since": self.start - 7_200_000,
            "unsent_s": 0.0,
            "backlog": 0,
            "catching_up": False,
            "gathers_s": 0.0,
            "drained_per_s": 0.0,
            "sent": 41_230,
            "sent_bytes": None,
            "keeps": ["summaries"],
            "pinned": False,
            "last": self.start - 800,
            "refused": 0,
            "quarantine": "data/quarantine/history.jsonl",
            "damaged": 0,
        }
        central: SinkRow = {
            **kept,
            "name": f"{self.prefix}central",
            "type": "influx",
            "where": "https://influx.works:8086",
            "keeps": ["summaries", "scores", "events"],
            "pinned": True,
            "state": "down" if self.outage else "up",
            "why": self.outage_words if self.outage else "",
            "late": self.outage,
            "unsent_s": 1_560.0 if self.outage else 0.0,
            "backlog": 5_120 if self.outage else 0,
            "sent_bytes": 1_234_567,
            "refused": 2,
            "quarantine": "data/quarantine/central.jsonl",
        }
        return [kept, central]

    def savings(self) -> SavingsRow:
        return {
            "since": self.now - 90_061_000.0,
            "samples": 1_200_000,
            "windows": 36_000,
            "raw_bytes": 28_800_000,
            "summary_bytes": 2_448_000,
            "total": 14,
            "tags": [
                {
                    "tag": f"{PUMP}/{self.prefix}flow",
                    "unit": "m3/h",
                    "samples": 85_714,
                    "windows": 2_571,
                    "worst": 0.4123,
                }
            ],
        }

    def gaps(self) -> list[GapRow]:
        lasting: GapRow = {
            "id": 5,
            "source": "press-modbus",
            "start": self.start - 64_000,
            "stop": None,
            "cause": "link",
            "why": f"{self.prefix}10.0.0.6:502 does not accept a connection",
            "republished": 0,
            "history": 0,
            "lost": None,
            "estimated": False,
        }
        over: GapRow = {
            **lasting,
            "id": 4,
            "source": "plc",
            "start": self.start - 3_700_000,
            "stop": self.start - 3_640_000,
            "cause": "stopped",
            "why": "the gateway did not run",
            "republished": 120,
            "history": 1_480,
            "lost": 30,
            "estimated": True,
        }
        return [lasting, over] if self.cut else [over]

    def _signal(self, path: str, row: tuple[str, str, float, float, float]) -> SignalRow:
        name, unit, value, low, high = row
        ill = self.alarm_state is not None and path == PUMP
        seen = {part["signal"]: part["actual"] for part in contributors(self.onset) if ill}
        return {
            "tag": f"{path}/{name}",
            "signal": self.prefix + name,
            "unit": unit,
            "value": seen.get(name, value),
            "status": "BadNoCommunication" if self.unread else "Good",
            "quality": "Bad" if self.unread else "Good",
            "age_s": 0.4,
            "low": low,
            "high": high,
            "expected": value,
            "drift": 4.2 if name == "bearing_temperature" else 0.3,
            "finding": "shift" if name in seen else "",
        }

    def asset(self, path: str) -> AssetRow:
        names = {f"{LINE}/{name}": name for name in ("pump-1", "pump-2", "press-1")}
        state = self._state(names[path])
        alarm = self._alarm() if state["alarm_state"] else None
        return {
            **state,
            "signals": [self._signal(path, row) for row in SIGNALS],
            "labels": [{"label": "anomaly", "start": self.onset, "stop": self.onset + 60_000}],
            "contributors": contributors(self.onset) if alarm else [],
            "alarm": alarm,
            "kept": self._alarm() if state["quiet"] else None,
        }

    async def scores(self, path: str, start: float, stop: float, points: int, /) -> ScoreSeries:
        self.asset(path)
        at = [start + (stop - start) * step / (points - 1) for step in range(points)]
        ill = self.alarm_state is not None and path == PUMP
        rise = [9.0 * max(0.0, min(1.0, (t - self.onset) / 100_000)) * ill for t in at]
        return {
            "at": at,
            "score": [1.1 + 0.3 * math.sin(t / 9_000) + r for t, r in zip(at, rise, strict=True)],
            "threshold": [3.05] * points,
            "beside": []
            if path != PUMP or not self.tried
            else [
                {
                    "role": "shadow",
                    "version": 7,
                    "at": at,
                    "score": [0.8 + 0.2 * math.sin(t / 7_000) for t in at],
                    "threshold": [2.8] * points,
                }
            ],
        }

    async def trend(self, tag: str, start: float, stop: float, points: int, /) -> TrendSeries:
        path, _, signal = tag.rpartition("/")
        rows = {row[0]: row for row in SIGNALS}
        _, unit, value, low, high = rows[signal]
        at = [start + (stop - start) * step / (points - 1) for step in range(points)]
        ill = self.alarm_state is not None and path == PUMP and signal in rows
        rise = [(high - low) * 3 * max(0.0, min(1.0, (t - self.onset) / 100_000)) * ill for t in at]
        wave = [value + (high - low) * 0.2 * math.sin(t / 31_000) for t in at]
        middle = [w + r for w, r in zip(wave, rise, strict=True)]
        return {
            "tag": tag,
            "unit": unit,
            "at": at,
            "low": [m - (high - low) * 0.08 for m in middle],
            "high": [m + (high - low) * 0.08 for m in middle],
            "band_low": low,
            "band_high": high,
            "expected": value,
        }

    def _alarm(self) -> AlarmRow:
        return {
            "id": 12,
            "asset": PUMP,
            "name": f"{self.prefix}pump-2",
            "priority": self.priority,
            "state": str(self.quiet or self.alarm_state),
            "onset": self.onset,
            "raised": self.onset + 60_000,
            "changed": self.onset + 60_000,
            "occurrences": 1,
            "sentence": self.sentence,
            "contributions": contributors(self.onset),
            "actor": self.actor,
            "note": self.note,
            "score": 9.0,
            "threshold": 3.0,
            "peak": 3.0,
            "mode": "run",
            "ended": None,
            "chattering": self.chattering,
            "stale": self.stale,
            "held": f"like #7, called expected ({self.prefix}die changed) by M. Weber",
            "withdrawn": "",
            "members": [
                {
                    "tag": f"{PUMP}/motor_current",
                    "signal": f"{self.prefix}motor_current",
                    "finding": "range, shift",
                    "since": self.onset + 30_000,
                }
            ],
            "precedents": [
                {
                    "id": 7,
                    "similarity": 0.94,
                    "at": self.start - 199_900_000,
                    "label": "expected",
                    "note": f"{self.prefix}die changed",
                    "actor": "M. Weber",
                }
            ],
            "feedback": None
            if self.said is None
            else {
                "label": self.said[0],
                "actor": self.said[1],
                "note": self.said[2],
                "at": self.start,
            },
        }

    def alarm(self, number: int, /) -> AlarmRow:
        return {row["id"]: row for row in self.alarms()}[number]

    async def feedback(
        self, alarm: int, label: str, actor: str, note: str, /, *, new_normal: bool
    ) -> AlarmRow:
        self._fail()
        self.alarm(alarm)
        self.ordered.append(("feedback", alarm, label, actor, note, new_normal))
        self.alarm_state, self.said = "ACKED", (label, actor, note)
        return self._alarm()

    def holds(self) -> list[HoldRow]:
        return [self.hold_row] if self.hold_row else []

    async def hold(
        self, target: str, kind: str, seconds: float | None, actor: str, note: str, /
    ) -> HoldRow:
        if "gone" in target:
            raise KeyError(target)
        self.ordered.append(("hold", target, kind, seconds, actor, note))
        return self.keep_quiet(kind, seconds, actor, note)

    def keep_quiet(
        self,
        kind: str = "shelved",
        seconds: float | None = 3600,
        actor: str = "Anna",
        note: str = "belt is off",
        state: str = "SHLVD",
    ) -> HoldRow:
        self.quiet, self.alarm_state = state, None
        self.hold_row = {
            "asset": PUMP,
            "name": f"{self.prefix}pump-2",
            "kind": kind,
            "since": self.start,
            "until": None if seconds is None else self.start + seconds * 1000,
            "actor": actor,
            "note": self.prefix + note,
        }
        return self.hold_row

    async def release(self, target: str, kind: str, actor: str, note: str, /) -> HoldRow:
        if self.hold_row is None:
            raise Rejected(f"{target} is not {kind}")
        self.ordered.append(("release", target, kind, actor, note))
        held, self.hold_row = self.hold_row, None
        self.quiet, self.alarm_state = None, "UNACK"
        return held

    def instruments(self) -> list[InstrumentRow]:
        row: InstrumentRow = {
            "asset": PUMP,
            "name": f"{self.prefix}pump-2",
            "tag": f"{PUMP}/flow",
            "signal": f"{self.prefix}flow",
            "unit": "m3/h",
            "kind": "stuck",
            "health": 1,
            "since": self.onset,
            "value": 41.87,
            "expected": 42.1,
            "partner": "",
            "sentence": f"{self.prefix}flow of pump-2 is stuck: 41.87 m³/h to the last digit for "
            "3 min, usually it moves every 1 s. Check the sensor, not the machine.",
        }
        return [row] if self.stuck else []

    async def trust(self, target: str, actor: str, note: str, /) -> InstrumentRow:
        self._fail()
        if not self.stuck or target not in (f"{PUMP}/flow", "flow"):
            raise KeyError(target)
        (row,) = self.instruments()
        self.ordered.append(("trust", target, actor, note))
        self.stuck = False
        return row

    def models(self) -> ModelsRow:
        return {
            "trusts": True,
            "by_rule": False,
            "pulled": f"{self.prefix}nobody answers",
            "shadow_h": 24.0,
            "probation_h": 72.0,
            "assets": [self._model(name) for name in ("pump-1", "pump-2", "press-1")],
            "refused": [
                {
                    "asset": f"{LINE}/press-1",
                    "file": "4.wtm",
                    "cause": "foreign-key",
                    "why": f"{self.prefix}is signed by nobody who is believed here",
                }
            ],
        }

    def _model(self, name: str) -> ModelRow:
        tried = self.tried and name == "pump-2"
        beside: TriedRow = {
            "role": "shadow",
            "model": {
                "version": 7,
                "sha256": "ab" * 32,
                "since": self.start - 7_000_000,
                "actor": "rule",
                "why": "found as 7.wtm",
            },
            "hours": 26.4,
            "probation_h": 72.0,
            "clauses": [
                {
                    "name": "Time beside the one in force",
                    "value": "26.4 h",
                    "demand": "24 h at least",
                    "met": True,
                },
                {
                    "name": f"{self.prefix}Rows judged in changeover",
                    "value": "120",
                    "demand": "300 at least",
                    "met": False,
                },
            ],
            "agreement": 0.998,
            "raised": [1, 1],
            "shared": 1,
            "costs": [71.0, None],
        }
        change: ChangeRow = {
            "at": self.start - 7_000_000,
            "action": "shadow",
            "version": 7,
            "actor": "rule",
            "why": f"{self.prefix}found as 7.wtm",
        }
        return {
            "asset": f"{LINE}/{name}",
            "name": f"{self.prefix}{name}",
            "in_force": {"version": 0, "sha256": "", "since": None, "actor": "", "why": ""},
            "phase": "watching",
            "tried": beside if tried else None,
            "way_back": False,
            "drift": [{"mode": "run", "signal": f"{self.prefix}flow", "drift": -1.2}],
            "blocked": [{"version": 6, "why": f"{self.prefix}its score is not finite"}],
            "history": [change],
        }

    async def change_model(
        self, action: str, target: str, version: int | None, actor: str, note: str, /
    ) -> ModelRow:
        self._fail()
        if not target.endswith("pump-2"):
            raise KeyError(target)
        if not self.tried:
            raise Rejected("no model is tried beside the one in force")
        self.ordered.append((action, target, version, actor, note))
        self.tried = False
        return self._model("pump-2")

    async def report(self, start_ms: float | None, stop_ms: float | None, /) -> ReportRow:
        self._fail()
        self.ordered.append(("report", start_ms, stop_ms))
        return {
            "start": self.start - 604_800_000,
            "stop": self.start,
            "counts": [0, 2, 14, 1] * 252,
            "annunciated": 17,
            "incidents": 19,
            "mean": 4.25,
            "most": 14,
            "flood": 0.25,
            "standing": 2,
            "stale": 1,
            "chattering": 1,
            "kept_quiet": {"SHLVD": 1, "DSUPR": 0, "OOSRV": 0, "FSUPR": 1},
            "actors": [{"asset": f"{LINE}/{self.prefix}pump-2", "count": 15, "share": 0.88}],
            "priorities": {"1": 1, "2": 2, "3": 4, "4": 10},
            "to_acknowledge": [62.0, 540.0],
            "unacknowledged": 2,
            "labels": {"real": 8, "false": 1, "expected": 1},
            "precision": [0.8, 0.49, 0.94],
            "assets": 3,
            "asset_weeks": 3.0,
            "not_real": 9,
            "false_week": [3.0, 1.37, 5.69],
            "budget": 1.0,
            "damaged": 0,
        }

    def alarms(self) -> list[AlarmRow]:
        closed: AlarmRow = {
            **self._alarm(),
            "id": 7,
            "asset": f"{LINE}/press-1",
            "name": "press-1",
            "priority": 3,
            "state": "NORM",
            "onset": self.start - 200_000_000,
            "raised": self.start - 199_900_000,
            "sentence": "press-1: force 0.61× its normal, stroke falling; 64 % / 22 %",
            "actor": "M. Weber",
            "note": "die changed",
        }
        older: list[AlarmRow] = [{**closed, "id": 100 + n} for n in range(self.extra_alarms)]
        return [closed, *([self._alarm()] if self.alarm_state or self.quiet else []), *older]

    async def acknowledge(self, alarm: int, actor: str, note: str, /) -> AlarmRow:
        if alarm not in (7, 12):
            raise KeyError(alarm)
        if alarm == 7:
            raise Rejected("Alarm 7 is closed already.")
        self.alarm_state, self.actor, self.note = "ACKED", actor, note
        return self._alarm()

    def tags(self) -> list[TagRow]:
        rows: list[TagRow] = [
            {
                "tag": f"{LINE}/{asset}/{name}",
                "source": "plc",
                "unit": unit,
                "role": "signal",
                "value": value,
                "text": None,
                "status": "Good",
                "quality": "Good",
                "age_s": 0.3,
                "finding": "",
                "description": f"{self.prefix}{name.replace('_', ' ')} at the drive end",
            }
            for asset in ("pump-1", "pump-2")
            for name, unit, value, _, _ in SIGNALS
        ]
        rows += [{**rows[0], "tag": f"{LINE}/store/bin-{n}"} for n in range(self.extra_tags)]
        recipe: TagRow = {**rows[0], "tag": f"{LINE}/press-1/recipe", "value": None}
        rows.append({**recipe, "text": f"{self.prefix}B-204", "unit": "", "role": "context"})
        broken: TagRow = {**rows[0], "tag": f"{LINE}/press-1/oil_temperature", "unit": "Cel"}
        rows.append(
            {
                **broken,
                "value": math.nan,
                "status": "BadSensorFailure",
                "quality": "Bad",
                "age_s": 4000,
            }
        )
        return rows

    def health(self) -> dict[str, object]:
        return self.health_row

    def metrics(self) -> bytes:
        return b"# TYPE wheeltapper_journal_bytes gauge\nwheeltapper_journal_bytes 1024\n"

    def _fail(self) -> None:
        if self.failure:
            raise self.failure


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


class Console:
    """The real server in a thread of its own, as the gateway would run it in its loop."""

    def __init__(
        self, plant: Plant, port: int = 0, trusting: ssl.SSLContext | None = None, **options: Any
    ) -> None:
        self.plant, self._first, self._options = plant, port, options
        self._trusting = trusting
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with ConsoleServer(self.plant, port=self._first, **self._options) as server:
            self.url, self.port = server.url, server.port
            self._ready.set()
            await self._end.wait()

    def __enter__(self) -> "Console":
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def _connection(self) -> http.client.HTTPConnection:
        place, patience = ("127.0.0.1", self.port), 30.0
        if self._trusting is None:
            return http.client.HTTPConnection(*place, timeout=patience)
        return http.client.HTTPSConnection(*place, timeout=patience, context=self._trusting)

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send exactly these headers (a Host is added only when none is given)."""
        connection = self._connection()
        with closing(connection):
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read())

    def acknowledge(self, alarm: int, content: object, **headers: str) -> Answer:
        sent = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        body = json.dumps(content).encode()
        path = f"/api/alarms/{alarm}/acknowledge"
        return self.ask(path, method="POST", headers=sent, body=body)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(60)

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self.stop()


@pytest.fixture(scope="session")
def served() -> Iterator[Console]:
    with Console(Plant()) as server:
        yield server


@pytest.fixture
def console(served: Console) -> Console:
    """One server for the whole session; its plant is new for every test."""
    served.plant.reset()
    return served


@pytest.fixture
def plant(console: Console) -> Plant:
    return console.plant


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(tmp_path / "accounts.toml")


@pytest.fixture
def locked(console: Console, people: People) -> Iterator[Console]:
    """A console of its own: the one of the session has no accounts."""
    with Console(console.plant, access=people.access, records=people.records) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A desktop page that fails the test on a script error or a refused resource."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, timezone_id="Europe/Berlin", locale="de-DE"
    )
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda said: errors.append(said.text))
    yield opened
    context.close()
    # A refusal by the server is what some tests are about; Chromium reports each one.
    assert [error for error in errors if "Failed to load resource" not in error] == []
