"""What each record becomes, line by line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from connectors.influx.points import Points
from plant.quality import Status
from plant.records import EventRecord, Record, SummaryRecord
from plant.summaries import HOUR, LENGTHS, MINUTE, TEN_SECONDS
from tests.connectors.influx.records import ALARM, GAP, HOUR0, T0, S, events, samples, scores, tags

MS = 1_000_000
PLACE = "area=hall,asset=pump-2,line=line-1"
FLOW = f"{PLACE},signal=flow,site=works"


def lines(*records: Record) -> dict[str, list[str]]:
    return dict(Points(tags(), "edge-1", LENGTHS).encode(records).lines)


def test_samples() -> None:
    status = [Status.GOOD, Status.UNCERTAIN, Status.BAD, Status.GOOD]

    made = lines(samples([0] * 4, [1, 2, 3, 4], [1.5, 2.0, np.nan, np.inf], list(status)))

    assert made == {
        "signal": [
            f"signal,{FLOW} v=1.5,q=0i 1",
            f"signal,{FLOW} v=2.0,q=1i 2",
            f"signal,{FLOW} q=2i 3",
            f"signal,{FLOW} q=0i 4",
        ]
    }


def summary(every: int, good: int, values: list[float]) -> SummaryRecord:
    columns = [np.array([value], np.float64) for value in values]
    return SummaryRecord(
        "plc",
        every,
        np.zeros(1, np.int32),
        np.array([HOUR0], np.int64),
        np.array([4], np.uint32),
        np.array([good], np.uint32),
        *columns,
    )


@pytest.mark.parametrize(
    ("every", "name"), [(TEN_SECONDS, "signal_10s"), (MINUTE, "signal_1m"), (HOUR, "signal_1h")]
)
def test_windows(every: int, name: str) -> None:
    made = lines(summary(every, 3, [1.0, 9.0, 4.0, 2.5, 3.0, 5.0]))

    fields = "n=4i,good_ratio=0.75,mean=4.0,min=1.0,max=9.0,std=2.5,first=3.0,last=5.0"
    assert made == {name: [f"{name},{FLOW} {fields} {HOUR0}"]}


def test_a_window_without_a_good_sample_says_how_many_there_were() -> None:
    made = lines(summary(MINUTE, 0, [np.nan] * 6))

    assert made == {"signal_1m": [f"signal_1m,{FLOW} n=4i,good_ratio=0.0 {HOUR0}"]}


def test_windows_of_a_length_that_is_not_sent_are_passed_over() -> None:
    points = Points(tags(), "edge-1", (HOUR,))

    assert dict(points.encode([summary(MINUTE, 1, [1.0] * 6)]).lines) == {}


def test_scores_are_thinned_by_source_time_the_anomalous_less() -> None:
    at = [T0 + i * S for i in range(25)]
    flags = [1] * 25
    flags[14:18] = [3] * 4
    flags[20] = 0

    made = lines(scores(at, flags, [float(i) for i in range(25)]))["score"]

    assert made == [
        f"score,{PLACE},site=works score=0.0,threshold=3.0,anomalous=false {at[0]}",
        f"score,{PLACE},site=works score=10.0,threshold=3.0,anomalous=false {at[10]}",
        f"score,{PLACE},site=works score=15.0,threshold=3.0,anomalous=true {at[15]}",
    ]


def test_scores_do_not_depend_on_how_records_were_cut() -> None:
    at = [T0 + i * S for i in range(40)]
    whole = lines(scores(at, [1] * 40, [1.0] * 40))
    cut = lines(*(scores([when], [1], [1.0]) for when in at))

    assert whole == cut
    assert len(whole["score"]) == 4


def test_a_fast_grid_gives_one_point_in_ten_seconds() -> None:
    at = [T0 + i * S // 10 for i in range(200)]

    assert len(lines(scores(at, [1] * 200, [1.0] * 200))["score"]) == 2


def test_events() -> None:
    made = lines(*events())

    assert set(made) == {"alarm", "contribution", "gap", "state", "gateway", "signal"}
    assert made["state"] == [f"state,{PLACE},site=works ne107=3i,machine=1i,mode=2i {T0}"]
    assert made["gateway"] == [f"gateway,gateway=edge-1 journal_bytes=10.0,rss_mb=51.5 {T0}"]
    assert made["signal"] == [f'signal,{FLOW} text="batch \\"7\\"",q=0i {T0}']
    assert made["gap"] == [
        "gap,gateway=edge-1,line=line-1,site=works,source=plc "
        f'id=3i,from={T0}i,to={T0 + 5 * S}i,cause="link",'
        f'why="line 1 said: \\"no route\\", then nothing",recovered=5i,estimated=false {T0 + 5 * S}'
    ]


def test_an_alarm_says_why() -> None:
    (line,) = lines(EventRecord("alarm", T0, ALARM))["alarm"]
    series, _, rest = line.partition(" ")
    told = rest.partition('contributors="')[2].partition('",onset')[0]

    assert series == (
        "alarm,area=hall,asset=pump-2,class=machine,gateway=edge-1,line=line-1,priority=2,site=works"
    )
    assert (
        'id=12i,state=1i,state_name="UNACK",text="pump-2: vibration 3.1× its normal; 70 %"' in rest
    )
    assert json.loads(told.replace('\\"', '"'))[0]["share"] == 0.7
    assert "ended=" not in rest


def test_an_alarm_has_its_five_largest_contributors_beside_it() -> None:
    first, *rest = lines(EventRecord("alarm", T0, ALARM))["contribution"]
    place = "area=hall,asset=pump-2,gateway=edge-1,line=line-1"
    assert first == (
        f'contribution,{place},rank=1,site=works id=12i,signal="vibration",share=0.7,actual=7.1,'
        f'expected=2.3,low=1.9,high=2.7,unit="mm/s",trend="rising",since_ms={T0 // MS}i,'
        f"from_ms={T0 // MS - 660_000}i,to_ms={T0 // MS + 600_000}i {T0}"
    )
    # Empty ranks are written: they take the place of what an earlier reason had there.
    assert rest == [
        f'contribution,{place},rank={rank},site=works id=12i,signal="",share=0.0 {T0}'
        for rank in (2, 3, 4, 5)
    ]


def test_an_alarm_names_the_last_one_like_it() -> None:
    like = {"id": 3, "similarity": 0.9, "at": 5, "label": "real", "note": "greased", "actor": ""}
    reason = {**ALARM["reason"], "precedents": [like, like]}
    (line,) = lines(EventRecord("alarm", T0, {**ALARM, "reason": reason}))["alarm"]

    assert 'similar="#3: real, greased"' in line


STANDING = {"asset": ALARM["asset"], "ne107": 3, "mode": 2, "machine": 3, "alarm": 12}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            {"priority": 2, "alarm_state": "UNACK", "reason": "shakes", "waited_s": 601.0},
            'alarm_state=1i,state_name="UNACK",open=1i,waiting=1i,overdue=1i,urgency=3i,'
            'unjudged=0i,reason="shakes",waited_s=601.0',
        ),
        (
            {"priority": 1, "alarm_state": "ACKED", "reason": "shakes"},
            'alarm_state=2i,state_name="ACKED",open=1i,waiting=0i,overdue=0i,urgency=4i,'
            'unjudged=0i,reason="shakes"',
        ),
        (
            {"priority": 4, "alarm_state": "SHLVD", "reason": "shakes"},
            'alarm_state=4i,state_name="SHLVD",open=0i,waiting=0i,overdue=0i,urgency=0i,'
            'unjudged=0i,reason="shakes"',
        ),
    ],
)
def test_how_an_asset_stands_is_told_in_numbers(more: dict[str, object], told: str) -> None:
    (line,) = lines(EventRecord("state", T0, {**STANDING, **more}))["state"]

    assert line == (
        f"state,{PLACE},site=works ne107=3i,machine=3i,mode=2i,alarm=12i,"
        f"priority={more['priority']}i,{told} {T0}"
    )


def test_false_alarms_stand_beside_their_budget() -> None:
    names = ("budget", "not_real", "judged_weeks", "realised", "realised_low", "realised_high")
    body = {"asset": ALARM["asset"], **{name: n for n, name in enumerate(names)}}
    (line,) = lines(EventRecord("rate", T0, body))["rate"]

    assert line == (
        f"rate,{PLACE},site=works budget=0.0,not_real=1.0,judged_weeks=2.0,realised=3.0,"
        f"realised_low=4.0,realised_high=5.0 {T0}"
    )


def test_what_is_normal_stands_with_each_signal() -> None:
    body = {
        "asset": ALARM["asset"],
        "mode": 1,
        "signals": ["works/hall/line-1/pump-2/flow", "works/hall/line-1/pump-2/speed"],
        "low": [1.0, 5.0],
        "high": [2.0, 6.0],
        "expected": [1.5, 5.5],
        "drift": [0.25, -1.0],
    }
    flow, speed = lines(EventRecord("normal", T0, body))["normal"]

    assert flow == f"normal,{FLOW} low=1.0,high=2.0,expected=1.5,drift=0.25,mode=1i {T0}"
    assert "signal=speed" in speed


def test_what_no_number_tells_is_null_in_the_contributors() -> None:
    part = {**ALARM["reason"]["contributions"][0], "expected": float("nan")}
    reason = {**ALARM["reason"], "contributions": [part]}
    (line,) = lines(EventRecord("alarm", T0, {**ALARM, "reason": reason}))["alarm"]

    assert '\\"expected\\":null' in line


def test_a_gap_that_lasts_has_no_end() -> None:
    (line,) = lines(EventRecord("gap", T0, {**GAP, "stop": None}))["gap"]

    assert ",to=" not in line


@pytest.mark.parametrize(
    "event",
    [
        EventRecord("alarm", T0, {"id": 1}),
        EventRecord("gap", T0, {**GAP, "lost": 1.5}),
        EventRecord("gap", T0, {**GAP, "id": 2**64}),
        EventRecord("context", T0, {"text": "no tag"}),
    ],
    ids=["alarm", "lost", "id", "context"],
)
def test_an_event_that_is_not_what_it_should_be_is_refused_and_its_neighbours_are_not(
    event: EventRecord,
) -> None:
    made = Points(tags(), "edge-1", LENGTHS).encode([event, samples([0], [1], [1.0])])

    assert len(made.refusals) == 1
    assert event.kind in made.refusals[0].what
    assert len(made.lines["signal"]) == 1


def test_tags_that_are_not_known_are_refused_and_their_neighbours_are_not() -> None:
    made = Points(tags(first=3), "edge-1", LENGTHS).encode(
        [samples([3, 0, 9, -1, 9], [1, 2, 3, 4, 5], [1.0] * 5)]
    )

    assert [one.what for one in made.refusals] == [
        "1 of the samples of plc, tag -1",
        "1 of the samples of plc, tag 0",
        "2 of the samples of plc, tag 9",
    ]
    assert made.lines["signal"] == [f"signal,{FLOW} v=1.0,q=0i 1"]


@pytest.mark.parametrize("name", ["a\\", "a\nb", ""])
def test_a_tag_that_cannot_be_written_is_refused_with_the_reason(name: str) -> None:
    made = Points(tags(name, "a/b"), "edge-1", LENGTHS).encode([samples([0, 1], [1, 1], [1.0] * 2)])

    assert ["backslash" in one.reason for one in made.refusals] == [True]
    assert made.lines["signal"] == ["signal,asset=a,signal=b v=1.0,q=0i 1"]


def test_a_window_with_an_infinity_is_refused() -> None:
    made = Points(tags(), "edge-1", LENGTHS).encode([summary(HOUR, 3, [1.0, np.inf, 1, 1, 1, 1])])

    assert [one.what for one in made.refusals] == [
        f"signal_1h of works/hall/line-1/pump-2/flow at {HOUR0}"
    ]
    assert made.lines["signal_1h"] == []


def test_what_a_tag_is() -> None:
    (line,) = Points(tags(), "edge-1", LENGTHS).described(T0)

    assert line == f'tag,{FLOW} unit="mm/s",role="signal",source="plc" {T0}'


def test_a_retired_tag_says_no_more_than_is_known_of_it_and_moves_no_source() -> None:
    present = tags()
    (other,) = tags("elsewhere/hall/line-9/pump-9/flow", first=5)
    points = Points([*present, replace(other, retired=True)], "edge-1", LENGTHS)

    assert points.described(T0)[1].endswith(f' unit="mm/s",source="plc" {T0}')
    assert points.encode([samples([5], [1], [1.5])]).refusals == []
    (gap,) = points.encode([EventRecord("gap", T0, GAP)]).lines["gap"]
    assert "line=line-1" in gap
