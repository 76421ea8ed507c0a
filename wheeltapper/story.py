"""What a session tells while it runs: sentences for people, or one JSON line a stage."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.accounts.audit import MODEL_ACTS, numbered
from wheeltapper import terminal
from wheeltapper.progress import Bar

STATES = {
    "UNACK": "ALARM",
    "ACKED": "acknowledged",
    "RTNUN": "returned, not acknowledged",
    "NORM": "closed",
    "SHLVD": "shelved",
    "DSUPR": "suppressed",
    "OOSRV": "out of service",
    "FSUPR": "held back",
}
"""States of an alarm (ISA-18.2) as people say them."""


class Teller(Protocol):
    """Takes the events of a gateway, and those of the command around it."""

    def tell(self, kind: str, row: dict[str, Any]) -> None:
        """Take one event."""
        ...


def counted(number: int, noun: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(1, "asset"), counted(3, "asset"), counted(2, "entry")
    ('1 asset', '3 assets', '2 entries')
    """
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else several}"


@dataclass
class Recorded:
    """Tells programs: one JSON line a stage; the steps of the history are left out.

    Parameters
    ----------
    renamed
        Stages that go by another name outside.
    """

    renamed: dict[str, str] = field(default_factory=lambda: {"verdict": "alarm"})

    def tell(self, kind: str, row: dict[str, Any]) -> None:
        """Write it."""
        if kind not in {"prelude", "end"}:
            terminal.record({"stage": self.renamed.get(kind, kind), **row})


@dataclass
class Spoken:
    """Tells people.

    Parameters
    ----------
    port
        Console port that was asked for; 0 for any.
    history
        Moves while the history is read.
    """

    port: int
    history: Bar = field(default_factory=lambda: Bar("history", 0, drawn=False))
    _lost: set[str] = field(default_factory=set, init=False)

    def tell(self, kind: str, row: dict[str, Any]) -> None:
        """Say it, if people want to know."""
        sentences: dict[str, Callable[[dict[str, Any]], None]] = {
            "console": self._console,
            "own-certificate": self._certificate,
            "certificate": lambda row: terminal.say(f"{row['source']}: {row['why']}"),
            "ready": self._ready,
            "prelude": lambda row: self.history.add(row["samples"]),
            "end": lambda _: self.history.done(),
            "live": self._live,
            "first_value": self._first_value,
            "source": self._source,
            "uplink": self._uplink,
            "relearn": self._relearn,
            "damaged": self._damaged,
            "setpoint-audit": lambda row: terminal.say(row["why"]) if "why" in row else None,
            "salvage": lambda row: terminal.say(row["why"]),
            "evicted": self._evicted,
            "disk": self._disk,
            "alarm": self._alarm,
            "worse": self._worse,
            "quiet": self._quiet,
            "hold": self._hold,
            "release": self._release,
            "hold-ended": self._hold_ended,
            "instrument": self._instrument,
            "trust": self._trust,
            "part": self._part,
            "model": self._model,
            "model-refused": self._model_refused,
            "models-dropped": lambda row: terminal.say(
                f"{row['asset']}: files of {numbered(row['versions'])} are removed: {row['why']}"
            ),
            "models-pull": lambda row: terminal.say(
                f"models: {row['why'] or 'the registry answers again'}"
            ),
            "proposer": self._proposer,
            "guard": lambda row: terminal.say(
                f"setpoints: {row['why'] or 'the guard answers again'}"
            ),
            "verdict": self._verdict,
            "silence": self._silence,
        }
        if kind in sentences:
            sentences[kind](row)

    def _console(self, row: dict[str, Any]) -> None:
        if self.port and not row["url"].endswith(f":{self.port}"):
            terminal.say(f"port {self.port} is in use; the page took the next free one")
        terminal.say(f"page  {row['url']}")

    def _certificate(self, row: dict[str, Any]) -> None:
        terminal.say(f"a new certificate for the page, for {', '.join(row['names'])}:")
        terminal.say(f"{row['file']}, SHA-256 {row['thumbprint']}")

    def _ready(self, row: dict[str, Any]) -> None:
        self._console(row)
        cast = f"{counted(row['assets'], 'asset')}, {counted(row['signals'], 'signal')}"
        names = {"opcua": "OPC UA", "modbus": "Modbus"}
        ports = " + ".join(f"{name} :{row[key]}" for key, name in names.items() if row[key])
        terminal.say(f"{row['title']}: {cast} ({ports})")
        if row["history_s"]:
            hours = f"{row['history_s'] / 3600:g}"
            words = "simulated hour goes" if hours == "1" else "simulated hours go"
            terminal.say(f"first, {hours} {words} through the same pipeline, to learn from")

    def _live(self, _row: dict[str, Any]) -> None:
        self.history.done()
        terminal.say("live; Ctrl-C ends it")

    def _first_value(self, row: dict[str, Any]) -> None:
        terminal.say(f"first value of {row['source']}: {row['tag']} = {row['value']:.6g}")

    def _source(self, row: dict[str, Any]) -> None:
        if row["state"] in {"down", "misconfigured"}:
            self._lost.add(row["name"])
            terminal.say(f"{row['name']} is {row['why']}")
        elif row["state"] == "up" and row["name"] in self._lost:
            self._lost.discard(row["name"])
            terminal.say(f"{row['name']} is up again")

    def _uplink(self, row: dict[str, Any]) -> None:
        words = {
            "up": "takes what it is sent again",
            "down": "is not reached",
            "misconfigured": "has to be set right",
            "late": "is behind",
            "forgotten": "is forgotten",
        }
        why = f": {row['why']}" if row["why"] else ""
        terminal.say(f"history {row['sink']} {words.get(row['state'], row['state'])}{why}")

    def _relearn(self, row: dict[str, Any]) -> None:
        terminal.say(f"{row['asset']} learns again: its signals or settings are not those it knew")

    def _damaged(self, row: dict[str, Any]) -> None:
        terminal.say(f"the journal is damaged at {row['position']}: {row['why']}")

    def _evicted(self, row: dict[str, Any]) -> None:
        for name, lost in row["unsent"].items():
            what = f"{counted(lost['records'], 'record')} with {lost['samples']:,} samples"
            terminal.say(f"{row['why']}: {what} went before {_reader(name)} had them")

    def _disk(self, row: dict[str, Any]) -> None:
        terminal.say(
            "the disk is full: the oldest records go for the newest; free some space"
            if row["full"]
            else "the disk has room again"
        )

    def _alarm(self, row: dict[str, Any]) -> None:
        state = STATES[row["state"]]
        terminal.say(f"{terminal.local_time(row['changed'])} {state}: {row['sentence']}")

    def _worse(self, row: dict[str, Any]) -> None:
        terminal.say(f"  now: {row['sentence']}")

    def _quiet(self, row: dict[str, Any]) -> None:
        state = STATES[row["state"]]
        why = f" ({row['held']})" if row["held"] and row["state"] == "FSUPR" else ""
        terminal.say(f"{terminal.local_time(row['changed'])} kept quiet, {state}{why}")
        terminal.say(f"  {row['sentence']}")

    def _hold(self, row: dict[str, Any]) -> None:
        until = "" if row["until"] is None else f" until {terminal.local_time(row['until'])}"
        kind = row["kind"].replace("-", " ")
        terminal.say(f"{row['asset']} is {kind}{until}, by {row['actor']}: {row['note']}")

    def _release(self, row: dict[str, Any]) -> None:
        kind = row["kind"].replace("-", " ")
        terminal.say(f"{row['asset']} is no longer {kind}, by {row['actor']}: {row['note']}")

    def _hold_ended(self, row: dict[str, Any]) -> None:
        terminal.say(f"{row['asset']} is no longer {row['kind'].replace('-', ' ')}: time is over")

    def _instrument(self, row: dict[str, Any]) -> None:
        at = terminal.local_time(row["at"])
        if row["action"] == "raise":
            terminal.say(f"{at} SENSOR: {row['sentence']}")
        else:
            terminal.say(f"{at} sensor {row['signal']} is believed again")

    def _trust(self, row: dict[str, Any]) -> None:
        terminal.say(f"{row['tag']} is right, says {row['actor']}: {row['note']}")

    def _model(self, row: dict[str, Any]) -> None:
        done = MODEL_ACTS[row["action"]]
        at, name = terminal.local_time(row["at"]), row["asset"]
        why = f": {row['why']}" if row["why"] else ""
        terminal.say(f"{at} {name}: model {row['version']} is {done}, by {row['actor']}{why}")

    def _model_refused(self, row: dict[str, Any]) -> None:
        what = row.get("file") or f"model {row['version']}"
        terminal.say(f"{row['asset']}: {what} is not taken: {row['why']}")

    def _proposer(self, row: dict[str, Any]) -> None:
        words = {
            "off": "is switched off",
            "throttled": "is asked less often",
            "ok": "is right again",
        }
        why = f": {row['why']}" if row["why"] else ""
        terminal.say(f"proposer {row['proposer']} {words[row['state']]}{why}")

    def _part(self, row: dict[str, Any]) -> None:
        """Say what is wrong with a part; the good ones are in the console."""
        at, name = terminal.local_time(row["labelled"] or row["stop"]), row["name"]
        if row["label"] is not None:
            note = f": {row['note']}" if row["note"] else ""
            terminal.say(
                f"{at} {name}: part {row['number']} is {row['label']}, {row['actor']}{note}"
            )
        elif row["verdict"] == "suspect":
            terminal.say(f"{at} {name}: SUSPECT {row['sentence']}")

    def _verdict(self, row: dict[str, Any]) -> None:
        terminal.say(f"{terminal.local_time(row['raised'])} {row['sentence']}")
        self._injected(row)

    def _silence(self, row: dict[str, Any]) -> None:
        terminal.say("no alarm")
        self._injected(row)

    def _injected(self, row: dict[str, Any]) -> None:
        truth = row["injected"]
        if truth is None:
            terminal.say("the simulator had injected nothing")
        else:
            kind, since = truth["kind"].replace("_", " "), terminal.local_time(truth["onset"])
            terminal.say(f"the simulator had injected: {kind} at {truth['asset']} from {since} on")


def _reader(name: str) -> str:
    """Say who reads the journal under a name.

    Examples
    --------
    >>> _reader("sink:central"), _reader("pins:central"), _reader("summaries-1m")
    ('central', 'central (around incidents)', 'the summaries')
    """
    kind, _, sink = name.partition(":")
    if kind == "pins":
        return f"{sink} (around incidents)"
    return sink or ("the summaries" if kind.startswith("summaries") else kind)
