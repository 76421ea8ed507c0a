"""`federation`: from three histories to one signed model, and everything that must not leave."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import urllib3
import uvicorn

from analytics.federation.consolidated import Consolidated
from analytics.federation.messages import read_consolidated, read_contribution, read_plan
from analytics.federation.refusals import Refused, Why
from analytics.federation.statistics import Statistics
from gateway.alarms import alarm_body
from gateway.journal import EventRecord, Journal
from plant.keys import key_id
from tests.analytics.federation.agreed import (
    ASSET,
    CENTRE,
    HOUR,
    RUN,
    SECOND,
    START,
    healthy,
)
from tests.wheeltapper.federated import LOADS, Place, settled
from wheeltapper.federating.receiving import Centre, site

Command = Callable[..., Any]


def when(hour: float) -> str:
    at = START / 1e9 + hour * 3600
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, dict[str, Path]]:
    return settled(tmp_path_factory.mktemp("sites"))


@pytest.fixture
def sites(made: tuple[Place, dict[str, Path]], tmp_path: Path) -> tuple[Place, dict[str, Path]]:
    """Give the three gateways afresh: nothing agreed, nothing told."""
    import shutil

    folder = tmp_path / "sites"
    shutil.copytree(made[0].folder, folder)
    return Place(folder), {name: folder / name / f"{name}.toml" for name in LOADS}


class Walk:
    """The commands of a federation, one after the other."""

    def __init__(self, command: Command, place: Place, configs: dict[str, Path]) -> None:
        self.command, self.place, self.configs = command, place, configs

    def rows(self, *arguments: object, code: int = 0) -> list[dict[str, Any]]:
        ended = self.command("federation", *arguments, "--json")
        assert (ended.code, ended.err) == (code, "")
        return [json.loads(line) for line in ended.out.splitlines()]

    def agree(self, *more: object) -> None:
        named: list[object] = []
        for name, config in self.configs.items():
            public = self.place.folder / f"{name}.pub.pem"
            self.rows("key", config, "--out", public)
            named += ["--participant", f"{name}={public}"]
        asked = ("--asset", ASSET, "--class", "class/pump", "--key", self.place.key)
        # At the centre, where the gateway's accounts are not.
        there = self.configs["north"].with_name("at-the-centre.toml")
        there.write_text(f'{self.configs["north"].read_text()}\n[console]\nhost = "0.0.0.0"\n')
        self.rows("plan", there, self.place.plan, *asked, *named, *more)

    def contribute(
        self, name: str, start: float, stop: float, *more: object, code: int = 0
    ) -> dict[str, Any]:
        agreed = ("--plan", self.place.plan, "--trust", self.place.trust)
        span = ("--from", when(start), "--to", when(stop))
        (row,) = self.rows("contribute", self.configs[name], *agreed, *span, *more, code=code)
        return row

    def send(self, name: str, code: int = 0) -> list[dict[str, Any]]:
        return self.rows("send", self.configs[name], "--to", self.place.inbox, code=code)

    def all_contribute(self, start: float, stop: float, *more: object) -> None:
        for name in self.configs:
            self.contribute(name, start, stop, *more)
            self.send(name)

    def merge(self, out: Path, *more: object, code: int = 0) -> dict[str, Any]:
        agreed = ("--plan", self.place.plan, "--key", self.place.key, "--out", out)
        (row,) = self.rows("merge", self.place.inbox, *agreed, *more, code=code)
        return row


@pytest.fixture
def walk(command: Command, sites: tuple[Place, dict[str, Path]]) -> Walk:
    made = Walk(command, *sites)
    made.agree()
    return made


def test_three_histories_make_the_model_of_the_pooled_rows(walk: Walk, tmp_path: Path) -> None:
    walk.all_contribute(0, 10)
    open_, whole = tmp_path / "open.wtm", tmp_path / "whole.wtm"
    told = walk.merge(open_)
    assert [(each["name"], each["rows"]) for each in told["modes"]] == [("run", 10_794)]
    assert told["left_out"] == [{"mode": 0, "name": "idle", "participants": 0}]
    walk.all_contribute(10, 20, "--scores", open_)
    assert walk.merge(whole, "--scores", open_)["limits"]["run"]["scores"] == 10_794
    model, file = read_consolidated(whole.read_bytes(), [CENTRE.public_key()])
    assert (file.header.kind, file.signer) == ("consolidated", key_id(CENTRE.public_key()))

    pooled = [healthy(n, load, 9000)[2:3600] for n, load in enumerate(LOADS.values())]
    central = Consolidated.of({RUN: Statistics.of(np.concatenate(pooled))}, walk_terms(walk))
    judged = healthy(30, 0.4)
    mode = np.full(len(judged), RUN)
    assert np.allclose(model.scores(judged, mode), central.scores(judged, mode), rtol=1e-9)
    assert 0.5 < model.limits[RUN] < 5.0


def walk_terms(walk: Walk) -> Any:
    return read_plan(walk.place.plan.read_bytes(), [CENTRE.public_key()])


def test_merging_twice_gives_the_same_bytes(walk: Walk, tmp_path: Path) -> None:
    walk.all_contribute(0, 10)
    walk.merge(tmp_path / "a.wtm")
    walk.merge(tmp_path / "b.wtm")
    assert (tmp_path / "a.wtm").read_bytes() == (tmp_path / "b.wtm").read_bytes()


def test_dry_run_shows_every_byte_and_keeps_nothing(walk: Walk) -> None:
    row = walk.contribute("north", 0, 10, "--dry-run")
    assert sum(field["size"] for field in row["fields"]) == row["bytes"]
    assert {"signature", "1.n", "1.mean", "1.scatter", "signals"} <= {
        field["name"] for field in row["fields"]
    }
    assert walk.rows("log", walk.configs["north"]) == []
    assert list((walk.place.data("north") / "federation").rglob("*.wtm")) == []


def test_log_tells_every_message_byte_by_byte(walk: Walk) -> None:
    walk.contribute("north", 0, 10)
    (sent,) = walk.send("north")
    walk.contribute("north", 10, 20)
    walk.contribute("north", 5, 15, code=1)
    first, second, withheld = walk.rows("log", walk.configs["north"], "--bytes")
    arrived = (walk.place.inbox / sent["file"]).read_bytes()
    assert len(arrived) == first["bytes"] == first["sent_bytes"] == sent["bytes"]
    places = [(field["at"], field["size"]) for field in first["fields"]]
    ends = [at + size for at, size in places]
    assert [at for at, _ in places] == [0, *ends[:-1]]
    assert ends[-1] == len(arrived)
    told = read_contribution(arrived, walk_terms(walk)).statistics[RUN]
    values = {field["name"]: field["value"] for field in first["fields"]}
    assert values["1.n"] == str(told.n)
    assert values["1.mean"] == ", ".join(f"{each:.6g}" for each in told.mean)
    assert [one["to"] for one in first["ways"]] == [str(walk.place.inbox)]
    assert (second["ways"], withheld["why"]) == ([], "overlapping-window")
    said = walk.command("federation", "log", walk.configs["north"], "--bytes")
    assert "withheld: 1 overlapping-window" in said.out
    assert "1.scatter" in said.out


@pytest.mark.parametrize(
    ("start", "stop", "why"),
    [
        (0, 2, "too-short"),
        (26, 30, "no-data"),
        (24, 25, "too-short"),
        (5, 15, "overlapping-window"),
    ],
)
def test_what_must_not_leave_is_withheld_and_counted(
    walk: Walk, start: float, stop: float, why: str
) -> None:
    walk.contribute("north", 3, 13)
    assert walk.contribute("north", start, stop, code=1)["why"] == why
    assert len(list((walk.place.data("north") / "federation" / "outbox").iterdir())) == 1
    assert [row["event"] for row in walk.rows("log", walk.configs["north"])] == ["made", "withheld"]


def test_without_a_time_the_next_message_begins_where_the_last_ended(walk: Walk) -> None:
    first = walk.contribute("north", 0, 10)
    agreed = ("--plan", walk.place.plan, "--trust", walk.place.trust, "--to", when(20))
    (second,) = walk.rows("contribute", walk.configs["north"], *agreed)
    assert first["stop"] <= second["start"] < first["stop"] + 60 * SECOND


def test_too_few_rows_of_a_mode_stay(walk: Walk) -> None:
    mode = np.ones(9000)
    mode[1000:1400] = 0.0
    mode[2000:3500] = 5.0
    walk.place.history("north", healthy(0, 0.3, 9000), mode)
    row = walk.contribute("north", 0, 25)
    assert list(row["rows"]) == ["run"]
    mode[:] = np.resize([0.0] * 9 + [1.0] * 9 + [5.0] * 200, 9000)
    walk.place.history("east", healthy(1, 0.5, 9000), mode)
    assert walk.contribute("east", 0, 25, code=1)["why"] == "too-few-rows"


def test_rows_of_an_alarm_are_not_told_of(walk: Walk, alarm_of: Callable[[int, int], Any]) -> None:
    journal = Journal.open(walk.place.data("north") / "journal.db")
    begin = START + 2 * HOUR
    journal.append(EventRecord("alarm", begin, alarm_body(alarm_of(begin, begin + HOUR))))
    journal.close()
    row = walk.contribute("north", 0, 10)
    assert row["dropped"]["fault or alarm"] in range(360, 380)


@pytest.fixture
def alarm_of() -> Callable[[int, int], Any]:
    from plant.alarms import Alarm, AlarmState
    from plant.reasons import Contribution, Reason, Trend

    def make(begin: int, end: int) -> Any:
        flow = Contribution(f"{ASSET}/flow", 1.0, 9.0, 5.0, 4.0, 6.0, "m3/h", 0, Trend.STEADY)
        normal = AlarmState.NORMAL
        return Alarm(
            id=1, asset=ASSET, priority=3, state=normal, beneath=normal, onset=begin, raised=begin,
            changed=end, occurrences=1, reason=Reason(2.0, 1.0, (flow,)), mode=RUN, ended=end,
        )  # fmt: skip

    return make


def test_other_units_and_limits_and_strangers_are_withheld(
    command: Command, sites: tuple[Place, dict[str, Path]]
) -> None:
    place, configs = sites
    walk = Walk(command, place, configs)
    walk.agree()
    text = (place.folder / "east" / "tags.csv").read_text()
    (place.folder / "east" / "tags.csv").write_text(text.replace(",bar,", ",kPa,"))
    assert walk.contribute("east", 0, 10, code=1)["why"] == "other-units"
    (place.folder / "east" / "tags.csv").write_text(text.replace("10.0", "16.0"))
    assert walk.contribute("east", 0, 10, code=1)["why"] == "other-limits"
    (place.folder / "east" / "tags.csv").write_text(text.replace("pump/current", "pump/amps"))
    assert walk.contribute("east", 0, 10, code=1)["why"] == "other-signals"
    (place.folder / "east" / "tags.csv").write_text(text)
    config = configs["east"].read_text()
    configs["east"].write_text(config.replace('name = "east"', 'name = "mars"'))
    assert walk.contribute("east", 0, 10, code=1)["why"] == "no-participant"
    configs["east"].write_text(config.replace('name = "east"', 'name = "south"'))
    assert walk.contribute("east", 0, 10, code=1)["why"] == "foreign-key"


def test_a_plan_of_another_centre_is_not_kept_to(walk: Walk) -> None:
    other = walk.place.folder / "north.pub.pem"
    agreed = ("--plan", walk.place.plan, "--trust", other, "--from", when(0), "--to", when(10))
    (row,) = walk.rows("contribute", walk.configs["north"], *agreed, code=1)
    assert row["why"] == "foreign-key"


@pytest.mark.parametrize(
    ("participants", "more", "said"),
    [
        (("north=gone.pub.pem",), (), "gone.pub.pem"),
        (("north",), (), "NAME=FILE"),
        ((), ("--without", "flow"), "three are the least"),
        ((), ("--without", "flow", "--without", "current"), "two signals"),
    ],
)
def test_a_plan_that_cannot_be_says_why(
    walk: Walk, participants: tuple[str, ...], more: tuple[str, ...], said: str
) -> None:
    named = [word for each in participants for word in ("--participant", each)]
    pair = f"north={walk.place.folder / 'north.pub.pem'}"
    asked = ("--asset", ASSET, "--class", "class/pump", "--key", walk.place.key, *more)
    out = walk.place.folder / "other.wtm"
    given = named or ["--participant", pair]
    ended = walk.command("federation", "plan", walk.configs["north"], out, *asked, *given)
    assert ended.code == 2
    assert said in ended.err.replace("│", "").replace("\n", " ")
    assert not out.exists()


def test_signals_without_limits_cannot_be_planned(walk: Walk) -> None:
    sheet = walk.place.folder / "north" / "tags.csv"
    sheet.write_text(sheet.read_text().replace("signal,0.0,10.0", "signal,,"))
    asked = ("--asset", ASSET, "--class", "class/pump", "--key", walk.place.key)
    pair = f"north={walk.place.folder / 'north.pub.pem'}"
    out = walk.place.folder / "other.wtm"
    ended = walk.command(
        "federation", "plan", walk.configs["north"], out, *asked, "--participant", pair
    )
    assert ended.code == 2
    assert "pressure: without low and high nothing can be clipped" in ended.err


def test_fewer_than_three_publish_nothing(walk: Walk, tmp_path: Path) -> None:
    walk.contribute("north", 0, 10)
    walk.send("north")
    agreed = ("--plan", walk.place.plan, "--key", walk.place.key, "--out", tmp_path / "x.wtm")
    ended = walk.command("federation", "merge", walk.place.inbox, *agreed)
    assert ended.code == 2
    assert "3 participants are the least, there are 0 of idle, 1 of run" in ended.err
    assert not (tmp_path / "x.wtm").exists()


def test_files_that_are_none_are_named_and_the_rest_is_merged(walk: Walk, tmp_path: Path) -> None:
    walk.all_contribute(0, 10)
    (walk.place.inbox / "zip.wtm").write_bytes(b"PK\x03\x04")
    (walk.place.inbox / "big.wtm").write_bytes(b"\0" * 300_000)
    told = walk.merge(tmp_path / "x.wtm", code=1)
    assert [(each["file"], each["why"]) for each in told["refused"]] == [
        ("big.wtm", "too-large"),
        ("zip.wtm", "malformed"),
    ]


def test_compare_puts_the_three_side_by_side(walk: Walk, tmp_path: Path) -> None:
    walk.all_contribute(0, 10)
    open_, whole = tmp_path / "open.wtm", tmp_path / "whole.wtm"
    walk.merge(open_)
    walk.all_contribute(10, 19, "--scores", open_)
    walk.merge(whole, "--scores", open_)
    faults = tmp_path / "faults.csv"
    faults.write_text(f"gateway,asset,from,to\neast,{ASSET},{when(22)},{when(23)}\n")
    struck = healthy(1, LOADS["east"], 9000)
    struck[7925:8275, 1] -= 1.5
    walk.place.history("east", struck)
    agreed = ("--plan", walk.place.plan, "--trust", walk.place.trust, "--to", when(26))
    rows = walk.rows("compare", whole, *walk.configs.values(), *agreed, "--faults", faults)
    assert [(row["site"].partition(":")[0], row["model"]) for row in rows] == [
        (name, model) for name in LOADS for model in ("local-only", "federated", "centralised")
    ]
    federated, centralised = (
        [row | {"model": ""} for row in rows if row["model"] == model]
        for model in ("federated", "centralised")
    )
    assert federated == centralised
    assert [row["found"] for row in federated] == [0, 1, 0]
    assert max(row["beyond"] for row in rows) < 0.02
    alone = walk.rows("compare", whole, walk.configs["north"], *agreed)
    assert [row["model"] for row in alone] == ["local-only", "federated"]


def test_a_model_without_limits_judges_nothing(walk: Walk, tmp_path: Path) -> None:
    walk.all_contribute(0, 10)
    walk.merge(tmp_path / "open.wtm")
    agreed = ("--plan", walk.place.plan, "--trust", walk.place.trust)
    asked = ("federation", "compare", tmp_path / "open.wtm", walk.configs["north"], *agreed)
    ended = walk.command(*asked)
    assert ended.code == 2
    assert "no limits yet" in ended.err


@contextmanager
def served(centre: Centre) -> Iterator[str]:
    config = uvicorn.Config(site(centre), port=0, log_level="error", http="h11", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait = threading.Event()
    while not server.started:
        wait.wait(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def test_over_http_messages_arrive_once_and_strangers_are_turned_away(walk: Walk) -> None:
    centre = Centre(walk.place.inbox, walk_terms(walk))
    config = walk.configs["north"]
    walk.contribute("north", 0, 10)
    (message,) = (walk.place.data("north") / "federation" / "outbox").glob("*.wtm")
    data = message.read_bytes()
    with served(centre) as url:
        (sent,) = walk.rows("send", config, "--to", url)
        assert sent["to"] == url
        again = urllib3.request("PUT", f"{url}/contributions/again.wtm", body=data)
        assert again.status == 200
        bad = urllib3.request("PUT", f"{url}/contributions/bad.wtm", body=data[:-1] + b"x")
        assert (bad.status, bad.json()["why"]) == (422, "malformed")
        big = urllib3.request("PUT", f"{url}/contributions/big.wtm", body=b"\0" * 2_000_000)
        assert (big.status, big.json()["why"]) == (422, "too-large")
        read = urllib3.request("GET", f"{url}/contributions/again.wtm")
        assert read.status in (404, 405)
    assert [path.read_bytes() for path in walk.place.inbox.glob("*.wtm")] == [data]
    assert [row["why"] for row in centre.turned()] == ["malformed", "too-large"]


def test_a_message_that_came_on_a_stick_is_not_taken_again_over_http(walk: Walk) -> None:
    centre = Centre(walk.place.inbox, walk_terms(walk))
    walk.contribute("north", 0, 10)
    (sent,) = walk.send("north")
    data = (walk.place.inbox / sent["file"]).read_bytes()
    assert centre.take(data)[1] is False
    assert [path.name for path in walk.place.inbox.glob("*.wtm")] == [sent["file"]]


def test_a_second_message_of_the_same_rows_is_refused_on_arrival(walk: Walk) -> None:
    plan = walk_terms(walk)
    centre = Centre(walk.place.inbox, plan)
    walk.contribute("north", 0, 10)
    walk.send("north")
    (walk.place.data("north") / "federation" / "ledger.jsonl").unlink()
    walk.contribute("north", 0, 11)
    (message,) = (walk.place.data("north") / "federation" / "outbox").glob("*.wtm")
    with pytest.raises(Refused) as refused:
        centre.take(message.read_bytes())
    assert refused.value.why is Why.OVERLAP


def test_what_the_centre_refuses_is_written_down(walk: Walk) -> None:
    walk.contribute("north", 0, 10)
    walk.agree("--false-share", "0.01")
    centre = Centre(walk.place.inbox, walk_terms(walk))
    with served(centre) as url:
        (told,) = walk.rows("send", walk.configs["north"], "--to", url, code=1)
    assert told["event"] == "refused"
    assert "plan" in told["message"]
    (row,) = walk.rows("log", walk.configs["north"])
    assert [one["event"] for one in row["ways"]] == ["refused"]


def test_a_centre_that_does_not_answer_leaves_the_outbox_as_it_is(walk: Walk) -> None:
    walk.contribute("north", 0, 10)
    ended = walk.command("federation", "send", walk.configs["north"], "--to", "http://127.0.0.1:9")
    assert ended.code == 3
    box = walk.place.data("north") / "federation" / "outbox"
    assert len(list(box.glob("*.wtm"))) == 1


def test_a_ledger_that_cannot_be_read_stops_everything(walk: Walk) -> None:
    walk.contribute("north", 0, 10)
    ledger = walk.place.data("north") / "federation" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    agreed = ("--plan", walk.place.plan, "--trust", walk.place.trust)
    ended = walk.command("federation", "contribute", walk.configs["north"], *agreed)
    assert ended.code == 2
    assert "ledger.jsonl:1" in ended.err
